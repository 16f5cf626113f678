"""The operator at the activity page: following, searching, filtering, looking back, verifying."""

from __future__ import annotations

import asyncio
import csv
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from PySide6.QtCore import QDate, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from sqlalchemy import Connection, insert, update

from adapters.records import DeviceEvent, Rejected
from app.clock import utc_now
from app.fleet.devices import adopt, block
from app.security.audit import record_act
from app.security.seal import Seal
from app.security.vault import MemoryVault, VaultError
from app.store.logs import append_log
from app.store.tables import Act, IntegrationLog
from tests.helpers.fleet import IMEI, OTHER_IMEI, Feed, a_frame, a_position, add_integration, make_feed
from tests.helpers.qt import Console, until
from widgets.activity import feed as feed_module
from widgets.activity.page import ActivityPage

LEFT = Qt.MouseButton.LeftButton
NOW_MS = time.time_ns() // 1_000_000


@dataclass
class Desk:
    console: Console
    page: ActivityPage
    feed: Feed

    async def write(self, job: Any) -> None:
        await self.console.context.bridge.write(job)

    async def log(self, text: str, event_type: str = "sync_success", integration_id: str | None = "gt02-1") -> None:
        await self.write(
            lambda connection: append_log(connection, event_type=event_type, text=text, integration_id=integration_id)
        )

    async def arrive(self, *records: Any) -> None:
        await asyncio.to_thread(self.feed, *records, now_ms=NOW_MS)

    async def open(self, view: str) -> None:
        QTest.mouseClick(self.page.tabs.button(view), LEFT)
        await self.settled()

    async def settled(self) -> None:
        feed = self.page.feed
        await until(lambda: feed.is_loaded and not feed._is_busy())
        assert self.console.failures == []

    def texts(self, column: str = "text") -> list[str]:
        model = self.page.feed.model
        (found,) = [one for one in model.columns if one.key == column]
        return [found.text(row) for row in model.rows]

    def sides(self) -> list[tuple[str, ...]]:
        """What the panel shows of a change: field, before, after."""
        assert self.page.panel.sides is not None
        return [tuple(cell.text().replace("\u200b", "") for cell in row) for row in self.page.panel.sides.cells]

    async def type(self, text: str) -> None:
        self.page.search.setText(text)
        QTest.keyClick(self.page.search, Qt.Key.Key_Return)
        await self.settled()

    async def choose(self, box: str, value: str) -> None:
        combo = getattr(self.page.filters, box)
        combo.setCurrentIndex(combo.findData(value))
        await self.settled()

    async def select(self, row: int) -> None:
        view = self.page.table().view
        QTest.mouseClick(view.viewport(), LEFT, pos=view.visualRect(self.page.feed.model.index(row, 1)).center())
        await until(lambda: not self.page.panel.isHidden())


def fill_log(connection: Connection, count: int) -> None:
    start = utc_now() - timedelta(minutes=count)
    kinds = ("sync_success", "sync_error", "peer_lost", "peer_returned")
    rows = [
        {
            "integration_id": "traccar-1" if number % 3 == 0 else "gt02-1",
            "event_type": kinds[number % 4],
            "payload": {"counts": {"positions": number}, "note": "<b>bold</b>"},
            "created_at": start + timedelta(minutes=number),
            "text": f"line {number:04d} of {'Kano' if number % 2 else 'Lagos'}",
        }
        for number in range(count)
    ]
    connection.execute(insert(IntegrationLog), rows)


@pytest_asyncio.fixture
async def desk(console: Console) -> AsyncIterator[Desk]:
    feed = await asyncio.to_thread(make_feed, console.store)
    await asyncio.to_thread(add_integration, console.store, "traccar-1", "traccar")
    await console.context.bridge.write(lambda connection: fill_log(connection, 1_000))
    page = ActivityPage(console.context)
    page.resize(1_200, 800)
    page.show()
    desk = Desk(console, page, feed)
    await until(lambda: page.is_ready or console.failures)
    await desk.settled()
    yield desk
    page.hide()
    page.close_page()
    page.deleteLater()


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


async def test_acts_show_what_they_changed(desk: Desk) -> None:
    await desk.arrive(a_position(IMEI), a_position(OTHER_IMEI))
    await desk.write(lambda connection: adopt(connection, IMEI, "KAN-552XA", who="amina"))
    await desk.write(lambda connection: block(connection, OTHER_IMEI, who="Ọlá"))
    await desk.open("acts")
    assert desk.texts("what") == ["Blocked a tracker", "Adopted a tracker", "Added a vehicle"]
    assert desk.texts("change")[0] == "state: waiting → blocked"
    await desk.select(1)
    assert desk.sides()[:2] == [("state", "waiting", "known"), ("vehicle", "–", "KAN-552XA")]
    await desk.type("kan-552xa amina")
    assert desk.texts("what") == ["Adopted a tracker", "Added a vehicle"]
    await desk.choose("kinds", "vehicle")
    assert desk.texts("what") == ["Added a vehicle"]
    await desk.type("Ọlá")
    assert desk.texts("what") == []
    await desk.choose("kinds", "")
    assert desk.texts("what") == ["Blocked a tracker"]
    await desk.type("")
    job = lambda connection: record_act(connection, what="vehicle.set", subject="x", after={"name": "Ẹ̀gbá"}, who="b")  # noqa: E731
    await desk.write(job)
    await until(lambda: desk.texts("what")[0] == "Changed a vehicle")
    await desk.type(["ẹ̀gbá", "Ẹ̀gbá"][1])
    assert desk.texts("what") == ["Changed a vehicle"]


async def test_the_chain_is_verified_on_demand_and_a_fault_is_named(desk: Desk) -> None:
    page, store = desk.page, desk.console.store
    for number in range(3):
        await desk.write(lambda connection, n=number: record_act(connection, what="test.act", subject=f"s{n}"))
    vault = MemoryVault()
    desk.console.context.services.__dict__["_vault"] = vault
    await desk.open("acts")
    QTest.mouseClick(page.chain.button, LEFT)
    await until(lambda: page.chain.pill.word == "Chain holds")
    assert page.chain.pill.level == "warn"
    assert "not sealed yet" in page.chain.words.text()
    with store.read() as connection:
        Seal(vault, store.url, desk.console.context.paths.checkpoints).advance(connection)
    QTest.mouseClick(page.chain.button, LEFT)
    await until(lambda: page.chain.pill.level == "ok")
    assert page.chain.words.text() == "3 acts walked, compared with the seal"
    await desk.write(lambda connection: record_act(connection, what="test.act", subject="more"))
    await until(lambda: page.chain.pill.word == "Changed since")
    await desk.write(lambda connection: connection.execute(update(Act).where(Act.id == 2).values(subject="edited")))
    QTest.mouseClick(page.chain.button, LEFT)
    await until(lambda: page.chain.pill.word == "Chain broken")
    fault = " ".join(label.text() for label in page.chain.findChildren(QLabel))
    assert "Entry 2 (test.act" in fault
    assert "was edited after it was written" in fault


async def test_news_of_acts_that_the_walk_saw_is_no_change(desk: Desk) -> None:
    await desk.write(lambda connection: record_act(connection, what="test.act", subject="s"))
    await desk.open("acts")
    QTest.mouseClick(desk.page.chain.button, LEFT)
    await until(lambda: desk.page.chain.pill.word == "Chain holds")
    await desk.page.refresh(frozenset({"acts"}))
    assert desk.page.chain.pill.word == "Chain holds"


async def test_a_locked_vault_does_not_hinder_the_walk(desk: Desk) -> None:
    def locked() -> MemoryVault:
        raise VaultError("The key store is locked. Unlock it and try again.")

    await desk.write(lambda connection: record_act(connection, what="test.act", subject="s"))
    desk.console.context.services._open_vault = locked
    await desk.open("acts")
    QTest.mouseClick(desk.page.chain.button, LEFT)
    await until(lambda: desk.page.chain.pill.word == "Chain holds")
    assert "The key store is locked" in desk.page.chain.words.text()


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


async def test_acts_are_narrowed_to_a_person_a_record_and_a_kind(desk: Desk) -> None:
    page = desk.page
    await desk.arrive(a_position(IMEI), a_position(OTHER_IMEI))
    await desk.write(lambda connection: adopt(connection, IMEI, "KAN-552XA", who="Amina Bello (depot)"))
    await desk.write(lambda connection: block(connection, OTHER_IMEI, who="Tunde (depot)"))
    job = lambda connection: record_act(connection, what="alarm.comment", subject="Fuel low", who="Tunde (depot)")  # noqa: E731
    await desk.write(job)
    await desk.open("acts")
    people = page.filters.people
    await until(lambda: people.count() == 3)
    assert [people.itemText(at) for at in range(3)] == ["Everybody", "Amina Bello (depot)", "Tunde (depot)"]
    await desk.choose("people", "Tunde (depot)")
    assert desk.texts("what") == ["Commented on an alarm", "Blocked a tracker"]
    await desk.choose("kinds", "alarm alarm_rule fence")
    assert desk.texts("what") == ["Commented on an alarm"]
    await desk.choose("kinds", "")
    await desk.choose("people", "")
    await desk.select(1)
    QTest.mouseClick(page.panel.buttons["acts_on"], LEFT)
    await desk.settled()
    assert page.search.text() == OTHER_IMEI
    assert desk.texts("what") == ["Blocked a tracker"]
    QTest.mouseClick(page.panel.buttons["acts_by"], LEFT)
    await desk.settled()
    assert page.filters.people.currentData() == "Tunde (depot)"
    await desk.open("log")
    assert page.filters.people.isHidden()
    assert len(desk.texts()) == 0, "the search goes on, who did it does not"
    await desk.type("")
    await until(lambda: len(desk.texts()) == 200)


async def test_what_an_act_changed_stands_side_by_side_as_plain_text(desk: Desk) -> None:
    before = {"name": "<b>old</b>", "token_name": "x" * 300, "same": 1}
    after = {"name": "<i>new</i>", "limits": {"litres": 5}, "same": 1}
    job = lambda connection: record_act(connection, what="x.y", subject="s", before=before, after=after, who="ada")  # noqa: E731
    await desk.write(job)
    await desk.open("acts")
    await desk.select(0)
    shown = desk.sides()
    assert shown[0] == ("name", "<b>old</b>", "<i>new</i>")
    assert ("limits.litres", "–", "5") in shown
    panel = desk.page.panel
    assert panel.sides is not None
    assert all(cell.textFormat() == Qt.TextFormat.PlainText for row in panel.sides.cells for cell in row)
    assert panel.sides.width() <= panel.width()
    QTest.mouseClick(panel.copy, LEFT)
    assert "name: <b>old</b> → <i>new</i>" in QApplication.clipboard().text()


async def test_every_act_that_is_found_is_written_to_a_file(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def job(connection: Connection) -> None:
        for number in range(450):
            who = "ada" if number % 3 else "Tunde (depot)"
            record_act(connection, what="vehicle.set", subject=f"=V{number}", after={"n": number}, who=who)

    await desk.write(job)
    await desk.open("acts")
    await until(lambda: desk.page.filters.people.count() == 3)
    await desk.choose("people", "ada")
    file = tmp_path / "acts.csv"

    async def chosen(*_arguments: object) -> Path:
        return file

    monkeypatch.setattr("widgets.ask.save_file", chosen)
    QTest.mouseClick(desk.page.chain.export, LEFT)
    await until(lambda: desk.console.notes)
    assert desk.console.notes[-1] == ("ok", f"300 rows written to {file}")
    with file.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert (len(rows), {row["who"] for row in rows}) == (300, {"ada"})
    assert rows[0]["subject"].endswith("=V449")
    assert rows[0]["subject"] != "=V449", "a spreadsheet must not run it"
    assert json.loads(rows[0]["after"]) == {"n": 449}


async def test_the_newest_checkpoint_is_shown_with_its_age_and_copied_outside(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    page, console = desk.page, desk.console
    vault = MemoryVault()
    console.context.services.__dict__["_vault"] = vault
    await desk.write(lambda connection: record_act(connection, what="test.act", subject="s"))
    await desk.open("acts")
    await until(lambda: page.chain.sealed.text() == "No checkpoint yet.")
    file = tmp_path / "copy.jsonl"

    async def chosen(*_arguments: object) -> Path:
        return file

    monkeypatch.setattr("widgets.ask.save_file", chosen)
    QTest.mouseClick(page.chain.copy, LEFT)
    await until(lambda: console.notes)
    assert console.notes[-1][0] == "error"
    assert "no checkpoint to copy yet" in console.notes[-1][1]
    seal = Seal(vault, console.store.url, console.context.paths.checkpoints)
    with console.store.read() as connection:
        seal.advance(connection)
    QTest.mouseClick(page.chain.button, LEFT)
    await until(lambda: page.chain.pill.level == "ok")
    await until(lambda: "ago, over 1 act." in page.chain.sealed.text())
    QTest.mouseClick(page.chain.copy, LEFT)
    await until(lambda: console.notes[-1] == ("ok", f"1 checkpoint copied to {file}"))
    assert seal.file is not None
    assert file.read_bytes() == seal.file.read_bytes()


async def test_a_seal_that_does_not_hold_is_no_broken_chain(desk: Desk) -> None:
    page, console = desk.page, desk.console
    vault = MemoryVault()
    console.context.services.__dict__["_vault"] = vault
    seal = Seal(vault, console.store.url, console.context.paths.checkpoints)
    await desk.write(lambda connection: record_act(connection, what="test.act", subject="s"))
    with console.store.read() as connection:
        seal.advance(connection)
    vault.delete(seal.owner)
    await desk.open("acts")
    QTest.mouseClick(page.chain.button, LEFT)
    await until(lambda: page.chain.pill.word == "Seal broken")
    words = " ".join(label.text() for label in page.chain.findChildren(QLabel))
    assert "The key of the checkpoints is not in the vault" in words
    assert "audit accept" in words
