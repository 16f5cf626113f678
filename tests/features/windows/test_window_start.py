"""Stories of starting the console: twice, on a damaged store, with locked secrets, after a restore; how it looks."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from app.commands.session import Session
from app.fleet.devices import adopt
from app.integrations.changes import add
from app.paths import Paths
from app.problems import Issue, raise_problem
from app.security.vault import open_vault
from dialogs.unlock import UnlockDialog
from main import Console
from tests.helpers.depot import Depot, free_port
from tests.helpers.qt import ExpectedLogs, until
from tests.helpers.window import (
    START_S,
    WindowProcess,
    asked,
    console_on,
    engine_words,
    listening,
    problems,
    report,
    said,
    serving,
    session_on,
    shown,
    starting,
)
from widgets.map.page import MapPage
from widgets.trackers.page import TrackersPage

CTRL = Qt.KeyboardModifier.ControlModifier
IMEI = "358899051012766"
PASSPHRASE = "harmattan over Kano"


def problem_button(console: Console, words: str) -> QPushButton:
    (button,) = [found for found in console.window.problems.findChildren(QPushButton) if found.text() == words]
    return button


async def test_a_second_start_brings_the_first_window_to_the_front(tmp_path: Path) -> None:
    async with console_on(tmp_path / "data") as console:
        console.window.showMinimized()
        with WindowProcess(tmp_path / "data") as second:
            assert await asyncio.to_thread(second.ended) == 0
        await until(lambda: not console.window.isMinimized())


async def test_a_start_while_the_window_closes_waits_and_opens(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "data")
    with WindowProcess(paths.data_dir) as first:
        engine = await first.engine(paths)
        closing = asyncio.get_running_loop().run_in_executor(None, first.close)
        await asyncio.sleep(0.5)  # one that does not close yet would be brought to the front instead
        async with console_on(paths.data_dir) as console:
            assert (await serving(console)).pid != engine.pid
        assert await closing == 0


async def test_a_damaged_store_is_set_aside_and_told_until_it_was_read(
    tmp_path: Path, expected_logs: ExpectedLogs
) -> None:
    for text in ("The store file was damaged", "the store was damaged"):
        expected_logs.allow(text, logging.ERROR)
    with Depot(tmp_path / "data") as depot:
        depot.add_trackers("Depot trackers")
        paths = depot.paths
    with paths.store_file.open("rb+") as file:
        file.write(b"\xff" * 4096)
    async with console_on(paths.data_dir) as console:
        assert any("has been recovered" in text for text in said(console))
        await until(lambda: problems(console) == ["The store was damaged and has been recovered"])
        assert list(paths.data_dir.glob("store.damaged-*"))
        await serving(console)
        console.window.toggle_problems()
        QTest.mouseClick(problem_button(console, "Put away"), Qt.MouseButton.LeftButton)
        await until(lambda: problems(console) == [])
    async with console_on(paths.data_dir) as console:
        await serving(console)
        assert problems(console) == []


async def lock_secrets(paths: Paths) -> Session:
    """A folder whose secrets open with a passphrase, and a start that was given none."""
    paths.create()
    vault = await asyncio.to_thread(lambda: open_vault(paths, passphrase=PASSPHRASE))
    await asyncio.to_thread(vault.set, "somebody", "token", "a-token-of-somebody")
    return session_on(paths.data_dir, file_vault_only=False)


def type_passphrase(dialog: UnlockDialog, text: str) -> None:
    dialog.field.setFocus()
    QTest.keyClicks(dialog.field, text)
    QTest.keyClick(dialog.field, Qt.Key.Key_Return)


async def test_locked_secrets_are_asked_for_and_reach_the_engine(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "data")
    session = await lock_secrets(paths)
    async with starting(session) as console:
        dialog = await asked(UnlockDialog)
        type_passphrase(dialog, "a guess")
        await until(dialog.fault.isVisible, 20)
        assert "do not open with this passphrase" in dialog.fault.text()
        assert dialog.field.selectedText() == "a guess"
        type_passphrase(dialog, PASSPHRASE)
        await until(console.standing.is_set, START_S)
        await serving(console)  # an engine that cannot open its secrets does not start
        assert (await asyncio.to_thread(lambda: console.context.services.vault)).get("somebody", "token")
    assert PASSPHRASE not in " ".join(session.gateway_command())
    assert all(PASSPHRASE.encode() not in file.read_bytes() for file in paths.data_dir.rglob("*") if file.is_file())


async def test_without_the_passphrase_one_can_look_and_is_asked_again_to_start_the_engine(
    tmp_path: Path, expected_logs: ExpectedLogs
) -> None:
    expected_logs.allow("the engine ended unasked", logging.WARNING)
    async with starting(await lock_secrets(Paths(tmp_path / "data"))) as console:
        QTest.mouseClick((await asked(UnlockDialog)).without, Qt.MouseButton.LeftButton)
        await shown(console)
        await until(lambda: engine_words(console).startswith("Engine restarts in"), 20)
        assert "cannot be opened without its passphrase" in console.window.side_bar.engine.toolTip()
        await console.context.bridge.write(
            lambda c: raise_problem(c, None, Issue("engine", "The engine ends again and again", "", "start_engine"), 1)
        )
        await until(lambda: problems(console))
        console.window.toggle_problems()
        QTest.mouseClick(problem_button(console, "Start the engine"), Qt.MouseButton.LeftButton)
        type_passphrase(await asked(UnlockDialog), PASSPHRASE)
        await serving(console)
        await until(lambda: not problems(console), 20)


async def test_the_theme_changes_while_the_window_is_open(tmp_path: Path) -> None:
    async with console_on(tmp_path / "data") as console:
        grounds = {}
        for mode in ("light", "dark"):
            await console.preferences.change(theme=mode)
            picture = console.window.grab().toImage()
            grounds[mode] = picture.pixelColor(picture.width() - 8, picture.height() - 8)
            assert grounds[mode] == QColor(console.theme.tokens["bg"])
        assert grounds["light"].lightness() > 200
        assert grounds["dark"].lightness() < 60


async def test_the_palette_finds_plates_and_imeis_and_opens_their_pages(tmp_path: Path) -> None:
    async with console_on(tmp_path / "data") as console:
        window, port = console.window, free_port()
        desk = await asyncio.to_thread(lambda: console.context.services.desk)
        await asyncio.to_thread(add, desk, "gt02_tracker", "Depot trackers", {"host": "127.0.0.1", "port": port})
        await serving(console)
        await listening(console, port)
        await report(port, IMEI, [1])
        await console.context.bridge.write(lambda c: adopt(c, IMEI, "KJA-123-AB"))
        await find(console, "kja 123", "KJA-123-AB")
        await until(lambda: isinstance(window.page, MapPage) and window.page.is_ready, 20)
        page = window.page
        assert isinstance(page, MapPage)
        await until(lambda: page.selected != "" and page.selected == page.fleet.find("KJA-123-AB"))
        await find(console, IMEI[:9], IMEI)
        await until(lambda: isinstance(window.page, TrackersPage) and window.page.is_ready, 20)


async def find(console: Console, typed: str, title: str) -> None:
    """Ctrl+K, type, Enter on the first that is found."""
    window, palette = console.window, console.window.palette_box
    window.activateWindow()
    await until(window.isActiveWindow)
    QTest.keyClick(window, Qt.Key.Key_K, CTRL)
    await until(palette.isVisible)
    QTest.keyClicks(palette.field, typed)
    await until(lambda: palette.model.index(0).data() == title)
    QTest.keyClick(palette.field, Qt.Key.Key_Return)
