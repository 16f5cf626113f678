"""Writing many rows at once, the fastest way that each database offers.

Statements are compiled once from SQLAlchemy's tables and handed to the driver with lists of tuples. Measured per row
this is within a third of the bare driver, while Core's own ``execute`` with dicts costs several times as much
(docs/decisions/0020). On PostgreSQL the rows travel by COPY into a temporary table and from there, past those that
are stored already, into the real one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Column, Connection, Dialect, MetaData, Table, delete, insert, select
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql import ClauseElement

Row = tuple[Any, ...]

_COPY_FROM = 20  # fewer rows than this are cheaper by INSERT than by COPY and its temporary table


def compile_for(dialect: Dialect, statement: ClauseElement, order: Sequence[str]) -> str:
    """The driver's text of ``statement``, taking a tuple of the values named in ``order``.

    Raises ValueError where the statement would take its values in another order.
    """
    make: Any = type(dialect)
    positional: Dialect = dialect if dialect.positional else make(paramstyle="format")
    compiled = statement.compile(dialect=positional)
    taken = list(getattr(compiled, "positiontup", None) or ())
    if taken != list(order):
        raise ValueError(f"the statement takes {taken}, not {list(order)}")
    return str(compiled)


class BulkInsert:
    """Insert tuples into one table, leaving out those whose natural key is stored already.

    ``columns`` name the values of each tuple, ``key`` the natural key; without one every row must be new. A clash
    in any other key is an error: rows must never be taken for repetitions of something else. Knows the statements
    of one dialect, so it belongs to one store.
    """

    def __init__(self, dialect: Dialect, table: Table, columns: Sequence[str], key: Sequence[str] = ()) -> None:
        self._postgresql = dialect.name == "postgresql"
        one_row = self._past_known(insert(table), key).values(dict.fromkeys(columns))
        self._insert = compile_for(dialect, one_row, columns)
        if self._postgresql:
            self._arrivals = Table(
                f"arrivals_{table.name}",
                MetaData(),
                *(Column(name, table.c[name].type) for name in columns),
                prefixes=["TEMPORARY"],
                postgresql_on_commit="DELETE ROWS",
            )
            self._move = self._past_known(insert(table), key).from_select(columns, select(*self._arrivals.c))
            self._copy = sql.SQL("COPY {} ({}) FROM STDIN").format(
                sql.Identifier(self._arrivals.name), sql.SQL(",").join(map(sql.Identifier, columns))
            )

    def __call__(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Insert ``rows``; returns how many were new."""
        if not rows:
            return 0
        if self._postgresql and len(rows) >= _COPY_FROM:
            return self._by_copy(connection, rows)
        return connection.exec_driver_sql(self._insert, list(rows)).rowcount

    def _by_copy(self, connection: Connection, rows: Sequence[Row]) -> int:
        connection.execute(CreateTable(self._arrivals, if_not_exists=True))
        driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
        with driver.cursor() as cursor, cursor.copy(self._copy) as copy:
            for row in rows:
                copy.write_row(row)
        added = connection.execute(self._move).rowcount
        # Several jobs may share one transaction; each must move its own rows only.
        connection.execute(delete(self._arrivals))
        return added

    def _past_known(self, statement: Any, key: Sequence[str]) -> Any:
        if not key:
            return statement
        make = postgresql_insert if self._postgresql else sqlite_insert
        return make(statement.table).on_conflict_do_nothing(index_elements=list(key))
