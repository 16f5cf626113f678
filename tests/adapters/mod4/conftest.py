"""A fresh platform for each test: a copy of the world of :mod:`tests.adapters.mod4.support`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.adapters.mod4 import support


@pytest.fixture
def site() -> Iterator[support.Site]:
    """A repaired platform."""
    made = support.make_site("repaired")
    yield made
    made.of.drop_database(made.database)


@pytest.fixture
def committed() -> Iterator[support.Site]:
    """A platform as committed, with its broken functions."""
    made = support.make_site("as_committed")
    yield made
    made.of.drop_database(made.database)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test pressed is no reason to wait in the next."""
    monkeypatch.setattr("adapters.mod4.desk._made_at", {})
