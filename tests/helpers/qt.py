"""Windows in tests: a qasync loop, a console on a temporary data folder, and checks that nothing is left or logged.

A suite with windows imports what is listed in ``__all__`` in its ``conftest.py``. Its coroutine tests then run on a
qasync loop; they wait with ``await until(condition)`` (``qtbot.waitUntil`` breaks coroutines).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from PySide6.QtCore import QCoreApplication, QEvent, QTimer
from PySide6.QtWidgets import QApplication, QDialog, QWidget
from pytestqt.qtbot import QtBot

from app.clock import SystemClock
from app.paths import Paths
from app.preferences import JsonFile, PreferencesFile
from app.security.vault import MemoryVault
from app.services import Services
from app.store.store import Store
from app.tasks import Tasks
from tests.helpers.stores import make_store
from widgets.app import make_application
from widgets.context import ConsoleContext, Doors
from widgets.formats import Formats
from widgets.garbage import UiThreadGarbage
from widgets.preferences import Preferences
from widgets.store_bridge import StoreBridge
from widgets.theme import Theme
from widgets.ui_state import UiState

__all__ = [
    "console",
    "expected_logs",
    "nothing_left",
    "nothing_logged",
    "pytest_asyncio_loop_factories",
    "qapp",
    "theme",
]

WAIT_S = 20.0  # a condition that comes is awaited no longer than it takes; a loaded machine is slow
POLL_S = 0.005
Loops = Mapping[str, Callable[[], asyncio.AbstractEventLoop]]


def pytest_asyncio_loop_factories() -> Loops:
    """Coroutine tests of the suite run on Qt's event loop."""
    return {"qasync": _make_loop}


def _make_loop() -> asyncio.AbstractEventLoop:
    from qasync import QEventLoop

    app = make_application()
    if app.findChild(QTimer, "signals") is None:
        # Python runs its signal handlers, that of the time limit too, only when Python code runs.
        timer = QTimer(app)
        timer.setObjectName("signals")
        timer.setInterval(200)
        timer.timeout.connect(_no_act)
        timer.start()
    loop: asyncio.AbstractEventLoop = QEventLoop(app)
    return loop


def _no_act() -> None:
    """Only to be Python code that runs."""


@pytest.fixture(scope="session")
def qapp() -> QApplication:
    """The application as the console makes it (pytest-qt's own fixture of this name gives way)."""
    return make_application()


@pytest.fixture(scope="session")
def _theme(qapp: QApplication) -> Theme:
    return Theme(qapp, "light")


@pytest.fixture
def theme(_theme: Theme) -> Iterator[Theme]:
    """The one theme of the application, light again after each test."""
    yield _theme
    if _theme.mode != "light":
        _theme.set_mode("light")


async def until(condition: Callable[[], object], within_s: float = WAIT_S) -> None:
    """Wait until ``condition()`` is true; fails after ``within_s``, naming the condition's source line."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            code = condition.__code__ if hasattr(condition, "__code__") else condition
            pytest.fail(f"still not true after {within_s} s: {code}")
        await asyncio.sleep(POLL_S)


@dataclass
class ExpectedLogs:
    """What a test has declared that it will log, as (level, part of the message)."""

    wanted: list[tuple[int, str]] = field(default_factory=list)

    def allow(self, text: str, level: int = logging.WARNING) -> None:
        """Records up to ``level`` whose message holds ``text`` are no failure; at least one must come."""
        self.wanted.append((level, text))


@pytest.fixture
def expected_logs() -> ExpectedLogs:
    return ExpectedLogs()


class _Catcher(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture(autouse=True)
def nothing_logged(expected_logs: ExpectedLogs) -> Iterator[None]:
    """Warnings and errors in the log that nobody expected fail the test; so do expected ones that never came."""
    catcher = _Catcher()
    logging.getLogger().addHandler(catcher)
    yield
    logging.getLogger().removeHandler(catcher)
    came: set[str] = set()
    surprises = []
    for record in catcher.records:
        message = record.getMessage()
        texts = [text for level, text in expected_logs.wanted if record.levelno <= level and text in message]
        came.update(texts)
        if not texts:
            surprises.append(f"{record.levelname} {record.name}: {message}")
    missing = [text for _, text in expected_logs.wanted if text not in came]
    if surprises or missing:
        pytest.fail(f"unexpected log lines: {surprises}; expected but not logged: {missing}")


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest, qapp: QApplication) -> Iterator[None]:
    """Tasks and windows that a test leaves behind fail it."""
    if "_function_scoped_runner" in request.fixturenames:
        request.getfixturevalue("_no_tasks_left")
    garbage = UiThreadGarbage()
    yield
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    gc.collect()  # here, on the UI thread, and not in some later test's worker
    garbage.stop()
    left = [widget for widget in QApplication.topLevelWidgets() if widget.isVisible()]
    for widget in left:
        widget.hide()
        widget.deleteLater()
    _delete_hidden_windows()
    assert not left, f"windows left open: {left}"


def _delete_hidden_windows() -> None:
    """Pages that a test dropped live on where their own connections hold them, and each later window pays for them."""
    for widget in QApplication.topLevelWidgets():
        if widget.parent() is None and type(widget).__module__.startswith(("widgets.", "dialogs.", "tests.")):
            widget.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


@pytest_asyncio.fixture
async def _no_tasks_left() -> AsyncIterator[None]:
    yield
    current = asyncio.current_task()
    left = [task for task in asyncio.all_tasks() if task is not current]
    assert not left, f"tasks left over: {left}"


class Console:
    """A context on a temporary data folder, with what a test needs to look behind it."""

    def __init__(self, folder: Path, theme: Theme, store: Store | None = None) -> None:
        self.paths = Paths(folder / "data")
        self.paths.create()
        self.store: Store = make_store(self.paths.data_dir) if store is None else store
        self.failures: list[tuple[str, BaseException]] = []
        self.tasks = Tasks(lambda name, error: self.failures.append((name, error)))
        self.notes: list[tuple[str, str]] = []
        self.opened: list[tuple[str, dict[str, object]]] = []
        preferences = Preferences(PreferencesFile(self.paths.preferences))
        self.context = ConsoleContext(
            bridge=StoreBridge(self.store),
            theme=theme,
            preferences=preferences,
            formats=Formats(preferences),
            ui_state=UiState(JsonFile(self.paths.window_state)),
            tasks=self.tasks,
            paths=self.paths,
            services=Services(self.paths, self.store, SystemClock(), MemoryVault),
            doors=Doors(
                notify=lambda level, text: self.notes.append((level, text)),
                open_page=lambda key, **arguments: self.opened.append((key, arguments)),
            ),
        )

    async def close(self) -> None:
        await self.tasks.close()
        self.context.ui_state.close()
        await asyncio.to_thread(self.context.bridge.close)
        await asyncio.to_thread(self.store.close)
        await asyncio.get_running_loop().shutdown_default_executor()


@pytest_asyncio.fixture
async def console(tmp_path: Path, theme: Theme) -> AsyncIterator[Console]:
    """Fails the test when a task of the console failed and the test did not take the failure away."""
    made = Console(tmp_path, theme)
    made.context.bridge.start()
    yield made
    await made.close()
    assert made.failures == []


def shown(qtbot: QtBot, widget: QWidget) -> QWidget:
    """Show a widget that is closed at the end of the test."""
    qtbot.addWidget(widget)
    widget.show()
    return widget


def open_dialog() -> QDialog | None:
    """The dialog in front, if one is open: of several, the one that blocks the others."""
    modal = QApplication.activeModalWidget()
    if isinstance(modal, QDialog) and modal.isVisible():
        return modal
    for widget in QApplication.topLevelWidgets():
        if isinstance(widget, QDialog) and widget.isVisible():
            return widget
    return None
