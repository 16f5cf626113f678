"""Settings out to a file and in again: no secrets, and nothing changes before it was seen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PySide6.QtWidgets import QDialog, QFileDialog, QLineEdit

from app.integrations import add, change
from dialogs.settings_transfer import SettingsImportDialog
from tests.helpers.desks import make_catalogue
from tests.helpers.integrations_page import Depot, click, opened_page, pick, texts_of
from tests.helpers.qt import Console, ExpectedLogs, open_dialog, until

PLANTED = "planted-transfer-1"
POPUPS = "This plugin does not support"


@pytest_asyncio.fixture
async def depot(console: Console) -> AsyncIterator[Depot]:
    async with opened_page(console, make_catalogue()) as opened:
        values = {"url": "http://127.0.0.1:9"}
        await asyncio.to_thread(add, opened.desk, "traccar", "Traccar Kano", values, {"token": PLANTED})
        await opened.settle(1)
        yield opened


async def choose(depot: Depot, file: Path) -> None:
    """Name a file in the chooser that comes up."""
    page = depot.page
    await until(lambda: [found for found in page.findChildren(QFileDialog) if found.isVisible()])
    (chooser,) = [found for found in page.findChildren(QFileDialog) if found.isVisible()]
    name = chooser.findChild(QLineEdit, "fileNameEdit")
    assert isinstance(name, QLineEdit)
    name.setText(str(file))
    chooser.done(QFileDialog.DialogCode.Accepted.value)


async def begin_import(depot: Depot, file: Path) -> QDialog:
    click(depot.page.more)
    pick("import")
    await choose(depot, file)
    await until(lambda: open_dialog() is not None and not isinstance(open_dialog(), QFileDialog))
    found = open_dialog()
    assert found is not None
    return found


async def exported(depot: Depot, file: Path) -> dict[str, Any]:
    click(depot.page.more)
    pick("export")
    await choose(depot, file)
    await until(lambda: depot.console.notes)
    return read(file)


def read(file: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document


async def test_an_exported_file_holds_the_settings_and_no_secret(
    depot: Depot, tmp_path: Path, expected_logs: ExpectedLogs
) -> None:
    expected_logs.allow(POPUPS)
    document = await exported(depot, tmp_path / "settings.json")
    assert [item["name"] for item in document["integrations"]] == ["Traccar Kano"]
    assert PLANTED not in json.dumps(document)
    level, words = depot.console.notes[-1]
    assert level == "ok"
    assert words.startswith("1 integration written to")


async def test_differences_are_seen_before_they_are_taken_over(
    depot: Depot, tmp_path: Path, expected_logs: ExpectedLogs
) -> None:
    expected_logs.allow(POPUPS)
    file = tmp_path / "settings.json"
    document = await exported(depot, file)
    (kano,) = document["integrations"]
    kano["config"]["poll_interval_s"] = 30
    lagos = {"type": "traccar", "name": "Traccar Lagos", "config": {"url": "https://lagos.example"}}
    odd = {"type": "scale", "name": "Scale", "config": {}}
    document["integrations"] += [lagos, odd]
    file.write_text(json.dumps(document), encoding="utf-8")
    dialog = await begin_import(depot, file)
    assert isinstance(dialog, SettingsImportDialog)
    assert "Ask every: 60 → 30" in texts_of(dialog)
    assert "There is no integration named “scale” here." in texts_of(dialog)
    assert [(box.isEnabled(), box.isChecked()) for box in dialog.boxes] == [(True, True), (True, True), (False, False)]
    assert dialog.apply.text() == "Import 2"
    assert len(depot.rows()) == 1  # nothing has changed yet
    click(dialog.apply)
    await depot.settle(2)
    assert [(row.name, row.status) for row in depot.rows()] == [
        ("Traccar Kano", "configured"),
        ("Traccar Lagos", "inactive"),
    ]
    kept = depot.desk.vault.get(depot.rows()[0].id, "token")
    assert kept == PLANTED
    assert "stay disabled until you sign in" in depot.console.notes[-1][1]


async def test_only_what_is_chosen_is_taken_over(depot: Depot, tmp_path: Path, expected_logs: ExpectedLogs) -> None:
    expected_logs.allow(POPUPS)
    file = tmp_path / "settings.json"
    await exported(depot, file)
    made = depot.rows()[0].id
    await asyncio.to_thread(lambda: change(depot.desk, made, name="Renamed here"))
    dialog = await begin_import(depot, file)
    assert isinstance(dialog, SettingsImportDialog)
    click(dialog.boxes[0])
    assert not dialog.apply.isEnabled()
    dialog.reject()
    await until(lambda: open_dialog() is None)
    assert depot.rows()[0].name == "Renamed here"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is no JSON file"),
        ("[]", "holds no exported settings"),
        ('{"format": "biko-console-integrations", "version": 99, "integrations": []}', "a newer release"),
        ("[" * 100_000, "is no JSON file"),
    ],
)
async def test_other_files_are_refused_in_plain_words(
    depot: Depot, tmp_path: Path, expected_logs: ExpectedLogs, text: str, why: str
) -> None:
    expected_logs.allow(POPUPS)
    file = tmp_path / "other.json"
    file.write_text(text, encoding="utf-8")
    dialog = await begin_import(depot, file)
    assert why in texts_of(dialog)
    dialog.reject()
    await until(lambda: open_dialog() is None)
