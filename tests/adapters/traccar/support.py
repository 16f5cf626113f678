"""What the Traccar tests stand on: a lent clock, a store in memory, an inlet, an adapter with a kit of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx

from adapters.base import Kit
from adapters.errors import NotReady
from adapters.records import Batch, DeviceEvent, DeviceInfo, DeviceStatus, Geofence, Position, Rejected
from adapters.traccar import TraccarAdapter, TraccarSettings
from adapters.traccar.simulator import TraccarServer

START_MS = 1_790_000_000_000  # 2026-09-21
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class LentClock:
    """Wall time that a test moves; waiting is real."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.at_ms = now_ms

    def now_ms(self) -> int:
        return self.at_ms

    def monotonic(self) -> float:
        return self.at_ms / 1000

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Memory:
    """Stores as the real store does: by natural key, cursors with their records."""

    def __init__(self) -> None:
        self.cursors: dict[str, str] = {}
        self.positions: dict[tuple[str, int | None, float, float], Position] = {}
        self.sent: Counter[tuple[str, int | None, float, float]] = Counter()
        self.events: dict[tuple[str, int | None, str, str | None], DeviceEvent] = {}
        self.infos: dict[str, DeviceInfo] = {}
        self.fences: dict[str, Geofence] = {}
        self.statuses: list[DeviceStatus] = []
        self.rejected: list[Rejected] = []

    def take(self, batch: Batch) -> None:
        for record in batch.records:
            match record:
                case Position():
                    key = (record.device, record.fixed_at_ms, record.lat, record.lon)
                    self.positions.setdefault(key, record)
                    self.sent[key] += 1
                case DeviceEvent():
                    self.events[record.device, record.occurred_at_ms, record.code, record.peer_id] = record
                case DeviceInfo():
                    self.infos[record.device] = record
                case Geofence():
                    self.fences[record.peer_id] = record
                case DeviceStatus():
                    self.statuses.append(record)
                case Rejected():
                    self.rejected.append(record)
                case _:
                    raise AssertionError(f"unexpected {record}")
        self.cursors.update(batch.cursors)


class TestInlet:
    """Where a listening adapter delivers in a test; ``fails`` makes the store refuse."""

    __test__ = False

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.wanted: list[str] = []
        self.greetings: list[str] = []
        self.counted: Counter[str] = Counter()
        self.fails = False
        self.full = False
        self._changed = asyncio.Event()

    def deliver(self, batch: Batch) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.fails:
            future.set_exception(NotReady("The disk is full."))
        else:
            self.memory.take(batch)
            future.set_result(None)
        self._changed.set()
        return future

    @property
    def is_full(self) -> bool:
        return self.full

    async def wait_for_room(self) -> None:
        await self.until(lambda: not self.full)

    def connected(self, detail: str) -> None:
        self.greetings.append(detail)
        self._changed.set()

    def request_fetch(self, why: str) -> None:
        self.wanted.append(why)
        self._changed.set()

    def count(self, counter: str, amount: int = 1) -> None:
        self.counted[counter] += amount
        self._changed.set()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something that arrives makes the condition true."""
        async with asyncio.timeout(20):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


def settings_for(server: TraccarServer, **changes: Any) -> TraccarSettings:
    values: dict[str, Any] = {
        "url": server.url,
        "auth": "token",
        "token": server.token,
        "username": server.account.email,
        "password": server.account.password,
        "answer_within_s": 5,
    }
    return TraccarSettings(**{**values, **changes})


@contextlib.asynccontextmanager
async def adapter_for(
    server: TraccarServer, clock: LentClock | None = None, tls: ssl.SSLContext | None = None, **changes: Any
) -> AsyncIterator[TraccarAdapter]:
    """An adapter with a kit as the host makes it, without its request budget."""
    tls = tls or ssl.create_default_context()
    log = logging.getLogger("test.traccar")
    async with httpx.AsyncClient(verify=tls, trust_env=False) as http:
        kit = Kit("01890000-0000-7000-8000-000000000001", http, tls, log, clock or LentClock(server.world.now_ms))
        yield TraccarAdapter(settings_for(server, **changes), kit)


async def pull(adapter: TraccarAdapter, memory: Memory) -> int:
    """One run of polling into ``memory``; returns the number of batches."""
    batches = 0
    async for batch in adapter.fetch(dict(memory.cursors)):
        memory.take(batch)
        batches += 1
    return batches


@contextlib.asynccontextmanager
async def listening(adapter: TraccarAdapter, inlet: TestInlet) -> AsyncIterator[asyncio.Task[None]]:
    """The adapter's ``listen`` as a task, cancelled at the end."""
    task = asyncio.create_task(adapter.listen(inlet))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
