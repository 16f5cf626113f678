"""Storing positions with their raw frames: our rows per second beside the bare driver's for the same rows.

SQLite: beside ``sqlite3.executemany`` with the same pragmas, the same schema and the same rows per transaction.
PostgreSQL: beside plain COPY, binary as ours, into the same tables. Target of both: at least 0.4 of the baseline, and
15,000 positions/s with their frames.
"""

from __future__ import annotations

import dataclasses
import gc
import random
import sqlite3
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Connection, make_url

from adapters.records import Batch, Position, RawFrame
from app.fleet.rows import POSITION_COLUMNS, RAW_COLUMNS, position_row, raw_row
from app.fleet.telemetry import Ingested, TelemetrySink
from app.store import migrate
from app.store.connect import write_engine
from app.store.store import Store
from tests.bench.common import report, scratch
from tests.helpers.fleet import T0_MS, Feed, add_integration
from tests.helpers.stores import make_postgresql_url, make_store_url, start_postgresql

POSITIONS = 100_000
PER_COMMIT = 2_500
TRACKERS = 2_000
RUNS = 5
CHECKPOINT_S = 2.0
"""Between checkpoints of the baseline, as in app.store.store."""

Rows = Sequence[tuple[Any, ...]]


def run() -> None:
    positions = make_positions(POSITIONS)
    _sqlite(positions)
    _postgresql(positions)


def make_positions(count: int) -> list[Position]:
    """What ``TRACKERS`` trackers send in turns, every 10 s each, 42-byte frames; the same at every call."""
    chance = random.Random(7)
    places = [(chance.uniform(4.5, 13.5), chance.uniform(3.0, 14.0)) for _ in range(TRACKERS)]
    made = []
    for number in range(count):
        tracker = number % TRACKERS
        at_ms = T0_MS + number // TRACKERS * 10_000
        lat, lon = places[tracker]
        places[tracker] = (lat + chance.uniform(-5e-4, 5e-4), lon + chance.uniform(-5e-4, 5e-4))
        frame = RawFrame("gt02", chance.randbytes(42), at_ms + 800, f"10.0.0.{tracker % 250}:40000", str(tracker))
        made.append(
            Position(str(tracker), at_ms, at_ms + 800, lat, lon, 40.0, 90.0, True, "gt02", number & 0xFFFF, raw=frame)
        )
    return made


def _sqlite(positions: list[Position]) -> None:
    ours, bare = [], []
    for _ in range(RUNS):
        with scratch() as folder:
            bare.append(bare_sqlite(folder, *_rows(positions)))
        with scratch() as folder:
            ours.append(_through_sink(make_store_url(folder), positions))
    _print("SQLite", ours, "executemany", bare)


def _postgresql(positions: list[Position]) -> None:
    server = start_postgresql()
    ours, bare = [], []
    for _ in range(RUNS):
        with scratch() as folder:
            bare.append(bare_copy(fresh_database(server, folder), *_rows(positions)))
            ours.append(_through_sink(fresh_database(server, folder), positions))
    _print("PostgreSQL", ours, "COPY", bare)


def _print(database: str, ours: list[float], baseline: str, bare: list[float]) -> None:
    report(f"{database}: TelemetrySink", ours, "positions/s", target="≥ 15,000")
    report(f"{database}: {baseline}, same rows", bare, "positions/s")
    ratios = [one / other for one, other in zip(ours, bare, strict=True)]
    report(f"{database}: ratio", ratios, "", target="≥ 0.4")


def _through_sink(url: str, positions: list[Position]) -> float:
    """Positions per second through the store's writer thread, as the engine does it."""
    store = Store.open(url)
    try:
        feed = Feed(store, add_integration(store), TelemetrySink(store))
        feed.batches([Batch(tuple(_unseen(positions[:TRACKERS])))])  # the devices exist, as after the first minute
        parts = [positions[start : start + PER_COMMIT] for start in range(0, len(positions), PER_COMMIT)]
        jobs = [partial(_store_now, feed, [Batch((position,)) for position in part]) for part in parts]
        gc.collect()
        gc.freeze()  # the prepared input is no part of a gateway's heap, so its collector need not walk it
        started = time.perf_counter()
        futures = [store.write(job, on_rollback=feed.sink.forget, rows=2 * PER_COMMIT) for job in jobs]
        stored = sum(future.result().positions for future in futures)
        seconds = time.perf_counter() - started
        if stored != len(positions):
            raise AssertionError(f"{stored} of {len(positions)} positions stored")
        return len(positions) / seconds
    finally:
        gc.unfreeze()
        store.close()


def _store_now(feed: Feed, batches: list[Batch], connection: Connection) -> Ingested:
    return feed.ingest(connection, batches, time.time_ns() // 1_000_000)


def _unseen(positions: list[Position]) -> list[Position]:
    return [dataclasses.replace(p, fixed_at_ms=p.received_at_ms - 86_000_000) for p in positions]


def _rows(positions: list[Position]) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """The rows that the sink writes for ``positions``, made beforehand."""
    frames: list[tuple[Any, ...]] = []
    fixes: list[tuple[Any, ...]] = []
    for number, position in enumerate(positions, 1):
        if position.raw is not None and position.fixed_at_ms is not None:
            key = int(position.device) + 1
            frames.append(raw_row(number, 1, key, position.raw))
            fixes.append(position_row(number, key, position, 0, position.fixed_at_ms, 0, number, None))
    return frames, fixes


def bare_sqlite(folder: Path, frames: Rows, fixes: Rows) -> float:
    """Positions per second of the bare driver into a fresh store in ``folder``."""
    url = make_url(make_store_url(folder))
    engine = write_engine(url)
    raw = engine.raw_connection()
    connection: Any = raw.driver_connection
    if not isinstance(connection, sqlite3.Connection):
        raise TypeError("not a SQLite store")
    started = checkpointed = time.perf_counter()
    for start in range(0, len(fixes), PER_COMMIT):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_values("raw_frames", RAW_COLUMNS), frames[start : start + PER_COMMIT])
        connection.executemany(_values("positions", POSITION_COLUMNS), fixes[start : start + PER_COMMIT])
        connection.execute("COMMIT")
        if time.perf_counter() - checkpointed >= CHECKPOINT_S:  # as the store does, or its log would grow for ever
            checkpointed = time.perf_counter()
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    seconds = time.perf_counter() - started
    raw.close()
    engine.dispose()
    return len(fixes) / seconds


def _values(table: str, columns: Sequence[str]) -> str:
    marks = ",".join("?" * len(columns))
    return f"INSERT INTO {table} ({','.join(columns)}) VALUES ({marks})"  # noqa: S608 - the baseline is the bare driver


def bare_copy(url: str, frames: Rows, fixes: Rows) -> float:
    """Positions per second of plain COPY into the fresh PostgreSQL store at ``url``."""
    address = make_url(url)
    with psycopg.connect(host=str(address.query["host"]), user=address.username, dbname=address.database) as connection:
        started = time.perf_counter()
        for start in range(0, len(fixes), PER_COMMIT):
            _copy(connection, "raw_frames", RAW_COLUMNS, frames[start : start + PER_COMMIT])
            _copy(connection, "positions", POSITION_COLUMNS, fixes[start : start + PER_COMMIT])
            connection.commit()
        return len(fixes) / (time.perf_counter() - started)


def _copy(connection: psycopg.Connection[Any], table: str, columns: Sequence[str], rows: Rows) -> None:
    """In the binary form, the faster one, as our writer does it; JSON is text to both."""
    names = sql.SQL(",").join(map(sql.Identifier, columns))
    target = sql.Identifier(table)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT {} FROM {} LIMIT 0").format(names, target))
        json, text = (connection.adapters.types[name].oid for name in ("json", "text"))
        types = [text if column.type_code == json else column.type_code for column in cursor.description or ()]
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(target, names)) as copy:
            copy.set_types(types)
            for row in rows:
                copy.write_row(row)


def fresh_database(server: str, folder: Path) -> str:
    """The address of an empty, migrated store on the PostgreSQL server."""
    url = make_postgresql_url(server)
    migrate.upgrade(url, folder)
    return url
