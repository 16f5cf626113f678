"""The operator at the activity page: following, searching, filtering, reading in full."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from PySide6.QtCore import QDate, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from sqlalchemy import Connection

from adapters.records import DeviceEvent, Rejected
from app.clock import utc_now
from app.store.logs import append_log
from tests.helpers.activity_page import LEFT, NOW_MS, Desk, fill_log
from tests.helpers.fleet import IMEI, OTHER_IMEI, a_frame, a_position
from tests.helpers.qt import until
from widgets.activity import feed as feed_module


async def test_the_newest_lines_are_there_and_older_ones_come_on_scrolling(desk: Desk) -> None:
    page = desk.page
    assert desk.texts()[:2] == ["line 0999 of Kano", "line 0998 of Lagos"]
    assert page.feed.model.total == feed_module.PAGE_ROWS
    assert page.feed.summary.text() == "200 entries, older ones follow on scrolling"
    bar = page.table().view.verticalScrollBar()
    while page.feed.model.total < 1_000:
        before = page.feed.model.total
        bar.setValue(bar.maximum())
        await until(lambda: page.feed.model.total > before)  # noqa: B023
        await desk.settled()
    assert desk.texts() == [
        f"line {number:04d} of {'Kano' if number % 2 else 'Lagos'}" for number in range(999, -1, -1)
    ]
    bar.setValue(bar.maximum())
    await until(lambda: page.feed.summary.text() == "1,000 entries, there are no others")


async def test_what_is_written_is_followed_at_the_top(desk: Desk) -> None:
    page = desk.page
    await desk.log("it works again", "peer_returned")
    await until(lambda: desk.texts()[0] == "it works again")
    bar = page.table().view.verticalScrollBar()
    await desk.select(5)
    chosen = page.table().selected_rows()
    bar.setValue(300)
    await desk.log("another one")
    await until(page.feed.newer.isVisible)
    assert desk.texts()[0] == "it works again"
    assert bar.value() == 300
    assert page.table().selected_rows() == chosen
    QTest.mouseClick(page.feed.newer, LEFT)
    await until(lambda: desk.texts()[0] == "another one")
    assert bar.value() == 0
    assert page.feed.newer.isHidden()


async def test_more_than_a_page_at_once_leaves_no_hole(desk: Desk) -> None:
    def job(connection: Connection) -> None:
        fill_log(connection, 500)
        append_log(connection, event_type="x", text="last")

    await desk.write(job)
    await until(lambda: desk.texts()[0] == "last")
    await desk.settled()
    ids = [line.id for line in desk.page.feed.model.rows]
    assert ids == list(range(ids[0], ids[0] - len(ids), -1))


async def test_a_long_watch_keeps_a_bounded_number_of_entries(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_module, "MOST_ROWS", 210)
    for number in range(12):
        await desk.log(f"new {number}")
        await until(lambda: desk.texts()[0] == f"new {number}")  # noqa: B023
    assert desk.page.feed.model.total <= 210
    bar = desk.page.table().view.verticalScrollBar()
    bar.setValue(bar.maximum())
    await until(lambda: "line 0710 of Lagos" in desk.texts())


async def test_every_word_must_be_found_in_any_order(desk: Desk) -> None:
    await desk.type("KANO 07")
    assert desk.texts()
    assert all("Kano" in text and "07" in text for text in desk.texts())
    await desk.type("lagos 0998")
    assert desk.texts() == ["line 0998 of Lagos"]
    await desk.type("no such line")
    assert desk.texts() == []
    assert desk.page.table()._empty.title.text() == "Nothing matches"
    QTest.keyClick(desk.page.search, Qt.Key.Key_Escape)
    await desk.settled()
    assert len(desk.texts()) == 200


async def test_a_number_finds_its_line(desk: Desk) -> None:
    await desk.type("#17")
    assert desk.texts() == ["line 0016 of Lagos"]


async def test_a_later_search_wins_over_one_that_is_under_way(desk: Desk) -> None:
    for text in ("line 0001", "line 0002", "line 0003"):
        desk.page.search.setText(text)
        QTest.keyClick(desk.page.search, Qt.Key.Key_Return)
    await desk.settled()
    assert desk.texts() == ["line 0003 of Kano"]


async def test_filters_by_integration_kind_time_and_last_attempt(desk: Desk) -> None:
    page = desk.page
    await desk.choose("integrations", "traccar-1")
    assert {line.integration_id for line in page.feed.model.rows} == {"traccar-1"}
    await desk.choose("kinds", "failures")
    assert {line.event_type for line in page.feed.model.rows} == {"sync_error", "peer_lost"}
    await desk.choose("kinds", "")
    await desk.choose("times", "hour")
    assert 0 < len(desk.texts()) <= 20
    await desk.choose("times", "any")
    await desk.choose("integrations", "*")
    QTest.keyClick(page.filters.last_only, Qt.Key.Key_Space)
    await desk.settled()
    assert [(line.integration_id, line.id) for line in page.feed.model.rows] == [("gt02-1", 998), ("traccar-1", 997)]
    assert {line.event_type for line in page.feed.model.rows} <= {"sync_success", "sync_error"}
    await desk.log("a new run", "sync_success")
    await until(lambda: desk.texts()[0] == "a new run")
    assert len(desk.texts()) == 2
    page.filters.last_only.setChecked(False)
    await desk.choose("integrations", "")
    assert desk.texts() == []
    await desk.log("of the console itself", "clock_jumped", None)
    await until(lambda: desk.texts() == ["of the console itself"])


async def test_days_are_chosen_one_by_one(desk: Desk) -> None:
    page = desk.page
    await desk.write(
        lambda connection: append_log(
            connection, event_type="sync_success", text="long ago", created_at=utc_now() - timedelta(days=400)
        )
    )
    await desk.choose("times", "days")
    assert page.filters.first.isVisible()
    day = QDate.currentDate().addDays(-400)
    page.filters.first.setDate(day.addDays(-1))
    page.filters.last.setDate(day.addDays(1))
    await desk.settled()
    assert desk.texts() == ["long ago"]


async def test_an_entry_is_read_in_full_and_copied_as_plain_text(desk: Desk) -> None:
    page = desk.page
    await desk.log("<b>not bold</b> & <img src=x>")
    await until(lambda: desk.texts()[0].startswith("<b>"))
    await desk.select(0)
    assert page.panel.heading.text() == "<b>not bold</b> & <img src=x>"
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in page.panel.findChildren(QLabel))
    await desk.select(1)
    (payload,) = page.panel.texts
    assert json.loads(payload.toPlainText()) == {"counts": {"positions": 999}, "note": "<b>bold</b>"}
    QTest.mouseClick(page.panel.copy, LEFT)
    copied = QApplication.clipboard().text()
    assert "line 0999 of Kano" in copied
    assert '"note": "<b>bold</b>"' in copied
    last = page.feed.model.index(0, len(page.feed.model.columns) - 1)
    assert last.data(Qt.ItemDataRole.ToolTipRole) == "<qt>&lt;b&gt;not bold&lt;/b&gt; &amp; &lt;img src=x&gt;</qt>"
    page.panel.buttons["integration"].click()  # type: ignore[attr-defined]
    assert desk.console.opened == [("integrations", {"details": "traccar-1"})]
    QTest.keyClick(page.table().view, Qt.Key.Key_Escape)
    assert page.panel.isHidden()


async def test_events_lead_to_map_tracker_and_raw_frame(desk: Desk) -> None:
    page = desk.page
    raw = a_frame(IMEI, NOW_MS, b"hh%raw")
    sos = DeviceEvent(IMEI, NOW_MS, NOW_MS, "gt02", "sos", "4", "SOS button", lat=9.1, lon=7.4, raw=raw)
    fence = DeviceEvent(OTHER_IMEI, NOW_MS - 5_000, NOW_MS, "gt02", "geofence_enter", "f", "Entered Kano depot")
    await desk.arrive(a_position(IMEI), a_position(OTHER_IMEI), sos, fence)
    await desk.open("events")
    assert desk.texts() == ["SOS button", "Entered Kano depot"]
    await desk.choose("kinds", "alarms")
    assert desk.texts("kind") == ["SOS"]
    await desk.type(f"button {IMEI[-4:]}")
    await desk.select(0)
    for act in ("map", "tracker"):
        page.panel.buttons[act].click()  # type: ignore[attr-defined]
    assert desk.console.opened == [("map", {"device": IMEI}), ("trackers", {"imei": IMEI})]
    page.panel.buttons["frame"].click()  # type: ignore[attr-defined]
    await until(lambda: page.frames.open)
    assert page.frames.open[0].frame.data == b"hh%raw"
    page.frames.close()
    await desk.type("")
    await desk.choose("kinds", "")
    late = DeviceEvent(IMEI, NOW_MS - 60_000, NOW_MS, "gt02", "power_cut", "2", "Power cut")
    await desk.arrive(late)
    await until(lambda: desk.texts() == ["SOS button", "Entered Kano depot", "Power cut"])
    await desk.choose("integrations", "traccar-1")
    assert desk.texts() == []


async def test_records_set_aside_are_counted_and_read(desk: Desk) -> None:
    page = desk.page
    await desk.arrive(
        Rejected("position 88123", "Latitude 123.4 is beyond 90 degrees.", '{"lat": 123.4, "x": "<b>"}'),
        Rejected("imei 356?", "The IMEI holds letters."),
    )
    await desk.open("rejected")
    assert desk.texts("why") == ["The IMEI holds letters.", "Latitude 123.4 is beyond 90 degrees."]
    await until(lambda: "gt02-1  2" in [page.filters.integrations.itemText(at) for at in range(4)])
    assert page.filters.kinds.isHidden()
    await desk.type("latitude")
    await desk.select(0)
    assert page.panel.texts[0].toPlainText() == '{"lat": 123.4, "x": "<b>"}'
    await desk.choose("integrations", "traccar-1")
    assert desk.texts("why") == []


async def test_other_pages_open_it_at_what_they_mean(desk: Desk) -> None:
    page = desk.page
    page.show_item(integration_id="traccar-1", text="0996")
    await desk.settled()
    assert desk.texts() == ["line 0996 of Lagos"]
    page.show_item(view="events", text=IMEI)
    await desk.settled()
    assert page.tabs.value == "events"
    assert page.filters.wanted("", utc_now(), page.context.formats.zone).integration_id is None
    page.show_item(integration_id="0000-removed", view="log")
    await desk.settled()
    assert page.filters.integrations.currentText() == "0000-removed"
    assert desk.texts() == []


async def test_the_export_holds_what_is_seen_with_whole_times(desk: Desk) -> None:
    await desk.type("0998")
    sheet = desk.page.table().sheet()
    assert sheet.headings == ("Time", "What", "Integration", "Text")
    ((at, what, integration, text),) = sheet.rows
    assert str(at).startswith(f"{utc_now().year}-")
    assert (what, integration, text) == ("Connection lost", "gt02-1", "line 0998 of Lagos")
