"""What goes wrong with a deployed platform, by switch: each is done to the real database, and can be undone."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import psycopg
from psycopg import sql

from adapters.mod4.simulator import schema
from adapters.mod4.simulator.server import Server


class Faults:
    """Faults of one database. Everything blocks, for a moment; :meth:`heal` undoes all, newest first."""

    def __init__(self, server: Server, database: str) -> None:
        self._server = server
        self._database = database
        self._undo: list[Callable[[], None]] = []

    def heal(self) -> None:
        while self._undo:
            self._undo.pop()()

    # -- the database goes away

    def drop_sessions(self, role: str = schema.CONSOLE_ROLE) -> int:
        """Break off every connection of a role to this database, whatever it is doing; returns how many there were."""
        statement = """
            SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s AND usename = %s
        """
        with self._server.connect() as connection:
            return int(_one(connection, statement, [self._database, role]))

    @contextlib.contextmanager
    def held(self, table: str) -> Iterator[Callable[[], int]]:
        """Statements on a table wait inside; the value tells how many do, so that one can be cut in its middle."""
        statement = """
            SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'
        """

        def waiting() -> int:
            with self._server.connect() as connection:
                return int(_one(connection, statement, [self._database]))

        with self._connect() as connection, connection.transaction():
            connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(_table(table)))
            yield waiting

    def refuse_connections(self) -> None:
        """Nobody gets in; those who are in stay."""
        self._switch_connections(allowed=False)
        self._undo.append(lambda: self._switch_connections(allowed=True))

    def _switch_connections(self, *, allowed: bool) -> None:
        statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        with self._server.connect() as connection:
            connection.execute(statement.format(sql.Identifier(self._database), sql.Literal(allowed)))

    # -- the platform is another than expected

    def rename_column(self, table: str, column: str, to: str) -> None:
        self._rename(sql.SQL("COLUMN"), table, column, to)

    def drop_table(self, table: str) -> None:
        """As far as anybody who asks by its name can tell."""
        statement = sql.SQL("ALTER TABLE {} RENAME TO {}")
        gone = f"{table}_gone"
        self._owner(statement.format(_table(table), sql.Identifier(gone)))
        self._undo.append(lambda: self._owner(statement.format(_table(gone), sql.Identifier(table))))

    def _rename(self, kind: sql.SQL, table: str, old: str, new: str) -> None:
        statement = sql.SQL("ALTER TABLE {} RENAME {} {} TO {}")
        self._owner(statement.format(_table(table), kind, sql.Identifier(old), sql.Identifier(new)))
        back = statement.format(_table(table), kind, sql.Identifier(new), sql.Identifier(old))
        self._undo.append(lambda: self._owner(back))

    def break_function(self, name: str, message: str, *, code: str = "P0001") -> None:
        """A function of the platform fails inside, with these words."""
        with self._connect() as connection:
            rows = connection.execute(
                "SELECT pg_get_functiondef(oid), prosrc FROM pg_proc "
                "WHERE pronamespace = 'public'::regnamespace AND proname = %s",
                [name],
            ).fetchall()
            if not rows:
                raise LookupError(f"The platform has no function {name}.")
            for definition, source in rows:
                raising = sql.SQL("BEGIN RAISE EXCEPTION '%%', {} USING ERRCODE = {}; END").format(
                    sql.Literal(message), sql.Literal(code)
                )
                body = raising.as_string(connection).replace("%%", "%")
                connection.execute(_as_plpgsql(definition).replace(source, body).encode())
                self._undo.append(partial(self._run, str(definition)))

    def remove_function(self, name: str) -> None:
        """As far as anybody who asks by its name can tell."""
        statement = """
            SELECT format('ALTER ROUTINE %%s RENAME TO %%I', oid::regprocedure, %(new)s::text) FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace AND proname = %(old)s
        """

        def rename(old: str, new: str) -> None:
            with self._connect() as connection:
                for (command,) in connection.execute(statement, {"old": old, "new": new}).fetchall():
                    connection.execute(command)

        rename(name, f"{name}_gone")
        self._undo.append(lambda: rename(f"{name}_gone", name))

    # -- rights and row security

    def hide_rows(self, role: str = schema.CONSOLE_ROLE) -> None:
        """The role is under row security from its next statement on: it sees nothing, and changes nothing."""
        self._owner(sql.SQL("ALTER ROLE {} NOBYPASSRLS").format(sql.Identifier(role)))
        self._undo.append(lambda: self._owner(sql.SQL("ALTER ROLE {} BYPASSRLS").format(sql.Identifier(role))))

    def ignore_changes(self, table: str) -> None:
        """Changes of a table touch no row, and nobody is told."""
        self._run(f"""
            CREATE FUNCTION public.ignored_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RETURN NULL; END $$;
            CREATE TRIGGER aaa_ignored BEFORE UPDATE ON public.{table}
                FOR EACH ROW EXECUTE FUNCTION public.ignored_{table}();
        """)
        self._undo.append(lambda: self._run(f"DROP FUNCTION public.ignored_{table} CASCADE"))

    def revoke(self, right: str, table: str, role: str = schema.CONSOLE_ROLE) -> None:
        """Take ``SELECT``, ``UPDATE`` or ``INSERT`` of a whole table from a role; healing gives the table's back."""
        parts = (sql.SQL(right), _table(table), sql.Identifier(role))
        with self._connect() as connection:
            columns = connection.execute(
                "SELECT column_name FROM information_schema.column_privileges "
                "WHERE table_name = %s AND grantee = %s AND privilege_type = %s",
                [table, role, right],
            ).fetchall()
        self._owner(sql.SQL("REVOKE {} ON {} FROM {}").format(*parts))
        names = sql.SQL(", ").join(sql.Identifier(name) for (name,) in columns)
        back = sql.SQL("GRANT {} ({}) ON {} TO {}").format(parts[0], names, *parts[1:])
        self._undo.append(lambda: self._owner(back))

    # -- tools

    def _connect(self) -> psycopg.Connection[Any]:
        return self._server.connect(self._database)

    def _owner(self, statement: sql.Composed) -> None:
        with self._connect() as connection:
            connection.execute(statement)

    def _run(self, text: str) -> None:
        with self._connect() as connection:
            connection.execute(text.encode())


def _table(name: str) -> sql.Identifier:
    return sql.Identifier("public", name)


def _as_plpgsql(definition: str) -> str:
    return definition.replace(" LANGUAGE sql\n", " LANGUAGE plpgsql\n")


def _one(connection: psycopg.Connection[Any], statement: str, values: list[Any]) -> Any:
    row = connection.execute(statement.encode(), values).fetchone()
    return row[0] if row else None
