"""Random kill -9 of a gateway under load: every acknowledged record must be in the store, once.

``python -m tests.soak.kill9 --kills 200`` runs it by hand and prints what was proved. Trackers keep what was not
acknowledged and send it again, as real ones with a buffer do; their sockets, the gateway and the store are real.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection, func, select

from adapters.gt02_tracker.simulator_frames import gt02_heartbeat
from app.clock import SystemClock
from app.engine.supervisor import Supervisor
from app.platform import is_process_alive, kill_process
from app.store.tables import Device, DeviceState, PositionRow, RawFrameRow
from app.tasks import Tasks
from tests.helpers.depot import HEARTBEAT_ACK, Depot, Gateway, fix_frame
from tests.helpers.fake_adapter import until

WINDOW = 40
"""Fixes that a tracker sends ahead of the answers."""


@dataclass(slots=True)
class LoadTracker:
    """Sends fixes with serials 1, 2, 3 …; ``acknowledged`` is the last one known to be stored."""

    imei: str
    sent: int = 0
    acknowledged: int = 0
    connections: int = 0

    async def run(self, port: int, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            self.connections += 1
            try:
                await self._talk(reader, writer, stopping)
            except OSError:
                pass
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stopping: asyncio.Event) -> None:
        """One connection: everything that was not acknowledged again, then what is new."""
        self.sent = self.acknowledged
        while not stopping.is_set():
            frames = b""
            while self.sent - self.acknowledged < WINDOW:
                self.sent += 1
                frames += fix_frame(self.imei, self.sent)
                frames += gt02_heartbeat(self.imei, self.sent % 65_536, 6, 4, b"\x28")
            writer.write(frames)
            await writer.drain()
            try:
                await reader.readexactly(len(HEARTBEAT_ACK))
            except asyncio.IncompleteReadError:
                return
            self.acknowledged += 1


@dataclass(slots=True)
class Load:
    """Trackers on a thread with a loop of its own, so that the killer may block."""

    port: int
    trackers: list[LoadTracker]
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Load:
        self._thread = threading.Thread(target=self._run, name="load")
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread is not None:
            self._thread.join()
        self._loop.close()

    @property
    def acknowledged(self) -> int:
        return sum(tracker.acknowledged for tracker in self.trackers)

    def _run(self) -> None:
        async def all_of_them() -> None:
            tasks = [asyncio.ensure_future(tracker.run(self.port, self._stopping)) for tracker in self.trackers]
            await self._stopping.wait()
            _done, late = await asyncio.wait(tasks, timeout=2)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._loop.run_until_complete(all_of_them())


@dataclass(frozen=True, slots=True)
class Report:
    kills: int
    acknowledged: int
    stored: int
    missing: tuple[str, ...]
    doubled: tuple[str, ...]
    wrong_states: tuple[str, ...]
    integrity: str
    seconds: float

    @property
    def ok(self) -> bool:
        nothing_wrong = not (self.missing or self.doubled or self.wrong_states)
        return nothing_wrong and self.integrity == "ok" and self.acknowledged > 0


def run(folder: Path, kills: int, *, seed: int, trackers: int = 8) -> Report:
    """Kill the gateway ``kills`` times at random moments under load, then compare what was promised with the store."""
    rng = random.Random(seed)
    began_s = time.monotonic()
    with Depot(folder) as depot:
        _, port = depot.add_trackers()
        fleet = [LoadTracker(f"35889905{n:07d}") for n in range(trackers)]
        with Load(port, fleet) as load:
            for _ in range(kills):
                with Gateway(depot) as gateway:
                    gateway.wait_ready()
                    _let_it_work(load, rng)
                    gateway.process.kill()
                    gateway.ended(10)
            with Gateway(depot) as last:
                last.wait_ready()
                _let_it_work(load, rng)
                last.say("stop")
                if last.ended(15) != 0:
                    raise RuntimeError("the last gateway did not end cleanly: " + " ".join(last.errors))
        return _compare(depot, fleet, kills, time.monotonic() - began_s)


async def run_supervised(folder: Path, kills: int, *, seed: int, trackers: int = 8) -> Report:
    """As :func:`run`, but nobody starts the gateway again except the console's supervisor."""
    rng = random.Random(seed)
    began_s = time.monotonic()
    with Depot(folder) as depot:
        _, port = depot.add_trackers()
        fleet = [LoadTracker(f"35889905{n:07d}") for n in range(trackers)]
        tasks = Tasks()
        command = depot.gateway_command("--started-by", "console")
        supervisor = Supervisor(command, depot.paths, clock=SystemClock(), tasks=tasks, on_change=lambda _status: None)
        supervisor.start()
        with Load(port, fleet) as load:
            for _ in range(kills):
                await asyncio.to_thread(_let_it_work, load, rng, 90)
                facts = await until(lambda: supervisor.status.facts, 90)
                kill_process(facts.pid)
                await until(lambda: not is_process_alive(facts.pid), 10)  # noqa: B023 - awaited in this turn
            await asyncio.to_thread(_let_it_work, load, rng, 90)
        await supervisor.stop()
        await tasks.close()
        return _compare(depot, fleet, kills, time.monotonic() - began_s)


def _let_it_work(load: Load, rng: random.Random, seconds: float = 30) -> None:
    """Until something new is acknowledged, ``seconds`` at most, and then for a random moment more."""
    before, until_s = load.acknowledged, time.monotonic() + seconds
    while load.acknowledged == before:
        if time.monotonic() > until_s:
            raise RuntimeError("nothing is acknowledged any more")
        time.sleep(0.002)
    time.sleep(rng.uniform(0.0, 0.6))


def _compare(depot: Depot, fleet: list[LoadTracker], kills: int, seconds: float) -> Report:
    missing: list[str] = []
    doubled: list[str] = []
    with depot.store.read() as connection:
        devices = {row.unique_id: row.key for row in connection.execute(select(Device.unique_id, Device.key))}
        for tracker in fleet:
            key = devices.get(tracker.imei)
            query = select(PositionRow.serial, PositionRow.raw_frame_id).where(PositionRow.device_key == key)
            rows = connection.execute(query).all()
            found = Counter(row.serial for row in rows)
            expected = Counter(serial % 65_536 for serial in range(1, tracker.acknowledged + 1))
            missing += [f"{tracker.imei} {serial}" for serial in expected if found[serial] < expected[serial]]
            whole = Counter(serial % 65_536 for serial in range(1, tracker.sent + 1))
            doubled += [f"{tracker.imei} {serial}" for serial in found if found[serial] > whole[serial]]
        stored = connection.execute(select(func.count()).select_from(PositionRow)).scalar_one()
        lost_frames = select(func.count()).where(
            PositionRow.raw_frame_id.is_not(None), PositionRow.raw_frame_id.not_in(select(RawFrameRow.id))
        )
        missing += ["a raw frame of a position"] * connection.execute(lost_frames).scalar_one()
        wrong = _wrong_states(connection)
    with contextlib.closing(sqlite3.connect(depot.paths.store_file)) as database:
        integrity = str(database.execute("PRAGMA integrity_check").fetchone()[0])
    acknowledged = sum(tracker.acknowledged for tracker in fleet)
    return Report(kills, acknowledged, stored, tuple(missing), tuple(doubled), wrong, integrity, seconds)


def _wrong_states(connection: Connection) -> tuple[str, ...]:
    """Devices whose live state does not show their newest position."""
    newest = select(PositionRow.device_key, func.max(PositionRow.fixed_at_ms).label("at")).group_by(
        PositionRow.device_key
    )
    wanted = {row.device_key: row.at for row in connection.execute(newest)}
    states = connection.execute(select(DeviceState.device_key, DeviceState.fixed_at_ms)).all()
    shown = {row.device_key: row.fixed_at_ms for row in states}
    return tuple(
        f"device {key}: {shown.get(key)} instead of {at}" for key, at in wanted.items() if shown.get(key) != at
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    options = parser.parse_args()
    print(f"{options.kills} kills, seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="biko-kill9-") as folder:
        report = run(Path(folder), options.kills, seed=options.seed)
    print(report)
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
