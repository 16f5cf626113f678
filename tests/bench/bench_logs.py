"""Searching two million log lines, each filter beside a plain scan of the same file by the bare driver.

The store is built once and kept in the cache folder. Target: every filter's first page in under 1 s.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, make_url

from app.store.logs import LogFilter, LogPage, search_logs
from app.store.store import Store
from app.store.tables import IntegrationLog
from tests.bench.common import built_store, report, timed_ms
from tests.helpers.stores import make_store_url

LINES = 2_000_000
PER_COMMIT = 20_000
RUNS = 5
PAGE = 200
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
EVERY = timedelta(seconds=4)
INTEGRATIONS = [f"0190a000-0000-7000-8000-{number:012d}" for number in range(7)]
RARE_IMEI = "358899059999991"  # three lines in two million

FILTERS = {
    "nothing but the newest": LogFilter(),
    "common word": LogFilter("stored"),
    "rare word": LogFilter(RARE_IMEI),
    "last digits of an IMEI": LogFilter(RARE_IMEI[-7:]),
    "absent word": LogFilter("carburettor"),
    "two words": LogFilter(words=("answer", "KAN-0417")),
    "two letters, absent": LogFilter("§§"),
    "an integration's own lines": LogFilter(integration_id=INTEGRATIONS[6]),
    "common word, rare integration": LogFilter("stored", integration_id=INTEGRATIONS[6]),
    "rare word, by kind": LogFilter(RARE_IMEI, event_types=("run.failed",)),
    "a week long past": LogFilter(since=FIRST + 20 * EVERY, until=FIRST + 20 * EVERY + timedelta(days=7)),
    "common word, a day long past": LogFilter(
        "refused", since=FIRST + timedelta(days=30), until=FIRST + timedelta(days=31)
    ),
}


def run() -> None:
    url = built_store("logs", _build)
    store = Store.open(url)
    try:
        for name, what in FILTERS.items():
            _measure(store, url, name, what)
    finally:
        store.close()


def _measure(store: Store, url: str, name: str, what: LogFilter) -> None:
    ours, bare = [], []
    for _ in range(RUNS):
        pages: list[LogPage] = []
        with store.read() as connection:
            ours.append(timed_ms(lambda: pages.append(search_logs(connection, what, limit=PAGE))))  # noqa: B023
        found: list[Any] = []
        with closing(sqlite3.connect(str(make_url(url).database))) as connection:
            bare.append(timed_ms(lambda: found.extend(_scan(connection, what))))  # noqa: B023
        page = pages[0]
        if page.older_than is None and [line.id for line in page.lines] != [row[0] for row in found]:
            raise AssertionError(f"“{name}” finds other lines than the scan")
    mine = report(f"{name} ({len(page.lines)} lines)", ours, "ms", target="< 1,000")
    base = report("  baseline plain scan", bare, "ms")
    print(f"  ratio {mine / base:.2f}")


def _scan(connection: sqlite3.Connection, what: LogFilter) -> list[Any]:
    conditions, values = ["+id > 0"], list[Any]()
    for text in what.sought:
        conditions.append("text LIKE ?")
        values.append(f"%{text}%")
    if what.integration_id is not None:
        conditions.append("+integration_id = ?")
        values.append(what.integration_id)
    if what.event_types:
        conditions.append("+event_type = ?")
        values.append(what.event_types[0])
    for moment, sign in ((what.since, ">="), (what.until, "<")):
        if moment is not None:
            conditions.append(f"+created_at {sign} ?")
            values.append(int(moment.timestamp() * 1000))
    columns, where = "id, integration_id, event_type, payload, created_at, text", " AND ".join(conditions)
    query = f"SELECT {columns} FROM integration_logs WHERE {where} ORDER BY id DESC LIMIT {PAGE}"  # noqa: S608
    return connection.execute(query, values).fetchall()


def _build(folder: Path) -> None:
    store = Store.open(make_store_url(folder))
    try:
        for rows in _pages():
            store.write(partial(_insert, rows), rows=len(rows)).result()
    finally:
        store.close()


def _insert(rows: list[dict[str, Any]], connection: Connection) -> None:
    connection.execute(insert(IntegrationLog), rows)


def _pages() -> Iterator[list[dict[str, Any]]]:
    chance = random.Random(3)
    rare = {LINES // 50, LINES // 3, LINES // 2}
    page: list[dict[str, Any]] = []
    for number in range(LINES):
        page.append(_line(chance, number, is_rare=number in rare))
        if len(page) == PER_COMMIT:
            yield page
            page = []
    if page:
        yield page


def _line(chance: random.Random, number: int, *, is_rare: bool) -> dict[str, Any]:
    imei = RARE_IMEI if is_rare else f"3588990580{chance.randrange(100_000):05d}"
    plate = f"{chance.choice(('LAG', 'KAN', 'ABJ', 'PHC'))}-{chance.randrange(10_000):04d}"
    fixes = chance.randrange(1, 5_000)
    kind, text = chance.choice(
        (
            ("run.done", f"{fixes} positions stored from tracker {imei}, the newest 12 s old."),
            ("run.done", f"Vehicle {plate}: {fixes} positions and 3 events stored in 0.4 s."),
            ("run.failed", f"The server refused tracker {imei}: too many requests; next try in 90 s."),
            ("peer.lost", f"No answer about {plate} for 30 s: the connection was reset by the peer."),
        )
    )
    rarely = number % 500 == 0
    return {
        "integration_id": INTEGRATIONS[6] if rarely else INTEGRATIONS[chance.randrange(6)],
        "event_type": "run.failed" if is_rare else kind,
        "payload": {"positions": fixes, "duration_ms": chance.randrange(10, 900), "attempt": 1},
        "created_at": FIRST + number * EVERY,
        "text": text,
    }
