"""Mod4: batches and events pulled from a real PostgreSQL, with and without the store behind. Target: ≥ 5,000 rows/s.

The bare reading is ``psycopg`` alone with the same columns in the same pages, without making a record of a row.
"""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial
from typing import Any

import psycopg
from pydantic import SecretStr
from sqlalchemy import Connection

from adapters.mod4.adapter import Mod4Adapter
from adapters.mod4.settings import Mod4Settings
from adapters.mod4.simulator import running
from adapters.records import Batch
from app.clock import SystemClock
from app.engine.sink import StoreSink
from app.kit import make_kit
from app.store.store import Store
from tests.bench.common import report, scratch
from tests.helpers.fleet import add_integration
from tests.helpers.stores import make_store

EVENTS = int(os.environ.get("BENCH_MOD4_EVENTS", "1000000"))
BATCHES = int(os.environ.get("BENCH_MOD4_BATCHES", "50000"))
PAGE = 5_000


def run() -> None:
    with running(volume={"batches": BATCHES, "events": EVENTS}) as platform:
        given = {**platform.settings(), "first_history_days": 3650}
        given["password"] = SecretStr(given["password"])
        settings = Mod4Settings(**given)
        report("psycopg alone, events", [bare(platform.server.connect(platform.database))], "rows/s")
        rows, seconds = asyncio.run(pull(settings, None))
        report("adapter alone, all rows", [rows / seconds], "rows/s", target="≥ 5,000")
        with scratch() as folder:
            store = make_store(folder)
            try:
                rows, seconds = asyncio.run(pull(settings, store))
            finally:
                store.close()
        report("into the store, all rows", [rows / seconds], "rows/s", target="≥ 5,000")


def bare(connection: psycopg.Connection[Any]) -> float:
    """Rows per second of the events, page by page, as plain tuples."""
    query = b"""SELECT * FROM mod4_events WHERE (received_at, event_id) > (%s::timestamptz, %s::uuid)
                ORDER BY received_at, event_id LIMIT %s"""
    since, last, count = "-infinity", "00000000-0000-0000-0000-000000000000", 0
    started = time.perf_counter()
    with connection.cursor() as cursor:
        names: list[str] = []
        while rows := cursor.execute(query, [since, last, PAGE]).fetchall():
            names = names or [one.name for one in cursor.description or ()]
            count += len(rows)
            since, last = rows[-1][names.index("received_at")], rows[-1][names.index("event_id")]
    connection.close()
    return count / (time.perf_counter() - started)


async def pull(settings: Mod4Settings, store: Store | None) -> tuple[int, float]:
    """Rows (stops are not counted) and seconds of one first run."""
    kit = make_kit("mod4-bench", Mod4Adapter.manifest, settings, SystemClock())
    sink, integration_id = (StoreSink(store), add_integration(store, "mod4-1", "mod4")) if store else (None, "")
    count, now_ms = 0, SystemClock().now_ms()

    def ingest(batch: Batch, connection: Connection) -> object:
        assert sink is not None
        return sink.ingest(connection, integration_id, [batch], now_ms)

    started = time.perf_counter()
    async for batch in Mod4Adapter(settings, kit).fetch({}):
        count += len(batch.records)
        if store is not None and sink is not None:
            done = store.write(partial(ingest, batch), on_rollback=sink.forget, rows=len(batch.records))
            await asyncio.wrap_future(done)
    seconds = time.perf_counter() - started
    await kit.http.aclose()
    return count, seconds
