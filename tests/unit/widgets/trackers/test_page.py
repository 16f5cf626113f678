"""The operator at the trackers page: looking, adopting, blocking, forgetting, correcting, one and many at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QDialog, QLabel, QLayout, QPushButton
from sqlalchemy import insert, select

from adapters.records import DeviceEvent, DeviceInfo, DeviceStatus, Record
from app.clock import utc_now
from app.fleet.registry import BLOCKED, KNOWN, WAITING
from app.fleet.vehicles import add_vehicle
from app.store.changes import raise_topic
from app.store.tables import Act, Device, IntegrationState
from dialogs.adopt_tracker import AdoptDialog, adopt_tracker
from dialogs.tracker_settings import tracker_settings
from tests.helpers.fleet import Feed, a_position, make_feed, rows_of
from tests.helpers.qt import Console, ExpectedLogs, open_dialog, until
from widgets.trackers import acts
from widgets.trackers.page import TrackersPage

LEFT = Qt.MouseButton.LeftButton
HOUR_MS = 3_600_000
IMEIS = [f"86712003000000{number}" for number in range(6)]


@dataclass
class Desk:
    console: Console
    page: TrackersPage
    feed: Feed
    now_ms: int

    def lines(self, layout: QLayout) -> list[str]:
        """The texts of a part of the details."""
        return [widget.text() for widget in self.widgets(layout)]

    def widgets(self, layout: QLayout) -> list[QLabel | QPushButton]:
        items = [layout.itemAt(at) for at in range(layout.count())]
        widgets = [item.widget() for item in items if item is not None]
        return [widget for widget in widgets if isinstance(widget, QLabel | QPushButton)]

    async def arrive(self, *records: Record) -> None:
        def job() -> None:
            self.feed(*records, now_ms=self.now_ms)
            self.feed.store.write(lambda connection: self.feed.sink.flush(connection, self.now_ms + HOUR_MS)).result()

        await asyncio.to_thread(job)

    def state_of(self, imei: str) -> str:
        (row,) = rows_of(self.console.store, Device, Device.unique_id == imei)
        return str(row.state)

    def acts(self) -> list[tuple[str, str]]:
        return [(row.what, row.subject) for row in rows_of(self.console.store, Act)]

    def shown(self) -> list[str]:
        return [row.unique_id for row in self.page.shown_table.model.rows]

    def select(self, *imeis: str) -> None:
        """Choose rows as with Ctrl and the mouse."""
        table = self.page.shown_table
        table.view.clearSelection()
        for imei in imeis:
            place = self.shown().index(imei)
            index = table.model.index(place, 1)
            modifier = Qt.KeyboardModifier.ControlModifier
            QTest.mouseClick(table.view.viewport(), LEFT, modifier, table.view.visualRect(index).center())

    def tab(self, state: str) -> None:
        QTest.mouseClick(self.page.tabs.button(state), LEFT)


async def answer(title: str, button: str, within_s: float = 5.0) -> None:
    """Press a button of the dialog that opens."""
    await until(lambda: (dialog := open_dialog()) is not None and title in dialog.windowTitle(), within_s)
    dialog = open_dialog()
    assert dialog is not None
    (found,) = [one for one in dialog.findChildren(QPushButton) if one.text() == button]
    QTest.mouseClick(found, LEFT)
    await until(lambda: open_dialog() is not dialog)


@pytest_asyncio.fixture
async def desk(console: Console) -> AsyncIterator[Desk]:
    console.context.doors.dialogs = {"adopt_tracker": adopt_tracker, "tracker_settings": tracker_settings}
    now_ms = time.time_ns() // 1_000_000
    feed = await asyncio.to_thread(make_feed, console.store)
    page = TrackersPage(console.context)
    page.resize(1_400, 900)
    desk = Desk(console, page, feed, now_ms)
    ages_ms = (5_000, 20 * 60_000, 3 * HOUR_MS, 30 * HOUR_MS, 10_000, 15_000)
    await desk.arrive(*(a_position(imei, now_ms - age - 1_000) for imei, age in zip(IMEIS, ages_ms, strict=True)))
    page.show()
    await until(lambda: page.refresh_count > 0 or console.failures)
    assert console.failures == []
    yield desk
    page.hide()
    page.close_page()
    page.deleteLater()


async def test_trackers_that_wait_are_shown_first_when_none_is_known(desk: Desk) -> None:
    page = desk.page
    assert page.tabs.value == WAITING
    assert sorted(desk.shown()) == IMEIS
    assert page.tabs.button(WAITING).text() == "Waiting  6"
    assert page.statistics.waiting.value.text() == "6"
    newest_first = [IMEIS[0], IMEIS[4], IMEIS[5], IMEIS[1], IMEIS[2], IMEIS[3]]
    assert desk.shown() == newest_first


async def test_a_waiting_tracker_is_adopted_by_keyboard_to_a_vehicle_found_by_typing(
    desk: Desk, expected_logs: ExpectedLogs
) -> None:
    expected_logs.allow("This plugin does not support")  # the list of completions, without a screen
    page = desk.page
    await desk.console.context.bridge.write(lambda connection: add_vehicle(connection, "KAN-552XA", name="Cold truck"))
    desk.select(IMEIS[0])
    QTest.keyClick(page.shown_table.view, Qt.Key.Key_Return)
    await until(lambda: isinstance(open_dialog(), AdoptDialog))
    dialog = open_dialog()
    assert isinstance(dialog, AdoptDialog)
    assert not dialog.act.isEnabled()
    QTest.keyClicks(dialog.field, "kan")
    assert dialog.act.text() == "Adopt to a new vehicle"
    completer = dialog.field.completer()
    assert completer.completionCount() == 1
    assert completer.currentCompletion() == "KAN-552XA Cold truck"
    dialog.field.setText(completer.currentCompletion())
    assert "brings all that the tracker sent" in dialog.meaning.text()
    QTest.keyClick(dialog.field, Qt.Key.Key_Return)
    await until(lambda: ("ok", f"Tracker {IMEIS[0]} is on KAN-552XA.") in desk.console.notes)
    await until(lambda: page.tabs.value == KNOWN)  # the page follows the tracker
    assert desk.shown() == [IMEIS[0]]
    assert page.panel.facts.text("vehicle") == "KAN-552XA"
    assert ("device.adopt", IMEIS[0]) in desk.acts()
    await until(lambda: desk.lines(page.panel.history) == ["KAN-552XA  from its first frame until now"])


async def test_moving_keeps_the_past_where_it_was_and_taking_off_frees_the_tracker(desk: Desk) -> None:
    page = desk.page
    desk.select(IMEIS[0])
    for plate in ("ABC-123DE", "XYZ-987FG"):
        page.panel.adopt.click()
        await until(lambda: isinstance(open_dialog(), AdoptDialog))
        dialog = open_dialog()
        assert isinstance(dialog, AdoptDialog)
        dialog.field.setText(plate)
        assert f"There is no vehicle {plate} yet" in dialog.meaning.text()
        QTest.mouseClick(dialog.act, LEFT)
        await until(lambda: page.panel.row is not None and page.panel.row.vehicle == plate)  # noqa: B023
    await until(lambda: [line[:7] for line in desk.lines(page.panel.history)] == ["XYZ-987", "ABC-123"])
    page.panel.act_wanted.emit("release", page.panel.row)
    await answer("Take the tracker off XYZ-987FG?", "Take off")
    await until(lambda: page.tabs.value == WAITING)
    assert desk.state_of(IMEIS[0]) == WAITING
    assert [what for what, _ in desk.acts()].count("device.adopt") == 2


async def test_a_refused_adoption_stays_in_the_dialog(desk: Desk) -> None:
    page = desk.page
    for plate in ("AAA-1", "BBB-2"):
        job = lambda connection, plate=plate: add_vehicle(connection, plate, name="Twin")  # noqa: E731
        await desk.console.context.bridge.write(job)
    desk.select(IMEIS[0])
    page.panel.adopt.click()
    await until(lambda: isinstance(open_dialog(), AdoptDialog))
    dialog = open_dialog()
    assert isinstance(dialog, AdoptDialog)
    dialog.field.setText("twin")
    QTest.mouseClick(dialog.act, LEFT)
    await until(dialog.problem.isVisible)
    assert "AAA-1, BBB-2" in dialog.problem.text()
    QTest.mouseClick(dialog.cancel, LEFT)
    await until(lambda: open_dialog() is None)
    assert desk.state_of(IMEIS[0]) == WAITING


async def test_blocking_is_asked_about_and_can_be_taken_back(desk: Desk) -> None:
    page = desk.page
    desk.select(IMEIS[1])
    page.panel.act_wanted.emit("block", page.panel.row)
    await answer("Block 1 tracker?", "Cancel")
    assert desk.state_of(IMEIS[1]) == WAITING
    page.panel.act_wanted.emit("block", page.panel.row)
    await answer("Block 1 tracker?", "Block 1 tracker")
    await until(lambda: desk.state_of(IMEIS[1]) == BLOCKED)
    await until(lambda: IMEIS[1] not in desk.shown())
    assert page.panel.isHidden()
    desk.tab(BLOCKED)
    desk.select(IMEIS[1])
    assert page.panel.adopt.text() == "Unblock"
    QTest.mouseClick(page.panel.adopt, LEFT)
    await until(lambda: desk.state_of(IMEIS[1]) == WAITING)
    assert [what for what, _ in desk.acts()] == ["device.block", "device.unblock"]


async def test_many_are_forgotten_with_their_count_said_first(desk: Desk) -> None:
    page = desk.page
    desk.select(IMEIS[0], IMEIS[2], IMEIS[3])
    assert page.chosen.text() == "3 trackers chosen"
    assert page.panel.isHidden()
    QTest.keyClick(page.shown_table.view, Qt.Key.Key_Delete)
    await answer("Forget 3 waiting trackers?", "Forget 3 trackers")
    await until(lambda: len(desk.shown()) == 3)
    assert sorted(desk.acts()) == [("device.forget", imei) for imei in (IMEIS[0], IMEIS[2], IMEIS[3])]
    assert ("ok", "3 trackers are forgotten.") in desk.console.notes


async def test_an_act_on_very_many_is_done_in_parts_and_can_be_stopped(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "AT_ONCE", 2)
    page = desk.page
    page.acts.progress.connect(lambda done, _all: page.stop.click() if done == 2 else None)
    desk.select(*IMEIS)
    QTest.mouseClick(page.block_many, LEFT)
    await answer("Block 6 trackers?", "Block 6 trackers")
    await until(lambda: desk.console.notes)
    assert desk.console.notes == [("warn", "Stopped: 4 of 6 trackers were changed.")]
    assert sum(desk.state_of(imei) == BLOCKED for imei in IMEIS) == 4
    assert page.stop.isHidden()


async def test_all_that_are_silent_for_a_day_are_forgotten_as_one_act(desk: Desk) -> None:
    page = desk.page
    assert page.forget_silent.text() == "Forget 1 silent for a day…"
    QTest.mouseClick(page.forget_silent, LEFT)
    await answer("Forget 1 silent tracker?", "Forget 1 tracker")
    await until(lambda: len(desk.shown()) == 5)
    assert desk.acts() == [("device.forget_silent", "inbox")]
    await until(page.forget_silent.isHidden)


async def test_the_clock_offset_that_is_warned_of_is_taken_over(desk: Desk) -> None:
    page = desk.page
    arrivals_ms = [desk.now_ms - 1_000 * (100 - at) for at in range(100)]
    ahead = [a_position(IMEIS[4], at_ms + 8 * HOUR_MS, received_at_ms=at_ms) for at_ms in arrivals_ms]
    await desk.arrive(*ahead)
    await until(lambda: any((row.clock_lag_s or 0) > HOUR_MS / 1_000 for row in page.rows), 10.0)
    desk.select(IMEIS[4])
    texts = [label.text() for label in page.panel.findChildren(QAbstractButton) if label.text() == "Correct…"]
    assert texts == ["Correct…"]
    page.panel.act_wanted.emit("settings", page.panel.row)
    await until(lambda: open_dialog() is not None)
    dialog = open_dialog()
    assert isinstance(dialog, QDialog)
    dialog.name.setText("  Kano   spare ")  # type: ignore[attr-defined]
    (use,) = [one for one in dialog.findChildren(QPushButton) if one.text() == "Use +8:00"]
    QTest.mouseClick(use, LEFT)
    assert "is stored as 04:00 UTC" in dialog.meaning.text()  # type: ignore[attr-defined]
    await answer("Settings of the tracker", "Save")
    await until(lambda: page.panel.row is not None and page.panel.row.clock_offset_s == 28_800)
    assert page.panel.facts.text("clock") == "keeps UTC+8:00"
    assert page.panel.heading.text() == "Kano spare"
    assert desk.acts() == [("device.rename", IMEIS[4]), ("device.clock_offset", IMEIS[4])]


async def test_new_frames_show_by_themselves_and_ages_grow(desk: Desk) -> None:
    page = desk.page
    desk.select(IMEIS[3])
    assert page.panel.pill.word.startswith("Silent")
    await desk.arrive(DeviceStatus(IMEIS[3], desk.now_ms, "gt02", "heartbeat", power_level=6, gsm_level=1))
    await until(lambda: page.panel.pill.word == "Online", 10.0)
    assert page.panel.facts.text("signal") == "very weak (1)"
    assert page.panel.facts.text("battery") == "full (6)"
    assert page.panel.facts.text("frame").startswith("heartbeat, ")


async def test_events_of_today_and_the_raw_frame_lead_further(desk: Desk) -> None:
    page = desk.page
    event = DeviceEvent(IMEIS[0], desk.now_ms, desk.now_ms, "gt02", "sos", "sos", "<b>SOS</b> button")
    desk.select(IMEIS[0])
    await desk.arrive(event)
    await until(lambda: len(desk.lines(page.panel.events)) == 2, 10.0)
    line, link = desk.widgets(page.panel.events)
    assert isinstance(line, QLabel)
    assert line.text().endswith("<b>SOS</b> button")
    assert line.textFormat() == Qt.TextFormat.PlainText
    QTest.mouseClick(link, LEFT)
    assert desk.console.opened == [("activity", {"view": "events", "text": IMEIS[0]})]
    QTest.mouseClick(page.panel.buttons["frame"], LEFT)
    await until(lambda: page.frames.open)
    assert page.frames.open[0].frame.title == f"Last frame of {IMEIS[0]}"
    page.frames.close()


async def test_searching_and_showing_one_tracker(desk: Desk) -> None:
    page = desk.page
    page.search.setText(IMEIS[2][-3:])
    QTest.keyClick(page.search, Qt.Key.Key_Return)
    assert desk.shown() == [IMEIS[2]]
    device = next(row for row in page.rows if row.unique_id == IMEIS[5])
    page.show_item(device_id=device.id)
    assert page.search.text() == ""
    assert page.panel.row == device
    page.show_item(imei="000")
    assert desk.console.notes == [("warn", "There is no tracker 000.")]
    QTest.keyClick(page.shown_table.view, Qt.Key.Key_Escape)
    assert page.panel.isHidden()


async def test_a_tracker_asked_for_before_the_page_has_read_is_shown_then(desk: Desk) -> None:
    page = TrackersPage(desk.console.context)
    page.show_item(imei=IMEIS[1])
    page.show()
    await until(lambda: page.panel.row is not None and page.panel.row.unique_id == IMEIS[1])
    page.hide()
    page.close_page()
    page.deleteLater()
    desk.console.context.ui_state.register("trackers.known", dict, lambda _state: None)  # for the desk's own page
    for state in (WAITING, BLOCKED):
        desk.console.context.ui_state.register(f"trackers.{state}", dict, lambda _state: None)


async def test_devices_of_a_server_are_known_and_named_by_it(desk: Desk) -> None:
    page = desk.page
    await desk.arrive(DeviceInfo("dev-7", "Ibrahim & <i>sons</i>", peer_id="7", group="North", phone="+234"))
    desk.tab(KNOWN)
    await until(lambda: desk.shown() == ["dev-7"])
    desk.select("dev-7")
    assert page.panel.pill.word == "Never heard"
    assert page.panel.heading.text() == "Ibrahim & <i>sons</i>"
    assert not page.panel.buttons["frame"].isEnabled()
    assert page.statistics.silent.note.text() == "and 1 never heard"


async def test_the_export_holds_what_is_seen(desk: Desk) -> None:
    sheet = desk.page.table().sheet()
    assert sheet.headings[:3] == ("IMEI or id", "State", "Last frame")
    assert [row[0] for row in sheet.rows] == desk.shown()
    assert sheet.rows[0][1] == "Online"


async def test_columns_are_chosen_and_remembered(desk: Desk) -> None:
    page = desk.page
    menu = page.shown_table.columns_menu()
    (model,) = [action for action in menu.actions() if action.text() == "Model"]
    model.trigger()
    assert "Model" in page.table().sheet().headings
    assert "model" not in page.shown_table.state()["hidden"]
    menu.close()


async def test_an_empty_inbox_says_where_trackers_can_be_pointed(console: Console) -> None:
    await asyncio.to_thread(make_feed, console.store)
    page = TrackersPage(console.context)
    page.resize(1_000, 700)
    page.show()
    page.tabs.choose(WAITING)
    await until(lambda: page.refresh_count > 0)
    text = page.tables[WAITING]._empty.text
    assert "No integration listens" in text.text()
    (button,) = page.tables[WAITING]._empty.findChildren(QPushButton)
    QTest.mouseClick(button, LEFT)
    assert console.opened == [("integrations", {})]

    def listens(connection: object) -> None:
        state = {"integration_id": "gt02-1", "phase": "healthy", "since": utc_now(), "reason": "", "error_kind": ""}
        detail = {"connected": "Listening on 0.0.0.0:5022 (TCP and UDP)."}
        raise_topic(connection, "integration_states")  # type: ignore[arg-type]
        connection.execute(insert(IntegrationState).values(**state, detail=detail))  # type: ignore[attr-defined]

    await console.context.bridge.write(listens)
    await until(lambda: "0.0.0.0:5022" in page.tables[WAITING]._empty.text.text())
    assert "first frame" in page.tables[WAITING]._empty.text.text()
    QApplication.processEvents()
    page.hide()
    page.close_page()
    page.deleteLater()


async def test_an_act_that_is_no_longer_possible_is_told(desk: Desk) -> None:
    page = desk.page
    desk.select(IMEIS[0])
    row = page.panel.row
    assert row is not None
    page.acts.progress.disconnect()
    await page.acts.unblock([row])
    assert desk.console.notes[-1][0] == "error"
    assert "is not blocked" in desk.console.notes[-1][1]
    with desk.console.store.read() as connection:
        assert connection.execute(select(Act.id)).all() == []


async def test_an_empty_list_says_what_it_is_for_also_while_others_are_full(desk: Desk) -> None:
    table = desk.page.tables[BLOCKED]
    desk.tab(BLOCKED)
    assert table._empty.isVisible()
    assert table._empty.title.text() == "No tracker is blocked"
    desk.tab(WAITING)
    desk.page.search.setText("nobody")
    QTest.keyClick(desk.page.search, Qt.Key.Key_Return)
    assert desk.page.tables[WAITING]._no_match.isVisible()
    QTest.keyClick(desk.page.search, Qt.Key.Key_Escape)
    assert len(desk.shown()) == 6
