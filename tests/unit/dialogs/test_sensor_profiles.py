"""Profiles kept in the store and in files: a field engineer saves one at the workbench and loads it for the next."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton, QSpinBox, QWidget

from app.fuel.profiles import Profile, load_profile
from app.fuel.saved_profiles import keep_profile, list_profiles
from dialogs.doors import dialogs
from dialogs.sensor_profiles import KeepDialog, ProfilesDialog
from tests.helpers.fuel_desk import opened
from tests.helpers.qt import until
from tests.unit.widgets.workbench.test_page import LEFT, Desk, choose_file, desk, pytestmark

__all__ = ["desk", "pytestmark"]


@pytest.fixture
def at_sensor(desk: Desk) -> Desk:
    desk.console.context.doors.dialogs = dialogs()
    return desk


async def look(desk: Desk) -> QSpinBox:
    """The workbench at its first sensor; returns the field of the filter."""
    await desk.open()
    await desk.search()
    await until(lambda: any("filter" in name for name in desk.page.settings.fields))
    QTest.mouseClick(desk.page.tabs.button("settings"), LEFT)
    field = next(field for name, field in desk.page.settings.fields.items() if "filter" in name)
    assert isinstance(field, QSpinBox)
    return field


def press(label: str) -> None:
    front = QApplication.activeModalWidget()
    assert isinstance(front, QWidget)
    (button,) = [one for one in front.findChildren(QPushButton) if one.text() == label]
    QTest.mouseClick(button, LEFT)


async def test_a_profile_is_kept_loaded_and_removed(at_sensor: Desk) -> None:
    page, bridge = at_sensor.page, at_sensor.console.context.bridge
    field = await look(at_sensor)
    QTest.mouseClick(page.settings.save, LEFT)
    keep = await opened(KeepDialog)
    keep.name.selectAll()
    QTest.keyClick(keep.name, Qt.Key.Key_Backspace)
    assert not keep.save.isEnabled()
    QTest.keyClicks(keep.name, "Lorry 400 L")
    QTest.keyClicks(keep.note, "as poured")
    QTest.mouseClick(keep.save, LEFT)
    await until(lambda: at_sensor.console.notes)
    (kept,) = await bridge.read(list_profiles)
    assert (kept.name, kept.note, kept.profile.dialect) == ("Lorry 400 L", "as poured", "lls")

    changed = dict(kept.profile.settings)
    changed[next(name for name in changed if "filter" in name)] = 9
    other = Profile("lls", "LLS 6", "", "", 1, changed)
    await bridge.write(lambda c: keep_profile(c, "Slow filter", other))
    await bridge.write(lambda c: keep_profile(c, "Of a bridge", Profile("slcan", "", "", "", 1, {"a": 1})))
    QTest.mouseClick(page.settings.load, LEFT)
    chooser = await opened(ProfilesDialog)
    await until(lambda: chooser.table.model.rows)
    assert [row.name for row in chooser.table.model.rows] == ["Lorry 400 L", "Slow filter"]  # of this kind only
    chooser.table.view.setFocus()
    QTest.keyClick(chooser.table.view, Qt.Key.Key_Down)
    QTest.mouseClick(chooser.load, LEFT)
    await until(page.settings.banner.isVisible)
    assert "→ 9" in page.settings.banner.words.text()
    assert field.value() == 9
    assert page.settings.write.isEnabled()

    QTest.mouseClick(page.settings.load, LEFT)
    await until(lambda: isinstance(QApplication.activeModalWidget(), ProfilesDialog))
    chooser = next(one for one in [QApplication.activeModalWidget()] if isinstance(one, ProfilesDialog))
    QTest.mouseClick(chooser.remove, LEFT)
    await until(lambda: QApplication.activeModalWidget() is not chooser)
    press("Remove the profile")
    await until(lambda: [row.name for row in chooser.table.model.rows] == ["Slow filter"])
    QTest.mouseClick(chooser.cancel, LEFT)


async def test_a_profile_of_the_same_name_is_followed_and_that_is_said(at_sensor: Desk) -> None:
    page, bridge = at_sensor.page, at_sensor.console.context.bridge
    await look(at_sensor)
    old = Profile("lls", "LLS 5", "", "", 1, {"a": 1})
    await bridge.write(lambda c: keep_profile(c, "Lorry", old))
    QTest.mouseClick(page.settings.save, LEFT)
    keep = await opened(KeepDialog)
    assert "every workplace" in keep.meaning.text()
    keep.name.selectAll()
    QTest.keyClicks(keep.name, "Lorry")
    assert "leaves the list" in keep.meaning.text()
    QTest.keyClick(keep.name, Qt.Key.Key_Return)
    await until(lambda: at_sensor.console.notes)
    (kept,) = await bridge.read(list_profiles)
    assert kept.profile != old


async def test_files_are_still_written_and_read(at_sensor: Desk, tmp_path: Path) -> None:
    page = at_sensor.page
    await look(at_sensor)
    QTest.mouseClick(page.settings.save, LEFT)
    keep = await opened(KeepDialog)
    QTest.mouseClick(keep.to_file, LEFT)
    path = tmp_path / "lorry.profile.json"
    await choose_file(path)
    await until(lambda: at_sensor.console.notes)
    assert load_profile(path).dialect == "lls"
    rubbish = tmp_path / "rubbish.json"
    rubbish.write_text("{}", "utf-8")
    QTest.mouseClick(page.settings.load, LEFT)
    chooser = await opened(ProfilesDialog)
    assert not chooser.load.isEnabled()
    QTest.mouseClick(chooser.from_file, LEFT)
    await choose_file(rubbish)
    await until(chooser.problem.isVisible)
    assert "no profile" in chooser.problem.text()
    await until(lambda: QApplication.activeModalWidget() is chooser)
    QTest.mouseClick(chooser.from_file, LEFT)
    await choose_file(path)
    await until(page.settings.banner.isVisible)
    assert "as the profile says" in page.settings.banner.words.text()
