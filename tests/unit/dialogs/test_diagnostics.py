"""Diagnostics as the operator sees them before anything is written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit

from app.integrations import add
from app.store.logs import append_log
from dialogs.diagnostics import DiagnosticsDialog, last_lines
from tests.helpers.desks import make_catalogue
from tests.helpers.integrations_page import Depot, click, opened_page
from tests.helpers.qt import Console, open_dialog, until

PLANTED = "planted-diagnostics-1"


@pytest_asyncio.fixture
async def dialog(console: Console) -> AsyncIterator[tuple[Depot, DiagnosticsDialog]]:
    async with opened_page(console, make_catalogue()) as depot:
        made = await asyncio.to_thread(
            add, depot.desk, "traccar", "Traccar Kano", {"url": "http://127.0.0.1:9"}, {"token": PLANTED}
        )
        await depot.write(
            lambda connection: append_log(
                connection, event_type="sync_success", text="One.", integration_id=made, payload={"lat": 9.0712345}
            )
        )
        (console.paths.logs / "gateway.log").write_text("the engine started\n", encoding="utf-8")
        await depot.settle(1)
        depot.page.act("diagnostics", made)
        await until(lambda: isinstance(open_dialog(), DiagnosticsDialog))
        found = open_dialog()
        assert isinstance(found, DiagnosticsDialog)
        await until(found.save.isEnabled)
        yield depot, found
        found.reject()
        await until(lambda: open_dialog() is None)


async def test_the_preview_holds_everything_but_secrets_and_places(dialog: tuple[Depot, DiagnosticsDialog]) -> None:
    _, shown = dialog
    facts = json.loads(shown.text.toPlainText())
    assert facts["integration"]["name"] == "Traccar Kano"
    assert facts["program_log"] == ["gateway.log: the engine started"]
    assert PLANTED not in shown.text.toPlainText()
    assert "9.0712345" not in shown.text.toPlainText()
    click(shown.personal)
    await until(lambda: "9.07" in shown.text.toPlainText())
    assert PLANTED not in shown.text.toPlainText()
    click(shown.copy)
    assert QApplication.clipboard().text() == shown.text.toPlainText()


async def test_what_is_written_is_what_was_shown(dialog: tuple[Depot, DiagnosticsDialog], tmp_path: Path) -> None:
    depot, shown = dialog
    for file, level in ((tmp_path / "diagnostics.json", "ok"), (tmp_path / "gone" / "diagnostics.json", "error")):
        click(shown.save)
        await until(lambda: [found for found in shown.findChildren(QFileDialog) if found.isVisible()])
        (chooser,) = [found for found in shown.findChildren(QFileDialog) if found.isVisible()]
        name = chooser.findChild(QLineEdit, "fileNameEdit")
        assert isinstance(name, QLineEdit)
        name.setText(str(file))
        chooser.done(QFileDialog.DialogCode.Accepted.value)
        await until(lambda: depot.console.notes)
        assert depot.console.notes.pop()[0] == level
    assert (tmp_path / "diagnostics.json").read_text(encoding="utf-8") == shown.text.toPlainText()


def test_of_a_long_log_only_the_end_is_taken(tmp_path: Path) -> None:
    assert last_lines(tmp_path) == []
    (tmp_path / "console.log").write_text("".join(f"line {number}\n" for number in range(50_000)), encoding="utf-8")
    lines = last_lines(tmp_path)
    assert len(lines) == 200
    assert lines[-1] == "console.log: line 49999"
