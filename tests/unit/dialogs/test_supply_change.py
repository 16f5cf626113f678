"""Changing a supply record in the window: what may be changed, its effect confirmed, refusals at their field."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QDialog, QLineEdit
from sqlalchemy import select, update

from app.store.tables import OutboxItem, ShipmentRow
from dialogs.supply.change import ChangeDialog, change_record
from tests.helpers.qt import Console, until
from tests.helpers.sync_page import SyncDesk, sync_desk

LEFT = Qt.MouseButton.LeftButton


@pytest_asyncio.fixture
async def desk(console: Console) -> AsyncIterator[SyncDesk]:
    async with sync_desk(console) as made:
        yield made


async def opened(desk: SyncDesk, record: str, record_id: str) -> tuple[ChangeDialog, asyncio.Task[bool]]:
    task = asyncio.get_running_loop().create_task(change_record(desk.console.context, desk.page, record, record_id))
    return await desk.dialog(ChangeDialog), task


def items(desk: SyncDesk) -> list[object]:
    with desk.console.store.read() as connection:
        return [dict(values) for values in connection.execute(select(OutboxItem.__table__.c["values"])).scalars()]


async def test_details_of_a_shipment(desk: SyncDesk) -> None:
    dialog, task = await opened(desk, "shipment", "ship-0")
    assert [dialog.which.itemText(at) for at in range(dialog.which.count())] == [
        "Details of a shipment",
        "Step of a shipment",
    ]
    assert dialog.effect.isHidden()
    reference, hold = dialog.editors["transport_reference"], dialog.editors["is_on_hold"]
    day = dialog.editors["expected_on"]
    assert isinstance(reference, QLineEdit)
    assert isinstance(hold, QCheckBox)
    QTest.keyClicks(reference, "ABC-123, trip 77")
    QTest.keyClicks(day, "2026-13-01")
    hold.click()
    QTest.mouseClick(dialog.save, LEFT)
    await until(dialog.problem.isVisible)
    assert "is no date" in dialog.problem.text()
    assert day.property("invalid") == "true"
    assert isinstance(day, QLineEdit)
    day.selectAll()
    QTest.keyClicks(day, "2026-12-01")
    QTest.mouseClick(dialog.save, LEFT)
    assert await task is True
    assert items(desk) == [{"transport_reference": "ABC-123, trip 77", "expected_on": "2026-12-01", "is_on_hold": True}]


async def test_a_step_with_an_effect_is_confirmed(desk: SyncDesk) -> None:
    dialog, task = await opened(desk, "shipment", "ship-0")
    dialog.which.setCurrentIndex(1)
    assert "books the stock out" in dialog.effect.words.text()
    stage = dialog.editors["stage"]
    assert isinstance(stage, QComboBox)
    stage.setCurrentIndex(stage.findData("picked"))
    await _answer(dialog, "cancel")
    await until(lambda: _dialogs() == [dialog])
    assert items(desk) == []
    await until(dialog.save.isEnabled)
    await _answer(dialog, "act")
    assert await task is True
    assert items(desk) == [{"stage": "picked"}]


async def _answer(dialog: ChangeDialog, button: str) -> None:
    """Press Save and answer the question that follows."""
    QTest.mouseClick(dialog.save, LEFT)
    await until(lambda: len(_dialogs()) == 2)
    question = next(one for one in _dialogs() if one is not dialog)
    QTest.mouseClick(getattr(question, button), LEFT)


def _dialogs() -> list[QDialog]:
    return [one for one in QApplication.topLevelWidgets() if isinstance(one, QDialog) and one.isVisible()]


async def test_what_cannot_be_changed_says_why(desk: SyncDesk) -> None:
    context = desk.console.context
    assert await change_record(context, desk.page, "shipment_line", "sline-0") is False
    assert "is switched off for Zonal mSupply" in desk.console.notes[-1][1]
    desk.write(lambda connection: connection.execute(update(ShipmentRow).values(stage="verified")))
    dialog, task = await opened(desk, "shipment", "ship-0")
    assert dialog.which.count() == 1
    QTest.mouseClick(dialog.cancel, LEFT)
    assert await task is False
    assert items(desk) == []
