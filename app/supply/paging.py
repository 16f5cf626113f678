"""Lists a page at a time, in a stable order, from where the last page ended.

A page is asked for by the last row's value of the sort column and its key, so that rows which come or go meanwhile
shift nothing, and the thousandth page costs what the first did. Rows without a value come last, in either direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal, or_, select

COUNT_STOPS = 100_000
"""A count goes no further: nobody reads more, and counting a million would take longer than reading the page."""

FEW = 2_000
"""Rows that are read one by one and put in order, instead of reading along the order."""


@dataclass(frozen=True, slots=True)
class After:
    """Where a page ended: the last row's sort value, None where it had none, and its key."""

    value: Any
    key: int


@dataclass(frozen=True, slots=True)
class Sort:
    """What a list is ordered by. ``is_optional`` columns may lack a value."""

    column: Any
    is_optional: bool = False
    descending: bool = False


def rows_after(
    connection: Connection, query: Select[Any], key: Any, sort: Sort, after: After | None, limit: int
) -> tuple[list[Any], After | None]:
    """One page of ``query``, and where the next begins, None at the end.

    Each row has ``sorted_by`` and ``row_key`` beside what the query selects.
    """
    value = sort.column
    rows: list[Any] = []
    query = query.add_columns(value.label("sorted_by"), key.label("row_key"))
    if after is None or after.value is not None:
        told = query.where(value.is_not(None)) if sort.is_optional else query
        if after is not None:
            told = told.where(_beyond(value, key, sort, after))
        order = (value.desc(), key.desc()) if sort.descending else (value.asc(), key.asc())
        rows = list(connection.execute(told.order_by(*order).limit(limit)))
    if sort.is_optional and len(rows) < limit:
        rest = query.where(value.is_(None)).order_by(key).limit(limit - len(rows))
        if after is not None and after.value is None:
            rest = rest.where(key > after.key)
        rows += connection.execute(rest)
    full = len(rows) == limit
    return rows, After(rows[-1].sorted_by, rows[-1].row_key) if full else None


def count_up_to(connection: Connection, query: Select[Any]) -> int:
    """How many rows ``query`` finds, at most :data:`COUNT_STOPS`."""
    # Only the rows: what the query selects may ask for the lines of each paper.
    rows: Select[Any] = query.with_only_columns(literal(1).label("one"), maintain_column_froms=True)
    some = rows.order_by(None).limit(COUNT_STOPS).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def holds_words(words: Sequence[str], columns: Sequence[Any]) -> list[ColumnElement[bool]]:
    """Every word stands in one of the columns."""
    return [or_(*(column.icontains(word, autoescape=True) for column in columns)) for word in words]


def few_with_words(connection: Connection, key: Any, words: Sequence[str], columns: Sequence[Any]) -> list[int] | None:
    """Keys of all rows that hold one of the words, the first that few hold; None where each is held by many.

    A page in the order of a column looks at every row for a word that few hold, or none. Each column is looked through
    by itself, along its own index (each must have one), which is a fraction of the table.
    """
    # SQLite's LIKE looks at no case of ASCII letters, and its lower() knows no others: a third quicker without.
    folds_case = connection.dialect.name == "sqlite"
    for word in words:
        found: set[int] = set()
        for column in columns:
            holds = column.contains(word, autoescape=True) if folds_case else column.icontains(word, autoescape=True)
            found.update(connection.execute(select(key).where(holds).limit(FEW + 1)).scalars())
            if len(found) > FEW:
                break
        else:
            return sorted(found)
    return None


def _beyond(value: Any, key: Any, sort: Sort, after: After) -> ColumnElement[bool]:
    """Written so that an index over ``value`` finds the beginning."""
    if sort.descending:
        return and_(value <= after.value, or_(value < after.value, key < after.key))
    return and_(value >= after.value, or_(value > after.value, key > after.key))
