"""Merging supply records: records per second into an empty store and again unchanged, beside a bare loop.

The bare loop reads the same records from JSON text and hands them to ``sqlite3`` as one upsert per record, with the
same pragmas, schema, keys and rows per transaction, without looking what changed. Targets: at least 5,000 records/s,
and 0.35 of the bare loop. Records are made once, as an adapter would; the page of a catalogue holds ``PER_BATCH``.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, make_url

from adapters.records import Batch, Record
from adapters.supply import FullRead, Item, Requisition, RequisitionLine, StockLine
from app.engine.sink import StoreSink
from app.store.connect import write_engine
from app.store.ids import new_id
from app.store.store import Store
from app.supply.kinds import OF_RECORD, Part
from tests.bench.common import report, scratch
from tests.helpers.fleet import T0_MS, add_integration
from tests.helpers.stores import make_migrated_postgresql_url, make_store_url, start_postgresql

ITEMS = 20_000
STOCK_LINES = 60_000
REQUISITIONS = 500
LINES = 40
PER_BATCH = 500
RUNS = 3

Ingest = Callable[[Connection], object]


def run() -> None:
    records = make_records()
    counted = sum(1 + len(getattr(record, "lines", None) or ()) for record in records)
    print(f"{counted:,} records: {ITEMS:,} items, {STOCK_LINES:,} stock lines, {REQUISITIONS:,} requisitions")
    bare = []
    for _ in range(RUNS):
        with scratch() as folder:
            bare.append(counted / bare_loop(folder, records))
    report("SQLite: json + sqlite3, upserts", bare, "records/s")
    for name in ("SQLite", "PostgreSQL"):
        first, again = [], []
        for _ in range(RUNS):
            with scratch() as folder:
                url = make_store_url(folder) if name == "SQLite" else make_migrated_postgresql_url(start_postgresql())
                seconds = merge_twice(url, records)
                first.append(counted / seconds[0])
                again.append(counted / seconds[1])
        report(f"{name}: first reading", first, "records/s", target="≥ 5,000")
        report(f"{name}: the same again", again, "records/s", target="≥ 5,000")
        if name == "SQLite":
            ratios = [one / other for one, other in zip(first, bare, strict=True)]
            report("SQLite: ratio of the first reading", ratios, "", target="≥ 0.35")


def make_records() -> list[Record]:
    """What a state store's systems tell; the same at every call."""
    records: list[Record] = [
        Item(f"item-{n:08}-4b1c-9f00", f"C{n:06}", f"Artemether + lumefantrine {n} mg tablets", "tablet", 24.0)
        for n in range(ITEMS)
    ]
    records += [
        StockLine(
            f"stock-{n:08}-7d2e-8c11", f"store-{n % 40:04}", f"item-{n % ITEMS:08}-4b1c-9f00", n * 1.5, n * 1.25,
            f"B{n % 977}", f"2027-{n % 12 + 1:02}-{n % 28 + 1:02}", 24.0, f"A-{n % 31}", average_monthly_units=n * 0.4,
        )
        for n in range(STOCK_LINES)
    ]  # fmt: skip
    for n in range(REQUISITIONS):
        lines = [
            RequisitionLine(f"line-{n}-{line}", f"item-{line:08}-4b1c-9f00", 100.0 * line, comment="for December")
            for line in range(LINES)
        ]
        records.append(
            Requisition(
                f"req-{n:08}", str(n), "request", "SENT", "submitted", "store-0001", "store-0002", created_ms=T0_MS,
                lines=lines,
            )
        )  # fmt: skip
    return records


def merge_twice(url: str, records: Sequence[Record]) -> tuple[float, float]:
    """Seconds for the records as one complete reading through the store's writer thread, twice."""
    store = Store.open(url)
    try:
        integration_id = add_integration(store, "msupply-1", "msupply")
        sink = StoreSink(store)
        marked = [FullRead("item", "", "begins"), *records, FullRead("item", "", "ends")]
        batches = [Batch(tuple(marked[start : start + PER_BATCH])) for start in range(0, len(marked), PER_BATCH)]
        return _merge(store, sink, integration_id, batches), _merge(store, sink, integration_id, batches)
    finally:
        store.close()


def _merge(store: Store, sink: StoreSink, integration_id: str, batches: Sequence[Batch]) -> float:
    started = time.perf_counter()
    for batch in batches:  # as an adapter is read: the next page is asked for when this one is stored
        job = partial(_ingest, sink, integration_id, batch)
        store.write(job, on_rollback=sink.forget, rows=len(batch.records)).result()
    return time.perf_counter() - started


def _ingest(sink: StoreSink, integration_id: str, batch: Batch, connection: Connection) -> object:
    return sink.ingest(connection, integration_id, [batch], T0_MS)


def bare_loop(folder: Path, records: Sequence[Record]) -> float:
    """Seconds for the same records from JSON text into a fresh store, without any question."""
    pages = [
        (kind, json.dumps([asdict(record) for record in page]))
        for kind in (Item, StockLine, Requisition)
        for page in _pages([record for record in records if type(record) is kind])
    ]
    engine = write_engine(make_url(make_store_url(folder)))
    raw = engine.raw_connection()
    connection: Any = raw.driver_connection
    if not isinstance(connection, sqlite3.Connection):
        raise TypeError("not a SQLite store")
    started = time.perf_counter()
    for kind, text in pages:
        told = json.loads(text)
        of_kind = OF_RECORD[kind]
        connection.execute("BEGIN IMMEDIATE")
        _upsert(connection, of_kind.part, [(None, one) for one in told])
        if of_kind.lines is not None:
            _upsert(connection, of_kind.lines, [(one["peer_id"], line) for one in told for line in one["lines"]])
        connection.execute("COMMIT")
    seconds = time.perf_counter() - started
    raw.close()
    engine.dispose()
    return seconds


def _pages(records: Sequence[Record]) -> list[Sequence[Record]]:
    return [records[start : start + PER_BATCH] for start in range(0, len(records), PER_BATCH)]


def _upsert(connection: sqlite3.Connection, part: Part, told: Sequence[tuple[str | None, dict[str, Any]]]) -> None:
    parent = [part.parent] if part.parent else []
    columns = ["id", "integration_id", "content_hash", "changed_version", *parent, *part.fields]
    key = ",".join(["integration_id", *parent, "peer_id"])
    changes = ",".join(f"{name}=excluded.{name}" for name in part.fields if name != "peer_id")
    values = [
        (new_id(), "msupply-1", b"", 1, *([paper] if parent else []), *(_plain(one[name]) for name in part.fields))
        for paper, one in told
    ]
    connection.executemany(
        f"INSERT INTO {part.table.name} ({','.join(columns)}) VALUES ({','.join('?' * len(columns))}) "  # noqa: S608
        f"ON CONFLICT({key}) DO UPDATE SET {changes}",
        values,
    )


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict)) else value
