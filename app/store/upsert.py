"""Inserts that may meet a row that is there already, in the words of the database at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from app.store.tables import Base

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgresqlInsert
    from sqlalchemy.dialects.sqlite import Insert as SqliteInsert


def insert_or(connection: Connection, table: type[Base]) -> SqliteInsert | PostgresqlInsert:
    """An insert with ``on_conflict_do_update`` and ``on_conflict_do_nothing``, alike on both databases."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert  # a start with a file does without it

        return postgresql_insert(table)
    return sqlite_insert(table)
