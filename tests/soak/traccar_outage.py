"""A Traccar server that is away for a day: adapter, engine, store and the server's own protocol, end to end.

``python -m tests.soak.traccar_outage --vehicles 500`` runs it by hand. Time is the only thing that is lent: it runs as
always and jumps forward while the server is away. The vehicles drive on meanwhile, with holes of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from adapters.traccar.simulator import TraccarServer
from adapters.traccar.simulator_world import World
from app.catalogue import Catalogue
from app.engine.engine import Engine
from app.fleet.telemetry import TelemetrySink
from app.integrations.changes import Desk, add
from app.security.vault import MemoryVault
from app.store.store import Store
from app.store.tables import Device, PositionRow
from app.tasks import Tasks
from tests.helpers.stores import make_store

START_MS = 1_790_000_000_000
HOUR_MS = 3_600_000
TICK_S = 0.05
STEP_MS = 10 * 60_000
BEFORE_H = 2

Fix = tuple[str, int, float, float]
"""Device, time of the fix (ms), latitude, longitude: what tells two fixes apart."""


class JumpingClock:
    """Time that runs as always and can be put forward; who sleeps wakes as if it had passed."""

    def __init__(self, now_ms: int) -> None:
        self._began_s = time.monotonic()
        self._began_ms = now_ms
        self._ahead_s = 0.0
        self._jumped = asyncio.Event()

    def now_ms(self) -> int:
        return self._began_ms + round((self.monotonic() - self._began_s) * 1000)

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead_s

    async def sleep(self, seconds: float) -> None:
        until_s = self.monotonic() + seconds
        while (rest_s := until_s - self.monotonic()) > 0:
            jumped = self._jumped
            try:
                async with asyncio.timeout(rest_s):
                    await jumped.wait()
            except TimeoutError:
                return

    def jump(self, ms: int) -> None:
        self._ahead_s += ms / 1000
        jumped, self._jumped = self._jumped, asyncio.Event()
        jumped.set()


@dataclass(frozen=True, slots=True)
class Report:
    """Counts of fixes; ``sent_meanwhile`` are those that reached the server while the console could not."""

    vehicles: int
    sent: int
    stored: int
    lost: int
    doubled: int
    invented: int
    sent_meanwhile: int
    seconds: float

    @property
    def ok(self) -> bool:
        return not (self.lost or self.doubled or self.invented) and self.sent_meanwhile > 0


class Outage:
    """A server with its fleet and an engine that reads it, on one loop."""

    def __init__(self, store: Store, world: World, server: TraccarServer) -> None:
        self.store = store
        self.world = world
        self.server = server
        self.clock = JumpingClock(world.now_ms)

    def drive(self, ms: int) -> None:
        """Let time pass at once, for the fleet and for everybody else."""
        self.clock.jump(ms)
        self.world.advance(self.clock.now_ms())

    async def keep_driving(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self.world.advance(self.clock.now_ms())

    def stored(self) -> Counter[Fix]:
        """What the store holds, and how often."""
        query = select(Device.unique_id, PositionRow.fixed_at_ms, PositionRow.lat, PositionRow.lon).join(
            Device, Device.key == PositionRow.device_key
        )
        with self.store.read() as connection:
            return Counter((row[0], row[1], row[2], row[3]) for row in connection.execute(query))

    async def until_stored(self, wanted: set[Fix], seconds: float) -> None:
        """Wait until these are all in the store; ends without it after ``seconds`` of real time.

        The vehicles go on meanwhile, and buffers that they deliver late are found within the hour, so at no moment
        everything is there.
        """
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            began_s = time.monotonic()
            if not wanted - (await asyncio.to_thread(self.stored)).keys():
                return
            await asyncio.sleep(max(0.5, 2 * (time.monotonic() - began_s)))  # looking must not be what takes so long
            self.drive(60_000)  # the next run comes sooner than a real minute


async def run(folder: Path, *, vehicles: int, interval_s: float, hours: int = 24, patience_s: float = 120) -> Report:
    """The server is away for ``hours``; then everything must come back within ``patience_s`` of real time."""
    began_s = time.monotonic()
    world = World(vehicles=vehicles, interval_s=interval_s, start_ms=START_MS)
    await asyncio.to_thread(world.advance, START_MS + BEFORE_H * HOUR_MS)
    server = TraccarServer(world)
    await server.start()
    store = make_store(folder)
    try:
        outage = Outage(store, world, server)
        async with _engine(outage):
            await outage.until_stored(world.fix_keys(), patience_s)
            await server.stop()
            before = world.fix_keys()
            for _ in range(hours * HOUR_MS // STEP_MS):
                outage.drive(STEP_MS)
                await asyncio.sleep(0.01)  # whoever wakes tries the server, and finds nobody
            wanted = world.fix_keys()
            await server.start()
            await outage.until_stored(wanted, patience_s)
            stored, held = outage.stored(), world.fix_keys()
    finally:
        await server.stop()
        await asyncio.to_thread(store.close)
    return Report(
        vehicles=vehicles,
        sent=len(wanted),
        stored=stored.total(),
        lost=len(wanted - stored.keys()),
        doubled=stored.total() - len(stored),
        invented=len(stored.keys() - held),
        sent_meanwhile=len(wanted - before),
        seconds=time.monotonic() - began_s,
    )


@asynccontextmanager
async def _engine(outage: Outage) -> AsyncIterator[None]:
    catalogue, vault, tasks = Catalogue.load(), MemoryVault(), Tasks()
    values = {"url": outage.server.url, "auth": "token", "poll_interval_s": 60}
    desk = Desk(outage.store, catalogue, vault)
    await asyncio.to_thread(add, desk, "traccar", "Depot server", values, {"token": outage.server.token})
    sink = TelemetrySink(outage.store)
    engine = Engine(outage.store, catalogue, vault, clock=outage.clock, sink=sink, tasks=tasks)
    running = tasks.start(engine.run(), name="engine", owner=outage)
    driving = tasks.start(outage.keep_driving(), name="driving", owner=outage)
    try:
        yield
    finally:
        driving.cancel()
        engine.stop()
        await running
        await tasks.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vehicles", type=int, default=500)
    parser.add_argument("--interval", type=float, default=60.0, help="seconds between two messages of a vehicle")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="biko-outage-") as folder:
        report = asyncio.run(
            run(Path(folder), vehicles=options.vehicles, interval_s=options.interval, patience_s=1_800)
        )
    print(report)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
