"""Receipts under the fuel page: added and removed by the dispatcher, paired with refuels, the norm beside them."""

from __future__ import annotations

from datetime import UTC, datetime

from PySide6.QtCore import QDateTime
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QLineEdit

from app.fuel.receipts import list_receipts
from dialogs.fuel_receipt import ReceiptForm
from tests.helpers.fuel_desk import LEFT, Desk, desk, opened
from tests.helpers.qt import open_dialog, until

__all__ = ["desk"]


async def show_receipts(desk: Desk) -> None:
    QTest.mouseClick(desk.page.below.tabs.button("receipts"), LEFT)
    await until(lambda: desk.page.receipts.table.model.rows)


def verdicts(desk: Desk) -> list[str]:
    return [row.verdict for row in desk.page.receipts.table.model.rows]


async def add(desk: Desk, litres: str, reference: str, hours_ago: float | None = None) -> None:
    QTest.mouseClick(desk.page.receipts.add, LEFT)
    form = await opened(ReceiptForm)
    assert not form.save.isEnabled()
    form.litres.selectAll()
    QTest.keyClicks(form.litres, litres)
    QTest.keyClicks(form.reference, reference)
    if hours_ago is not None:
        at = datetime.fromtimestamp(desk.now_ms / 1000 - hours_ago * 3600, UTC)
        form.at.setDateTime(QDateTime.fromString(at.strftime("%Y-%m-%d %H:%M"), "yyyy-MM-dd HH:mm"))
    assert form.save.isEnabled()
    QTest.mouseClick(form.save, LEFT)


async def test_a_receipt_is_added_for_a_refuel_and_agrees(desk: Desk) -> None:
    await show_receipts(desk)
    assert verdicts(desk) == ["no_receipt"]
    (row,) = desk.page.receipts.table.model.rows
    desk.page.receipts.table.select_key(row.key)
    await add(desk, "101", "NNPC 4411")  # begins with the time of the chosen refuel
    await until(lambda: verdicts(desk) == ["agrees"])
    (row,) = desk.page.receipts.table.model.rows
    assert (row.receipt_l, row.reference, len(row.events)) == (101, "NNPC 4411", 1)
    assert desk.page.receipts.refuels.text().startswith("Receipts 101 L, sensor 100 L")
    assert desk.page.receipts.norm.text().startswith("Used 0 L")


async def test_one_that_differs_and_one_without_a_refuel_are_told_apart_and_removed(desk: Desk) -> None:
    await show_receipts(desk)
    (row,) = desk.page.receipts.table.model.rows
    desk.page.receipts.table.select_key(row.key)
    await add(desk, "130", "A")
    await until(lambda: verdicts(desk) == ["differs"])
    await add(desk, "55", "B", hours_ago=3)
    await until(lambda: sorted(verdicts(desk)) == ["differs", "no_refuel"])
    lonely = next(row for row in desk.page.receipts.table.model.rows if row.verdict == "no_refuel")
    desk.page.receipts.table.select_key(lonely.key)
    QTest.mouseClick(desk.page.receipts.remove, LEFT)
    await until(lambda: open_dialog() is not None)
    question = open_dialog()
    assert question is not None
    assert any("55.0 L  B" in label.text() for label in question.findChildren(QLabel))
    desk.press("Remove")
    await until(lambda: verdicts(desk) == ["differs"])
    assert [one.reference for one in await desk.read(list_receipts)] == ["A"]


async def test_the_same_receipt_twice_is_refused_in_the_form(desk: Desk) -> None:
    await show_receipts(desk)
    await add(desk, "55", "B", hours_ago=3)
    await until(lambda: "no_refuel" in verdicts(desk))
    await add(desk, "55", "B", hours_ago=3)
    form = await opened(ReceiptForm)
    await until(form.problem.isVisible)
    assert "already" in form.problem.text()
    QTest.keyClicks(form.findChildren(QLineEdit)[-1], "2")
    form.reject()
    await until(lambda: open_dialog() is None)
    assert len(await desk.read(list_receipts)) == 1


async def test_the_table_in_front_is_the_one_that_is_exported(desk: Desk) -> None:
    page = desk.page
    assert page.table() is page.events
    await show_receipts(desk)
    assert page.table() is page.receipts.table
    page.chart.event_chosen.emit(page.events.model.rows[0].id)  # a mark in the chart turns to the events
    assert page.below.tabs.value == "events"
    assert page.panel.isVisible()
