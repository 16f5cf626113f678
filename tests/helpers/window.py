"""The whole console of ``main.py`` in the test's own process, on a data folder, with real gateways as its children."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import pytest
from PySide6.QtWidgets import QDialog, QLabel

from adapters.mod4.simulator import Platform
from app import platform
from app.commands.cli import WindowOptions
from app.commands.session import Session
from app.engine.facts import EngineFacts, read_facts
from app.integrations.changes import add
from app.paths import Paths
from main import Console
from tests.helpers.depot import ROOT, Tracker
from tests.helpers.qt import open_dialog, until
from widgets.app import make_application

D = TypeVar("D", bound=QDialog)
START_S = 60.0
SERVING = "Engine running"


@pytest.fixture(autouse=True)
def _closed_vault(monkeypatch: pytest.MonkeyPatch) -> None:
    """No passphrase of whoever runs the tests."""
    monkeypatch.delenv("BIKO_CONSOLE_VAULT_PASSPHRASE", raising=False)


def session_on(folder: Path, **options: Any) -> Session:
    """A run of the program on a data folder; its secrets are in the folder, never in the system's key store."""
    paths = Paths(folder)
    return Session(paths=paths, database=paths.store_url, **{"file_vault_only": True, **options})


@asynccontextmanager
async def starting(session: Session, **options: Any) -> AsyncIterator[Console]:
    """A console that is being started and may ask something first; closed, and everything ended, at the end."""
    console = Console(session, WindowOptions(**options), make_application())
    running = asyncio.get_running_loop().create_task(console.run())
    try:
        yield console
    finally:
        while not running.done():
            console.stop()
            await asyncio.wait({running}, timeout=0.2)
        assert running.result() in (0, 1)


@asynccontextmanager
async def console_on(folder: Path, session: Session | None = None, **options: Any) -> AsyncIterator[Console]:
    """A console that stands and shows its page."""
    async with starting(session or session_on(folder), **options) as console:
        await shown(console)
        yield console
        console.window.close()


async def shown(console: Console) -> None:
    """Wait until the console stands and its page has its data."""
    await until(console.standing.is_set, START_S)
    await until(lambda: console.window.page is not None and console.window.page.is_ready, START_S)


async def asked(kind: type[D]) -> D:
    """The dialog of this kind, once it is open."""
    await until(lambda: isinstance(open_dialog(), kind), START_S)
    dialog = open_dialog()
    assert isinstance(dialog, kind)
    return dialog


class WindowProcess:
    """``main.py`` with its window, as somebody starts it; closed by the signal that ends a session."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, str(ROOT / "main.py"), "--data-dir", str(folder), *options]
        environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=20)

    async def engine(self, paths: Paths) -> EngineFacts:
        """Its child, once it runs. At a first start the window itself holds the store for a moment."""

        def child() -> EngineFacts | None:
            facts = read_facts(paths.engine_json)
            return facts if facts is not None and facts.pid != self.process.pid else None

        await until(child, START_S)
        found = child()
        assert found is not None
        return found

    def close(self) -> int:
        """Close it and wait for its end; the exit status."""
        platform.end_process(self.process.pid)
        return self.ended()

    def ended(self, seconds: float = 30.0) -> int:
        return self.process.wait(seconds)


async def serving(console: Console) -> EngineFacts:
    """Wait until the window says that its engine runs; who that is."""
    await until(lambda: engine_words(console) == SERVING, START_S)
    facts = read_facts(console.session.paths.engine_json)
    assert facts is not None
    return facts


def engine_words(console: Console) -> str:
    """What the foot of the side bar says."""
    return console.window.side_bar.engine.words.text()


def said(console: Console) -> list[str]:
    """The short messages that stand in the window's strip."""
    return [label.text() for label in console.window.toasts.findChildren(QLabel) if label.text()]


def problems(console: Console) -> list[str]:
    return [problem.title for problem in console.window.problems.problems]


async def report(port: int, imei: str, serials: list[int]) -> None:
    """A tracker that sends fixes and waits for the answer to each, which says that it is stored."""

    def talk() -> None:
        with Tracker(port, imei) as tracker:
            for serial in serials:
                tracker.send(serial)
                assert tracker.wait_for_answer()

    await asyncio.to_thread(talk)


async def listening(console: Console, port: int) -> None:
    """Wait until the engine of this console listens for trackers."""

    def answers() -> bool:
        try:
            Tracker(port).socket.close()
        except OSError:
            return False
        return True

    deadline = asyncio.get_running_loop().time() + START_S
    while not await asyncio.to_thread(answers):
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.05)


async def stored(console: Console, query: Callable[[Any], Any]) -> Any:
    return await console.context.bridge.read(query)


async def add_mod4(
    console: Console,
    of: Platform,
    reached: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    **more: Any,
) -> None:
    """An integration of the window for a platform: over its database, or as ``reached`` with ``secrets`` says."""
    settings = of.settings()
    password = {"password": settings.pop("password")}
    desk = await asyncio.to_thread(lambda: console.context.services.desk)
    values = {**(reached or settings), "poll_interval_s": 10, **more}
    await asyncio.to_thread(add, desk, "mod4", "Northern platform", values, dict(secrets or password))
