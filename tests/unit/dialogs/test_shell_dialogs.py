"""Crash report, about and help, as somebody would read them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QLineEdit, QWidget
from pytestqt.qtbot import QtBot

from app.clock import utc_now
from dialogs.about import AboutDialog
from dialogs.crash_report import CrashReportDialog
from dialogs.shortcuts_help import ShortcutsHelp
from tests.helpers.qt import Console, until
from widgets.crash import CrashReport
from widgets.shortcuts import PAGE_SHORTCUTS, Shortcut
from widgets.theme import Theme

LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def report() -> CrashReport:
    return CrashReport(
        utc_now(), "trackers: refresh", "KeyError: <b>imei</b>", "Traceback …", ("the last line",), ("biko-console 1",)
    )


def texts(widget: QWidget) -> list[str]:
    return [label.text() for label in widget.findChildren(QLabel)]


async def test_a_crash_report_is_read_copied_and_saved(
    console: Console, report: CrashReport, qtbot: QtBot, tmp_path: Path
) -> None:
    dialog = CrashReportDialog(console.context, report)
    qtbot.addWidget(dialog)
    dialog.show()
    assert "trackers: refresh: KeyError: <b>imei</b>" in texts(dialog)
    assert "the last line" in dialog.text.toPlainText()
    qtbot.mouseClick(dialog.copy, LEFT)
    assert QApplication.clipboard().text() == report.as_text()
    for file, level in ((tmp_path / "report.txt", "ok"), (tmp_path / "gone" / "report.txt", "error")):
        qtbot.mouseClick(dialog.save, LEFT)
        await until(lambda: [found for found in dialog.findChildren(QFileDialog) if found.isVisible()])
        (chooser,) = [found for found in dialog.findChildren(QFileDialog) if found.isVisible()]
        name = chooser.findChild(QLineEdit, "fileNameEdit")
        assert isinstance(name, QLineEdit)
        name.setText(str(file))
        chooser.done(QFileDialog.DialogCode.Accepted.value)
        await until(lambda: console.notes)
        assert console.notes.pop()[0] == level
    assert (tmp_path / "report.txt").read_text(encoding="utf-8") == report.as_text()
    qtbot.mouseClick(dialog.close_button, LEFT)
    assert not dialog.isVisible()


def test_help_lists_every_shortcut(theme: Theme, qtbot: QtBot) -> None:
    dialog = ShortcutsHelp(theme)
    qtbot.addWidget(dialog)
    shown = texts(dialog)
    for shortcut in set(Shortcut) - set(PAGE_SHORTCUTS):
        assert shortcut.label in shown
        assert shortcut.meaning in shown
    assert "Alt+1 … Alt+0" in shown


def test_no_two_shortcuts_share_their_keys() -> None:
    keys = [shortcut.keys.toString() for shortcut in Shortcut]
    assert len(keys) == len(set(keys))
    assert all(keys)


def test_about_shows_versions_and_the_licences_of_others(theme: Theme, qtbot: QtBot) -> None:
    dialog = AboutDialog(theme, ["biko-console 1.2", "Python 3.11"])
    qtbot.addWidget(dialog)
    assert "biko-console 1.2\nPython 3.11" in texts(dialog)
    licences = dialog.licences.toPlainText()
    assert all(word in licences for word in ("SIL Open Font", "ISC License", "Map data"))
    qtbot.mouseClick(dialog.copy, LEFT)
    assert QApplication.clipboard().text() == "biko-console 1.2\nPython 3.11"
