"""The host's side of a source: an inlet that keeps what arrives, and a clock on which ten seconds are short."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx

from adapters.base import CheckStep, Identity, Kit
from adapters.errors import AdapterError
from adapters.fuel_monitoring.adapter import FuelMonitoringAdapter
from adapters.fuel_monitoring.settings import FuelSettings
from adapters.records import Batch, EngineReading, FuelReading, FuelSensorInfo, Record
from app.clock import SystemClock

R = TypeVar("R", FuelReading, EngineReading, FuelSensorInfo)


class FastClock(SystemClock):
    """Runs so many times faster than the day."""

    def __init__(self, times: float = 1.0) -> None:
        super().__init__()
        self.times = times

    def monotonic(self) -> float:
        return time.monotonic() * self.times

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.times)


class KeepingInlet:
    """Keeps everything; is full while a test says so."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.said: list[str] = []
        self.counted: Counter[str] = Counter()
        self.room = asyncio.Event()
        self.room.set()

    def deliver(self, batch: Batch) -> asyncio.Future[None]:
        assert not self.is_full, "nothing may be delivered while the store cannot keep up"
        self.records += batch.records
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        stored.set_result(None)
        return stored

    @property
    def is_full(self) -> bool:
        return not self.room.is_set()

    async def wait_for_room(self) -> None:
        await self.room.wait()

    def connected(self, detail: str) -> None:
        assert detail.endswith(".")
        self.said.append(detail)

    def request_fetch(self, why: str) -> None:
        raise AssertionError(why)

    def count(self, counter: str, amount: int = 1) -> None:
        assert counter.isidentifier()
        assert amount > 0
        self.counted[counter] += amount

    def of(self, kind: type[R], sensor: str = "") -> list[R]:
        """The records of a kind, of the sensors whose name ends like this."""
        return [one for one in self.records if isinstance(one, kind) and one.sensor.endswith(sensor)]

    def levels(self, sensor: str = "") -> list[FuelReading]:
        return self.of(FuelReading, sensor)


class Listening:
    """A running adapter. ``task`` ends with the error that it raises."""

    def __init__(self, adapter: FuelMonitoringAdapter, inlet: KeepingInlet) -> None:
        self.adapter = adapter
        self.inlet = inlet
        self.task = asyncio.create_task(adapter.listen(inlet))

    async def error(self, seconds: float = 15.0) -> AdapterError:
        """What it raises."""
        async with asyncio.timeout(seconds):
            try:
                await asyncio.shield(self.task)
            except AdapterError as err:
                return err
        raise AssertionError("it ended without an error")

    async def until(self, condition: Any, seconds: float = 15.0) -> Any:
        """Wait until ``condition`` is true; fails with what the adapter raised meanwhile."""
        async with asyncio.timeout(seconds):
            while not (value := condition()):
                if self.task.done():
                    self.task.result()
                await asyncio.sleep(0.005)
        return value


def make_adapter(entered: Mapping[str, Any], times: float = 1.0) -> FuelMonitoringAdapter:
    """As the host makes one for a start. What is not entered is read every 0.1 s."""
    settings = FuelSettings(**{"period_s": 0.1, **entered})
    client: Any = httpx  # no part of it is asked for
    kit = Kit("fuel-1", client, client, logging.getLogger("fuel"), FastClock(times))
    return FuelMonitoringAdapter(settings, kit)


@asynccontextmanager
async def listening(entered: Mapping[str, Any], times: float = 1.0) -> AsyncIterator[Listening]:
    """An adapter that listens, and its end."""
    running = Listening(make_adapter(entered, times), KeepingInlet())
    try:
        yield running
    finally:
        running.task.cancel()
        await asyncio.wait([running.task])


async def check(entered: Mapping[str, Any]) -> tuple[Identity, list[CheckStep]]:
    steps: list[CheckStep] = []
    return await make_adapter(entered).check(steps.append), steps
