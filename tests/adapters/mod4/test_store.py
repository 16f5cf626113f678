"""What the adapter brings is what the store takes: nothing set aside, nothing written twice, deletions noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from adapters.mod4.simulator import make_platform
from adapters.records import Batch, Rejected
from app.engine.sink import StoreSink
from app.store.store import Store
from app.store.tables import BatchStopRow, DeliveryBatchRow, DriverLinkRow, DriverRow, OnboardingRequestRow
from app.supply.merge import Merged, SupplyMerge
from tests.adapters.mod4.support import REQUEST, Site, fetch, of_kind, on_the_web, server
from tests.helpers.fleet import T0_MS, add_integration
from tests.helpers.stores import make_store


def _count(store: Store, table: type) -> int:
    with store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


@pytest.mark.parametrize("way", ["database", "web"])
async def test_a_whole_platform_goes_into_the_store_and_nothing_is_set_aside(way: str, tmp_path: Path) -> None:
    platform = make_platform(server(), "repaired")
    who = {"workspace": platform.world.workspace_id, "acting_user": platform.world.owner.email}
    async with on_the_web(Site(platform.database)) as web:
        settings = web.settings(**who) if way == "web" else web.settings("console", **who)
        records, _ = await fetch(settings)
    assert of_kind(records, Rejected) == []
    store = make_store(tmp_path)
    try:
        integration = add_integration(store, "mod4-1", "mod4")
        sink = StoreSink(store)

        def ingest(connection: Connection) -> object:
            return sink.ingest(connection, integration, [Batch(tuple(records))], T0_MS)

        store.write(ingest, on_rollback=sink.forget).result()
        assert _count(store, DriverRow) >= 10
        assert _count(store, DriverLinkRow) >= 5
        assert _count(store, BatchStopRow) > _count(store, DeliveryBatchRow) > 0
    finally:
        store.close()


async def test_what_was_read_comes_again_unchanged_and_what_was_deleted_is_gone(either: Site, tmp_path: Path) -> None:
    site = either
    site.unhide()
    site.run("INSERT INTO onboarding_requests (full_name, phone) VALUES ('Another', '+234805')")
    store = make_store(tmp_path)
    try:
        integration = add_integration(store, "mod4-1", "mod4")
        merge = SupplyMerge(store.engine.dialect)

        async def take() -> Merged:
            records, _ = await fetch(site.settings(positions=False))

            def job(connection: Connection) -> Merged:
                return merge.merge(connection, integration, records, T0_MS)

            return store.write(job).result()

        first = await take()
        assert first.changed > 10
        assert list(first.rejected) == []
        assert (await take()).changed == 0
        site.run("DELETE FROM onboarding_requests WHERE id = %s::uuid", REQUEST)
        await take()
        with store.read() as connection:
            query = select(OnboardingRequestRow.gone_at).where(OnboardingRequestRow.peer_id == REQUEST)
            assert connection.execute(query).scalar_one() is not None
    finally:
        store.close()
