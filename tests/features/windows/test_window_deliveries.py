"""Stories of a dispatcher: a batch is assigned, started and completed by clicking, and the platform's own rows say so.

The whole console with its engine stands over a real platform's PostgreSQL, as its scripts leave it and repaired.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QComboBox
from sqlalchemy import select

from adapters.mod4.simulator import Platform
from app.deliveries.departures import last_check
from app.store.tables import Act, OutboxItem
from dialogs.deliveries.assign import AssignDialog
from dialogs.deliveries.departure import DepartureDialog
from main import Console
from tests.helpers.qt import open_dialog, until
from tests.helpers.window import add_mod4, asked, console_on, stored
from widgets.ask import _Question
from widgets.deliveries.page import DeliveriesPage

LEFT = Qt.MouseButton.LeftButton
WAIT_S = 60.0
REASON = "Fuel looked at by the store keeper"


def click(button: QAbstractButton) -> None:
    QTest.mouseClick(button, LEFT)


def choose_next(box: QComboBox) -> None:
    box.setFocus()
    QTest.keyClick(box, Qt.Key.Key_Down)


async def page_over(console: Console, platform: Platform) -> DeliveriesPage:
    """The page, once the engine has read the platform's batches; every day is shown."""
    await add_mod4(console, platform, changes=True)
    page = console.window.page
    assert isinstance(page, DeliveriesPage)
    page.filters.days.setFocus()
    QTest.keyClick(page.filters.days, Qt.Key.Key_End)
    click(page.stages.button("planned"))
    await until(lambda: page.board.model.rows, WAIT_S)
    return page


async def status(platform: Platform, batch: str) -> tuple[Any, ...]:
    """What the platform's own row says: (status, driver, vehicle)."""
    query = "SELECT status, driver_id, vehicle_id FROM delivery_batches WHERE id = %s::uuid"
    return (await asyncio.to_thread(platform.rows, query, batch))[0]


async def open_first(page: DeliveriesPage) -> tuple[str, str]:
    """Choose the first batch; its id here and at the platform."""
    row = page.board.model.rows[0]
    page.board.table.view.setFocus()
    page.board.table.view.selectRow(0)
    await until(lambda: page.panel.desk is not None and page.panel.desk.batch.id == row.id)
    assert page.panel.desk is not None
    return row.id, page.panel.desk.batch.peer_id


async def assign(console: Console, page: DeliveriesPage, batch_id: str) -> None:
    """Give it the first driver and vehicle that are offered, and wait until the platform has taken them."""
    assert page.panel.desk is not None
    assert page.panel.main.text() == "Assign…"
    assert not page.panel.buttons["start_batch"].isEnabled()
    assert "Assign a driver and a vehicle first" in page.panel.why.text()
    click(page.panel.main)
    dialog = await asked(AssignDialog)
    choose_next(dialog.driver)
    choose_next(dialog.vehicle)
    click(dialog.save)
    await until(lambda: open_dialog() is None)
    click(page.stages.button(""))
    await accepted(console, page, batch_id, "assign_batch")


async def accepted(console: Console, page: DeliveriesPage, batch_id: str, write: str) -> None:
    """Wait until the change is accepted, and the panel says no more that it is only saved here."""
    query = select(OutboxItem.state).where(OutboxItem.record_id == batch_id, OutboxItem.write == write)

    async def state() -> str:
        return str(await stored(console, lambda c: c.execute(query).scalar_one_or_none()))

    async with asyncio.timeout(WAIT_S):
        while await state() not in ("accepted", "refused"):  # noqa: ASYNC110 - the store is asked, nothing tells it
            await asyncio.sleep(0.1)
    assert await state() == "accepted"
    await until(lambda: page.panel.waiting.isHidden() and page.panel.refusal.isHidden(), WAIT_S)


async def override_and_start(page: DeliveriesPage) -> None:
    click(page.panel.main)
    dialog = await asked(DepartureDialog)
    assert dialog.act.text() == "Override and start"
    assert not dialog.act.isEnabled(), "a reason is needed"
    QTest.keyClicks(dialog.reason, REASON)
    click(dialog.act)
    await until(lambda: open_dialog() is None)


async def test_a_batch_is_assigned_started_and_completed_by_clicking(tmp_path: Path, repaired: Platform) -> None:
    async with console_on(tmp_path / "data", page="deliveries") as console:
        page = await page_over(console, repaired)
        batch_id, peer_id = await open_first(page)
        assert (await status(repaired, peer_id))[0] == "planned"
        await assign(console, page, batch_id)
        said, driver, vehicle = await status(repaired, peer_id)
        assert (said, driver is not None, vehicle is not None) == ("assigned", True, True)
        await until(lambda: page.panel.main.text() == "Start…", WAIT_S)
        await override_and_start(page)
        await accepted(console, page, batch_id, "start_batch")
        assert (await status(repaired, peer_id))[0] == "in-progress"
        kept = await stored(console, lambda c: last_check(c, batch_id))
        assert (kept.override_reason, kept.is_ready) == (REASON, False)
        acts = await stored(console, lambda c: list(c.execute(select(Act.what)).scalars()))
        assert {"departure.check", "departure.override"} <= set(acts)
        await until(lambda: page.panel.main.text() == "Complete…", WAIT_S)
        click(page.panel.main)
        question = await asked(_Question)
        click(question.act)
        await accepted(console, page, batch_id, "complete_batch")
        assert (await status(repaired, peer_id))[0] == "completed"
        await until(lambda: page.panel.pill.word == "Completed", WAIT_S)


async def test_what_the_platform_refuses_is_said_in_its_words(tmp_path: Path, as_committed: Platform) -> None:
    async with console_on(tmp_path / "data", page="deliveries") as console:
        page = await page_over(console, as_committed)
        batch_id, peer_id = await open_first(page)
        await assign(console, page, batch_id)
        assert (await status(as_committed, peer_id))[0] == "assigned"
        await until(lambda: page.panel.main.text() == "Start…", WAIT_S)
        await override_and_start(page)
        await until(lambda: not page.panel.refusal.isHidden(), WAIT_S)
        query = select(OutboxItem.last_answer).where(OutboxItem.write == "start_batch")
        answer = await stored(console, lambda c: c.execute(query).scalar_one())
        assert answer
        assert answer in page.panel.refusal.words.text()
        assert (await status(as_committed, peer_id))[0] == "assigned", "nothing was changed there"
