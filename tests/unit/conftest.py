"""The tests of ``main.py`` run on Qt's own loop. The folders below say for themselves what they need."""

from __future__ import annotations

import asyncio

import pytest

from tests.helpers import qt


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> qt.Loops:
    if item.path.name == "test_main.py":
        return qt.pytest_asyncio_loop_factories()
    return {"asyncio": asyncio.new_event_loop}
