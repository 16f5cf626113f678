"""Parameters of a class under a window: defaults and what was set, who is concerned, nothing lost unasked."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QPushButton, QWidget
from sqlalchemy import select

from app.fuel.settings import own_values, parameters_of, set_parameters
from app.fuel.tanks import list_tanks
from app.store.tables import Act
from dialogs.fuel_class_parameters import ClassParametersDialog
from dialogs.fuel_parameters import ParametersDialog
from tests.helpers.fuel_desk import LEFT, Desk, desk, opened
from tests.helpers.qt import until

__all__ = ["desk"]


async def open_class(desk: Desk) -> tuple[ParametersDialog, ClassParametersDialog]:
    QTest.mouseClick(desk.page.parameters, LEFT)
    of_vehicle = await opened(ParametersDialog)
    QTest.mouseClick(of_vehicle.of_class, LEFT)
    return of_vehicle, await opened(ClassParametersDialog)


def type_into(dialog: ClassParametersDialog, name: str, text: str) -> None:
    line = dialog.fields[name].control
    assert isinstance(line, QLineEdit)
    line.clear()
    QTest.keyClicks(line, text)


def front() -> QWidget:
    found = QApplication.activeModalWidget()
    assert found is not None
    return found


def press(label: str) -> None:
    (button,) = [one for one in front().findChildren(QPushButton) if one.text() == label]
    QTest.mouseClick(button, LEFT)


def said() -> str:
    return "\n".join(label.text() for label in front().findChildren(QLabel))


async def test_a_norm_of_the_class_is_saved_and_shows_beneath_the_vehicles_own(desk: Desk) -> None:
    (tank,) = await desk.read(list_tanks)
    of_vehicle, dialog = await open_class(desk)
    assert "1 vehicle with a tank is of this class." in dialog.meaning.text()
    assert not dialog.save.isEnabled()
    type_into(dialog, "norm_l_100_km", "99")
    assert dialog.problem.isVisible()
    assert not dialog.save.isEnabled()
    type_into(dialog, "norm_l_100_km", "31,5")
    assert dialog.fields["norm_l_100_km"].own.text() == "Changed"
    QTest.mouseClick(dialog.save, LEFT)
    await until(lambda: front() is not dialog)
    assert "“Truck”" in said()
    assert "Consumption norm: default → 31.5" in said()
    assert "1 vehicle has its events" in said()
    press("Save")
    await until(lambda: desk.console.notes)
    assert await desk.read(lambda c: own_values(c, "class:truck")) == {"norm_l_100_km": 31.5}
    assert (await desk.read(lambda c: parameters_of(c, tank.vehicle_id))).norm_l_100_km == 31.5
    assert "fuel_parameters.set" in await desk.read(lambda c: c.execute(select(Act.what)).scalars().all())
    QTest.mouseClick(dialog.shut, LEFT)
    line = of_vehicle.fields["norm_l_100_km"].control
    assert isinstance(line, QLineEdit)
    await until(lambda: line.placeholderText() == "31.5")
    QTest.mouseClick(of_vehicle.cancel, LEFT)


async def test_another_class_and_closing_lose_nothing_unasked(desk: Desk) -> None:
    (tank,) = await desk.read(list_tanks)
    await desk.write(lambda c: set_parameters(c, f"vehicle:{tank.vehicle_id}", {"idle_l_h": 3.0}))
    await desk.write(lambda c: set_parameters(c, "class:van", {"idle_l_h": 1.0}))
    of_vehicle, dialog = await open_class(desk)
    assert "1 has values of its own" in dialog.meaning.text()
    type_into(dialog, "idle_l_h", "4")
    dialog.vehicle_class.setFocus()
    QTest.keyClicks(dialog.vehicle_class, "van")
    await until(lambda: front() is not dialog)
    press("Cancel")
    await until(lambda: dialog.vehicle_class.currentData() == "truck")
    assert dialog.values() == {"idle_l_h": 4}
    await until(lambda: front() is dialog)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    await until(lambda: front() is not dialog)
    press("Cancel")
    await until(lambda: front() is dialog)
    dialog.vehicle_class.setCurrentIndex(dialog.vehicle_class.findData("van"))
    await until(lambda: front() is not dialog)
    press("Leave")
    await until(lambda: dialog.values() == {"idle_l_h": 1})
    QTest.mouseClick(dialog.reset_all, LEFT)
    assert dialog.values() == {}
    QTest.mouseClick(dialog.save, LEFT)  # no vehicle is of this class: nothing to ask
    await until(lambda: desk.console.notes)
    assert await desk.read(lambda c: own_values(c, "class:van")) == {}
    QTest.mouseClick(dialog.shut, LEFT)
    await until(lambda: front() is of_vehicle)
    QTest.mouseClick(of_vehicle.cancel, LEFT)
