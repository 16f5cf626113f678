"""What the tests of the tracker integration share: vectors, an inlet without a store, a tracker's end of a socket."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.base import Clock, Kit
from adapters.gt02_tracker.limits import Limits
from adapters.gt02_tracker.listener import Listener
from adapters.records import Batch, RawFrame, Record

VECTORS = Path(__file__).parents[4] / "shared" / "vectors"
NOW_MS = 1_790_000_000_000
IMEI = "356789012345672"
WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Vector:
    name: str
    data: bytes
    expect: dict[str, Any]


@cache
def vectors() -> tuple[Vector, ...]:
    """All shared vectors of both protocols; the test is skipped where the shared folder is absent."""
    if not VECTORS.is_dir():
        pytest.skip(f"no shared vectors at {VECTORS}")
    return tuple(
        Vector(item["name"], bytes.fromhex(item["hex"]), item["expect"])
        for name in ("gt02", "gt06")
        for item in json.loads((VECTORS / f"{name}.json").read_text("utf-8"))
    )


class RealClock:
    def now_ms(self) -> int:
        return NOW_MS

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FakeReporter:
    """What a session needs of a listener."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.news: dict[str, str] = {}

    def count(self, counter: str, amount: int = 1) -> None:
        self.counters[counter] += amount

    def is_news(self, key: str, why: str) -> bool:
        return self.news.setdefault(key, why) is why


class FakeInlet:
    """Keeps what is delivered; commits at once, or when the test says so."""

    def __init__(self, *, commits: bool = True) -> None:
        self.records: list[Record] = []
        self.counters: Counter[str] = Counter()
        self.details: list[str] = []
        self.commits = commits
        self.open: list[asyncio.Future[None]] = []
        self._room = asyncio.Event()
        self._room.set()

    def deliver(self, batch: Batch) -> asyncio.Future[None]:
        self.records.extend(batch.records)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.commits:
            future.set_result(None)
        else:
            self.open.append(future)
        return future

    def commit(self) -> None:
        for future in self.open:
            future.set_result(None)
        self.open.clear()

    def refuse(self, why: str) -> None:
        for future in self.open:
            future.set_exception(OSError(why))
        self.open.clear()

    @property
    def is_full(self) -> bool:
        return not self._room.is_set()

    def fill(self) -> None:
        self._room.clear()

    def empty(self) -> None:
        self._room.set()

    async def wait_for_room(self) -> None:
        await self._room.wait()

    def connected(self, detail: str) -> None:
        self.details.append(detail)

    def request_fetch(self, why: str) -> None:
        raise AssertionError("a listener has nothing to fetch")

    def count(self, counter: str, amount: int = 1) -> None:
        self.counters[counter] += amount

    def of(self, kind: type[Any]) -> list[Any]:
        return [record for record in self.records if isinstance(record, kind)]

    def raw_frames(self) -> list[RawFrame]:
        """The raw frame of every record, each once, in order of arrival."""
        frames = [r if isinstance(r, RawFrame) else getattr(r, "raw", None) for r in self.records]
        return list({id(frame): frame for frame in frames if frame is not None}.values())


async def until(condition: Callable[[], object]) -> None:
    """Wait until ``condition`` holds; fail after :data:`WAIT_S`."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - what is waited for is another task's or process's state
            await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def listening(
    inlet: FakeInlet, *, clock: Clock | None = None, limits: Limits | None = None, udp: bool = False, port: int = 0
) -> AsyncIterator[Listener]:
    """A real listener on a free loopback port."""
    log = logging.getLogger("adapters.gt02_tracker.test")
    listener = Listener(inlet, clock or RealClock(), log, limits or Limits())
    task = asyncio.create_task(listener.run("127.0.0.1", port, udp=udp))
    try:
        await until(lambda: inlet.details or task.done())
        if task.done():
            task.result()
        yield listener
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await until(lambda: listener.connections == 0)


class Tracker:
    """A tracker's end of a TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def receive(self, size: int) -> bytes:
        async with asyncio.timeout(WAIT_S):
            return await self.reader.readexactly(size)

    async def ended(self) -> bytes:
        """Wait for the listener to hang up; returns what still came."""
        async with asyncio.timeout(WAIT_S):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""


@contextlib.asynccontextmanager
async def tracker(port: int) -> AsyncIterator[Tracker]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Tracker(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def make_kit(clock: Clock | None = None) -> AsyncIterator[Kit]:
    """What a host lends."""
    async with httpx.AsyncClient() as http:
        log = logging.getLogger("adapters.gt02_tracker.test")
        yield Kit("gt02-1", http, ssl.create_default_context(), log, clock or RealClock())
