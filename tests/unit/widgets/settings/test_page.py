"""Settings as somebody changes them: chosen, entered, taken back, and what cannot be saved."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QLabel, QPushButton, QSpinBox, QWidget
from sqlalchemy import select

from app import platform
from app.engine.facts import EngineFacts, write_facts
from app.preferences import PreferencesFile
from app.security.audit import record_act
from app.security.operator import choose_operator, present_operator
from app.security.vault import VaultLocked
from app.services import Services
from app.store.retention import Retention, get_retention, set_retention
from app.store.tables import Act
from tests.helpers.qt import Console, open_dialog, until
from widgets.settings.page import SettingsPage

LEFT = Qt.MouseButton.LeftButton


@pytest_asyncio.fixture
async def page(console: Console) -> AsyncIterator[SettingsPage]:
    made = SettingsPage(console.context)
    made.resize(1000, 1200)
    made.show()
    await until(lambda: made.is_ready)
    yield made
    made.hide()
    made.close_page()
    made.deleteLater()


def enter(box: QSpinBox, days: int) -> None:
    box.setFocus()
    box.selectAll()
    QTest.keyClicks(box, str(days))


def button(dialog: QDialog, words: str) -> QPushButton:
    (found,) = [one for one in dialog.findChildren(QPushButton) if one.text() == words]
    return found


async def kept(console: Console) -> Retention:
    return await console.context.bridge.read(get_retention)


async def test_a_theme_and_units_hold_at_once_and_the_next_time(page: SettingsPage, console: Console) -> None:
    page.theme_box.setFocus()
    QTest.keyClicks(page.theme_box, "Dark")
    await until(lambda: console.context.theme.mode == "dark" or console.context.preferences.choices.theme == "dark")
    QTest.keyClicks(page.units_box, "Miles")
    await until(lambda: console.context.preferences.choices.units == "imperial")
    saved = PreferencesFile(console.paths.preferences).load()
    assert (saved.theme, saved.units) == ("dark", "imperial")


async def test_a_zone_is_chosen_and_the_common_ones_stand_first(page: SettingsPage, console: Console) -> None:
    names = [page.zone_box.itemText(row) for row in range(4)]
    assert names[:3] == ["This computer's zone", "Africa/Lagos", "UTC"]
    page.zone_box.setCurrentIndex(page.zone_box.findData("Africa/Lagos"))
    await until(lambda: console.context.preferences.choices.time_zone == "Africa/Lagos")


async def test_keeping_the_engine_is_a_switch(page: SettingsPage, console: Console) -> None:
    page.keep_box.setFocus()
    QTest.keyClick(page.keep_box, Qt.Key.Key_Space)
    await until(lambda: console.context.preferences.choices.keep_engine_running)


async def test_preferences_that_cannot_be_saved_are_told_and_shown_as_they_are(
    page: SettingsPage, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: PreferencesFile, _choices: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PreferencesFile, "save", refuse)
    page.units_box.setCurrentIndex(1)
    await until(lambda: console.notes)
    level, text = console.notes[0]
    assert level == "error"
    assert "No space left" in text
    assert page.units_box.currentData() == "metric"


async def test_more_is_kept_after_a_click_and_the_act_is_recorded(page: SettingsPage, console: Console) -> None:
    assert page.save_days.isHidden() or not page.save_days.isVisible()
    enter(page.raw_days, 60)
    assert page.save_days.isVisible()
    assert (await kept(console)).raw_days == 30, "nothing holds before it was saved"
    QTest.mouseClick(page.save_days, LEFT)
    await until(lambda: console.notes)
    assert console.notes == [("ok", "Saved. The engine keeps data by the new times.")]
    assert await kept(console) == Retention(raw_days=60)
    assert not page.save_days.isVisible()
    (act,) = await console.context.bridge.read(lambda c: list(c.execute(select(Act.what, Act.before, Act.after))))
    assert act.what == "retention.set"
    assert (act.before, act.after) == (
        {"raw": 30, "logs": 90, "positions": 400},
        {"raw": 60, "logs": 90, "positions": 400},
    )


async def test_less_is_kept_only_after_it_was_said_what_is_lost(page: SettingsPage, console: Console) -> None:
    for answer, expected in (("Cancel", 400), ("Keep less", 30)):
        enter(page.position_days, 30)
        QTest.mouseClick(page.save_days, LEFT)
        await until(open_dialog)
        dialog = open_dialog()
        assert dialog is not None
        words = " ".join(label.text() for label in dialog.findChildren(QLabel))
        assert "deleted for good" in words
        assert "Positions and events older than 30 days" in words
        assert "Raw frames" not in words
        QTest.mouseClick(button(dialog, answer), LEFT)
        await until(lambda: open_dialog() is None)
        if answer == "Keep less":
            await until(lambda: console.notes)
        assert (await kept(console)).positions_days == expected


async def test_what_was_entered_can_be_taken_back_and_is_not_overwritten(page: SettingsPage, console: Console) -> None:
    enter(page.log_days, 10)
    await console.context.bridge.write(lambda c: set_retention(c, Retention(raw_days=44)))
    await until(lambda: page.refresh_count > 1)
    assert page.log_days.value() == 10
    QTest.mouseClick(page.undo_days, LEFT)
    assert (page.raw_days.value(), page.log_days.value()) == (44, 90)
    assert not page.undo_days.isVisible()


async def test_another_windows_change_is_shown(page: SettingsPage, console: Console) -> None:
    await console.context.bridge.write(lambda c: set_retention(c, Retention(raw_days=44)))
    await until(lambda: page.raw_days.value() == 44)


async def test_the_engine_is_named_while_it_lives(page: SettingsPage, console: Console) -> None:
    assert page.engine_label.text() == "No engine is running."
    for pid, expected in ((os.getpid(), f"process {os.getpid()} on here"), (2**22 + 1, "No engine is running.")):
        write_facts(console.paths.engine_json, EngineFacts(pid, "1.0", "0001", "service", 1, "here"))
        page.refresh_count = 0
        page.request_refresh()
        await until(lambda: page.refresh_count)
        assert expected in page.engine_label.text()


async def test_places_are_shown_and_opened(
    page: SettingsPage, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert str(console.paths.data_dir) in page.store_label.text()
    assert "memory" in page.secrets_label.text()
    opened: list[Path] = []

    def open_url(url: object) -> bool:
        opened.append(Path(url.toLocalFile()))  # type: ignore[attr-defined]
        return len(opened) == 1

    monkeypatch.setattr(QDesktopServices, "openUrl", open_url)
    QTest.mouseClick(page.open_folder, LEFT)
    assert console.notes == []
    QTest.mouseClick(page.open_logs, LEFT)
    assert opened == [console.paths.data_dir, console.paths.logs]
    assert str(console.paths.logs) in console.notes[0][1]


async def test_secrets_that_cannot_be_reached_are_explained(
    page: SettingsPage, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(_self: Services) -> object:
        raise VaultLocked("The key store is locked. Unlock it, then try again.")

    monkeypatch.setattr(Services, "vault", property(locked))
    page.request_refresh()
    await until(lambda: "Unlock it" in page.secrets_label.text())


async def test_every_control_has_a_name_for_screen_readers(page: SettingsPage) -> None:
    controls: list[QWidget] = [
        page.theme_box, page.zone_box, page.units_box, page.keep_box, page.raw_days, page.log_days, page.position_days
    ]  # fmt: skip
    assert all(control.accessibleName() for control in controls)


@pytest.fixture
def nobody_named() -> Iterator[None]:
    yield
    choose_operator("")


async def all_acts(console: Console) -> list[tuple[str, str, object, object]]:
    query = select(Act.what, Act.who, Act.before, Act.after).order_by(Act.id)
    return [tuple(row) for row in await console.context.bridge.read(lambda c: list(c.execute(query)))]


@pytest.mark.usefixtures("nobody_named")
async def test_the_operators_name_stands_in_every_act_from_then_on(page: SettingsPage, console: Console) -> None:
    account = platform.console_user()
    assert page.operator.words.text() == f"Acts are recorded as: {account}"
    field = page.operator.field
    field.setFocus()
    QTest.keyClicks(field, "Amina  Bello ")
    QTest.keyClick(field, Qt.Key.Key_Return)
    who = f"Amina Bello ({account})"
    await until(lambda: console.notes)
    assert console.notes == [("ok", f"From now on acts are recorded as {who}.")]
    assert field.text() == "Amina Bello"
    assert page.operator.words.text() == f"Acts are recorded as: {who}"
    assert await all_acts(console) == [("operator.set", account, {"operator": ""}, {"operator": "Amina Bello"})]
    await console.context.bridge.write(lambda c: record_act(c, what="x.y", subject="s"))
    assert (await all_acts(console))[-1][1] == who
    assert PreferencesFile(console.context.paths.preferences).load().operator == "Amina Bello"


@pytest.mark.usefixtures("nobody_named")
async def test_a_name_that_cannot_be_is_refused_and_what_holds_is_shown(page: SettingsPage, console: Console) -> None:
    field = page.operator.field
    field.setFocus()
    QTest.keyClicks(field, "Amina (root)")
    QTest.keyClick(field, Qt.Key.Key_Return)
    await until(lambda: console.notes)
    assert "without brackets" in console.notes[0][1]
    assert field.text() == ""
    assert await all_acts(console) == []
    assert present_operator() == platform.console_user()
