"""Row security hides without an error: what a table does not show any more is never taken as gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from adapters.cursors import dump
from adapters.dispatch import DeliveryEvent, FleetVehicle, Invitation, OnboardingRequest
from adapters.errors import AuthFailed
from adapters.mod4.complete import judge
from adapters.records import Position
from adapters.supply import FullRead
from app.store.store import Store
from app.store.tables import BatchStopRow, DeliveryBatchRow, DriverRow, FleetVehicleRow, InvitationRow
from app.supply.merge import SupplyMerge
from tests.adapters.mod4.support import ASSIGNED, BOSS, MUSA, REQUEST, Site, console, fetch, of_kind
from tests.adapters.mod4.test_pull import EVENT, POINT, troubles
from tests.helpers.fleet import T0_MS, add_integration
from tests.helpers.stores import make_store

HIDE = "DROP POLICY members ON {0}; DROP POLICY IF EXISTS signed_in ON {0}; DROP POLICY IF EXISTS own_batches ON {0}"
SHOW = "CREATE POLICY members ON {0} TO authenticated USING (true)"


def whole(records: list[Any]) -> set[str]:
    return {one.kind for one in of_kind(records, FullRead) if one.mark == "ends"}


@pytest.mark.parametrize(
    ("table", "stream", "kind"),
    [
        ("vehicles", "vehicles", "fleet_vehicle"),
        ("drivers", "drivers", "driver"),
        ("delivery_batches", "batches", "delivery_batch"),
    ],
)
async def test_a_table_that_falls_silent_is_a_trouble_until_it_speaks_again(
    web: Site, table: str, stream: str, kind: str
) -> None:
    settings = web.settings(catalogue_every_min=1)
    records, cursors = await fetch(settings)
    assert kind in whole(records)
    due = {name: text.replace('"read_ms":', '"read_ms":1,"was":') for name, text in cursors.items()}
    web.run(HIDE.format(table))
    for _ in range(2):  # however often it is read
        records, after = await fetch(settings, due)
        assert kind not in whole(records)
        assert "row security may hide" in troubles(records)[stream]
        assert "boss@depot.test" in troubles(records)[stream]
        due = {name: text.replace('"read_ms":', '"read_ms":1,"was":') for name, text in after.items()}
    web.run(SHOW.format(table))
    records, _ = await fetch(settings, due)
    assert kind in whole(records)
    assert stream not in troubles(records)


async def test_own_rows_alone_do_not_make_a_reading_complete(web: Site) -> None:
    """The rule of administrators goes and the addressee's stays: the account sees the one that it came by itself."""
    web.run("INSERT INTO user_invitations (email, workspace_id, role_code, invited_by, status) SELECT "
            "'boss@depot.test', id, 'driver', %s::uuid, 'accepted' FROM workspaces WHERE slug = 'kano'",
            BOSS)  # fmt: skip
    records, cursors = await fetch(web.settings())
    assert len(of_kind(records, Invitation)) == 2
    assert "invitation" in whole(records)
    web.run("DROP POLICY administer ON user_invitations")
    records, _ = await fetch(web.settings(), cursors)
    assert [one.email for one in of_kind(records, Invitation)] == ["boss@depot.test"]
    assert "invitation" not in whole(records)
    assert "user_invitations shows none of the 1 rows" in troubles(records)["invitations"]


async def test_a_role_that_was_taken_away_hides_the_invitations_with_its_reason(web: Site) -> None:
    async with console(web.settings()) as made:
        async with made.platform.open() as opened:
            assert opened.site.feature("invitations").is_on
        web.run("UPDATE workspace_members SET role = 'member' WHERE user_id = %s::uuid", BOSS)
        async with made.platform.open() as opened:
            assert not opened.site.feature("invitations").is_on
            assert not opened.site.feature("invite").is_on
            assert "only rows of its own account" in opened.site.feature("invitations").why


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM workspace_members WHERE user_id = %s::uuid",
     "UPDATE workspace_members SET status = 'inactive' WHERE user_id = %s::uuid"],
)  # fmt: skip
async def test_an_account_that_is_no_member_any_more_reads_nothing_and_is_told(web: Site, statement: str) -> None:
    async with console(web.settings()) as made:
        async with made.platform.open():
            pass
        web.run(statement, BOSS)
        with pytest.raises(AuthFailed):
            _ = [batch async for batch in made.fetch({})]


async def test_a_way_that_takes_the_account_s_token_is_found_out_before_anything_is_read(web: Site) -> None:
    assert web.web is not None
    async with console(web.settings()) as made:
        _ = [batch async for batch in made.fetch({})]
        web.web.takes_tokens = True
        with pytest.raises(AuthFailed, match="Row security lets"):
            _ = [batch async for batch in made.fetch({})]


async def test_what_is_deleted_among_others_is_gone_and_an_empty_list_at_the_first_reading_is_no_trouble(
    web: Site,
) -> None:
    web.run("DELETE FROM vehicles WHERE plate_number <> 'KAN-1'")
    records, cursors = await fetch(web.settings())
    assert "dispatch_run" in whole(records)  # there never was one
    assert [one.plate for one in of_kind(records, FleetVehicle)] == ["KAN-1"]
    records, _ = await fetch(web.settings(), cursors)
    assert set(troubles(records)) == web.hidden


async def test_rules_that_were_given_back_are_seen(web: Site) -> None:
    web.unhide()
    records, _ = await fetch(web.settings())
    assert [one.peer_id for one in of_kind(records, OnboardingRequest)] == [REQUEST]
    assert "onboarding_request" in whole(records)


async def test_nothing_in_the_store_is_gone_when_everything_falls_silent(web: Site, tmp_path: Path) -> None:
    """Read over the database, then over the web service, which shows nothing of it any more."""
    store = make_store(tmp_path)
    cursors: dict[str, str] = {}
    try:
        integration = add_integration(store, "mod4-1", "mod4")
        merge = SupplyMerge(store.engine.dialect)

        async def take(settings: Any) -> list[Any]:
            nonlocal cursors
            records, after = await fetch(settings, cursors)
            cursors = {name: text.replace('"read_ms":', '"read_ms":1,"was":') for name, text in after.items()}

            def job(connection: Connection) -> object:
                return merge.merge(connection, integration, records, T0_MS)

            store.write(job).result()
            return records

        await take(web.settings("console", positions=False))
        counts = _left(store)
        assert all(counts)
        for table in ("vehicles", "drivers", "delivery_batches"):
            web.run(HIDE.format(table))
        web.run("DROP POLICY administer ON user_invitations; DROP POLICY addressee ON user_invitations")
        for _ in range(2):
            records = await take(web.settings(positions=False))
            assert {"vehicles", "drivers", "batches", "invitations"} <= set(troubles(records))
            assert _left(store) == counts
    finally:
        store.close()


def _left(store: Store) -> list[int]:
    with store.read() as connection:
        return [
            int(connection.execute(select(func.count()).select_from(row).where(row.gone_at.is_(None))).scalar_one())
            for row in (DriverRow, FleetVehicleRow, DeliveryBatchRow, InvitationRow, BatchStopRow)
        ]


@pytest.mark.parametrize(
    ("cursor", "shown", "is_whole", "is_trouble"),
    [
        (None, {"a": None}, True, False),  # nothing was ever there
        (dump(read_ms=1, rows={"a": 0}), {"a": None}, True, False),
        (dump(read_ms=1, rows={"a": 3}), {"a": None}, False, True),
        (dump(read_ms=1), {"a": None}, False, False),  # an older console did not count
        (dump(read_ms=1, rows={"b": 3}), {"a": None}, False, False),
        (dump(read_ms=1, rows={"a": 3}), {"a": 0}, True, False),  # others of the table are shown
        (dump(read_ms=1, rows={"a": 3, "b": 1}), {"a": 2, "b": None}, False, True),
        (dump(read_ms=1, rows=[1]), {"a": None}, False, False),
        (dump(read_ms=1, rows={"a": "x"}), {"a": None}, False, False),
    ],
)  # fmt: skip
async def test_silence_counts_only_where_nothing_was(
    web: Site, cursor: str | None, shown: dict[str, int | None], is_whole: bool, is_trouble: bool
) -> None:
    async with console(web.settings()) as made, made.platform.open() as opened:
        judged = judge(cursor, shown, opened.site)
    assert (judged.is_whole, bool(judged.trouble)) == (is_whole, is_trouble)


async def test_events_that_were_hidden_for_a_while_are_read_when_they_are_shown_again(web: Site) -> None:
    """Days may lie between: the cursor waits where it was."""
    settings = web.settings()
    web.run(EVENT, "batch_started", MUSA, ASSIGNED, "now", None, "{}")
    web.run(POINT, MUSA, "now", None)
    records, cursors = await fetch(settings)
    assert len(of_kind(records, DeliveryEvent)) == len(of_kind(records, Position)) == 1
    for table in ("mod4_events", "driver_gps_events"):
        web.run(f"DROP POLICY members ON {table}")
    web.run(EVENT, "delivery_completed", MUSA, ASSIGNED, "now", None, "{}")
    for _ in range(2):
        records, after = await fetch(settings, cursors)
        assert of_kind(records, DeliveryEvent) == []
        assert "mod4_events shows no row any more" in troubles(records)["events"]
        assert "driver_gps_events shows no row any more" in troubles(records)["positions"]
        assert after["events:mod4_events"] == cursors["events:mod4_events"]
        assert after["positions"] == cursors["positions"]
    for table in ("mod4_events", "driver_gps_events"):
        web.run(f"CREATE POLICY members ON {table} FOR SELECT TO authenticated USING (true)")
    records, _ = await fetch(settings, after)
    assert {one.kind for one in of_kind(records, DeliveryEvent)} == {"batch_started", "delivered"}
    assert not {"events", "positions"} & set(troubles(records))


async def test_a_platform_where_nothing_happened_yet_is_no_trouble(web: Site) -> None:
    records, cursors = await fetch(web.settings())
    assert set(troubles(records)) == web.hidden
    assert "events:mod4_events" not in cursors
    records, _ = await fetch(web.settings(), cursors)
    assert set(troubles(records)) == web.hidden
