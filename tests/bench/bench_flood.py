"""A flood through real sockets into a real gateway, and the console's own writes beside it.

Targets: ≥ 15,000 stored positions/s and ≥ 0.4 of the bare driver for the same rows (positions and raw frames, same
tables, indexes, pragmas and rows per transaction); on PostgreSQL ≥ 0.4 of COPY; a write of another process beside the
flood p99 ≤ 500 ms. The sender's CPU comes out of the same two cores; the baselines have the machine to themselves.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import JSON, Connection, Text, cast, select

from app.fleet.rows import POSITION_COLUMNS, RAW_COLUMNS
from app.store.logs import append_log
from app.store.store import Store
from app.store.tables import PositionRow, RawFrameRow
from tests.bench.bench_ingest import Rows, bare_copy, bare_sqlite, fresh_database
from tests.bench.common import percentile, report, scratch, unmet
from tests.bench.depots import BenchDepot, compare, know_fleet
from tests.bench.sender import Order, send, sent_by
from tests.helpers.depot import Gateway
from tests.helpers.stores import start_postgresql

SOCKETS = 2_000
FIXES_EACH = 125
RUNS = 3
WRITE_EVERY_S = 0.05
LONGEST_S = 240.0


def run() -> None:
    idle_ms = _idle_writes()
    rates, bare, writes_ms = [], [], []
    for _ in range(RUNS):
        rate, waits_ms, frames, fixes = _flood(None)
        rates.append(rate)
        writes_ms += waits_ms
        with scratch() as folder:
            bare.append(bare_sqlite(folder, frames, fixes))
    _print("SQLite", rates, "executemany", bare)
    report("console's write beside it, median", [percentile(writes_ms, 50)], "ms")
    report("console's write beside it, p99", [percentile(writes_ms, 99)], "ms", target="≤ 500")
    report("  baseline beside an idle gateway, p99", [percentile(idle_ms, 99)], "ms")
    server = start_postgresql()
    rates, bare = [], []
    for _ in range(RUNS):
        with scratch() as folder:
            rate, _waits, frames, fixes = _flood(fresh_database(server, folder))
            rates.append(rate)
            bare.append(bare_copy(fresh_database(server, folder), frames, fixes))
    _print("PostgreSQL", rates, "COPY", bare)


def _print(database: str, ours: list[float], baseline: str, bare: list[float]) -> None:
    report(f"{database}: sockets to store", ours, "positions/s", target="≥ 15,000")
    report(f"  baseline {baseline}, same rows", bare, "positions/s")
    ratios = [one / other for one, other in zip(ours, bare, strict=True)]
    report(f"{database}: ratio", ratios, "", target="≥ 0.4")


def _flood(database_url: str | None) -> tuple[float, list[float], Rows, Rows]:
    """Positions per second, the waits of writes beside it in ms, and the rows that were stored."""
    with scratch() as folder, BenchDepot(folder, database_url) as depot:
        integration_id, port = depot.add_trackers()
        know_fleet(depot.store, integration_id, SOCKETS)
        with Gateway(depot) as gateway:
            gateway.wait_ready()
            with _writing(depot.store) as waits_ms:
                sent = sent_by(send(Order(port, SOCKETS, fixes_each=FIXES_EACH)), LONGEST_S)
            gateway.say("stop")
            gateway.ended(30)
        if sent.broken or compare(depot.store, sent.fixes) != (0, 0):
            raise unmet(f"the flood broke {sent.broken} connections, lost or doubled positions")
        frames = _rows(depot.store, RawFrameRow, RAW_COLUMNS)
        fixes = _rows(depot.store, PositionRow, POSITION_COLUMNS)
    return sum(sent.fixes) / sent.seconds, waits_ms, frames, fixes


def _rows(store: Store, mapped: Any, columns: tuple[str, ...]) -> Rows:
    with store.read() as connection:
        wanted = [mapped.__table__.c[name] for name in columns]
        as_sent = [cast(column, Text) if isinstance(column.type, JSON) else column for column in wanted]
        query = select(*as_sent).order_by(mapped.id)
        return [tuple(row) for row in connection.execute(query)]


def _idle_writes() -> list[float]:
    with scratch() as folder, BenchDepot(folder) as depot, Gateway(depot) as gateway:
        gateway.wait_ready()
        with _writing(depot.store) as waits_ms:
            time.sleep(5)
        return waits_ms


@contextmanager
def _writing(store: Store) -> Iterator[list[float]]:
    """Small writes of this process now and then, as an operator's acts; how long each took in ms."""
    waits_ms: list[float] = []
    done = threading.Event()

    def act(connection: Connection) -> None:
        append_log(connection, event_type="bench", text="The operator did something.")

    def write() -> None:
        while not done.wait(WRITE_EVERY_S):
            began_s = time.perf_counter()
            store.write(act).result()
            waits_ms.append((time.perf_counter() - began_s) * 1000)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield waits_ms
    finally:
        done.set()
        writer.join()
