"""Windows are tested on Qt's own loop, with nothing left behind."""

from tests.helpers.qt import (
    _no_tasks_left,
    _theme,
    console,
    expected_logs,
    nothing_left,
    nothing_logged,
    pytest_asyncio_loop_factories,
    qapp,
    theme,
)

__all__ = [
    "_no_tasks_left",
    "_theme",
    "console",
    "expected_logs",
    "nothing_left",
    "nothing_logged",
    "pytest_asyncio_loop_factories",
    "qapp",
    "theme",
]
