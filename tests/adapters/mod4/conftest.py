"""A fresh platform for each test: a copy of the world of :mod:`tests.adapters.mod4.support`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.adapters.mod4 import support


@pytest.fixture
def repaired() -> Iterator[support.Site]:
    """A repaired platform."""
    made = support.make_site("repaired")
    yield made
    made.of.drop_database(made.database)


@pytest.fixture
def site(repaired: support.Site) -> support.Site:
    """The same, over its database."""
    return repaired


@pytest.fixture
def committed() -> Iterator[support.Site]:
    """A platform as committed, with its broken functions."""
    made = support.make_site("as_committed")
    yield made
    made.of.drop_database(made.database)


@pytest.fixture
async def web(repaired: support.Site) -> AsyncIterator[support.Site]:
    """A repaired platform over its web service."""
    async with support.on_the_web(repaired) as made:
        yield made


@pytest.fixture
async def web_committed(committed: support.Site) -> AsyncIterator[support.Site]:
    """A platform as committed, over its web service."""
    async with support.on_the_web(committed) as made:
        yield made


@pytest.fixture(params=["database", "web"])
def way(request: pytest.FixtureRequest) -> str:
    """The way in. What only one of them can do says so with :data:`support.DATABASE_ALONE`."""
    return str(request.param)


@pytest.fixture
async def either(way: str, repaired: support.Site) -> AsyncIterator[support.Site]:
    """A repaired platform, once by each way in."""
    if way == "database":
        yield repaired
        return
    async with support.on_the_web(repaired) as made:
        yield made


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test pressed is no reason to wait in the next."""
    monkeypatch.setattr("adapters.mod4.desk._made_at", {})
