"""Fuel values out of trackers' messages under a window: suggested, tried, added, changed, removed."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel

from adapters.records import Batch
from app.fleet.devices import adopt
from app.fuel.mappings import Reading, describe_mappings
from app.fuel.tanks import list_tanks
from app.fuel.telematics import TelematicsFollower
from dialogs.fuel_mapping_form import MappingForm
from dialogs.fuel_mappings import MappingsDialog, how_words
from tests.helpers.fleet import IMEI, OTHER_IMEI, a_position, add_integration
from tests.helpers.fuel_desk import LEFT, Desk, desk, opened
from tests.helpers.qt import open_dialog, until

__all__ = ["desk"]
MINUTE_MS = 60_000


async def tell(desk: Desk, device: str, **attributes: list[Any]) -> None:
    """Positions of the last minutes, one a minute, that carry these values."""
    count = max(map(len, attributes.values()))
    records = []
    for at in range(count):
        at_ms = desk.now_ms - (count - at) * MINUTE_MS
        told = {name: values[at] for name, values in attributes.items()}
        records.append(a_position(device, at_ms, received_at_ms=at_ms, attributes=told))
    await desk.write(lambda c: desk.sink.ingest(c, "gt02-1", [Batch(tuple(records))], desk.now_ms))


@pytest_asyncio.fixture
async def tracked(desk: Desk) -> Desk:
    """The desk with one tracker on its vehicle, and one that waits."""
    await asyncio.to_thread(add_integration, desk.console.store)
    await tell(desk, IMEI, fuelLevel=[80, 79, 10, 78], adc1=[1.5, 1.4, 1.3, 1.2], ignition=[True, True, False, True])
    await tell(desk, OTHER_IMEI, battery=[4, 4])
    await desk.write(lambda c: adopt(c, IMEI, "KAN-552XA"))
    return desk


async def follow(desk: Desk) -> None:
    def run() -> None:
        follower = TelematicsFollower()
        while follower.step(desk.console.store, desk.now_ms) is not None:
            pass

    await asyncio.to_thread(run)


async def open_list(desk: Desk) -> MappingsDialog:
    QTest.mouseClick(desk.page.mappings, LEFT)
    return await opened(MappingsDialog)


async def test_a_value_that_was_seen_is_added_to_the_vehicles_tank(tracked: Desk) -> None:
    dialog = await open_list(tracked)
    assert not dialog.edit.isEnabled()
    QTest.mouseClick(dialog.add, LEFT)
    form = await opened(MappingForm)
    await until(form.attribute.text)
    assert "KAN-552XA" in form.tracker.currentText()
    assert [row.attribute for row in form.seen.model.rows] == ["fuelLevel", "adc1"]
    assert (form.attribute.text(), form.unit.currentData()) == ("fuelLevel", "percent")
    assert form.tank.currentText() == "KAN-552XA, Main"
    assert "Now 78.0 %, from 78.00" in form.meaning.words.text()
    assert "capacity or a calibration" in form.meaning.words.text()
    form.median.setFocus()
    QTest.keyClick(form.median, Qt.Key.Key_Up)
    QTest.keyClick(form.median, Qt.Key.Key_Up)
    form.ignition.setFocus()
    QTest.keyClick(form.ignition, Qt.Key.Key_Space)
    assert "of the newest 3" in form.median.text()
    assert "Now 79.0 %" in form.meaning.words.text()
    assert "3 messages" in form.meaning.words.text()
    QTest.mouseClick(form.save, LEFT)
    await until(lambda: dialog.table.model.rows)
    (row,) = await tracked.read(describe_mappings)
    assert (row.plate, row.tank, row.unit) == ("KAN-552XA", "Main", "percent")
    assert row.reading == Reading("fuelLevel", median=3, ignition_only=True)
    await follow(tracked)
    await until(lambda: dialog.table.model.rows[0].last_value == 79)  # the list follows the store
    QTest.mouseClick(dialog.shut, LEFT)


async def test_a_value_is_chosen_from_the_list_changed_and_removed(tracked: Desk) -> None:
    dialog = await open_list(tracked)
    QTest.mouseClick(dialog.add, LEFT)
    form = await opened(MappingForm)
    await until(form.attribute.text)
    form.seen.view.setFocus()
    QTest.keyClick(form.seen.view, Qt.Key.Key_Down)
    assert (form.attribute.text(), form.unit.currentData()) == ("adc1", "volts")
    QTest.mouseClick(form.save, LEFT)
    await until(lambda: dialog.table.model.rows)
    dialog.table.select_key(dialog.table.model.rows[0].sensor_id)
    QTest.mouseClick(dialog.edit, LEFT)
    await until(lambda: any(one is not form for one in form_windows()))
    form = next(one for one in form_windows() if one is not form)
    assert not form.attribute.isEnabled()
    form.scale.selectAll()
    QTest.keyClicks(form.scale, "0")
    assert not form.save.isEnabled()
    assert "must not be 0" in form.problem.text()
    form.scale.clear()
    QTest.keyClicks(form.scale, "2,5")
    await until(lambda: "from 1.20" in form.meaning.words.text())
    assert "Now 3.00 V" in form.meaning.words.text()
    QTest.mouseClick(form.save, LEFT)
    await until(lambda: dialog.table.model.rows[0].reading.scale == 2.5)
    assert how_words(dialog.table.model.rows[0].reading) == "× 2.5"
    QTest.mouseClick(dialog.remove, LEFT)
    await until(lambda: said("Measures: KAN-552XA, Main"))
    tracked.press("Remove the value")
    await until(lambda: not dialog.table.model.rows)
    assert await tracked.read(describe_mappings) == []
    QTest.mouseClick(dialog.shut, LEFT)


async def test_another_tracker_another_attribute_and_a_refusal_that_loses_nothing(tracked: Desk) -> None:
    dialog = await open_list(tracked)
    for attempt in range(2):
        QTest.mouseClick(dialog.add, LEFT)
        await until(form_windows)
        form = form_windows()[0]
        await until(form.attribute.text)
        form.tracker.setFocus()
        QTest.keyClick(form.tracker, Qt.Key.Key_Down)
        await until(partial(shows, form, "battery"))
        assert form.attribute.text() == ""  # nothing says that a battery is fuel
        assert not form.save.isEnabled()
        assert form.tank.currentText() == "None yet, it waits"
        QTest.keyClicks(form.attribute, "tank_level")
        assert "No stored message" in form.meaning.words.text()
        form.tank.setCurrentIndex(form.tank.findText("KAN-552XA, Main"))
        QTest.mouseClick(form.save, LEFT)
        if attempt:
            await until(form.problem.isVisible)
            assert "already" in form.problem.text()
            assert form.save.isEnabled()
            QTest.mouseClick(form.cancel, LEFT)
        await until(lambda: not form_windows())
    (row,) = await tracked.read(describe_mappings)
    assert (row.device, row.reading.attribute, row.plate) == (OTHER_IMEI, "tank_level", "KAN-552XA")
    assert len(await tracked.read(list_tanks)) == 1
    QTest.mouseClick(dialog.shut, LEFT)


def shows(form: MappingForm, *attributes: str) -> bool:
    return tuple(row.attribute for row in form.seen.model.rows) == attributes


def form_windows() -> list[MappingForm]:
    return [one for one in QApplication.topLevelWidgets() if isinstance(one, MappingForm) and one.isVisible()]


def said(text: str) -> bool:
    dialog = open_dialog()
    return dialog is not None and any(text in label.text() for label in dialog.findChildren(QLabel))
