"""For every test: no window system, and nothing left behind."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import settings

from app.security.redaction import forget_secrets

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("QT_API", "pyside6")

ENDING_S = 5.0
GARBAGE_MOST = 50_000
"""So many new objects are kept before cycles are looked for; more often costs more than it frees."""


def pytest_configure() -> None:
    """Cycles are collected between tests, on the main thread: a store's thread must not destroy left Qt objects."""
    gc.disable()
    settings.register_profile("untimed", deadline=None)  # a slow machine fails no test
    settings.load_profile("untimed")


def pytest_sessionfinish() -> None:
    stores = sys.modules.get("tests.helpers.stores")
    if stores is not None:  # no suite that needs a database ran in this process otherwise
        stores.stop_postgresql()


@pytest.fixture(autouse=True)
def _garbage_goes_on_the_main_thread() -> Iterator[None]:
    yield
    if gc.get_count()[0] > GARBAGE_MOST:
        gc.collect()
        gc.freeze()  # what is left belongs to modules and to the run: looking through it again and again takes minutes


@pytest.fixture(autouse=True)
def _no_secrets_left() -> Iterator[None]:
    """What one test registered as a secret must not be blanked in the texts of the next."""
    yield
    forget_secrets()


@pytest.fixture(autouse=True)
def _no_threads_left() -> Iterator[None]:
    """Threads that a test started must end with it; those that libraries keep for the process are daemons."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + ENDING_S
    while (left := _left(before)) and time.monotonic() < deadline:
        left[0].join(0.05)
    if left:
        pytest.fail(f"threads left running: {', '.join(thread.name for thread in left)}")


def _left(before: set[threading.Thread]) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
