"""The composition root: what it refuses, and that whatever it began is ended, however far it came."""
# ruff: noqa: F811 - fixtures are found by their names

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QLabel

from app.commands.cli import WindowOptions
from app.engine.facts import read_facts
from app.paths import Paths
from app.store.connect import sqlite_path
from app.store.locks import EngineLock
from dialogs.refusal import RefusalDialog
from main import Console
from tests.helpers.depot import ROOT
from tests.helpers.qt import (  # noqa: F401 - fixtures
    ExpectedLogs,
    _no_tasks_left,
    _theme,
    expected_logs,
    nothing_left,
    nothing_logged,
    qapp,
    theme,
    until,
)
from tests.helpers.stores import make_store, make_store_url
from tests.helpers.window import asked, session_on, starting
from widgets.app import make_application
from widgets.single_instance import SingleInstance
from widgets.window import ConsoleWindow

BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"PySide6", "shiboken6"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
sys.argv[0] = "main.py"
from main import run
sys.exit(run())
"""


def start(*arguments: str, code: str = "", **environment: str | None) -> subprocess.CompletedProcess[str]:
    program = ["-c", code] if code else [str(ROOT / "main.py")]
    variables = {**os.environ, **environment}
    return subprocess.run(
        [sys.executable, *program, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=ROOT,
        env={name: value for name, value in variables.items() if value is not None},
    )


def words(dialog: RefusalDialog) -> str:
    return " ".join(label.text() for label in dialog.findChildren(QLabel))


def test_without_qt_the_window_says_what_to_install(tmp_path: Path) -> None:
    ended = start("--data-dir", str(tmp_path), code=BLOCKER)
    assert ended.returncode == 1
    assert ended.stderr.startswith("The window needs Qt")
    assert len(ended.stderr.splitlines()) == 1
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="there is always a display")
def test_without_a_display_the_window_says_so_and_a_picture_needs_none(tmp_path: Path) -> None:
    nowhere: dict[str, Any] = {"DISPLAY": None, "WAYLAND_DISPLAY": None, "QT_QPA_PLATFORM": None}
    ended = start("--data-dir", str(tmp_path), **nowhere)
    assert ended.returncode == 1
    assert ended.stderr.startswith("There is no display here")
    picture = tmp_path / "settings.png"
    ended = start("--data-dir", str(tmp_path), "--screenshot", str(picture), "--page", "settings", **nowhere)
    assert ended.returncode == 0, ended.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert read_facts(Paths(tmp_path).engine_json) is None, "the engine has ended with the picture"


def test_a_page_that_is_not_there_is_named(tmp_path: Path) -> None:
    arguments = ["--data-dir", str(tmp_path), "--screenshot", str(tmp_path / "x.png"), "--page", "fuelling"]
    ended = start(*arguments, QT_QPA_PLATFORM="offscreen")
    assert ended.returncode == 1
    assert "There is no page “fuelling”. There are: integrations, map" in ended.stderr


LOADED = """
import sys
sys.argv[0] = "main.py"
from main import run
status = run()
print(" ".join(sorted(name for name in sys.modules if "." not in name)))
sys.exit(status)
"""
HEAVY = {"numpy", "pyqtgraph", "httpx", "websockets", "alembic", "psycopg", "openpyxl", "uvloop", "serial", "starlette"}


@pytest.mark.parametrize("page", ["integrations", "settings"])
def test_a_start_loads_nothing_that_its_page_has_no_use_for(tmp_path: Path, page: str) -> None:
    paths = Paths(tmp_path)
    paths.create()
    make_store_url(tmp_path / "made")
    (tmp_path / "made" / "store.db").rename(paths.store_file)
    arguments = ["--data-dir", str(tmp_path), "--screenshot", str(tmp_path / "page.png"), "--page", page]
    ended = start(*arguments, code=LOADED, QT_QPA_PLATFORM="offscreen")
    assert ended.returncode == 0, ended.stderr
    assert HEAVY & set(ended.stdout.split()) == set()


async def test_a_store_of_a_newer_program_is_refused_with_a_sentence(tmp_path: Path) -> None:
    session = session_on(tmp_path)
    store = make_store(tmp_path / "made")
    newer = "UPDATE alembic_version SET version_num = '9999'"
    store.write(lambda connection: connection.exec_driver_sql(newer).rowcount).result(5)
    store.close()
    file = sqlite_path(store.url)
    assert file is not None
    file.rename(session.paths.store_file)
    async with starting(session):
        assert "newer program" in words(await asked(RefusalDialog))
    assert_nothing_held(session.paths)


async def test_a_folder_that_cannot_be_made_is_refused_with_a_sentence(
    tmp_path: Path, expected_logs: ExpectedLogs
) -> None:
    expected_logs.allow("cannot be", logging.WARNING)  # the preferences, which are read for the look of the refusal
    (tmp_path / "file").write_text("in the way")
    async with starting(session_on(tmp_path / "file" / "data")):
        assert str(tmp_path / "file") in words(await asked(RefusalDialog))


@pytest.mark.parametrize("in_process", [False, True])
async def test_a_window_that_cannot_be_built_is_told_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, expected_logs: ExpectedLogs, in_process: bool
) -> None:
    expected_logs.allow("the window cannot be opened", logging.CRITICAL)

    def break_off(_self: ConsoleWindow, _page: str = "") -> None:
        raise KeyError("a defect of ours")

    monkeypatch.setattr(ConsoleWindow, "start", break_off)
    session = session_on(tmp_path)
    async with starting(session, in_process=in_process):
        text = words(await asked(RefusalDialog))
        assert "KeyError: 'a defect of ours'" in text
        assert str(session.paths.logs) in text
    assert "Traceback" in (session.paths.logs / "console.log").read_text(encoding="utf-8")
    assert_nothing_held(session.paths)
    assert sys.excepthook is sys.__excepthook__


async def test_another_window_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("main.CLOSING_S", 0.3)
    session = session_on(tmp_path)
    session.paths.create()
    other = SingleInstance(session.paths.data_dir)
    assert other.acquire()
    other.leave()
    async with starting(session):
        assert f"process {os.getpid()}" in words(await asked(RefusalDialog))
    other.release()


async def test_a_signal_before_the_window_stands_ends_the_start(tmp_path: Path) -> None:
    console = Console(session_on(tmp_path), WindowOptions(), make_application())
    console.stop()
    assert await console.run() == 0
    assert_nothing_held(console.session.paths)


def assert_nothing_held(paths: Paths) -> None:
    """Both claims on the folder are free: the window's and the engine's."""
    instance = SingleInstance(paths.data_dir)
    assert instance.acquire()
    instance.release()
    lock = EngineLock(paths.store_url, paths.engine_lock)
    assert lock.acquire()
    lock.release()
