"""Stories with a window run on Qt's own loop, the others on asyncio's."""

from __future__ import annotations

import asyncio

import pytest

from tests.helpers import qt


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> qt.Loops:
    if item.path.name.startswith("test_window_"):
        return qt.pytest_asyncio_loop_factories()
    return {"asyncio": asyncio.new_event_loop}
