"""Pulling an adapter again and again, mid-frame too, under a session that polls and keeps a capture."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from adapters.bench import BenchSession, Traffic
from adapters.errors import NotReady
from adapters.fuel_monitoring.bench import FuelBench, link
from adapters.fuel_monitoring.simulator.bus import SensorBus
from adapters.fuel_monitoring.simulator.sensors import LlsSensor
from app.fuel.captures import CaptureWriter, read_capture
from tests.adapters.fuel_monitoring.lines import PortList, open_files, until, usb


@dataclass(frozen=True)
class Report:
    """What became of it. ``lost`` pieces of traffic were seen and are not in the capture."""

    cycles: int
    readings: int
    losses: int
    cut_frames: int
    lost: int
    files_left: int
    threads_left: int

    @property
    def ok(self) -> bool:
        return (
            self.losses == self.cycles
            and self.readings == self.cycles + 1
            and self.lost == self.files_left == self.threads_left == 0
        )


async def run(folder: Path, cycles: int, *, seed: int) -> Report:
    """Each cycle: a good reading, the adapter pulled at any moment of another, and put back, often elsewhere."""
    rng = random.Random(seed)
    await asyncio.to_thread(int)  # the loop's pool has its thread before the threads are counted
    files, threads = open_files(), _threads()
    seen: list[Traffic] = []
    port, readings = folder / "ttyUSB0", 0
    ports = PortList(usb(port))
    bus = SensorBus.on_pty([LlsSensor(1), LlsSensor(2)], port).start()
    bus.faults.chunk_bytes = 2  # so that a pull falls into a frame
    session = await FuelBench(ports).open(str(port), "lls", 19_200)
    writer = CaptureWriter(folder / "capture.jsonl", dialect="lls", port=str(port), speed=19_200)
    session.watch(seen.append)
    session.watch(writer.write)
    try:
        for _ in range(cycles):
            readings += await _good_reading(session)
            async with asyncio.TaskGroup() as group:
                polling = group.create_task(_poll(session))
                await asyncio.sleep(rng.uniform(0, 0.03))
                bus.unplug()
                await until(lambda: not session.is_connected)
                place = folder / f"ttyUSB{rng.randrange(4)}"
                ports.entries = [usb(place)]
                bus.plug(place)
                await until(lambda: session.is_connected)
                polling.cancel()
        readings += await _good_reading(session)
    finally:
        await session.close()
        writer.close()
        await asyncio.to_thread(bus.stop)
    kept = Counter(map(_key, read_capture(writer.path).traffic))
    return Report(
        cycles,
        readings,
        losses=sum(one.note.endswith("was lost") for one in seen),
        cut_frames=_cut_frames(seen),
        lost=sum((Counter(map(_key, seen)) - kept).values()),
        files_left=max(open_files() - files, 0),
        threads_left=max(_threads() - threads, 0),
    )


async def _poll(session: BenchSession) -> None:
    while True:
        for address in (1, 2):
            with contextlib.suppress(NotReady):
                await session.read(address)
        await asyncio.sleep(0.001)


async def _good_reading(session: BenchSession) -> int:
    """The session works after all: a sensor that rested is asked like a person does."""

    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(NotReady):
                await session.identify(1)
                if (await session.read(1)).value == 2048:
                    return 1
            await asyncio.sleep(0.005)


def _cut_frames(seen: list[Traffic]) -> int:
    """How often the adapter was pulled between the bytes of an answer."""
    cut, is_within = 0, False
    for one in seen:
        if one.direction == "received":
            is_within = not one.fields
        elif one.note.endswith("was lost"):
            cut, is_within = cut + is_within, False
        elif one.direction == "sent":
            is_within = False
    return cut


def _key(one: Traffic) -> tuple[str, bytes, str]:
    return one.direction, one.data, one.note


def _threads() -> int:
    """Without those of the loop's own pool, which stay as long as it does."""
    return sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate())


def be_quick(patch: Callable[[object, str, object], None]) -> None:
    """Shorter waits for the short form: what is proved does not depend on them."""
    patch(link, "REST_S", 0.05)
    patch(link.Link, "answer_s", lambda _self, _ask: 0.08)
