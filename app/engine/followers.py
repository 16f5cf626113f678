"""Rules beside the engine: what reads what was committed, and writes what follows from it.

Each follower runs by itself in a worker thread, never twice at a time. It is called when one of its topics moved, and
again when it asked for it; a failure is logged and tried again after a growing while, and costs nobody else anything.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Protocol

from adapters.base import Clock
from app.engine.delays import retry_delay_s
from app.engine.ports import rings_within
from app.errors import OperatorError
from app.store.store import Store
from app.tasks import Tasks

START_S = 1.0
REST_S = 0.5
"""Between two steps of one: batches come fifty times a second, and what follows from them need not."""
PATIENCE_S = 3_600.0
"""After which a follower is called although nothing moved and it did not ask for it."""

FOLLOWERS: tuple[str, ...] = (
    "app.fuel.telematics:TelematicsFollower",
    "app.fuel.worker:FuelWorker",
    "app.alarms.follower:AlarmFollower",
    "app.identity.look:IdentityFollower",
    "app.reports.follower:ReportFollower",
    "app.notices.follower:NoticeFollower",
    "app.deliveries.follower:DeliveriesFollower",
    "app.deliveries.twin_follower:TwinFollower",
)
"""``module:class``, loaded when an engine runs: numbers and analyses cost memory that a window does not need."""

_log = logging.getLogger(__name__)


class Follower(Protocol):
    """What follows from what was stored. It keeps its own cursor in the store, with what it writes."""

    name: str
    topics: frozenset[str]

    def step(self, store: Store, now_ms: int) -> float | None:
        """Do a bounded piece of work. Returns seconds after which it wants to be called although nothing moved."""
        ...


def load_followers(targets: Sequence[str] = FOLLOWERS) -> list[Follower]:
    """Make each follower; one that cannot be loaded is logged and left out."""
    found: list[Follower] = []
    for target in targets:
        module, _, name = target.partition(":")
        try:
            found.append(getattr(importlib.import_module(module), name)())
        except Exception:  # noqa: BLE001 - what is missing for one must not end the engine
            _log.exception("what follows from stored data cannot be loaded: %s", target)
    return found


class Followers:
    """Runs followers on an engine's loop, from :meth:`start` to :meth:`stop`."""

    def __init__(
        self, store: Store, clock: Clock, tasks: Tasks, load: Callable[[], Sequence[Follower]], rng: Random
    ) -> None:
        self._store = store
        self._clock = clock
        self._tasks = tasks
        self._load = load
        self._rng = rng
        self._wakes: dict[Follower, asyncio.Event] = {}

    def start(self) -> None:
        """Begin soon: the start of a program has better things to do than to load them."""
        self._tasks.start(self._begin(), name="followers", owner=self)

    async def stop(self) -> None:
        """End them; a step that is under way ends first."""
        await self._tasks.cancel_owner(self)

    def moved(self, topics: frozenset[str]) -> None:
        """Something was committed. Call it on the loop."""
        for follower, wake in self._wakes.items():
            if follower.topics & topics:
                wake.set()

    async def _begin(self) -> None:
        await self._clock.sleep(START_S)
        for follower in await asyncio.to_thread(self._load):
            self._wakes[follower] = asyncio.Event()
            self._tasks.start(self._run(follower), name=f"follower {follower.name}", owner=self)

    async def _run(self, follower: Follower) -> None:
        wake, failures = self._wakes[follower], 0
        while True:
            wake.clear()
            try:
                wait_s = await self._step(follower)
            except Exception as err:  # noqa: BLE001 - a defect in one must not end the others
                failures += 1
                delay_s = retry_delay_s(failures, None, self._rng)
                if isinstance(err, OperatorError):
                    _log.warning("%s: %s Trying again in %.0f s.", follower.name, err.why, delay_s)
                else:
                    _log.exception("%s failed; trying again in %.0f s", follower.name, delay_s)
                await self._clock.sleep(delay_s)
            else:
                failures = 0
                await self._clock.sleep(REST_S)
                await rings_within(wake, PATIENCE_S if wait_s is None else wait_s, self._clock)

    async def _step(self, follower: Follower) -> float | None:
        """One step in a thread; a cancelled one is over, its work stored or not, when this returns."""
        now_ms = self._clock.now_ms()
        stepping = asyncio.get_running_loop().run_in_executor(None, follower.step, self._store, now_ms)
        try:
            return await asyncio.shield(stepping)
        except asyncio.CancelledError:
            with suppress(Exception):
                await asyncio.wait({stepping})
            raise
