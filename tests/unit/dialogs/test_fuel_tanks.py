"""Tanks and sensors under a window: rename, replace, remove, add; the versions of a calibration and their removal."""

from __future__ import annotations

from PySide6.QtCore import QDateTime, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QLabel, QLineEdit, QPushButton, QWidget
from sqlalchemy import select

from adapters.records import FuelReading, FuelSensorInfo
from app.fuel.calibrations import add_calibration, list_calibrations
from app.fuel.events import list_events
from app.fuel.settings import set_vehicle_class
from app.fuel.tanks import list_sensors, list_tanks
from app.store.tables import Act, Vehicle
from dialogs.fuel_calibrations import CalibrationsDialog, RemoveCalibration
from dialogs.fuel_tank_forms import ReplaceForm, TankForm, TankSettingsForm
from dialogs.fuel_tanks import TANKS, TanksDialog
from tests.helpers.fuel_desk import HOUR_MS, LEFT, Desk, desk, opened
from tests.helpers.qt import until

__all__ = ["desk"]


async def open_tanks(desk: Desk) -> TanksDialog:
    QTest.mouseClick(desk.page.tanks, LEFT)
    dialog = await opened(TanksDialog)
    await until(dialog.table.selected_rows)
    return dialog


def question() -> QDialog | None:
    """The question that is open, whatever stands behind it."""
    found = QApplication.activeModalWidget()
    return found if isinstance(found, QDialog) and type(found).__name__ == "_Question" else None


def words_of(dialog: QWidget | None) -> str:
    return "" if dialog is None else "\n".join(label.text() for label in dialog.findChildren(QLabel))


def press(dialog: QWidget | None, label: str) -> None:
    assert dialog is not None
    (button,) = [one for one in dialog.findChildren(QPushButton) if one.text() == label]
    QTest.mouseClick(button, LEFT)


async def acts(desk: Desk) -> list[str]:
    return list(await desk.read(lambda c: c.execute(select(Act.what)).scalars().all()))


async def a_new_probe(desk: Desk) -> None:
    at_ms = desk.now_ms
    await desk.arrive(FuelSensorInfo("lls:2", "rs485", "counts", "New probe"), FuelReading("lls:2", at_ms, at_ms, 1200))


async def test_a_sensor_is_renamed_and_recorded(desk: Desk) -> None:
    dialog = await open_tanks(desk)
    QTest.mouseClick(dialog.rename, LEFT)
    await until(question)
    assert "lls:1" in words_of(question())
    asked = question()
    assert asked is not None
    (field,) = asked.findChildren(QLineEdit)
    assert field.text() == "Left probe"
    field.selectAll()
    QTest.keyClicks(field, "Probe  <b>1</b>")
    QTest.keyClick(field, Qt.Key.Key_Return)
    await until(lambda: dialog.model.rows[0].label == "Probe <b>1</b>")
    assert "fuel_sensor.set" in await acts(desk)
    QTest.mouseClick(dialog.close_button, LEFT)


async def test_a_sensor_is_replaced_by_one_that_waits(desk: Desk) -> None:
    dialog = await open_tanks(desk)
    QTest.mouseClick(dialog.replace, LEFT)
    await until(question)
    assert "Connect the new sensor first" in words_of(question())
    press(question(), "Close")
    await until(lambda: question() is None)
    await a_new_probe(desk)
    await until(lambda: len(dialog.model.rows) == 2)  # it appears while the dialog is open
    old = next(row for row in dialog.model.rows if row.unique_id == "lls:1")
    dialog.table.select_key(old.id)
    QTest.mouseClick(dialog.replace, LEFT)
    form = await opened(ReplaceForm)
    assert "New probe" in form.sensor.currentText()
    assert "KAN-552XA, Main" in words_of(form)
    form.at.setDateTime(QDateTime.currentDateTime().addDays(-60))
    QTest.mouseClick(form.save, LEFT)
    await until(form.problem.isVisible)
    assert "after that time" in form.problem.text()
    form.at.setDateTime(form.at.maximumDateTime())
    QTest.mouseClick(form.save, LEFT)
    await until(lambda: {row.unique_id: row.plate for row in dialog.model.rows}["lls:2"] == "KAN-552XA")
    (tank,) = await desk.read(list_tanks)
    assert tank.capacity_l == 400
    (version,) = await desk.read(lambda c: list_calibrations(c, tank.id))
    assert version.valid_to_ms is not None
    new = next(row for row in dialog.model.rows if row.unique_id == "lls:2")
    assert dialog._calibration_badge(new) == ("warn", "Missing")
    await desk.work()
    assert {event.kind for event in await desk.read(list_events)} == {"refuel", "drain"}  # the history stands
    QTest.mouseClick(dialog.close_button, LEFT)


async def test_a_sensor_is_removed_and_its_history_is_named(desk: Desk) -> None:
    dialog = await open_tanks(desk)
    QTest.mouseClick(dialog.remove, LEFT)
    await until(question)
    assert "It leaves KAN-552XA, Main" in words_of(question())
    assert "513 readings from" in words_of(question())
    press(question(), "Cancel")
    await until(lambda: question() is None)
    assert len(dialog.model.rows) == 1
    QTest.mouseClick(dialog.remove, LEFT)
    await until(question)
    press(question(), "Remove the sensor")
    await until(lambda: not dialog.model.rows)
    assert "fuel_sensor.remove" in await acts(desk)
    QTest.mouseClick(dialog.close_button, LEFT)


async def test_a_tank_is_added_changed_and_removed_with_a_warning(desk: Desk) -> None:
    dialog = await open_tanks(desk)
    QTest.mouseClick(dialog.tabs.button(TANKS), LEFT)
    QTest.mouseClick(dialog.add_tank, LEFT)
    form = await opened(TankSettingsForm)
    assert form.plate.text() == "KAN-552XA"
    QTest.keyClicks(form.name, "main")
    QTest.mouseClick(form.save, LEFT)
    await until(form.problem.isVisible)
    assert "already" in form.problem.text()
    form.name.clear()
    QTest.keyClicks(form.name, "Right")
    form.combine.setFocus()
    QTest.keyClick(form.combine, Qt.Key.Key_Down)
    form.capacity.setFocus()
    form.capacity.selectAll()
    QTest.keyClicks(form.capacity, "250")
    QTest.mouseClick(form.save, LEFT)
    await until(lambda: len(dialog.tanks.model.rows) == 2)
    right = next(row for row in dialog.tanks.model.rows if row.name == "Right")
    assert (right.plate, right.combine, right.capacity_l) == ("KAN-552XA", "sum", 250)
    main = next(row for row in dialog.tanks.model.rows if row.name == "Main")
    dialog.tanks.select_key(main.id)
    QTest.mouseClick(dialog.remove_tank, LEFT)
    await until(question)
    said = words_of(question())
    assert "cannot be taken back" in said
    assert "Its sensor waits" in said
    assert "513 readings" in said
    assert "2 refuels and drains" in said
    assert "1 version of the calibration" in said
    press(question(), "Remove the tank")
    await until(lambda: [row.name for row in dialog.tanks.model.rows] == ["Right"])
    assert [sensor.tank_id for sensor in await desk.read(list_sensors)] == [None]
    dialog.tanks.select_key(right.id)
    QTest.mouseClick(dialog.change_tank, LEFT)
    await until(lambda: any(isinstance(one, TankSettingsForm) for one in [QApplication.activeModalWidget()]))
    change = QApplication.activeModalWidget()
    assert isinstance(change, TankSettingsForm)
    assert not change.plate.isEnabled()
    change.capacity.setValue(0)
    QTest.mouseClick(change.save, LEFT)
    await until(lambda: dialog.tanks.model.rows[0].capacity_l is None)
    QTest.mouseClick(dialog.remove_tank, LEFT)
    await until(question)
    assert "cannot be taken back" not in words_of(question())
    press(question(), "Remove the tank")
    await until(lambda: not dialog.tanks.model.rows)
    assert {"tank.add", "tank.set", "tank.remove"} <= set(await acts(desk))
    QTest.mouseClick(dialog.close_button, LEFT)


async def test_what_is_known_of_a_vehicle_is_shown_before_it_is_changed(desk: Desk) -> None:
    (tank,) = await desk.read(list_tanks)
    await desk.write(lambda c: set_vehicle_class(c, tank.vehicle_id, "van"))
    await a_new_probe(desk)
    dialog = await open_tanks(desk)  # the one that waits is chosen
    QTest.mouseClick(dialog.bind, LEFT)
    form = await opened(TankForm)
    form.plate.insert("kan-552 xa")  # as pasted: the list of proposals would grab the keyboard
    assert form.vehicle_class.currentData() == "van"
    QTest.keyClicks(form.tank, "Right")
    QTest.mouseClick(form.save, LEFT)
    await until(lambda: all(row.tank_id for row in dialog.model.rows))
    assert await desk.read(lambda c: c.execute(select(Vehicle.vehicle_class)).scalars().all()) == ["van"]
    QTest.keyClicks(dialog.search, "left")
    await until(lambda: len(dialog.model.rows) == 1)
    QTest.mouseClick(dialog.close_button, LEFT)


async def test_the_newest_calibration_is_removed_with_a_reason(desk: Desk) -> None:
    (tank,) = await desk.read(list_tanks)
    rows = [(0, 0), (4000, 380)]
    second = desk.now_ms - HOUR_MS
    await desk.write(lambda c: add_calibration(c, tank.id, tank.sensors[0], rows, valid_from_ms=second, note="again"))
    dialog = await open_tanks(desk)
    QTest.mouseClick(dialog.versions, LEFT)
    history = await opened(CalibrationsDialog)
    await until(history.table.selected_rows)
    assert [row.version.version for row in history.table.model.rows] == [2, 1]
    assert history.rows.model.rows == [(0, 0), (4000, 380)]
    history.table.view.setFocus()
    QTest.keyClick(history.table.view, Qt.Key.Key_Down)
    assert not history.remove.isEnabled()
    assert "newest version" in history.why_not.text()
    assert history.rows.model.rows == [(0, 0), (4000, 400)]
    QTest.keyClick(history.table.view, Qt.Key.Key_Up)
    QTest.mouseClick(history.remove, LEFT)
    asked = await opened(RemoveCalibration)
    said = words_of(asked)
    assert "Remove version 2 of KAN-552XA, Main?" in said
    assert "It holds since " in said
    assert "Left probe" in said
    assert "Version 1 holds in its place" in said
    assert not asked.act.isEnabled()
    QTest.keyClicks(asked.reason, "wrong can")
    QTest.mouseClick(asked.act, LEFT)
    await until(lambda: len(history.table.model.rows) == 1)
    (left,) = await desk.read(lambda c: list_calibrations(c, tank.id))
    assert (left.version, left.valid_to_ms) == (1, None)
    assert "calibration.remove" in await acts(desk)
    QTest.mouseClick(history.shut, LEFT)
    await until(lambda: QApplication.activeModalWidget() is dialog)
    QTest.mouseClick(dialog.close_button, LEFT)
