"""Writing many rows at once, the fastest way that each database offers.

Statements are compiled once from SQLAlchemy's tables and handed to the driver with lists of tuples. Measured per row
this is near the bare driver, while Core's own ``execute`` with dicts costs several times as much
(docs/decisions/0020). On PostgreSQL the rows travel by COPY: straight into the table while nothing repeats, else
into a temporary table and from there, past those that are stored already, into the real one.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, Column, Connection, Dialect, MetaData, Table, delete, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql import ClauseElement

from app.store.upsert import insert_on

if TYPE_CHECKING:  # a store in a file does without the server's driver
    import psycopg

Row = tuple[Any, ...]

_MOST_PARAMETERS = 8_000  # of one statement; SQLite's own limit is 32,766
_COUNTED = {"preserve_rowcount": True}
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
        self._make = insert_on(dialect)
        one_row = self._past_known(insert(table), key).values(dict.fromkeys(columns))
        self._insert = compile_for(dialect, one_row, columns)
        if not self._postgresql:
            self._rows_per_step = _MOST_PARAMETERS // len(columns)
            self._insert_step = _repeated(self._insert, len(columns), self._rows_per_step)
        else:
            self._arrivals = Table(
                f"arrivals_{table.name}",
                MetaData(),
                *(Column(name, table.c[name].type) for name in columns),
                prefixes=["TEMPORARY"],
                postgresql_on_commit="DELETE ROWS",
            )
            self._move = self._past_known(insert(table), key).from_select(columns, select(*self._arrivals.c))
            self._copy = _Copy(dialect, table, columns)
            self._copy_aside = _Copy(dialect, self._arrivals, columns)
            self._may_repeat = bool(key)
            self._repeats_expected = False

    def __call__(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Insert ``rows``; returns how many were new."""
        if not rows:
            return 0
        if not self._postgresql:
            return self._in_steps(connection, rows)
        if len(rows) < _COPY_FROM:
            return connection.exec_driver_sql(self._insert, list(rows)).rowcount
        if not self._may_repeat:
            self._copy(connection, rows)
            return len(rows)
        if not self._repeats_expected and self._copied_as_new(connection, rows):
            return len(rows)
        added = self._moved(connection, rows)
        self._repeats_expected = added < len(rows)
        return added

    def _in_steps(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Many rows per statement while there are enough, the rest row by row.

        SQLite works without Python's lock while it runs a statement, but one row is done before another thread has
        woken up; only long statements let the sockets be read meanwhile.
        """
        size = self._rows_per_step
        whole = len(rows) - len(rows) % size
        added = 0
        for start in range(0, whole, size):
            values = tuple(chain.from_iterable(rows[start : start + size]))
            added += connection.exec_driver_sql(self._insert_step, values, _COUNTED).rowcount
        if whole < len(rows):
            added += connection.exec_driver_sql(self._insert, list(rows[whole:])).rowcount
        return added

    def _copied_as_new(self, connection: Connection, rows: Sequence[Row]) -> bool:
        """Copy rows straight into the table, which works while none is a repetition, as from trackers of our own."""
        try:
            with connection.begin_nested():
                self._copy(connection, rows)
        except IntegrityError:
            return False
        return True

    def _moved(self, connection: Connection, rows: Sequence[Row]) -> int:
        """Copy rows into a temporary table and from there those that are new."""
        connection.execute(CreateTable(self._arrivals, if_not_exists=True))
        self._copy_aside(connection, rows)
        added = connection.execute(self._move, execution_options={"preserve_rowcount": True}).rowcount
        # Several jobs may share one transaction; each must move its own rows only.
        connection.execute(delete(self._arrivals))
        return added

    def _past_known(self, statement: Any, key: Sequence[str]) -> Any:
        if not key:
            return statement
        return self._make(statement.table).on_conflict_do_nothing(index_elements=list(key))


def _repeated(one_row: str, columns: int, count: int) -> str:
    """The statement for ``count`` rows made from the one for one row."""
    row = f"({', '.join('?' * columns)})"
    if one_row.count(row) != 1:
        raise ValueError(f"no row of {columns} values in: {one_row}")
    return one_row.replace(row, ", ".join([row] * count))


class _Copy:
    """COPY into one table, in the server's binary form: half the work of text, and all of it under Python's lock."""

    def __init__(self, dialect: Dialect, table: Table, columns: Sequence[str]) -> None:
        from psycopg import sql

        names = sql.SQL(",").join(map(sql.Identifier, columns))
        statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)")
        self._statement = statement.format(sql.Identifier(table.name), names)
        self._types = [_sent_as(dialect, table.c[name]) for name in columns]
        self._narrow = [itemgetter(place) for place, sent_as in enumerate(self._types) if sent_as == "integer"]

    def __call__(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Raises OverflowError or TypeError for a value that its column cannot hold, IntegrityError for a clash."""
        import psycopg

        for value_of in self._narrow:  # psycopg would cut what is too wide
            array("i", filter(None, map(value_of, rows)))
        driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
        try:
            with driver.cursor() as cursor, cursor.copy(self._statement) as copy:
                copy.set_types(self._types)
                write_row = copy.write_row
                for row in rows:
                    write_row(row)
        except psycopg.Error as err:
            # As SQLAlchemy itself raises it, so that the store knows what kind of trouble it is.
            raise DBAPIError.instance("COPY", None, err, psycopg.Error, dialect=connection.dialect) from err


def _sent_as(dialect: Dialect, column: Column[Any]) -> str:
    """The server's name of a column's type. JSON comes as text already, and binary JSON is that text."""
    return "text" if isinstance(column.type, JSON) else column.type.compile(dialect).partition("(")[0].lower()
