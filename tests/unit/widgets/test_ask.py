"""Dialogs that a coroutine waits for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFileDialog, QLabel, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from tests.helpers.qt import Console, open_dialog, until
from widgets import ask


@pytest.fixture
def parent(qtbot: QtBot) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    widget.show()
    return widget


def type_name(dialog: QFileDialog, file: Path) -> None:
    name = dialog.findChild(QLineEdit, "fileNameEdit")
    assert isinstance(name, QLineEdit)
    name.setText(str(file))
    dialog.accept()


async def opened() -> QDialog:
    await until(open_dialog)
    dialog = open_dialog()
    assert dialog is not None
    return dialog


def press(qtbot: QtBot, dialog: QDialog, text: str) -> None:
    (button,) = [found for found in dialog.findChildren(QPushButton) if found.text() == text]
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


async def test_the_verb_is_yes_and_other_tasks_go_on_meanwhile(console: Console, parent: QWidget, qtbot: QtBot) -> None:
    question = ask.confirm(
        parent, console.context.theme, "Remove Traccar?", "Its <b>positions</b> stay.", act="Remove", destructive=True
    )
    asked = console.tasks.start(question, name="question", owner=console)
    dialog = await opened()
    turns = 0
    for _ in range(5):
        await asyncio.sleep(0)
        turns += 1
    assert turns == 5
    assert "Its <b>positions</b> stay." in [label.text() for label in dialog.findChildren(QLabel)]
    press(qtbot, dialog, "Remove")
    assert await asked is True


async def test_enter_does_not_destroy_and_escape_is_no(console: Console, parent: QWidget, qtbot: QtBot) -> None:
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Escape):
        question = ask.confirm(parent, console.context.theme, "Remove?", "Gone.", act="Remove", destructive=True)
        asked = console.tasks.start(question, name="question", owner=console)
        qtbot.keyClick(await opened(), key)
        assert await asked is False


async def test_a_line_is_given_back_and_cancel_is_none(console: Console, parent: QWidget, qtbot: QtBot) -> None:
    for button, answer in (("Adopt", "KAN-200"), ("Cancel", None)):
        question = ask.text(parent, console.context.theme, "Vehicle", "Plate", value="KAN-100", act="Adopt")
        asked = console.tasks.start(question, name="question", owner=console)
        dialog = await opened()
        (field,) = dialog.findChildren(QLineEdit)
        qtbot.keyClicks(field, "KAN-200")
        press(qtbot, dialog, button)
        assert await asked == answer


async def test_a_cancelled_task_takes_its_dialog_away(console: Console, parent: QWidget) -> None:
    asked = console.tasks.start(
        ask.tell(parent, console.context.theme, "Done", "All is well."), name="question", owner=console
    )
    await opened()
    asked.cancel()
    await until(lambda: open_dialog() is None)
    assert asked.cancelled()


async def test_a_file_is_chosen_or_not(console: Console, parent: QWidget, tmp_path: Path) -> None:
    file = tmp_path / "roads.geojson"
    file.write_text("{}", encoding="utf-8")
    asked = console.tasks.start(
        ask.open_file(parent, "Add a layer", ["GeoJSON (*.geojson)"]), name="file", owner=console
    )
    dialog = await opened()
    assert isinstance(dialog, QFileDialog)
    type_name(dialog, file)
    assert await asked == file
    asked = console.tasks.start(ask.save_file(parent, "Save", "x.csv"), name="file", owner=console)
    (await opened()).reject()
    assert await asked is None
