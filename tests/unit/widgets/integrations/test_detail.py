"""One integration in detail: what is told, the log and its search, what was set aside, the way back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from sqlalchemy import Connection, insert, update

from app.clock import utc_now
from app.integrations import add, remove
from app.store.changes import raise_topic
from app.store.logs import append_log
from app.store.tables import Cursor, IntegrationDay, IntegrationState, RejectedRecord
from tests.helpers.desks import make_catalogue
from tests.helpers.integrations_page import Depot, click, opened_page, texts_of
from tests.helpers.qt import Console, open_dialog, until
from widgets.integrations.detail import DetailView
from widgets.integrations.log_panel import PAGE_LINES


@dataclass
class Opened:
    depot: Depot
    view: DetailView
    id: str

    async def write_lines(self, count: int, text: str = "Traccar Kano: {n} new record(s).") -> None:
        def job(connection: Connection) -> None:
            for number in range(count):
                append_log(
                    connection,
                    event_type="sync_success",
                    text=text.format(n=number),
                    integration_id=self.id,
                    payload={"counts": {"positions": number}},
                )

        await self.depot.write(job)

    def lines(self) -> list[str]:
        return [row.text for row in self.view.log.model.rows]


@pytest_asyncio.fixture
async def opened(console: Console) -> AsyncIterator[Opened]:
    async with opened_page(console, make_catalogue()) as depot:
        made = await asyncio.to_thread(
            add, depot.desk, "traccar", "Traccar Kano", {"url": "http://127.0.0.1:9"}, {"token": "planted-detail-1"}
        )
        await depot.write(lambda connection: _fill(connection, made))
        await depot.settle(1)
        click(depot.page.tabs.button("active"))
        click(depot.page.current.items[made].details)
        await until(lambda: depot.page.is_detail_shown)
        yield Opened(depot, depot.page.detail, made)


def _fill(connection: Connection, made: str) -> None:
    now = utc_now()
    for topic in ("integration_states", "logs"):
        raise_topic(connection, topic)
    state = {
        "phase": "retrying",
        "reason": "The connection to the Traccar server was refused: nothing listens there. Check the port.",
        "since": now - timedelta(minutes=4),
        "next_try": now + timedelta(seconds=40),
        "last_data": now - timedelta(minutes=5),
        "failures": 4,
        "detail": {"identity": "Traccar at gps.kano.example", "version": "6.5"},
    }
    connection.execute(insert(IntegrationState).values(integration_id=made, **state))
    for stream, value in (("devices", '{"358": "ABJ"}'), ("events", "2026-05-04T08:00:00Z")):
        connection.execute(insert(Cursor).values(integration_id=made, stream=stream, value=value, saved_at=now))
    for number in range(3):
        row = {"integration_id": made, "stream": f"positions:{number}", "value": "x", "saved_at": now}
        connection.execute(insert(Cursor).values(**row))
    day = {"day": now.date().isoformat(), "runs": 8, "runs_failed": 2, "records": 40, "duration_ms": 4000}
    counted = {"delay_ms": 80_000, "counters": {"unknown_device": 3, "skipped_bytes": 0}}
    connection.execute(insert(IntegrationDay).values(integration_id=made, **day, **counted))
    rejected = {"record_key": "position 7", "why": "The latitude 991 is not on this planet.", "sample": "{991}"}
    connection.execute(insert(RejectedRecord).values(integration_id=made, at=now, **rejected))


async def test_the_state_is_told_with_reason_age_and_next_try(opened: Opened) -> None:
    view = opened.view
    assert view.name.text() == "Traccar Kano"
    assert (view.pill.level, view.pill.word) == ("warn", "Retrying")
    assert "nothing listens there" in view.state.why.text()
    facts = view.state.list.facts()
    assert facts["Since"].startswith("4 min, ")
    assert facts["Next try"].startswith("retrying in")
    assert facts["Failed in a row"] == "4 tries"
    assert facts["Newest data"].startswith("5 min ago, ")
    assert facts["Last sync"] == "never"
    assert (facts["Answers"], facts["Version"]) == ("Traccar at gps.kano.example", "6.5")


async def test_streams_show_how_far_they_were_read(opened: Opened) -> None:
    facts = opened.view.streams.list.facts()
    assert list(facts) == ["Devices", "Geofences", "Positions", "Events"]
    assert facts["Geofences"] == "not read yet"
    assert "358" not in facts["Devices"]  # a list of names is no use to an eye
    assert facts["Positions"].endswith("3 cursors")
    assert facts["Events"].endswith("up to 2026-05-04T08:00:00Z")


async def test_thirty_days_are_summed_and_drawn(opened: Opened) -> None:
    figures = opened.view.figures
    assert (figures.runs.value.text(), figures.runs.note.text()) == ("8", "75.0 % succeeded")
    assert figures.records.value.text() == "40"
    assert figures.duration.value.text() == "0.5 s"
    assert figures.delay.value.text() == "2.0 s"
    bars = figures.runs.chart.bars
    assert len(bars) == 30
    assert [bar.value for bar in bars[:-1]] == [None] * 29
    assert (bars[-1].value, bars[-1].part) == (8, 2)
    assert bars[-1].words.endswith("8 runs, 2 failed")
    assert opened.view.counters.list.facts() == {"Positions of unlisted devices": "3"}
    chart = figures.runs.chart
    assert chart.bar_at(chart.width() - 1) == 29
    assert chart.bar_at(0) == 0
    assert chart.bar_at(chart.width() + 5) == -1


async def test_a_change_of_state_is_seen_while_the_view_is_open(opened: Opened) -> None:
    def job(connection: Connection) -> None:
        raise_topic(connection, "integration_states")
        connection.execute(update(IntegrationState).values(phase="healthy", reason="Live.", next_try=None, failures=0))

    await opened.depot.write(job)
    await until(lambda: opened.view.pill.word == "Healthy")
    assert opened.view.state.why.text() == "Live."
    assert "Next try" not in opened.view.state.list.facts()


async def test_the_log_takes_in_what_is_new_and_loads_what_is_old(opened: Opened) -> None:
    log = opened.view.log
    click(opened.view.tabs.button("log"))
    await opened.write_lines(PAGE_LINES + 50)
    await until(lambda: log.model.total == PAGE_LINES)
    assert opened.lines()[0] == f"Traccar Kano: {PAGE_LINES + 49} new record(s)."
    assert log.older.isVisible()
    click(log.older)
    await until(lambda: log.model.total == PAGE_LINES + 50)
    assert opened.lines()[-1] == "Traccar Kano: 0 new record(s)."
    assert not log.older.isVisible()
    await opened.write_lines(1, "Traccar Kano works again.")
    await until(lambda: opened.lines()[0] == "Traccar Kano works again.")
    assert log.model.total == PAGE_LINES + 51


async def test_a_gap_that_one_page_does_not_close_begins_anew(opened: Opened) -> None:
    log = opened.view.log
    click(opened.view.tabs.button("log"))
    await opened.write_lines(3)
    await until(lambda: log.model.total == 3)
    await opened.write_lines(PAGE_LINES * 2)
    await until(lambda: opened.lines()[0] == f"Traccar Kano: {PAGE_LINES * 2 - 1} new record(s).")
    assert log.model.total == PAGE_LINES
    click(log.older)
    await until(lambda: log.model.total == PAGE_LINES * 2)


async def test_the_log_is_searched_in_the_store(opened: Opened) -> None:
    log = opened.view.log
    click(opened.view.tabs.button("log"))
    await opened.write_lines(PAGE_LINES)
    await opened.write_lines(1, "Traccar Kano does not work: the dish fell down.")
    await opened.write_lines(PAGE_LINES)
    await until(lambda: log.model.total == PAGE_LINES)
    QTest.keyClicks(log.search, "dish")
    await until(lambda: opened.lines() == ["Traccar Kano does not work: the dish fell down."])
    QTest.keyClick(log.search, Qt.Key.Key_Escape)
    await until(lambda: log.model.total == PAGE_LINES)


async def test_a_line_opens_with_its_details(opened: Opened) -> None:
    log = opened.view.log
    click(opened.view.tabs.button("log"))
    await opened.write_lines(2)
    await until(lambda: log.model.total == 2)
    log.table.view.setCurrentIndex(log.model.index(0, 0))
    QTest.keyClick(log.table.view, Qt.Key.Key_Return)
    await until(open_dialog)
    dialog = open_dialog()
    assert dialog is not None
    assert '"positions": 1' in texts_of(dialog)
    dialog.reject()


async def test_what_was_set_aside_is_listed_with_its_reason(opened: Opened) -> None:
    assert opened.view.tabs.button("set_aside").text() == "Set aside  1"
    click(opened.view.tabs.button("set_aside"))
    (row,) = opened.view.set_aside.model.rows
    assert (row.record_key, row.why, row.sample) == ("position 7", "The latitude 991 is not on this planet.", "{991}")
    assert opened.depot.page.table() is opened.view.set_aside


async def test_links_lead_to_its_data(opened: Opened) -> None:
    click(opened.view.state.trackers)
    click(opened.view.state.map)
    name = opened.view.name.text()
    assert opened.depot.console.opened == [("trackers", {"source": name}), ("map", {"source": name})]


async def test_the_view_closes_when_its_integration_is_removed(opened: Opened) -> None:
    await asyncio.to_thread(remove, opened.depot.desk, opened.id)
    await until(lambda: not opened.depot.page.is_detail_shown)
    assert opened.depot.rows() == []


async def test_escape_leads_back_to_where_it_was_opened(opened: Opened) -> None:
    QTest.keyClick(opened.view, Qt.Key.Key_Escape)
    await until(lambda: not opened.depot.page.is_detail_shown)
    assert opened.depot.page.tabs.value == "active"


async def test_a_listener_has_no_runs_to_show(opened: Opened) -> None:
    depot = opened.depot
    made = await asyncio.to_thread(add, depot.desk, "gt02_tracker", "Yard", {"host": "127.0.0.1", "port": 5999})
    await depot.settle(2)
    depot.page.show_item(details=made)
    await until(lambda: opened.view.name.text() == "Yard")
    assert opened.view.figures.runs.isHidden()
    assert opened.view.sync.isHidden()
    assert "nothing to read on from" in opened.view.streams.nothing.text()
    assert opened.view.state.list.facts()["Newest data"] == "never"
