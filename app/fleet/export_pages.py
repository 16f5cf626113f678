"""What an exported table is, and reading its rows a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, or_

from app.clock import from_ms
from app.fleet.times import iso
from app.store.store import Store

PAGE_ROWS = 2_000

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: times in ms, ``until_ms`` exclusive; ``where`` as given, of use to read less."""

    since_ms: int | None
    until_ms: int | None
    where: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ExportTable:
    """One table. ``rows`` may yield more than ``where`` asks for, never more than the times do."""

    columns: Sequence[str]
    rows: Callable[[Store, Wanted], Iterator[Row]]
    time_column: str | None = None


def by_time(store: Store, query: Any, time: Any, row_id: Any, wanted: Wanted) -> Iterator[Any]:
    """Rows by (time, id), a page per transaction. The query's first two columns are these."""
    if wanted.since_ms is not None:
        query = query.where(time >= wanted.since_ms)
    if wanted.until_ms is not None:
        query = query.where(time < wanted.until_ms)
    query = query.order_by(time, row_id).limit(PAGE_ROWS)
    page = query
    while True:
        with store.read() as connection:
            rows = connection.execute(page).all()
        yield from rows
        if len(rows) < PAGE_ROWS:
            return
        last_ms, last_id = rows[-1][0], rows[-1][1]
        page = query.where(time >= last_ms, or_(time > last_ms, row_id > last_id))


def by_id(
    store: Store, query: Select[Any], row_id: Any, time: Any, columns: Sequence[str], wanted: Wanted
) -> Iterator[Row]:
    if wanted.since_ms is not None:
        query = query.where(time >= from_ms(wanted.since_ms))
    if wanted.until_ms is not None:
        query = query.where(time < from_ms(wanted.until_ms))
    after = 0
    while True:
        with store.read() as connection:
            rows = connection.execute(query.where(row_id > after).order_by(row_id).limit(PAGE_ROWS)).all()
        for row in rows:
            values = {name: getattr(row, name) for name in columns}
            yield {name: iso(value) if hasattr(value, "isoformat") else value for name, value in values.items()}
        if len(rows) < PAGE_ROWS:
            return
        after = rows[-1].id
