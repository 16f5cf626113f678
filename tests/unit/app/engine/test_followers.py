"""Followers: woken by their topics and by the clock, never twice at a time, a failure costs nobody else anything."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio

from app.engine import followers as module
from app.engine.followers import FOLLOWERS, Followers, load_followers
from app.errors import OperatorError
from app.store.store import Store
from app.tasks import Tasks
from tests.helpers.fake_adapter import LentClock
from tests.helpers.stores import make_store

PATIENCE_S = 30.0


class Recorder:
    """Notes its steps; ``answers`` are what they return or raise, the last one for ever."""

    topics = frozenset({"positions"})

    def __init__(self, name: str, *answers: float | Exception | None) -> None:
        self.name = name
        self.answers = list(answers)
        self.steps: list[int] = []
        self.under_way = self.most_under_way = 0
        self.gate = threading.Event()
        self.gate.set()

    def step(self, store: Store, now_ms: int) -> float | None:
        del store
        self.steps.append(now_ms)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            assert self.gate.wait(PATIENCE_S)
        finally:
            self.under_way -= 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Room:
    def __init__(self, store: Store) -> None:
        self.store, self.clock = store, LentClock()
        self.failures: list[str] = []
        self.tasks = Tasks(lambda name, error: self.failures.append(f"{name}: {error}"))
        self.running: Followers | None = None

    async def start(self, *recorders: Recorder) -> Followers:
        self.running = Followers(self.store, self.clock, self.tasks, lambda: recorders, Random(1))
        self.running.start()
        await self.until(lambda: all(one.steps for one in recorders))
        return self.running

    async def until(self, is_so: Callable[[], bool], *, passing_s: float = 0.1) -> None:
        """Let the lent clock run until something is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not is_so():
                await self.clock.advance(passing_s)
                await asyncio.sleep(0.001)

    async def settled(self) -> None:
        """Let everything happen that needs no time of the lent clock."""
        for _turn in range(50):
            await asyncio.sleep(0.001)


@pytest_asyncio.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    store = make_store(tmp_path)
    room = Room(store)
    yield room
    if room.running is not None:
        await room.running.stop()
    await room.tasks.close()
    await asyncio.to_thread(store.close)
    assert room.failures == []


async def test_a_follower_is_called_when_its_topic_moves_and_not_for_others(room: Room) -> None:
    one = Recorder("one", None)
    running = await room.start(one)
    await room.clock.advance(10)
    await room.settled()
    assert len(one.steps) == 1
    running.moved(frozenset({"events", "acts"}))
    await room.settled()
    assert len(one.steps) == 1
    running.moved(frozenset({"positions"}))
    await room.until(lambda: len(one.steps) == 2)


async def test_it_is_called_again_after_the_seconds_that_it_asked_for(room: Room) -> None:
    one = Recorder("one", 30.0, None)
    await room.start(one)
    await room.until(lambda: len(one.steps) == 2, passing_s=1)
    assert 30_000 <= one.steps[1] - one.steps[0] <= 35_000


async def test_steps_never_overlap_and_rest_between(room: Room) -> None:
    one = Recorder("one", None)
    running = await room.start(one)
    one.gate.clear()
    running.moved(frozenset({"positions"}))
    await room.until(lambda: one.under_way == 1)
    for _again in range(5):
        running.moved(frozenset({"positions"}))
        await room.settled()
    assert len(one.steps) == 2
    one.gate.set()
    await room.settled()
    assert len(one.steps) == 2  # it rests, however much moved
    await room.until(lambda: len(one.steps) == 3)
    await room.settled()
    assert (len(one.steps), one.most_under_way) == (3, 1)


@pytest.mark.parametrize("error", [OperatorError("The disk is full."), RuntimeError("a defect")])
async def test_a_failure_is_tried_again_after_growing_delays_and_stops_nobody_else(
    room: Room, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Recorder("bad", error, error, error, None), Recorder("good", 1.0)
    running = await room.start(bad, good)
    running.moved(frozenset({"positions"}))
    await room.until(lambda: len(bad.steps) == 4)
    waits = [later - earlier for earlier, later in zip(bad.steps, bad.steps[1:], strict=False)]
    assert waits[0] >= 1_000
    assert waits[1] > waits[0]
    assert waits[2] > waits[1]
    assert len(good.steps) > 5
    assert "bad" in caplog.text


async def test_a_follower_that_fails_for_days_is_still_tried(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = 1_100  # 2**1024 is no float any more
    monkeypatch.setattr(module._log, "disabled", True)
    bad = Recorder("bad", *[OperatorError("The disk is full.")] * failures, None)
    await room.start(bad)
    await room.until(lambda: len(bad.steps) > failures, passing_s=300)


async def test_the_end_waits_for_a_step_that_is_under_way(room: Room) -> None:
    one = Recorder("one", None)
    running = await room.start(one)
    one.gate.clear()
    running.moved(frozenset({"positions"}))
    await room.until(lambda: one.under_way == 1)
    stopping = asyncio.ensure_future(running.stop())
    await room.settled()
    assert not stopping.done()
    one.gate.set()
    await stopping
    assert one.under_way == 0
    running.moved(frozenset({"positions"}))
    await room.settled()
    assert len(one.steps) == 2


def test_the_followers_of_the_program_can_be_loaded() -> None:
    loaded = load_followers()
    assert len(loaded) == len(FOLLOWERS)
    names = [one.name for one in loaded]
    assert len(set(names)) == len(names)
    assert all(one.topics for one in loaded)


def test_one_that_cannot_be_loaded_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    assert [type(one).__name__ for one in load_followers(("no.such:Thing", FOLLOWERS[0]))] == ["TelematicsFollower"]
    assert "no.such" in caplog.text
    assert module.REST_S > 0
