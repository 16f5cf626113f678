"""Each finding names the line, what is wrong and the next step; and the daily look, kept and forgotten."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from app.clock import to_ms
from app.reports.checks import Finding, check_form, check_report, stops
from app.reports.codes import Codes
from app.reports.follower import ReportFollower
from app.reports.forms import report_form
from app.reports.writing import enter, fill_report, receive
from app.store.retention import sweep
from app.store.store import Store
from app.store.tables import ReportRow, StockLook, StockSpan
from tests.helpers.report_site import SYSTEM, TODAY, ReportSite, at, make_site, stock

NO_LIST = Codes("NHLMIS", None)
GOOD = {
    "opening_balance": "480", "received": "240", "consumed": "480", "losses": "0", "adjustments_plus": "0",
    "adjustments_minus": "0", "closing_balance": "240", "stockout_days": "0",
}  # fmt: skip


@pytest.fixture
def site(store: Store) -> ReportSite:
    return make_site(store)


def checked(site: ReportSite, **figures: str) -> list[Finding]:
    """The findings of a good report with some figures changed."""
    site.expect(site.programme(), "cs")
    site.feed(stock("b1", 480.0))
    site.read_streams(date(2026, 11, 9), "stock_lines")
    report_id = site.report("cs", "2026-09-01").id
    site.write(fill_report, report_id, now=site.now)
    (line,) = site.read(report_form, report_id, TODAY).lines
    site.write(enter, report_id, line.id, {**GOOD, **figures}, now=site.now)
    site.write(receive, report_id, received_from="Ada", received_at=site.now, now=site.now)
    return site.read(check_report, report_id, TODAY)


def test_a_good_report_has_no_findings(site: ReportSite) -> None:
    assert checked(site) == []


@pytest.mark.parametrize(
    ("figures", "severity", "figure", "says"),
    [
        ({"losses": ""}, "stop", "losses", "Losses is not known"),
        ({"closing_balance": "216"}, "stop", "closing_balance", "differs by -24: the closing balance is 216"),
        ({"stockout_days": "62"}, "stop", "stockout_days", "more than the 61 days"),
        ({"received": "96000", "closing_balance": "96000"}, "look", "received", "more than 10 times"),
        ({"received": "245", "closing_balance": "245"}, "look", "received", "no whole number of packs of 24"),
    ],
)
def test_what_is_wrong_is_found(
    site: ReportSite, figures: dict[str, str], severity: str, figure: str, says: str
) -> None:
    found = [one for one in checked(site, **figures) if one.figure == figure]
    assert found, figures
    assert found[0].severity == severity
    assert says in found[0].what
    assert found[0].next_step
    assert found[0].item.startswith("Artemether")


def test_the_whole_report_is_judged_too(site: ReportSite) -> None:
    taker = site.taker()
    site.expect(site.programme(reports_to=taker, name_there=""), "cs")
    whats = [one.what for one in site.read(check_report, site.report("cs", "2026-09-01").id, TODAY)]
    assert "The report has no lines." in whats
    assert "The facility has not handed the report in." in whats
    assert "It is not set how NHLMIS names the programme Malaria." in whats
    running = site.read(check_report, site.report("cs", "2026-11-01").id, TODAY)
    assert any("period runs until 31 Dec 2026" in one.what for one in running)


def test_a_code_that_the_taker_does_not_know_holds_its_line_back_only(site: ReportSite) -> None:
    checked(site)
    form = site.read(report_form, site.report("cs", "2026-09-01").id, TODAY)
    programme = form.programme

    asked = replace(form, programme=replace(programme, reports_to="nhlmis-1", name_there="Malaria"))
    found = check_form(asked, {}, Codes("NHLMIS", frozenset({"OTHER"})), TODAY)
    assert [one.severity for one in found] == ["hold"]
    assert stops(found) == []
    assert check_form(asked, {}, NO_LIST, TODAY) == []


def test_the_follower_keeps_history_and_calendar_and_does_nothing_where_nobody_reports(site: ReportSite) -> None:
    follower = ReportFollower()
    site.feed(stock("b1", 480.0))
    site.read_streams(date(2026, 11, 10), "stock_lines")
    follower.step(site.store, at(2026, 11, 10, 18))
    assert rows(site, StockLook) == []
    programme = site.programme()
    site.expect(programme, "cs", today=date(2026, 10, 31))
    wait_s = follower.step(site.store, at(2026, 11, 10, 18))
    assert wait_s is not None
    assert 0 < wait_s <= 15, "what moved during the rest is looked at after it"
    follower.step(site.store, at(2026, 11, 10, 18) + round(wait_s * 1000))
    assert [row.day for row in rows(site, StockLook)] == ["2026-11-10"]
    assert any(row.starts_on == "2026-11-01" for row in rows(site, ReportRow)), "a day begins without an operator"


def test_old_history_is_forgotten_and_what_still_stands_is_not(site: ReportSite) -> None:
    old = TODAY - timedelta(days=500)

    def job(connection: Any) -> None:
        for until in (old, None):
            connection.execute(
                insert(StockSpan).values(
                    integration_id=SYSTEM, facility="cs", item="al", units=1.0, from_on="2025-01-01",
                    until_on=until.isoformat() if until else None,
                )
            )  # fmt: skip
        for day in (old, TODAY):
            connection.execute(
                insert(StockLook).values(
                    integration_id=SYSTEM, day=day.isoformat(), read_at=site.now, looked_at=site.now
                )
            )

    site.write(job)
    sweep(site.store, to_ms(site.now), threading.Event())
    assert [row.until_on for row in rows(site, StockSpan)] == [None]
    assert [row.day for row in rows(site, StockLook)] == [TODAY.isoformat()]


def rows(site: ReportSite, table: Any) -> list[Any]:
    with site.store.read() as connection:
        return list(connection.execute(select(table.__table__)))
