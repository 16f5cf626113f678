"""Rows from one database to the other: the same tables, each column in a type that both understand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, Connection, DateTime, MetaData, Table, func, insert, inspect, select, text
from sqlalchemy.types import TypeEngine

from app.store.types import UtcDateTime

_CHUNK = 1_000


def portable_tables(connection: Connection) -> list[Table]:
    """The tables as the database holds them, parents before children, without what each database keeps for itself."""
    found = MetaData()
    found.reflect(connection)
    portable = MetaData()
    for table in found.sorted_tables:
        Table(table.name, portable, *(Column(column.name, _portable(column.type)) for column in table.columns))
    return [portable.tables[table.name] for table in found.sorted_tables if table.name != "alembic_version"]


def copy_rows(source: Connection, target: Connection, tables: list[Table]) -> None:
    """Copy every row of ``tables``, in the callers' transactions, streaming."""
    for table in tables:
        rows = source.execution_options(yield_per=_CHUNK).execute(select(table)).mappings()
        for chunk in rows.partitions():
            target.execute(insert(table), [dict(row) for row in chunk])


def follow_keys(connection: Connection, tables: list[Table]) -> None:
    """PostgreSQL: let each table count on from its greatest key after rows with keys were inserted."""
    for table in tables:
        key = inspect(connection).get_pk_constraint(table.name)["constrained_columns"]
        if len(key) != 1:
            continue
        column = table.c[key[0]]
        sequence = connection.execute(select(func.pg_get_serial_sequence(table.name, column.name))).scalar()
        if sequence is not None:
            greatest = select(func.coalesce(func.max(column), 0) + 1).scalar_subquery()
            connection.execute(select(func.setval(sequence, greatest, text("false"))))


def _portable(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    if isinstance(kind, JSON):
        return JSON(none_as_null=True)
    if isinstance(kind, DateTime) or kind.python_type is datetime:
        return UtcDateTime()
    return kind.as_generic()
