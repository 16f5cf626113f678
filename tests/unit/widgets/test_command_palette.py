"""Ctrl+K: found, ranked and run by keyboard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.store.errors import StoreLocked
from tests.helpers.qt import Console, until
from widgets.command_palette import Command, CommandPalette, rank
from widgets.primitives import SearchField


class Desk:
    """A host with a palette and three trucks to find."""

    def __init__(self, console: Console) -> None:
        self.host = QWidget()
        self.host.resize(900, 600)
        self.before = SearchField(console.context.theme, "Something with focus")
        QVBoxLayout(self.host).addWidget(self.before)
        self.palette = CommandPalette(console.context.theme, console.tasks, self.host)
        self.palette.add_provider(self.find)
        self.ran: list[str] = []
        self.asked: list[str] = []
        self.host.show()
        self.before.setFocus()

    async def find(self, text: str) -> Sequence[Command]:
        self.asked.append(text)
        return [
            Command("KAN-100-AA", lambda: self.ran.append("100"), "truck", "Vehicle", "358600000000100"),
            Command("KAN-200-AA", lambda: self.ran.append("200"), "truck", "Vehicle", "358600000000200"),
            Command("Live map", lambda: self.ran.append("map"), "map", "Page", keys="Alt+2"),
        ]

    def titles(self) -> list[str]:
        model = self.palette.model
        return [model.index(row).data() for row in range(model.rowCount())]


@pytest_asyncio.fixture
async def desk(console: Console) -> AsyncIterator[Desk]:
    made = Desk(console)
    yield made
    made.host.close()
    made.host.deleteLater()


@pytest.mark.parametrize(
    ("text", "fits"),
    [("kan100", True), ("KAN-1", True), ("3586 100", True), ("vehicle kan", True), ("aa", True), ("lagos", False)],
)
def test_words_are_found_in_any_order_without_hyphens_and_in_imeis(text: str, fits: bool) -> None:
    truck = Command("KAN-100-AA", lambda: None, detail="Vehicle", words="358600000000100")
    assert bool(rank(truck, text)) is fits


def test_a_title_that_begins_so_comes_before_one_that_only_holds_it() -> None:
    titles = ["Read the map", "Live map", "Map layers", "map"]
    ranked = sorted(titles, key=lambda title: -rank(Command(title, lambda: None), "map"))
    assert ranked[:2] == ["map", "Map layers"]


async def test_type_and_enter_runs_the_best_and_gives_the_focus_back(desk: Desk, qtbot: QtBot) -> None:
    desk.palette.open()
    await until(lambda: len(desk.titles()) == 3)
    qtbot.keyClicks(desk.palette.field, "kan2")
    await until(lambda: desk.titles() == ["KAN-200-AA"])
    qtbot.keyClick(desk.palette.field, Qt.Key.Key_Return)
    assert desk.ran == ["200"]
    assert not desk.palette.isVisible()
    assert desk.before.hasFocus()


async def test_enter_before_the_search_has_answered_runs_what_was_typed(desk: Desk, qtbot: QtBot) -> None:
    desk.palette.open()
    qtbot.keyClicks(desk.palette.field, "map")
    qtbot.keyClick(desk.palette.field, Qt.Key.Key_Return)
    await until(lambda: desk.ran)
    assert desk.ran == ["map"]


async def test_arrows_choose_and_escape_leaves(desk: Desk, qtbot: QtBot) -> None:
    desk.palette.open()
    await until(lambda: len(desk.titles()) == 3)
    qtbot.keyClick(desk.palette.field, Qt.Key.Key_Down)
    qtbot.keyClick(desk.palette.field, Qt.Key.Key_Down)
    qtbot.keyClick(desk.palette.field, Qt.Key.Key_Down)
    qtbot.keyClick(desk.palette.field, Qt.Key.Key_Up)
    qtbot.keyClick(desk.palette.field, Qt.Key.Key_Return)
    assert desk.ran == ["200"]
    desk.palette.open()
    qtbot.keyClick(desk.palette.field, Qt.Key.Key_Escape)
    assert not desk.palette.isVisible()


async def test_nothing_found_is_said(desk: Desk, qtbot: QtBot) -> None:
    desk.palette.open()
    qtbot.keyClicks(desk.palette.field, "zzz")
    await until(desk.palette.nothing.isVisible)
    qtbot.keyClick(desk.palette.field, Qt.Key.Key_Return)
    assert desk.ran == []
    desk.palette.dismiss()


async def test_a_slow_search_of_an_older_text_is_given_up(desk: Desk, qtbot: QtBot) -> None:
    never = asyncio.Event()
    given_up: list[str] = []

    async def slow(text: str) -> Sequence[Command]:
        if text == "k":
            try:
                await never.wait()
            except asyncio.CancelledError:
                given_up.append(text)
                raise
        return []

    desk.palette.add_provider(slow)
    desk.palette.open()
    qtbot.keyClicks(desk.palette.field, "k")
    await until(lambda: "k" in desk.asked)
    qtbot.keyClicks(desk.palette.field, "an1")
    await until(lambda: desk.titles() == ["KAN-100-AA"])
    assert given_up == ["k"]
    desk.palette.dismiss()


async def test_a_store_that_cannot_be_read_is_one_line_beside_the_others(desk: Desk, qtbot: QtBot) -> None:
    async def locked(_text: str) -> Sequence[Command]:
        raise StoreLocked("Another program keeps it locked.")

    desk.palette.add_provider(locked)
    desk.palette.open()
    qtbot.keyClicks(desk.palette.field, "kan")
    await until(lambda: len(desk.titles()) == 3)
    assert "The store could not be searched" in desk.titles()
    assert "KAN-100-AA" in desk.titles()
    assert desk.palette.grab().width() <= 600
    desk.palette.dismiss()
