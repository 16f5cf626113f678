"""Opening one vehicle's day out of ten million stored positions, beside the bare driver's fetch of the same rows.

The store is built once and kept in the cache folder (about two gigabytes, some minutes). Target: under 2 s.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, make_url

from app.fleet.bulk import BulkInsert
from app.fleet.devices import adopt
from app.fleet.plausibility import mark_names
from app.fleet.queries import live_fleet, newest_position_id, positions_since
from app.fleet.rows import POSITION_COLUMNS
from app.fleet.tracks import vehicle_track
from app.store.store import Store
from app.store.tables import PositionRow
from tests.bench.common import built_store, report, timed_ms
from tests.helpers.fleet import T0_MS, a_position, make_feed
from tests.helpers.stores import make_store_url

TRACKERS = 500
FIXES_EACH = 20_000
STEP_MS = 10_000
DAY_MS = 24 * 3_600_000
PER_COMMIT = 20_000
RUNS = 7


def run() -> None:
    url = built_store("history", _build)
    store = Store.open(url)
    try:
        _measure(store, url)
    finally:
        store.close()


def _measure(store: Store, url: str) -> None:
    chance = random.Random(11)
    ours, bare, fixes = [], [], []
    for _ in range(RUNS):
        tracker = chance.randrange(TRACKERS)
        with store.read() as connection:
            device = live_fleet(connection, T0_MS).devices[tracker]
            vehicle_id = device.vehicle_id or ""
            started = time.perf_counter()
            track = vehicle_track(connection, vehicle_id, T0_MS, T0_MS + DAY_MS)
            distance_km = track.distance_m / 1_000
            ours.append((time.perf_counter() - started) * 1_000)
        fixes.append(float(len(track)))
        if distance_km <= 0 or mark_names(int(track["marks"].max())):
            raise AssertionError("the day opened is not the day stored")
        bare.append(_bare_fetch(url, device.key))
    with store.read() as connection:
        newest = newest_position_id(connection)
        page_ms = timed_ms(lambda: positions_since(connection, newest - 5_000))
        live_ms = timed_ms(lambda: live_fleet(connection, T0_MS))
    report("positions stored", [float(TRACKERS * FIXES_EACH)], "rows")
    report("fixes in the day opened", fixes, "fixes")
    mine = report("one vehicle's day with its distance", ours, "ms", target="< 2,000")
    base = report("  baseline: the same rows by the bare driver", bare, "ms")
    print(f"  ratio {mine / base:.2f}")
    report("the newest 5,000 positions, by key", [page_ms], "ms")
    report(f"live picture of {TRACKERS} vehicles", [live_ms], "ms")


def _bare_fetch(url: str, device_key: int) -> float:
    connection = sqlite3.connect(str(make_url(url).database))
    query = (
        "SELECT id, device_key, fixed_at_ms, received_at_ms, lat, lon, speed_km_h, course_deg, marks FROM positions"
        " WHERE device_key = ? AND fixed_at_ms >= ? AND fixed_at_ms < ? ORDER BY fixed_at_ms"
    )
    try:
        return timed_ms(lambda: connection.execute(query, (device_key, T0_MS, T0_MS + DAY_MS)).fetchall())
    finally:
        connection.close()


def _build(folder: Path) -> None:
    """Every tracker once through the sink, so that it is known; the rest in bulk, in the order of time."""
    store = Store.open(make_store_url(folder))
    try:
        feed = make_feed(store)
        feed(*(a_position(f"T{number}", T0_MS - STEP_MS, raw=None) for number in range(TRACKERS)))
        for number in range(TRACKERS):
            store.write(partial(adopt, device=f"T{number}", vehicle=f"PLATE {number}", now_ms=T0_MS)).result()
        insert = BulkInsert(store.engine.dialect, _table(), POSITION_COLUMNS)
        for rows in _pages():
            store.write(partial(_insert, insert, rows), rows=len(rows)).result()
    finally:
        store.close()


def _insert(insert: BulkInsert, rows: list[tuple[Any, ...]], connection: Connection) -> None:
    insert(connection, rows)


def _table() -> Any:
    return PositionRow.__table__


def _pages() -> Iterator[list[tuple[Any, ...]]]:
    chance = random.Random(5)
    places = [(chance.uniform(4.5, 13.5), chance.uniform(3.0, 14.0)) for _ in range(TRACKERS)]
    page: list[tuple[Any, ...]] = []
    row_id = TRACKERS
    for step in range(FIXES_EACH):
        at_ms = T0_MS + step * STEP_MS
        for tracker, (old_lat, old_lon) in enumerate(places):
            row_id += 1
            lat, lon = old_lat + chance.uniform(-5e-4, 5e-4), old_lon + chance.uniform(-5e-4, 5e-4)
            places[tracker] = (lat, lon)
            fix = (row_id, tracker + 1, at_ms, at_ms + 800, lat, lon, 40.0, 90.0, None, None, True, 0, 0, "gt02")
            page.append((*fix, step & 0xFFFF, None, "", None, None))
        if len(page) >= PER_COMMIT:
            yield page
            page = []
    if page:
        yield page
