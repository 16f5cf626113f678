"""The listener runs on the gateway's loop, which is uvloop where that exists, and on the plain one elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import Callable, Mapping


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Every coroutine test of this folder runs once per loop."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    with contextlib.suppress(ImportError):  # Windows has none
        loops["uvloop"] = importlib.import_module("uvloop").new_event_loop
    return loops
