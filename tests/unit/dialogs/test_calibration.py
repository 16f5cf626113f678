"""The calibration wizard: what was poured is neither lost nor made up."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QLineEdit, QPushButton

from app.fuel.table import TankTable, make_table
from app.fuel.tanks import list_sensors, list_tanks
from dialogs.calibration import CalibrationDialog, Subject
from tests.helpers.fuel_desk import LEFT, Desk, desk
from tests.helpers.qt import until

__all__ = ["desk"]


async def wizard(desk: Desk, standing: TankTable | None = None) -> CalibrationDialog:
    sensor = (await desk.read(list_sensors))[0]
    (tank,) = await desk.read(list_tanks)
    subject = Subject(sensor.label, sensor.unit, sensor.id)
    dialog = CalibrationDialog(desk.console.context, desk.page, subject, tank, standing)
    dialog.open()
    return dialog


def questions(dialog: QDialog) -> list[QDialog]:
    """What is asked on top of the wizard."""
    windows = QApplication.topLevelWidgets()
    return [one for one in windows if isinstance(one, QDialog) and one is not dialog and one.isVisible()]


async def test_a_reading_of_long_ago_is_not_taken(desk: Desk) -> None:
    dialog = await wizard(desk)
    now_s = desk.console.context.services.clock.now_ms() / 1000
    for second in range(40):
        dialog.show_reading(now_s - 300 + second, 100.0)
    assert dialog.light.word.startswith("Last heard")
    QTest.mouseClick(dialog.take, LEFT)
    assert dialog.rows.rowCount() == 0
    assert "no reading now" in dialog.problem.text()
    dialog.show_reading(now_s, 100.0)
    dialog.show_reading(now_s + 1, None)
    QTest.mouseClick(dialog.take, LEFT)
    assert dialog.rows.rowCount() == 0, "it gives no value now"
    dialog.reject()
    assert dialog.isHidden(), "nothing would be lost"


async def test_what_was_poured_is_not_lost_by_one_key(desk: Desk) -> None:
    dialog = await wizard(desk)
    dialog.show_reading(desk.console.context.services.clock.now_ms() / 1000, 100.0)
    QTest.mouseClick(dialog.take, LEFT)
    for act, is_left in (("Cancel", False), ("Leave without saving", True)):
        QTest.keyClick(dialog, Qt.Key.Key_Escape)
        await until(lambda: questions(dialog))
        (button,) = [one for one in questions(dialog)[0].findChildren(QPushButton) if one.text() == act]
        QTest.mouseClick(button, LEFT)
        await until(lambda: not questions(dialog))
        await until(lambda: dialog.isHidden() is is_left)  # noqa: B023 - used up at once
        assert dialog.rows.rowCount() == 1


async def test_a_cell_that_is_no_number_stops_the_next_step_with_its_place(desk: Desk) -> None:
    dialog = await wizard(desk, make_table([[1_234_567.5, 0], [2_345_678.25, 100]]))
    assert dialog.rows.numbers() == [[1_234_567.5, 0], [2_345_678.25, 100]], "no digit is lost by looking at it"
    item = dialog.rows.item(1, 1)
    assert item is not None
    item.setText("x")
    dialog.show_reading(desk.console.context.services.clock.now_ms() / 1000, 100.0)
    QTest.mouseClick(dialog.take, LEFT)
    assert "Row 2" in dialog.problem.text()
    assert dialog.rows.rowCount() == 2
    dialog.deleteLater()


async def typed(dialog: CalibrationDialog, text: str) -> None:
    """Into the cell that is open."""

    def editors() -> list[QLineEdit]:
        return [one for one in dialog.rows.findChildren(QLineEdit) if one.isVisible()]

    await until(lambda: len(editors()) == 1)
    QTest.keyClicks(editors()[0], text)
    QTest.keyClick(editors()[0], Qt.Key.Key_Return)
    await until(lambda: not editors())


async def test_a_row_is_typed_with_the_keyboard(desk: Desk) -> None:
    dialog = await wizard(desk)
    assert dialog.hint.isVisible()
    assert not dialog.delete.isEnabled()
    for reading, litres in (("100", "0"), ("2300,5", "160")):
        QTest.mouseClick(dialog.add, LEFT)
        await typed(dialog, reading)
        QTest.keyClick(dialog.rows, Qt.Key.Key_Right)
        QTest.keyClick(dialog.rows, Qt.Key.Key_F2)
        await typed(dialog, litres)
    assert dialog.rows.numbers() == [[100, 0], [2300.5, 160]]
    assert dialog.save.isEnabled()
    assert dialog.hint.isHidden()
    QTest.mouseClick(dialog.delete, LEFT)
    assert dialog.rows.rowCount() == 1
    QTest.mouseClick(dialog.undo, LEFT)
    assert dialog.rows.rowCount() == 2
    dialog.deleteLater()
