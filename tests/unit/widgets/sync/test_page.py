"""The operator at the page Sync: looking, sending again, setting aside, deciding, taking back."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog
from sqlalchemy import select

from app.clock import utc_now
from app.store.tables import ConflictRow, RequisitionLineRow, StreamState
from app.sync.seal import OutboxSeal
from dialogs.supply.change import ChangeDialog
from tests.helpers.qt import Console, open_dialog, until
from tests.helpers.sync_page import SyncDesk, fill_everything, sync_desk
from widgets.sync.words import RULE_WORDS

LEFT = Qt.MouseButton.LeftButton


@pytest_asyncio.fixture
async def desk(console: Console) -> AsyncIterator[SyncDesk]:
    async with sync_desk(console) as made:
        yield made


def titles(desk: SyncDesk) -> list[str]:
    return [row.state for row in desk.page.outbox.table.model.rows]


async def test_counters_are_those_of_the_lists(desk: SyncDesk) -> None:
    fill_everything(desk)
    labels = desk.page.tabs
    await until(lambda: labels.button("conflicts").text() == "Conflicts  2")
    assert labels.button("outbox").text() == f"Outbox  {len(desk.page.outbox.table.model.rows)}"
    assert labels.button("refused").text() == "Refused  1"
    QTest.mouseClick(labels.button("refused"), LEFT)
    await until(lambda: len(desk.page.refused.table.model.rows) == 1)
    QTest.mouseClick(labels.button("streams"), LEFT)
    await until(lambda: len(desk.page.streams.table.model.rows) == 4)


async def test_the_empty_page_says_that_everything_is_accepted(desk: SyncDesk) -> None:
    assert desk.page.outbox.table._empty.title.text() == "Everything is accepted"
    assert desk.page.outbox.shown.isHidden()
    assert desk.page.trouble.isHidden()


async def test_one_change_shows_three_facts_and_never_more_than_is_true(desk: SyncDesk) -> None:
    made = fill_everything(desk)
    await until(lambda: len(titles(desk)) == 7)
    panel = desk.page.outbox.panel

    def steps() -> list[tuple[str, str]]:
        return [(step.dot.level, step.word.text()) for step in panel.steps.values()]

    desk.page.outbox.select(made["waiting"])
    assert steps() == [("ok", "Saved here"), ("neutral", "Not sent"), ("neutral", "Not accepted yet")]
    desk.page.outbox.select(made["doubtful"])
    assert steps() == [("ok", "Saved here"), ("warn", "Sent"), ("neutral", "Not accepted yet")]
    assert panel.buttons["cancel"].isHidden(), "it may be applied already"
    desk.page.outbox.select(made["refused"])
    assert steps() == [("ok", "Saved here"), ("ok", "Sent"), ("error", "Refused by Zonal mSupply")]
    assert "no stock allocated" in panel.refusal.words.text()
    desk.page.outbox.states.setCurrentIndex(desk.page.outbox.states.findData("accepted"))
    await until(lambda: titles(desk) == ["accepted"])
    desk.page.outbox.select(made["accepted"])
    assert [level for level, _word in steps()] == ["ok", "ok", "ok"]


async def test_a_refused_change_is_sent_again_set_aside_and_restored(desk: SyncDesk) -> None:
    item = desk.change("requisition_line", "line-0-0", supply_units=30)
    desk.set_state(item, state="refused", tries=1, last_answer="No.")
    await until(lambda: titles(desk) == ["refused"])
    desk.page.outbox.select(item)
    panel = desk.page.outbox.panel
    QTest.mouseClick(panel.buttons["retry"], LEFT)
    await until(lambda: panel.pill.word == "Saved here")
    QTest.mouseClick(panel.buttons["set_aside"], LEFT)
    await until(lambda: panel.pill.word == "Set aside")
    QTest.mouseClick(panel.buttons["restore"], LEFT)
    await until(lambda: panel.pill.word == "Saved here")
    QTest.mouseClick(panel.buttons["pause"], LEFT)
    await until(lambda: panel.pill.word == "Paused")
    QTest.mouseClick(panel.buttons["resume"], LEFT)
    await until(lambda: panel.pill.word == "Saved here")
    assert ("ok", "1 change is set aside; it can be restored.") in desk.console.notes


async def test_cancelling_names_what_is_lost(desk: SyncDesk) -> None:
    item = desk.change("requisition_line", "line-0-0", supply_units=30)
    await until(lambda: titles(desk) == ["waiting"])
    desk.page.outbox.select(item)
    QTest.mouseClick(desk.page.outbox.panel.buttons["cancel"], LEFT)
    dialog = await desk.dialog(QDialog)
    QTest.mouseClick(dialog.act, LEFT)  # type: ignore[attr-defined]
    await until(lambda: titles(desk) == [])
    assert desk.item(item).state == "cancelled"


async def test_many_are_paused_at_once(desk: SyncDesk) -> None:
    items = [desk.change("requisition_line", f"line-{n}-0", supply_units=30) for n in range(3)]
    await until(lambda: len(titles(desk)) == 3)
    desk.page.outbox.table.view.selectAll()
    assert desk.page.outbox.chosen.text() == "3 changes chosen"
    QTest.mouseClick(desk.page.outbox.many["pause"], LEFT)
    await until(lambda: all(desk.item(item).is_paused for item in items))


async def test_bulk_replay_shows_its_number_first(desk: SyncDesk) -> None:
    items = [desk.change("requisition_line", f"line-{n}-0", supply_units=30) for n in range(3)]
    for item in items[:2]:
        desk.set_state(item, state="refused")
    await until(lambda: titles(desk) == ["refused", "refused", "waiting"])
    QTest.mouseClick(desk.page.outbox.replay, LEFT)
    dialog = await desk.dialog(QDialog)
    assert dialog.act.text() == "Send 2 changes"  # type: ignore[attr-defined]
    QTest.mouseClick(dialog.act, LEFT)  # type: ignore[attr-defined]
    await until(lambda: titles(desk) == ["waiting"] * 3)


async def test_a_search_filters_in_the_store_and_the_foot_counts_it(desk: SyncDesk) -> None:
    fill_everything(desk)
    await until(lambda: len(titles(desk)) == 7)
    QTest.keyClicks(desk.page.outbox.search, "allocated")
    await until(lambda: titles(desk) == ["refused"])
    assert desk.page.outbox.shown.text() == "1 change"


async def test_a_conflict_is_decided_and_taken_back(desk: SyncDesk) -> None:
    item = desk.change("requisition_line", "line-0-0", supply_units=30)
    desk.download("requisition_line", "line-0-0", supply_units=(10.0, 25.0))
    await until(lambda: titles(desk) == ["conflict"])
    desk.page.outbox.select(item)
    QTest.mouseClick(desk.page.outbox.panel.buttons["decide"], LEFT)
    compare = desk.page.conflicts.compare
    await until(lambda: compare.row is not None)
    assert [compare.values["supply_units", side].text() for side in ("base", "ours", "theirs")] == ["10", "30", "25"]
    assert compare.keep["both"].isHidden()
    QTest.mouseClick(compare.keep["theirs"], LEFT)
    await until(lambda: compare.row is not None and not compare.row.is_open)
    assert compare.pill.word == "Theirs kept"
    assert desk.item(item).state == "cancelled"
    QTest.mouseClick(compare.undo, LEFT)
    await until(lambda: compare.row is not None and compare.row.is_open)
    assert desk.item(item).state == "conflict"
    QTest.mouseClick(compare.keep["merge"], LEFT)
    edit = compare.merged["supply_units"]
    assert edit.isVisible()
    edit.selectAll()
    QTest.keyClicks(edit, "-5")
    QTest.mouseClick(compare.use, LEFT)
    await until(compare.problem.isVisible)
    assert "less than 0" in compare.problem.text()
    edit.selectAll()
    QTest.keyClicks(edit, "28")
    QTest.keyClick(edit, Qt.Key.Key_Return)
    await until(lambda: compare.row is not None and compare.row.kept == "merge")
    assert desk.item(item).values == {"supply_units": 28.0}


async def test_texts_of_both_are_kept(desk: SyncDesk) -> None:
    desk.change("shipment", "ship-0", comment="cold")
    desk.download("shipment", "ship-0", comment=("", "call first"))
    QTest.mouseClick(desk.page.tabs.button("conflicts"), LEFT)
    compare = desk.page.conflicts.compare
    await until(lambda: compare.row is not None)
    QTest.mouseClick(compare.keep["both"], LEFT)
    await until(lambda: compare.row is not None and compare.row.kept == "both")
    with desk.console.store.read() as connection:
        chosen = connection.execute(select(ConflictRow.chosen)).scalar_one()
    assert chosen == {"comment": "call first / cold"}


async def test_a_store_in_doubt_is_confirmed_here(desk: SyncDesk) -> None:
    item = desk.change("shipment", "ship-0", comment="cold")
    seal = OutboxSeal(desk.console.store)
    assert seal.verify(utc_now()) == ""
    next(desk.console.paths.data_dir.glob("*.outbox.json")).unlink()
    seal.verify(utc_now())
    await until(desk.page.trouble.isVisible)
    assert "Nothing is sent until you say" in desk.page.trouble.words.text()
    QTest.mouseClick(desk.page.confirm, LEFT)
    dialog = await desk.dialog(QDialog)
    QTest.mouseClick(dialog.act, LEFT)  # type: ignore[attr-defined]
    await until(desk.page.trouble.isHidden)
    assert desk.item(item).state == "doubtful"


async def test_a_rule_is_chosen_for_a_stream(desk: SyncDesk) -> None:
    fill_everything(desk)
    QTest.mouseClick(desk.page.tabs.button("streams"), LEFT)
    await until(lambda: len(desk.page.streams.table.model.rows) == 4)
    row = next(row for row in desk.page.streams.table.model.rows if row.stream == "requisitions")
    menu = desk.page.streams.menu_of(row)
    ours = next(action for action in menu.actions() if action.text().endswith(RULE_WORDS["ours"].lower()))
    ours.trigger()
    menu.deleteLater()
    await until(lambda: _rule(desk) == "ours")


def _rule(desk: SyncDesk) -> str:
    with desk.console.store.read() as connection:
        query = select(StreamState.both).where(StreamState.stream == "requisitions")
        return connection.execute(query).scalar_one()


async def test_a_value_is_changed_by_typing(desk: SyncDesk) -> None:
    item = desk.change("requisition_line", "line-0-0", supply_units=30)
    await until(lambda: titles(desk) == ["waiting"])
    desk.page.outbox.select(item)
    QTest.mouseClick(desk.page.outbox.panel.buttons["change"], LEFT)
    dialog = await desk.dialog(ChangeDialog)
    edit = dialog.editors["supply_units"]
    assert edit.text() == "30"  # type: ignore[attr-defined]
    assert not dialog.save.isEnabled()
    edit.selectAll()  # type: ignore[attr-defined]
    QTest.keyClicks(edit, "many")
    QTest.mouseClick(dialog.save, LEFT)
    await until(dialog.problem.isVisible)
    assert "is no number" in dialog.problem.text()
    edit.selectAll()  # type: ignore[attr-defined]
    QTest.keyClicks(edit, "35")
    QTest.keyClick(edit, Qt.Key.Key_Return)
    await until(lambda: open_dialog() is None)
    await until(lambda: desk.item(item).values == {"supply_units": 35.0})
    with desk.console.store.read() as connection:
        pending = select(RequisitionLineRow.pending).where(RequisitionLineRow.id == "line-0-0")
        assert connection.execute(pending).scalar_one() == {"supply_units": 35.0}
    assert desk.console.notes[-1][1].endswith("is saved here and waits to be sent.")


async def test_a_hundred_thousand_are_not_all_read(desk: SyncDesk) -> None:
    desk.page.outbox.limit = 2
    fill_everything(desk)
    await until(lambda: len(titles(desk)) == 2)
    assert desk.page.outbox.shown.text() == "2 of 7 changes"
    QTest.mouseClick(desk.page.outbox.more, LEFT)
    await until(lambda: len(titles(desk)) == 7)
    assert desk.page.outbox.more.isHidden()
