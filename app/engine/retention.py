"""Deleting what is older than its keeping time, in small batches that leave the store free for others.

Ids of these tables rise with the arrival of their rows, so the oldest rows are the first ids: each batch looks at
the first page only and needs no index on a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, delete, select

from adapters.base import Clock
from app.clock import from_ms
from app.engine.ports import read
from app.store.changes import raise_topic
from app.store.facts import get_fact
from app.store.store import Store
from app.store.tables import Command, DeviceEventRow, IntegrationLog, PositionRow, RawFrameRow, RejectedRecord

FACT = "retention"
BATCH_ROWS = 2_000
PAUSE_S = 0.2
DAY_MS = 86_400_000

_COMMANDS_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Retention:
    """Days for which each kind is kept; 0 keeps it for ever."""

    raw_days: int = 30
    log_days: int = 90
    position_days: int = 400


def load_retention(connection: Connection) -> Retention:
    """What the operator chose, or the defaults."""
    chosen = get_fact(connection, FACT) or {}
    known = {name: int(chosen[name]) for name in Retention.__dataclass_fields__ if name in chosen}
    return Retention(**known)


def delete_batch(connection: Connection, table: Any, column: Any, before: Any) -> int:
    """Delete the rows of the first page of ``table`` whose ``column`` is before a moment; returns how many."""
    first = connection.execute(select(table.id, column).order_by(table.id).limit(BATCH_ROWS)).all()
    old = [row[0] for row in first if row[1] < before]
    if old:
        connection.execute(delete(table).where(table.id.in_(old)))
    return len(old)


def delete_old_commands(connection: Connection, now_ms: int) -> int:
    old = Command.done_at < from_ms(now_ms) - _COMMANDS_KEPT
    return connection.execute(delete(Command).where(old)).rowcount


async def keep_house(store: Store, clock: Clock) -> int:
    """One round over all tables; returns how many rows were deleted. Raises StoreError."""
    now_ms = clock.now_ms()

    async def write(job: Callable[[Connection], int]) -> int:
        return await asyncio.wrap_future(store.write(job, rows=BATCH_ROWS))

    keep = await read(store, load_retention)
    total = await write(partial(delete_old_commands, now_ms=now_ms))
    for table, column, days, topic in (
        (RawFrameRow, RawFrameRow.received_at_ms, keep.raw_days, None),
        (RejectedRecord, RejectedRecord.at, keep.raw_days, None),
        (IntegrationLog, IntegrationLog.created_at, keep.log_days, "logs"),
        (PositionRow, PositionRow.received_at_ms, keep.position_days, "positions"),
        (DeviceEventRow, DeviceEventRow.received_at_ms, keep.position_days, "events"),
    ):
        if days <= 0:
            continue
        before_ms = now_ms - days * DAY_MS
        before = before_ms if table in {RawFrameRow, PositionRow, DeviceEventRow} else from_ms(before_ms)
        total += await _delete_all(
            write, partial(_delete, table=table, column=column, before=before, topic=topic), clock
        )
    return total


def _delete(connection: Connection, table: Any, column: Any, before: Any, topic: str | None) -> int:
    if topic is not None:
        oldest = connection.execute(select(column).order_by(table.id).limit(1)).scalar_one_or_none()
        if oldest is None or oldest >= before:
            return 0
        raise_topic(connection, topic)
    return delete_batch(connection, table, column, before)


async def _delete_all(
    write: Callable[[Callable[[Connection], int]], Any], job: Callable[[Connection], int], clock: Clock
) -> int:
    total = 0
    while True:
        deleted: int = await write(job)
        total += deleted
        if deleted < BATCH_ROWS:
            return total
        await clock.sleep(PAUSE_S)
