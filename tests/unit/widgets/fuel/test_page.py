"""The dispatcher at the fuel page: levels, chart, events and decisions; tanks, sensors, the calibration wizard."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit
from sqlalchemy import select

from adapters.records import FuelReading, FuelSensorInfo
from app.fuel.calibrations import list_calibrations
from app.fuel.events import list_events
from app.fuel.tanks import list_sensors, list_tanks
from app.store.tables import Act
from dialogs.calibration import CalibrationDialog, Subject, calibrate
from dialogs.fuel_tank_forms import TankForm
from dialogs.fuel_tanks import TanksDialog
from tests.helpers.fuel_desk import LEFT, Desk, desk, opened
from tests.helpers.qt import open_dialog, until
from widgets.stability import Stability

__all__ = ["desk"]


async def test_levels_events_and_their_chart_are_shown(desk: Desk) -> None:
    page = desk.page
    (row,) = page.vehicles.model.rows
    assert (row.plate, row.state, round(row.litres or 0)) == ("KAN-552XA", "fresh", 260)
    assert page.on_board.value.text() == "260 L"
    assert page.drains.value.text() == "1"
    assert [(event.kind, round(event.litres)) for event in page.events.model.rows] == [("refuel", 100), ("drain", 40)]
    assert len(page.chart.chart.lines["raw"].series) > 400
    await until(lambda: page.chart.title.text() == "KAN-552XA")


async def test_an_event_is_marked_false_with_a_reason_and_the_totals_follow(desk: Desk) -> None:
    page = desk.page
    drain = next(event for event in page.events.model.rows if event.kind == "drain")
    page.events.select_key(drain.id)
    assert page.panel.isVisible()
    assert "KAN-552XA" in page.panel.title.text()
    QTest.mouseClick(page.panel.false, LEFT)
    await until(lambda: open_dialog() is not None)
    dialog = open_dialog()
    assert dialog is not None
    (field,) = dialog.findChildren(QLineEdit)
    QTest.keyClicks(field, "parked on a slope")
    desk.press("Mark false")
    await until(lambda: page.panel.shown is not None and page.panel.shown.decision == "false")
    await until(lambda: page.drains.value.text() == "0")
    assert "parked on a slope" in page.panel.figures.text()
    QTest.mouseClick(page.panel.undo, LEFT)
    await until(lambda: page.panel.shown is not None and page.panel.shown.decision == "")
    QTest.mouseClick(page.panel.confirm, LEFT)
    await until(lambda: page.panel.shown is not None and page.panel.shown.decision == "confirmed")
    acts = await desk.read(lambda c: c.execute(select(Act.what)).scalars().all())
    assert list(acts)[-3:] == ["fuel_event.decide"] * 3


async def test_a_mark_of_the_chart_chooses_its_event(desk: Desk) -> None:
    page = desk.page
    refuel = next(event for event in page.events.model.rows if event.kind == "refuel")
    page.chart.event_chosen.emit(refuel.id)
    assert [row.id for row in page.events.selected_rows()] == [refuel.id]
    assert page.panel.shown is not None
    assert page.panel.shown.id == refuel.id
    QTest.mouseClick(page.panel.map, LEFT)
    assert desk.console.opened == [] or desk.console.opened[-1][0] == "map"


async def test_another_span_is_read_anew(desk: Desk) -> None:
    page = desk.page
    QTest.mouseClick(page.chart.spans.button("day"), LEFT)
    await until(lambda: len(page.chart.chart.lines["raw"].series) < 300)
    QTest.mouseClick(page.chart.spans.button("year"), LEFT)
    await until(lambda: len(page.chart.chart.lines["raw"].series) > 400)


async def test_a_waiting_sensor_is_put_into_a_tank_by_keyboard(desk: Desk) -> None:
    page = desk.page
    await desk.arrive(
        FuelSensorInfo("lls:2", "rs485", "counts", "New probe"), FuelReading("lls:2", desk.now_ms, desk.now_ms, 1200)
    )
    await until(lambda: page.waiting.value.text() == "1")
    QTest.mouseClick(page.tanks, LEFT)
    tanks = await opened(TanksDialog)
    await until(tanks.bind.isEnabled)
    assert not tanks.calibrate.isEnabled()
    QTest.mouseClick(tanks.bind, LEFT)
    form = await opened(TankForm)
    assert not form.save.isEnabled()
    QTest.keyClicks(form.plate, "ABJ-1")
    QTest.keyClicks(form.tank, "Right")
    QTest.mouseClick(form.save, LEFT)
    await until(tanks.calibrate.isEnabled)
    QTest.mouseClick(tanks.close_button, LEFT)
    sensors = {sensor.unique_id: sensor for sensor in await desk.read(list_sensors)}
    assert (sensors["lls:2"].plate, sensors["lls:2"].tank) == ("ABJ-1", "Right")
    await until(lambda: page.waiting.value.text() == "0")


async def test_a_tank_is_poured_step_by_step_with_undo_and_saved(desk: Desk) -> None:
    sensor = (await desk.read(list_sensors))[0]
    (tank,) = await desk.read(list_tanks)
    task = desk.console.tasks.start(calibrate(desk.console.context, desk.page, sensor, tank), name="wizard", owner=desk)
    dialog = await opened(CalibrationDialog)
    assert dialog.rows.numbers() == [[0, 0], [4000, 400]]  # the version that holds now
    dialog.rows.selectAll()
    QTest.mouseClick(dialog.delete, LEFT)
    assert not dialog.save.isEnabled()
    dialog.poured.setValue(10)
    for reading in (100.0, 600.0, 590.0):
        dialog.stability.restart()
        for second in range(40):
            dialog.show_reading(desk.console.context.services.clock.now_ms() / 1000 - 39 + second, reading)
        assert dialog.light.word == "Stable"
        QTest.mouseClick(dialog.take, LEFT)
    assert "Row 3" in dialog.problem.text()
    assert not dialog.save.isEnabled()
    QTest.mouseClick(dialog.undo, LEFT)
    assert dialog.rows.numbers() == [[100, 10], [600, 30]]
    assert dialog.save.isEnabled()
    QTest.keyClicks(dialog.note, "by can")
    QTest.mouseClick(dialog.save, LEFT)
    await task
    newest = (await desk.read(lambda c: list_calibrations(c, tank.id)))[-1]
    assert (newest.version, newest.table.rows(), newest.note) == (2, [[100, 10], [600, 30]], "by can")


async def test_a_table_comes_from_a_file_or_from_the_tanks_dimensions(desk: Desk, tmp_path: Path) -> None:
    sensor = (await desk.read(list_sensors))[0]
    (tank,) = await desk.read(list_tanks)
    dialog = CalibrationDialog(
        desk.console.context, desk.page, Subject(sensor.label, sensor.unit, sensor.id), tank, None
    )
    QTest.mouseClick(dialog.ways.button("shape"), LEFT)
    QTest.mouseClick(dialog.fill, LEFT)
    assert len(dialog.rows.numbers()) == 21
    assert abs(dialog.rows.numbers()[-1][1] - 339.3) < 0.2
    dialog.height_cm.setValue(0)
    QTest.mouseClick(dialog.fill, LEFT)
    assert "height" in dialog.problem.text()
    item = dialog.rows.item(3, 1)
    assert item is not None
    item.setText("x")
    assert "Row 4" in dialog.problem.text()
    assert not dialog.save.isEnabled()
    dialog.deleteLater()


def test_stable_means_half_a_minute_within_a_fraction_of_the_scale() -> None:
    light = Stability(4095)
    for second in range(29):
        light.add(second, 1000 + second % 3)
    assert not light.is_stable
    light.add(31, 1001)
    assert (light.is_stable, light.value) == (True, 1001)
    light.add(32, 1100)
    assert (light.is_stable, light.value) == (False, 1001)


async def test_provisional_news_reach_the_list_by_themselves(desk: Desk) -> None:
    page = desk.page
    later = [
        FuelReading("lls:1", desk.now_ms + number * 60_000, desk.now_ms + number * 60_000, 2600 - min(number, 10) * 40)
        for number in range(1, 40)
    ]
    desk.now_ms += 40 * 60_000
    await desk.arrive(*later)
    await until(lambda: page.drains.value.text() == "2")
    events = await desk.read(list_events)
    assert round(events[0].litres) == 40


def test_a_time_without_litres_says_why_and_what_next(desk: Desk) -> None:
    card = desk.page.chart
    shown = desk.page._shown
    assert shown is not None
    data = replace(shown, readings=0, uncalibrated=("Left <b>probe</b>",))
    card.show_chart(data, "KAN-552XA", keep_span=False)
    assert card.empty.isVisible()
    assert card.empty.text.text().startswith("Left <b>probe</b>: a sensor gives litres once it is calibrated")
    assert card.warning.isHidden()
    card.show_chart(replace(data, uncalibrated=()), "KAN-552XA", keep_span=False)
    assert "No sensor of this vehicle was heard" in card.empty.text.text()
    card.show_chart(replace(data, readings=400), "KAN-552XA", keep_span=False)
    assert card.chart.isVisible()
    assert card.warning.words.text() == "Not calibrated for a time: Left <b>probe</b>."
