"""Which reports are expected, when settings and facilities change; and the history of stock behind them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from adapters.supply import Facility
from app.clock import from_ms
from app.reports.calendar import WantedReports, count_states, ensure_reports, list_reports
from app.reports.compliance import indicators, reminders
from app.reports.errors import ReportRefused
from app.reports.forms import report_form
from app.reports.programmes import expected_facilities, list_programmes, programme, save_programme, suggest_programmes
from app.reports.spans import look_at_stock, stock_history
from app.reports.writing import enter, excuse, fill_report, receive
from app.store.store import Store
from app.store.tables import Act, StockLook, StockSpan
from tests.helpers.report_site import SYSTEM, TODAY, ReportSite, at, form_of_clinic, make_site, stock


@pytest.fixture
def site(store: Store) -> ReportSite:
    return make_site(store)


def periods(site: ReportSite, facility: str) -> list[str]:
    found = site.read(list_reports, WantedReports(facility=facility), TODAY)
    return sorted(one.period.starts_on.isoformat() for one in found)


def test_what_is_expected_stands_in_the_calendar_once(site: ReportSite) -> None:
    site.expect(site.programme(), "cs", "gw")
    assert periods(site, "cs") == ["2026-07-01", "2026-09-01", "2026-11-01"]
    assert site.write(ensure_reports, TODAY) == 0
    found = site.read(list_reports, WantedReports(), TODAY)
    assert count_states(found) == {"open": 2, "late": 4}
    assert site.report("gw", "2026-09-01").due_on == date(2026, 11, 6)


def test_a_facility_that_left_is_expected_no_more_and_its_past_stays(site: ReportSite) -> None:
    own = site.programme()
    site.expect(own, "cs", "gw")
    site.expect(own, "cs")
    assert periods(site, "gw") == ["2026-07-01", "2026-09-01"], "expected is who is assigned at the period's end"
    site.expect(own, "cs", "gw")
    assert periods(site, "gw") == ["2026-07-01", "2026-09-01", "2026-11-01"]


def test_a_closed_facility_owes_no_new_report(site: ReportSite) -> None:
    site.expect(site.programme(), "gw")
    site.feed(Facility("gw", "FC-GWA-003", "Gwagwalada PHC", "facility", zone="FCT", is_active=False))
    site.write(ensure_reports, TODAY)
    assert periods(site, "gw") == ["2026-07-01", "2026-09-01"]


def test_another_rhythm_keeps_what_was_touched(site: ReportSite) -> None:
    own = site.programme()
    site.expect(own, "cs")
    report = site.report("cs", "2026-09-01")
    site.feed(stock("b1", 480.0))
    site.write(fill_report, report.id, now=site.now)
    site.write(save_programme, replace(site.read(programme, own), rhythm="monthly"))
    site.write(ensure_reports, TODAY)
    assert periods(site, "cs") == ["2026-07-01", "2026-08-01", "2026-09-01", "2026-11-01"]
    assert site.report("cs", "2026-09-01").period.ends_on == date(2026, 10, 31), "the filled one is as it was"


def test_more_days_move_the_due_day_of_what_has_not_come(site: ReportSite) -> None:
    own = site.programme()
    site.expect(own, "cs")
    came = site.report("cs", "2026-07-01").id
    site.write(receive, came, received_from="Ada", received_at=from_ms(at(2026, 9, 3)), now=site.now)
    site.write(save_programme, replace(site.read(programme, own), due_days=10))
    site.write(ensure_reports, TODAY)
    assert site.report("cs", "2026-09-01").due_on == date(2026, 11, 13)
    assert site.report("cs", "2026-09-01").state == "due"
    assert site.report("cs", "2026-07-01").due_on == date(2026, 9, 7), "it was in time by the rule of its day"


def test_programmes_are_offered_checked_and_recorded(site: ReportSite) -> None:
    offered = site.read(suggest_programmes, ["msupply"])
    assert [one.name for one in offered] == ["Malaria", "Nutrition"]
    site.programme()
    assert [one.name for one in site.read(suggest_programmes, ["msupply"])] == ["Nutrition"]
    wrong: dict[str, object] = {
        "rhythm": "weekly", "due_days": 99, "min_months": 9.0, "starts_on": "soon", "first_month": 13,
        "holidays": ("x",), "reports_to": "nobody", "name": " ",
    }  # fmt: skip
    for field, value in wrong.items():
        with pytest.raises(ReportRefused) as refused:
            site.programme(**{field: value})
        assert refused.value.field == field
    (own,) = site.read(list_programmes)
    assert {one.facility for one in site.read(expected_facilities, own.id)} == {"cs", "gw"}
    with site.store.read() as connection:
        assert connection.execute(select(Act.what)).scalars().all() == ["report_programme.add"]


def test_indicators_by_hand(site: ReportSite) -> None:
    own = site.programme()
    site.expect(own, "cs", "gw")
    site.feed(form_of_clinic())
    site.read_streams(date(2026, 11, 5), "requisitions")
    site.write(fill_report, site.report("gw", "2026-09-01").id, now=site.now)  # in time, complete, 1.2 months: under
    site.write(excuse, site.report("gw", "2026-07-01").id, "Flooded", now=site.now)
    late = site.report("cs", "2026-09-01").id
    site.feed(stock("b1", 480.0))
    site.look(date(2026, 10, 31))
    site.write(fill_report, late, now=site.now)
    line = site.read(report_form, late, TODAY).lines[0]
    figures = {"opening_balance": "0", "received": "0", "consumed": "0", "losses": "0", "adjustments_plus": "0",
               "adjustments_minus": "0", "stockout_days": "61", "closing_balance": "0"}  # fmt: skip
    site.write(enter, late, line.id, figures, now=site.now)
    site.write(receive, late, received_from="Ada", received_at=site.now, now=site.now)
    (found,) = site.read(indicators, WantedReports(), TODAY)
    assert (found.reports, found.excused) == (3, 1)
    assert (found.reporting.part, found.reporting.whole) == (2, 3)  # the store's July and August never came
    assert (found.timeliness.part, found.timeliness.whole) == (1, 3)
    assert found.complete_reports.percent == 100.0
    assert found.accuracy.percent == 100.0
    assert (found.stockout.part, found.stockout.whole) == (1, 2)
    assert (found.to_plan.part, found.to_plan.whole) == (0, 2)
    by_facility = {one.name: one for one in site.read(indicators, WantedReports(), TODAY, by="facility")}
    assert by_facility["Gwagwalada PHC"].reporting.percent == 100.0
    assert by_facility["Central store"].reporting.percent == 50.0
    assert by_facility["All"].reporting == found.reporting
    asked = site.read(reminders, WantedReports(), TODAY)
    assert [(one.report.facility, one.report.period.name) for one in asked] == [("cs", "Jul–Aug 2026")]
    assert asked[0].days_late == (TODAY - date(2026, 9, 7)).days


quantities = st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=1, max_size=14)


@given(st.lists(quantities, min_size=1, max_size=2))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_history_tells_exactly_what_was_seen_on_each_day(site: ReportSite, items: list[list[int | None]]) -> None:
    """None: nobody looked on that day."""
    site.write(lambda connection: connection.execute(delete(StockSpan)))
    site.write(lambda connection: connection.execute(delete(StockLook)))
    first = date(2026, 9, 1)
    length = max(map(len, items))
    for number in range(length):
        seen = [item[number] if number < len(item) else None for item in items]
        if all(one is None for one in seen):
            continue
        site.feed(*(stock(f"b{at}", float(one or 0), item=("al", "ors")[at]) for at, one in enumerate(seen)))
        site.look(first + timedelta(days=number))
    history, looks = site.read(stock_history, SYSTEM, "cs", first, first + timedelta(days=length))
    for number in range(length):
        day = first + timedelta(days=number)
        seen = [item[number] if number < len(item) else None for item in items]
        assert (day in looks) == any(one is not None for one in seen)
        if day in looks:
            for at, one in enumerate(seen):
                found = history.get(("al", "ors")[at])
                assert (found.units_on(day) if found is not None else 0.0) == float(one or 0)


def test_stock_that_was_told_yesterday_says_nothing_of_today(site: ReportSite) -> None:
    site.feed(stock("b1", 480.0))
    site.read_streams(date(2026, 9, 1), "stock_lines")
    assert site.write(look_at_stock, at(2026, 9, 2)) == 0
    assert site.read(stock_history, SYSTEM, "cs", date(2026, 9, 1), date(2026, 9, 3)) == ({}, {})


def test_looking_twice_a_day_keeps_the_last(site: ReportSite) -> None:
    site.feed(stock("b1", 480.0))
    site.look(date(2026, 9, 1))
    site.feed(stock("b1", 240.0))
    assert site.look(date(2026, 9, 1)) == 1
    history, _looks = site.read(stock_history, SYSTEM, "cs", date(2026, 9, 1), date(2026, 9, 1))
    assert history["al"].spans == [("malaria", date(2026, 9, 1), None, 240.0)]
