from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select

from app.engine.facts import ENGINE_FACT, EngineHeld, read_facts
from app.engine.held import HeldStore
from app.engine.host import EngineHost
from app.integrations.changes import Desk, add
from app.paths import Paths
from app.security.vault import MemoryVault
from app.store.facts import get_fact, set_fact
from app.store.retention import CLOCK_FACT
from app.store.tables import IntegrationLog, Problem
from app.tasks import Tasks
from tests.helpers.fake_adapter import Kits, LentClock, fake_catalogue, fake_kind, until

DAY_MS = 86_400_000


@dataclass
class Place:
    """A held store and what an engine host needs beside it."""

    paths: Paths
    clock: LentClock
    held: HeldStore
    tasks: Tasks
    desk: Desk

    def host(self) -> EngineHost:
        return EngineHost(
            self.held,
            self.desk.catalogue,
            self.desk.vault,
            clock=self.clock,
            tasks=self.tasks,
            make_kit=Kits(),
            rng=Random(1),
        )

    def fact(self) -> dict[str, Any]:
        with self.held.store.read() as connection:
            return get_fact(connection, ENGINE_FACT) or {}

    def rows(self, table: Any) -> list[Any]:
        with self.held.store.read() as connection:
            return list(connection.execute(select(table.__table__)))


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    paths, clock = Paths(tmp_path), LentClock()
    held = HeldStore.take(paths, clock, started_by="console")
    kind, _script = fake_kind(modes=frozenset({"listen"}))
    tasks = Tasks()
    yield Place(paths, clock, held, tasks, Desk(held.store, fake_catalogue(kind), MemoryVault()))
    await tasks.close()
    held.close()


async def test_taking_the_store_makes_migrates_and_locks_it(place: Place) -> None:
    assert place.paths.store_file.exists()
    assert read_facts(place.paths.engine_json) == place.held.facts
    with pytest.raises(EngineHeld) as caught:
        HeldStore.take(place.paths, place.clock, started_by="service")
    assert caught.value.holder == place.held.facts
    assert f"process {place.held.facts.pid}" in caught.value.why
    assert "started by the console" in caught.value.why


async def test_closing_gives_the_lock_back(place: Place) -> None:
    place.held.close()
    assert read_facts(place.paths.engine_json) is None
    HeldStore.take(place.paths, place.clock, started_by="service").close()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"pid": 1, "shoe": 2}'])
def test_facts_that_cannot_be_read_are_no_facts(tmp_path: Path, content: str) -> None:
    file = tmp_path / "engine.json"
    file.write_text(content)
    assert read_facts(file) is None


async def test_the_heart_beats_and_the_words_follow_the_engine(place: Place) -> None:
    add(place.desk, "fake", "Fake", {})
    host = place.host()
    ready: list[Any] = []
    running = place.tasks.start(host.run(ready.append), name="host", owner="test")
    await until(lambda: ready)
    assert list(ready[0]) == ["Fake"]
    await until(lambda: place.fact().get("state") == "running")
    first = place.fact()["beat_at_ms"]
    touched = place.paths.engine_json.stat().st_mtime_ns
    await place.clock.advance(2.5)
    await until(lambda: place.fact()["beat_at_ms"] > first)
    assert place.paths.engine_json.stat().st_mtime_ns > touched
    host.stop()
    await running
    assert place.fact()["state"] == "stopped"
    assert host.fault == ""


async def test_a_lost_lock_ends_the_engine_and_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    host = place.host()
    running = place.tasks.start(host.run(), name="host", owner="test")
    await until(lambda: place.fact().get("state") == "running")
    monkeypatch.setattr(HeldStore, "is_held", property(lambda _self: False))
    await place.clock.advance(2.5)
    await asyncio.wait_for(running, 10)
    assert "lock" in host.fault


async def test_a_jump_of_the_clock_is_noted(place: Place) -> None:
    host = place.host()
    running = place.tasks.start(host.run(), name="host", owner="test")
    await until(lambda: place.fact().get("state") == "running")
    place.clock.set_wall(place.clock.now_ms() + 2 * DAY_MS)
    await place.clock.advance(2.5)
    await until(lambda: place.rows(IntegrationLog))
    host.stop()
    await running
    (line,) = place.rows(IntegrationLog)
    assert line.event_type == "clock_jumped"
    assert line.payload["jump_s"] == pytest.approx(2 * DAY_MS / 1000, abs=1)


async def test_a_clock_far_behind_the_store_is_a_problem_until_it_is_right_again(place: Place) -> None:
    ahead = {"beat_at_ms": place.clock.now_ms() + 3 * DAY_MS}
    place.held.store.write(lambda connection: set_fact(connection, ENGINE_FACT, ahead)).result(5)
    for expected in ([False], [True]):
        host = place.host()
        running = place.tasks.start(host.run(), name="host", owner="test")
        await until(lambda: place.fact().get("state") == "running")
        host.stop()
        await running
        problems = place.rows(Problem)
        assert [problem.cleared_at is not None for problem in problems] == expected
    assert "clock" in problems[0].title


async def test_a_clock_years_ahead_of_the_store_is_a_problem_until_it_is_right_again(place: Place) -> None:
    right_ms = place.clock.now_ms()
    seen = {"at_ms": right_ms, "doubted_rounds": 0}
    place.held.store.write(lambda connection: set_fact(connection, CLOCK_FACT, seen)).result(5)
    place.clock.set_wall(right_ms + 20 * 365 * DAY_MS)
    host = place.host()
    running = place.tasks.start(host.run(), name="host", owner="test")
    await until(lambda: [row for row in place.rows(Problem) if row.cleared_at is None])
    (problem,) = place.rows(Problem)
    assert problem.title == "The clock of this computer is far ahead"
    assert "20 years after" in problem.detail
    assert "set the computer's date and time" in problem.detail
    await until(lambda: place.fact().get("state") == "running")
    place.clock.set_wall(right_ms)  # somebody did
    await place.clock.advance(2.5)
    await until(lambda: not [row for row in place.rows(Problem) if row.cleared_at is None])
    host.stop()
    await running


async def test_a_damaged_store_is_set_aside_and_the_engine_takes_a_good_one(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.create()
    paths.store_file.write_bytes(b"SQLite format 3\0" + b"\xff" * 20_000)
    held = HeldStore.take(paths, LentClock(), started_by="service")
    try:
        with held.store.read() as connection:
            titles = [row.title for row in connection.execute(select(Problem.title))]
        assert titles, "the operator is told"
        assert held.prepared.recovered is not None
    finally:
        held.close()
