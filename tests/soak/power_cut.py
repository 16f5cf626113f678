"""Power cuts at random moments: every acknowledged record is there afterwards, and handed in again it is stored once.

What a disk certainly holds at an acknowledgement is the write-ahead log up to its size then; behind that, the file may
end anywhere and its last sectors may hold anything. Real telemetry through the sink, groups of random sizes, live
states and raw frames included; after each cut the store is opened as the next start would open it.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

from adapters.records import Batch
from app.fleet.telemetry import TelemetrySink
from app.store.store import Store
from app.store.tables import DeviceState, PositionRow, RawFrameRow
from tests.helpers.fleet import Feed, a_drive, add_integration, rows_of
from tests.helpers.stores import make_store

TRACKERS = 5
GROUPS = 40
MOST_PER_GROUP = 40
TORN_BYTES = 6


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """``positions`` were acknowledged in all once the log had ``log_bytes`` bytes."""

    positions: int
    log_bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    rounds: int
    cut_short: int
    faults: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.faults and self.cut_short > 0


def run(folder: Path, rounds: int, *, seed: int) -> Report:
    """Write once, cut ``rounds`` times. ``cut_short`` counts the rounds in which something unacknowledged was lost."""
    chance = random.Random(seed)
    with patch("app.store.store._CHECKPOINT_S", 3_600):  # so that the log only grows
        groups, promises = _write(folder / "live", chance)
    log, main = (folder / "live.wal").read_bytes(), (folder / "live.main").read_bytes()
    whole = sum(len(group.records) for group in groups)
    faults: list[str] = []
    cut_short = 0
    for number in range(rounds):
        promise = chance.choice(promises)
        torn = _torn(log, promise.log_bytes, chance)
        cut = folder / f"cut-{number}"
        cut.mkdir()
        (cut / "store.db").write_bytes(main)
        (cut / "store.db-wal").write_bytes(torn)
        kept, found = _after(cut, groups, promise)
        cut_short += kept < whole
        faults += [f"round {number}, {promise}, log of {len(torn)} bytes: {fault}" for fault in found]
        shutil.rmtree(cut)
    return Report(rounds, cut_short, tuple(faults))


def _write(folder: Path, chance: random.Random) -> tuple[list[Batch], list[Acknowledged]]:
    """Groups of a fleet's fixes; copies of file and log as they were at the last acknowledgement lie beside."""
    store = make_store(folder)
    drives = [iter(a_drive(f"tracker-{n}", GROUPS * MOST_PER_GROUP)) for n in range(TRACKERS)]
    groups: list[Batch] = []
    promises: list[Acknowledged] = []
    path, total = folder / "store.db", 0
    try:
        feed = Feed(store, add_integration(store), TelemetrySink(store))
        for _ in range(GROUPS):
            batch = Batch(tuple(next(chance.choice(drives)) for _ in range(chance.randint(1, MOST_PER_GROUP))))
            total += feed.batches([batch]).positions
            groups.append(batch)
            promises.append(Acknowledged(total, Path(f"{path}-wal").stat().st_size))
        shutil.copyfile(path, folder.with_suffix(".main"))
        shutil.copyfile(f"{path}-wal", folder.with_suffix(".wal"))
    finally:
        store.close()
    return groups, promises


def _torn(log: bytes, durable_bytes: int, chance: random.Random) -> bytes:
    torn = bytearray(log[: chance.randint(durable_bytes, len(log))])
    for _ in range(chance.randrange(TORN_BYTES)):
        if len(torn) > durable_bytes:
            torn[chance.randrange(durable_bytes, len(torn))] ^= chance.randrange(1, 256)
    return bytes(torn)


def _after(folder: Path, groups: list[Batch], promise: Acknowledged) -> tuple[int, list[str]]:
    """How many positions survived, and what is wrong; then everything is handed in again."""
    faults: list[str] = []
    store = Store.open(f"sqlite:///{folder / 'store.db'}")
    try:
        kept = len(rows_of(store, PositionRow))
        if kept < promise.positions:
            faults.append(f"{promise.positions} positions were acknowledged, {kept} are there")
        if kept not in _sums(groups):
            faults.append(f"{kept} positions: a group was torn apart")
        feed = Feed(store, "gt02-1", TelemetrySink(store))
        feed.batches(groups)
        store.write(partial(feed.sink.flush, now_ms=2**50)).result()
        faults += _wrong_in_the_end(store, groups)
    finally:
        store.close()
    with closing(sqlite3.connect(folder / "store.db")) as database:
        verdict = str(database.execute("PRAGMA integrity_check").fetchone()[0])
    if verdict != "ok":
        faults.append(verdict)
    return kept, faults


def _sums(groups: list[Batch]) -> set[int]:
    total, sums = 0, {0}
    for group in groups:
        total += len(group.records)
        sums.add(total)
    return sums


def _wrong_in_the_end(store: Store, groups: list[Batch]) -> list[str]:
    positions = rows_of(store, PositionRow)
    wanted = sum(len(group.records) for group in groups)
    faults = [] if len(positions) == wanted else [f"{len(positions)} positions after all were sent again, not {wanted}"]
    frames = {row.id for row in rows_of(store, RawFrameRow)}
    faults += [f"position {row.id} has no frame" for row in positions if row.raw_frame_id not in frames]
    newest: dict[int, int] = {}
    for row in positions:
        newest[row.device_key] = max(newest.get(row.device_key, 0), row.fixed_at_ms)
    states = {row.device_key: row.fixed_at_ms for row in rows_of(store, DeviceState)}
    faults += [f"device {key} shows {states.get(key)}, not {at}" for key, at in newest.items() if states.get(key) != at]
    return faults
