"""The dispatcher at the page of deliveries: looking, narrowing, assigning, checking, starting, cancelling, proofs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QMenu
from sqlalchemy import select, update

from app.deliveries import acts
from app.deliveries.departures import last_check
from app.store.changes import raise_topic
from app.store.tables import Act, DispatchRunRow, DriverRow, OutboxItem
from dialogs.deliveries.assign import AssignDialog
from dialogs.deliveries.departure import DepartureDialog
from dialogs.deliveries.reason import ReasonDialog
from tests.helpers.deliveries_page import DeliveriesDesk, deliveries_desk, deliveries_page, row_id
from tests.helpers.dispatch import Depot, a_driver
from tests.helpers.fleet import rows_of
from tests.helpers.qt import Console, ExpectedLogs, open_dialog, until
from widgets.deliveries import words
from widgets.deliveries.palette import delivery_entries
from widgets.export import Sheet

LEFT = Qt.MouseButton.LeftButton
ORDER = ["Bwari north", "Kubwa morning", "Karu", "Nyanya", "Zuba"]


@pytest_asyncio.fixture
async def desk(console: Console) -> AsyncIterator[DeliveriesDesk]:
    async with deliveries_desk(console) as made:
        days = made.page.filters.days
        days.setCurrentIndex(days.findData(words.EVERY))
        await until(lambda: made.shown() == ORDER)
        yield made
        await until(lambda: open_dialog() is None)


def depot_of(desk: DeliveriesDesk) -> Depot:
    assert desk.depot is not None
    return desk.depot


def click(button: QAbstractButton) -> None:
    QTest.mouseClick(button, LEFT)


def states(desk: DeliveriesDesk) -> list[str]:
    with desk.console.store.read() as connection:
        return list(connection.execute(select(OutboxItem.write).order_by(OutboxItem.seq)).scalars())


async def test_an_empty_page_says_what_to_do(console: Console) -> None:
    async with deliveries_page(console) as page:
        assert page.board.table._empty.title.text() == "Nothing matches"
        page.filters.days.setCurrentIndex(page.filters.days.findData(words.EVERY))
        await until(lambda: page.board.table._empty.title.text() == "No batches yet")
        assert "Add the driver platform" in page.board.table._empty.text.text()


async def test_the_board_shows_what_a_dispatcher_looks_for(desk: DeliveriesDesk) -> None:
    sheet: Sheet = desk.page.board.table.sheet()
    shown = [dict(zip(sheet.headings, row, strict=True)) for row in sheet.rows]
    going = next(row for row in shown if row["Batch"] == "Bwari north")
    assert (going["State"], going["Driver"], going["Stops"], going["Next stop"]) == (
        "In progress", "Musa drv-1", "1/3", "Clinic 2",
    )  # fmt: skip
    assert "late" in str(going["Against plan"])
    assert going["To look at"] == "2 gaps"
    done = next(row for row in shown if row["Batch"] == "Nyanya")
    assert done["To look at"] == "1 doubtful proof, 1 stop missed"
    assert desk.page.stages.button("in_progress").text() == "In progress  1"
    assert desk.page.stages.button("").text() == "All  5"


async def test_states_search_and_filters_narrow_the_list_and_the_numbers(desk: DeliveriesDesk) -> None:
    page = desk.page
    click(page.stages.button("planned"))
    await until(lambda: desk.shown() == ["Karu"])
    assert page.stages.button("").text() == "All  5", "the numbers say what the other states hold"
    click(page.stages.button(""))
    QTest.keyClicks(page.search, "musa")
    await until(lambda: desk.shown() == ["Bwari north", "Kubwa morning", "Nyanya"])
    await until(lambda: page.stages.button("").text() == "All  3")
    page.search.clear()
    page.filters.vehicles.setCurrentIndex(page.filters.vehicles.findText("ABJ 214 KT"))
    await until(lambda: desk.shown() == [])


async def test_a_batch_is_assigned_and_shown_as_saved_here(desk: DeliveriesDesk) -> None:
    panel = desk.page.panel
    await desk.choose(row_id(depot_of(desk), "batch-3"))
    assert panel.main.text() == "Assign…"
    assert not panel.buttons["start_batch"].isEnabled()
    assert "no driver and no vehicle" in panel.why.text()
    click(panel.main)
    dialog = await desk.dialog(AssignDialog)
    names = [dialog.driver.itemText(at) for at in range(dialog.driver.count())]
    assert names[-1] == "Emeka Obi – not available", "those who cannot leave stand below"
    assert not dialog.save.isEnabled()
    dialog.driver.setCurrentIndex(dialog.driver.findText("Emeka Obi – not available"))
    assert "No login belongs to this driver" in dialog.driver_state.text()
    assert "licence expired" in dialog.driver_state.text()
    dialog.driver.setCurrentIndex(dialog.driver.findText("Hauwa Garba – available"))
    dialog.vehicle.setCurrentIndex(1)
    click(dialog.save)
    await until(lambda: not panel.waiting.isHidden())
    assert "1 change is saved here and not accepted" in panel.waiting.words.text()
    assert (panel.pill.word, panel.facts.text("driver")) == ("Assigned", "Hauwa Garba")
    assert panel.subtitle.text() == "mod4-1 · high · there still “planned”"
    assert desk.told("is saved here and waits to be sent")
    assert states(desk) == ["assign_batch"]


async def test_a_refusal_of_the_platform_is_shown_in_its_words(desk: DeliveriesDesk) -> None:
    batch = row_id(depot_of(desk), "batch-2")
    depot_of(desk).do(acts.start_batch, batch)
    await desk.choose(batch)
    await until(lambda: not desk.page.panel.waiting.isHidden())

    def refuse(connection: object) -> None:
        version = raise_topic(connection, "outbox")  # type: ignore[arg-type]
        values = {"state": "refused", "last_answer": "Batch is locked by Aisha.", "changed_version": version}
        connection.execute(update(OutboxItem).values(**values))  # type: ignore[attr-defined]

    depot_of(desk).write(refuse)
    panel = desk.page.panel
    await until(lambda: not panel.refusal.isHidden())
    assert panel.refusal.words.text() == "Batch is locked by Aisha."
    assert panel.waiting.isHidden()
    click(panel.open_sync)
    assert desk.console.opened == [("sync", {"tab": "refused"})]


async def test_the_start_asks_for_the_check_and_keeps_the_reason(desk: DeliveriesDesk) -> None:
    batch = row_id(depot_of(desk), "batch-2")
    await desk.choose(batch)
    assert desk.page.panel.facts.text("check") == "not done"
    click(desk.page.panel.main)
    dialog = await desk.dialog(DepartureDialog)
    assert "frozen from then on" in dialog.effect.words.text()
    assert {finding.check for finding in dialog.findings if finding.ok} == {"driver", "phone", "licence", "tracker"}
    QTest.keyClicks(dialog.reason, "Too short")
    assert not dialog.act.isEnabled()
    QTest.keyClicks(dialog.reason, ", the gauge says half")
    click(dialog.act)
    await until(lambda: "overridden" in desk.page.panel.facts.text("check"))
    kept = depot_of(desk).ask(last_check, batch)
    assert kept is not None
    assert kept.override_reason == "Too short, the gauge says half"
    assert states(desk) == ["start_batch"]
    assert desk.page.panel.pill.word == "In progress"


async def test_a_check_is_kept_without_a_start(desk: DeliveriesDesk) -> None:
    batch = row_id(depot_of(desk), "batch-2")
    await desk.choose(batch)
    click(desk.page.panel.buttons["check"])
    dialog = await desk.dialog(DepartureDialog)
    click(dialog.again)
    click(dialog.keep)
    await until(lambda: desk.page.panel.facts.text("check").startswith("not in order"))
    assert states(desk) == []
    await until(lambda: words.marks(desk.page.board.model.rows[1]) == ["check not in order"])


async def test_a_batch_is_cancelled_with_a_reason(desk: DeliveriesDesk) -> None:
    await desk.choose(row_id(depot_of(desk), "batch-3"))
    click(desk.page.panel.buttons["cancel_batch"])
    dialog = await desk.dialog(ReasonDialog)
    assert "ready for dispatch again" in " ".join(label for label in _labels(dialog))
    assert not dialog.act.isEnabled()
    QTest.keyClicks(dialog.field, "The clinic is closed")
    click(dialog.act)
    await until(lambda: desk.page.panel.pill.word == "Cancelled")
    reasons = [act.after for act in rows_of(desk.console.store, Act) if act.what == "batch.cancel_reason"]
    assert reasons == [{"reason": "The clinic is closed"}]


def _labels(dialog: ReasonDialog) -> list[str]:
    return [label.text() for label in dialog.findChildren(QLabel)]


async def test_a_run_goes_by_the_rules_and_one_is_open_at_a_time(desk: DeliveriesDesk) -> None:
    panel = desk.page.panel
    await desk.choose(row_id(depot_of(desk), "batch-2"))
    (run,) = panel.runs
    assert set(run.buttons) == {"dispatch_run", "cancel_run"}
    click(panel.buttons["new_run"])
    click((await desk.dialog(ReasonDialog)).act)
    await until(lambda: desk.told("has a departure under way"))
    await until(lambda: open_dialog() is None)
    click(run.buttons["dispatch_run"])
    await until(lambda: panel.runs[0].pill.word == "Dispatched")
    assert states(desk) == ["dispatch_run"]
    assert depot_of(desk).id_of(DispatchRunRow, "run-2")


async def test_the_menu_offers_what_the_panel_offers(desk: DeliveriesDesk, expected_logs: ExpectedLogs) -> None:
    expected_logs.allow("grabbing the keyboard")  # the offscreen platform has none to grab
    row = desk.page.board.model.rows[0]
    await desk.choose(row.id)
    desk.page.board.table.menu_wanted.emit(row, desk.page.mapToGlobal(desk.page.rect().center()))
    await until(lambda: isinstance(QApplication.activePopupWidget(), QMenu))
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    texts = [entry.text() for entry in menu.actions() if entry.text()]
    assert texts == ["Complete…", "Cancel…", "New run…", "Proofs", "Journey", "Show on map", "Copy"]
    menu.close()


async def test_the_map_and_the_journey_of_a_batch_are_a_click_away(desk: DeliveriesDesk) -> None:
    page = desk.page
    batch = row_id(depot_of(desk), "batch-1")
    await desk.choose(batch)
    click(page.panel.buttons["map"])
    assert [key for key, _arguments in desk.console.opened] == ["map"]
    click(page.panel.buttons["journey"])
    await until(lambda: page.journey.journey is not None and page.journey.stack.currentIndex() == 1)
    assert page.tabs.value == "journey"
    assert page.journey.journey is not None
    assert page.journey.journey.record_id == batch
    assert page.panel.isHidden()
    assert page.search.isHidden()
    row = next(row for row in page.journey.steps.rows if row.step.kind == "batch")
    click(row.lead)
    await until(lambda: page.tabs.value == "board" and not page.panel.isHidden())


async def test_gaps_and_twins_have_tabs_of_their_own(desk: DeliveriesDesk) -> None:
    page = desk.page
    click(page.tabs.button("gaps"))
    await until(lambda: page.gaps.table.model.rows)
    gap = page.gaps.table.model.rows[0]
    page.gaps.table.activated.emit(gap)
    await until(lambda: page.tabs.value == "journey" and page.journey.stack.currentIndex() == 1)
    click(page.tabs.button("twins"))
    await until(lambda: page.stack.currentWidget() is page.twins)
    assert page.table() is page.twins.table


async def test_a_proof_tells_everything_and_opens_nothing_blindly(desk: DeliveriesDesk) -> None:
    page, panel = desk.page, desk.page.proof_panel
    click(page.tabs.button("proofs"))
    await until(lambda: len(page.proofs.model.rows) == 3)
    page.filters.verdicts.setCurrentIndex(page.filters.verdicts.findData("confirmed"))
    await until(lambda: len(page.proofs.model.rows) == 1)
    page.proofs.table.view.selectRow(0)
    await until(lambda: not panel.isHidden())
    assert panel.pill.word == "Confirmed"
    assert "The vehicle was" in panel.reasons.text()
    assert panel.facts.text("recipient") == "Ade Yusuf (Nurse in charge)"
    assert panel.facts.text("signature") == "Reported, file not uploaded"
    assert panel.discrepancy.text() == "Quantities differ: damaged in transit."
    on_phone, program = panel.photo_rows
    assert (on_phone.pill.word, on_phone.open.isHidden()) == ("Reported, file not uploaded", True)
    assert program.open.isHidden()
    assert "damage.exe" in program.why.text()
    click(panel.buttons["map"])
    assert desk.console.opened[-1] == ("map", {"place": (9.2, 7.4), "name": "Clinic 1"})
    click(panel.buttons["batch"])
    await until(lambda: page.panel.desk is not None and page.panel.desk.batch.name == "Bwari north")


async def test_the_palette_finds_batches_and_drivers(desk: DeliveriesDesk) -> None:
    assert await delivery_entries(desk.console.context, "k") == []
    batch, *_others = await delivery_entries(desk.console.context, "kubwa")
    assert (batch.title, batch.detail) == ("Kubwa morning", f"Assigned · {desk.console.context.now():%Y-%m-%d}")
    batch.act()
    batches, on_map = (await delivery_entries(desk.console.context, "hauwa"))[-2:]
    assert on_map.detail == "Driver on the map"
    batches.act()
    on_map.act()
    batch_id = row_id(depot_of(desk), "batch-2")
    assert desk.console.opened == [
        ("deliveries", {"batch_id": batch_id}),
        ("deliveries", {"text": "Hauwa Garba"}),
        ("map", {"driver": depot_of(desk).id_of(DriverRow, "drv-2")}),
    ]


async def test_opening_the_page_at_a_batch(desk: DeliveriesDesk) -> None:
    click(desk.page.tabs.button("proofs"))
    batch = row_id(depot_of(desk), "batch-4")
    desk.page.show_item(batch_id=batch)
    await until(lambda: desk.page.panel.desk is not None and desk.page.panel.desk.batch.id == batch)
    QTest.keyClick(desk.page, Qt.Key.Key_Escape)
    assert desk.page.panel.isHidden()
    desk.page.show_item(batch_id="nowhere")
    await until(lambda: desk.told("not in the store"))


@pytest.mark.parametrize("theme_name", ["light", "dark"])
async def test_markup_from_outside_is_plain_text(desk: DeliveriesDesk, theme_name: str) -> None:
    desk.console.context.theme.set_mode(theme_name)  # type: ignore[arg-type]
    depot_of(desk).arrive(a_driver(name="<b>Musa</b>"))
    await until(lambda: desk.page.board.model.rows[0].batch.driver_name == "<b>Musa</b>")
    await desk.choose(row_id(depot_of(desk), "batch-1"))
    assert desk.page.panel.facts.text("driver") == "<b>Musa</b>"
    assert desk.page.panel.facts.values["driver"].textFormat() == Qt.TextFormat.PlainText
    assert depot_of(desk).id_of(DriverRow, "drv-1")
