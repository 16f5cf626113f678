"""The history of stock: looked at once a day, written where it changed, read back day by day.

A quantity is known for a day only where somebody looked on that day; days in between are unknown, never carried over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from app.clock import from_ms
from app.reports.periods import local_day
from app.store.tables import StockLineRow, StockLook, StockSpan
from app.store.upsert import insert_or
from app.supply.ages import data_ages

Key = tuple[str, str, str]
"""Facility, item, programme."""


@dataclass(slots=True)
class DayStock:
    """One item in one facility: spans of (first day, last day, units); a last day of None is still open."""

    spans: list[tuple[str, date, date | None, float]] = field(default_factory=list)

    def units_on(self, day: date, program: str = "") -> float:
        """What was held on a day that was looked at; 0.0 where no span covers it."""
        return sum(
            units
            for own, first, last, units in self.spans
            if first <= day and (last is None or day <= last) and (not program or own in ("", program))
        )


def look_at_stock(connection: Connection, now_ms: int) -> int:
    """Write what every integration's stock is today, where it differs from yesterday; returns how many rows.

    Done again on the same day it brings the day up to what is known now. Stock that the peer told before today says
    nothing about today, so nothing is written for it.
    """
    today = local_day(now_ms)
    written = 0
    for integration_id, age in data_ages(connection, "stock").items():
        if age.last_read_ms is None or local_day(age.last_read_ms) < today:
            continue
        written += _look(connection, integration_id, today)
        statement = insert_or(connection, StockLook).values(
            integration_id=integration_id,
            day=today.isoformat(),
            read_at=from_ms(age.last_read_ms),
            looked_at=from_ms(now_ms),
        )
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["integration_id", "day"],
                set_={"read_at": statement.excluded.read_at, "looked_at": statement.excluded.looked_at},
            )
        )
    return written


def stock_history(
    connection: Connection, integration_id: str, facility: str, first: date, last: date
) -> tuple[dict[str, DayStock], dict[date, datetime]]:
    """By item what was held between two days, and the days that were looked at with the age of what was seen."""
    span, look = StockSpan, StockLook
    until = last + timedelta(days=7)  # a look shortly after the end may stand for it
    query = (
        select(span.item, span.program, span.from_on, span.until_on, span.units)
        .where(
            span.integration_id == integration_id,
            span.facility == facility,
            span.from_on <= until.isoformat(),
            span.until_on.is_(None) | (span.until_on >= first.isoformat()),
        )
        .order_by(span.id)
    )
    items: defaultdict[str, DayStock] = defaultdict(DayStock)
    for row in connection.execute(query):
        ends = date.fromisoformat(row.until_on) if row.until_on else None
        items[row.item].spans.append((row.program, date.fromisoformat(row.from_on), ends, row.units))
    looked = select(look.day, look.read_at).where(
        look.integration_id == integration_id, look.day >= first.isoformat(), look.day <= until.isoformat()
    )
    return dict(items), {date.fromisoformat(row.day): row.read_at for row in connection.execute(looked)}


def _look(connection: Connection, integration_id: str, today: date) -> int:
    line, span = StockLineRow, StockSpan
    query = (
        select(line.facility, line.item, line.program, func.sum(line.units).label("units"))
        .where(line.integration_id == integration_id, line.gone_at.is_(None))
        .group_by(line.facility, line.item, line.program)
    )
    held: dict[Key, float] = {
        (row.facility, row.item, row.program): float(row.units) for row in connection.execute(query)
    }
    standing = select(span.id, span.facility, span.item, span.program, span.units, span.from_on).where(
        span.integration_id == integration_id, span.until_on.is_(None)
    )
    known: dict[Key, Any] = {(row.facility, row.item, row.program): row for row in connection.execute(standing)}
    yesterday = (today - timedelta(days=1)).isoformat()
    begun: list[Mapping[str, Any]] = []
    again: list[tuple[int, float]] = []
    over: list[int] = []
    for key in {*held, *known}:
        units, row = held.get(key, 0.0), known.get(key)
        if row is not None and row.units == units:
            continue
        if row is not None and row.from_on >= today.isoformat():
            again.append((row.id, units))
            continue
        if row is not None:
            over.append(row.id)
        facility, item, program = key
        begun.append(
            {
                "integration_id": integration_id,
                "facility": facility,
                "item": item,
                "program": program,
                "units": units,
                "from_on": today.isoformat(),
            }
        )
    for row_id, units in again:
        connection.execute(update(span).where(span.id == row_id).values(units=units))
    for start in range(0, len(over), 500):
        connection.execute(update(span).where(span.id.in_(over[start : start + 500])).values(until_on=yesterday))
    if begun:
        connection.execute(insert(span), begun)
    return len(begun) + len(again)


def zero_days(
    stock: DayStock | None, looks: Mapping[date, datetime], first: date, last: date, program: str = ""
) -> tuple[int, int]:
    """How many days of a time were looked at, and on how many of these there was nothing."""
    seen = empty = 0
    day = first
    while day <= last:
        if day in looks:
            seen += 1
            if stock is None or stock.units_on(day, program) <= 0:
                empty += 1
        day += timedelta(days=1)
    return seen, empty
