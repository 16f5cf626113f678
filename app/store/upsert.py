"""Inserts that may meet a row that is there already, in the words of the database at hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from app.store.columns import Base

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert


def insert_or(connection: Connection, table: type[Base]) -> SqliteInsert | PostgresqlInsert:
    """An insert with ``on_conflict_do_update`` and ``on_conflict_do_nothing``, alike on both databases."""
    statement: SqliteInsert | PostgresqlInsert = insert_on(connection.dialect)(table)
    return statement


def insert_on(dialect: Dialect) -> Callable[..., Any]:
    """The ``insert`` of a database that may meet rows; a program with a file does without the server's parts."""
    if dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert
    return sqlite_insert
