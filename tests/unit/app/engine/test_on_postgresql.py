"""The whole engine over a real PostgreSQL server: nothing in it may depend on SQLite."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import func, select

from adapters.base import Inlet
from adapters.errors import AuthFailed
from adapters.records import Batch
from app.clock import SystemClock
from app.engine.commands import SYNC, give_command, outcome_of
from app.engine.facts import ENGINE_FACT, EngineHeld
from app.engine.held import HeldStore
from app.engine.host import EngineHost
from app.engine.phases import Phase
from app.integrations.changes import Desk, add
from app.paths import Paths
from app.security.vault import MemoryVault
from app.store.facts import get_fact
from app.store.tables import Integration, IntegrationDay, IntegrationLog, PositionRow, Problem, RejectedRecord
from app.tasks import Tasks
from tests.helpers.fake_adapter import Kits, fake_catalogue, fake_kind, position, until
from tests.helpers.stores import make_migrated_postgresql_url, postgresql_server

__all__ = ["postgresql_server"]


async def test_the_engine_serves_a_postgresql_store(
    tmp_path: Path, postgresql_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await asyncio.to_thread(make_migrated_postgresql_url, postgresql_server)
    clock, tasks = SystemClock(), Tasks()
    take = partial(HeldStore.take, clock=clock, started_by="service", database_url=url)
    held = await asyncio.to_thread(take, Paths(tmp_path))
    with pytest.raises(EngineHeld):
        await asyncio.to_thread(take, Paths(tmp_path / "other"))
    kind, script = fake_kind(modes=frozenset({"pull", "listen"}))
    desk = Desk(held.store, fake_catalogue(kind), MemoryVault())
    host = EngineHost(held, desk.catalogue, desk.vault, clock=clock, tasks=tasks, make_kit=Kits(), rng=Random(1))
    ingest = host._sink.ingest

    def with_a_defect(connection: Any, integration_id: str, batches: Any, now_ms: int) -> Any:
        result = ingest(connection, integration_id, batches, now_ms)
        if any(getattr(record, "serial", None) == 13 for batch in batches for record in batch.records):
            raise TypeError("a defect of ours")
        return result

    monkeypatch.setattr(host._sink, "ingest", with_a_defect)

    async def listen(inlet: Inlet) -> None:
        inlet.connected("listening")
        now_ms = clock.now_ms()
        await asyncio.shield(inlet.deliver(Batch([position("t1", n, now_ms=now_ms) for n in range(10, 15)])))
        inlet.count("skipped_bytes", 2)

    script.listen = listen
    script.fetches = [(), [Batch([position("t2", 1, now_ms=clock.now_ms())], {"positions": "1"})], ()]
    running = tasks.start(host.run(), name="host", owner="test")
    try:
        integration_id = await asyncio.to_thread(add, desk, "fake", "Both", {})

        def answer(command_id: str) -> Any:
            with held.store.read() as connection:
                return outcome_of(connection, command_id)

        await until(lambda: (one := host.engine.states.get(integration_id)) and one.phase is Phase.HEALTHY, 20)
        give = partial(give_command, name=SYNC, now_ms=clock.now_ms(), integration_id=integration_id)
        command_id = await asyncio.wrap_future(held.store.write(give))
        outcome = await until(lambda: answer(command_id), 20)
        assert outcome["counts"] == {"raw_frames": 1, "positions": 1}
        script.fetches = [AuthFailed("The token was refused.")]
        command_id = await asyncio.wrap_future(held.store.write(give))
        assert not (await until(lambda: answer(command_id), 20))["ok"]
    finally:
        host.stop()
        await running
    with held.store.read() as connection:
        assert connection.execute(select(func.count()).select_from(PositionRow)).scalar_one() == 5
        assert connection.execute(select(func.count()).select_from(RejectedRecord)).scalar_one() == 1
        assert connection.execute(select(Integration.status)).scalar_one() == "error"
        kinds = set(connection.execute(select(Problem.problem_key)).scalars())
        events = set(connection.execute(select(IntegrationLog.event_type)).scalars())
        day = connection.execute(select(IntegrationDay.records, IntegrationDay.runs, IntegrationDay.counters)).one()
        beat = get_fact(connection, ENGINE_FACT) or {}
    assert kinds == {f"sign_in:{integration_id}", f"defect_records:{integration_id}"}
    assert {"sync_success", "sync_error", "sign_in"} <= events
    assert tuple(day) == (5, 3, {"skipped_bytes": 2})
    assert beat["state"] == "stopped"
    await tasks.close()
    await asyncio.to_thread(held.close)
