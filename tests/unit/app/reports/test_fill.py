"""Filling from evidence, against hand-computed cases, to the unit and with every source."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from app.clock import from_ms
from app.reports.checks import check_report
from app.reports.errors import ReportRefused
from app.reports.forms import FormLine, report_form, sources_of, submissions_of
from app.reports.writing import enter, excuse, fill_report, note_accepted, note_handed_over, receive, take_back
from app.store.store import Store
from tests.helpers.report_site import (
    TODAY,
    ReportSite,
    at,
    form_of_clinic,
    inbound,
    make_site,
    outbound,
    stock,
)


@pytest.fixture
def site(store: Store) -> ReportSite:
    return make_site(store)


def lines(site: ReportSite, report_id: str) -> dict[str, FormLine]:
    return {line.item: line for line in site.read(report_form, report_id, TODAY).lines}


def filled_store(site: ReportSite) -> str:
    """A store's September and October, looked at every day; the id of its report."""
    programme = site.programme()
    site.expect(programme, "cs")
    # 960 on 31 August; 1,200 come in, of which 1,176 were accepted; 1,500 go out in two shipments.
    site.feed(stock("b1", 960.0), stock("r1", 300.0, item="rutf", program="nutrition"))
    day = date(2026, 8, 31)
    while day <= date(2026, 10, 31):
        if day == date(2026, 9, 12):
            site.feed(stock("b1", 0.0))
        if day == date(2026, 9, 15):  # three days with nothing
            site.feed(stock("b1", 1_176.0))
        if day == date(2026, 10, 5):
            site.feed(stock("b1", 400.0), stock("b2", 236.0, expires="2027-03-31"))
        site.look(day)
        day += timedelta(days=1)
    site.feed(
        inbound("i1", 1_200.0, at(2026, 9, 15), accepted=1_176.0),
        inbound("i0", 960.0, at(2026, 8, 30)),  # before the period
        inbound("i2", 500.0, at(2026, 11, 2)),  # after it
        outbound("o1", 960.0, at(2026, 9, 11)),
        outbound("o2", 540.0, at(2026, 10, 4), stage="received"),
        outbound("o3", 7.0, at(2026, 11, 3)),
        replace(inbound("i3", 480.0, at(2026, 11, 8)), status="SHIPPED", stage="shipped", received_ms=None),
    )
    site.read_streams(date(2026, 11, 9), "stock_lines", "inbound_shipments", "outbound_shipments")
    return site.report("cs", "2026-09-01").id


def test_a_stores_report_to_the_unit(site: ReportSite) -> None:
    report_id = filled_store(site)
    done = site.write(fill_report, report_id, now=site.now)
    assert (done.lines, done.received) == (1, False)
    (line,) = lines(site, report_id).values()
    assert line.filled == {
        "opening_balance": 960.0, "received": 1_176.0, "consumed": 1_500.0, "closing_balance": 636.0,
        "stockout_days": 3.0, "on_order": 480.0, "expiring": 236.0, "expires_first": "2027-03-31",
        "amc": pytest.approx(788.793),
    }  # fmt: skip
    # 1,500 in two months of 61 days, three of them without stock: 1500 / (2 x 58/61).
    assert line.values["amc"] == pytest.approx(1_500 / (2 * 58 / 61), abs=0.001)
    assert line.judged.missing == ("losses", "adjustments_plus", "adjustments_minus")
    assert "does not tell losses" in line.why_empty("losses")
    assert line.judged.difference is None, "not guessed while losses are unknown"


def test_every_number_opens_its_sources(site: ReportSite) -> None:
    report_id = filled_store(site)
    site.write(fill_report, report_id, now=site.now)
    (line,) = lines(site, report_id).values()
    for figure, value in line.filled.items():
        found = site.read(sources_of, line.id, figure)
        assert found, f"{figure} has no source"
        if figure not in ("amc", "expires_first"):  # an average and a date
            assert sum(source.value for source in found) == value
    issued = site.read(sources_of, line.id, "consumed")
    assert [(source.record, source.value, source.day) for source in issued] == [
        ("shipment_line", 960.0, "2026-09-11"), ("shipment_line", 540.0, "2026-10-04"),
    ]  # fmt: skip
    assert issued[0].label == "Shipment OUT-o1 to Gwagwalada PHC"
    assert issued[0].read_at == from_ms(at(2026, 11, 9))
    (opening,) = site.read(sources_of, line.id, "opening_balance")
    assert (opening.day, opening.record) == ("2026-08-31", "stock_span")


def test_a_day_on_which_nobody_looked_leaves_stockout_days_unknown(site: ReportSite) -> None:
    programme = site.programme()
    site.expect(programme, "cs")
    site.feed(stock("b1", 0.0))
    for day in (date(2026, 8, 31), date(2026, 9, 1), date(2026, 10, 31)):
        site.look(day)
    report_id = site.report("cs", "2026-09-01").id
    site.write(fill_report, report_id, now=site.now)
    line = lines(site, report_id)["al"]
    assert line.values["stockout_days"] is None
    assert "looked at on 2 of 61 days, nothing was left on 2" in line.why_empty("stockout_days")
    assert (line.values["opening_balance"], line.values["closing_balance"]) == (0.0, 0.0)


def test_what_was_not_read_is_no_zero(site: ReportSite) -> None:
    programme = site.programme()
    site.expect(programme, "cs")
    site.feed(stock("b1", 480.0))
    report_id = site.report("cs", "2026-09-01").id
    site.write(fill_report, report_id, now=site.now)
    line = lines(site, report_id)["al"]
    assert line.values["received"] is None
    assert "have not been read" in line.why_empty("received")
    assert line.values["closing_balance"] is None
    site.read_streams(date(2026, 10, 20), "inbound_shipments", "stock_lines")
    site.write(fill_report, report_id, now=site.now)
    assert "before the period had ended" in lines(site, report_id)["al"].why_empty("received")
    assert "of another day" in lines(site, report_id)["al"].why_empty("closing_balance")
    site.read_streams(date(2026, 11, 1), "inbound_shipments")
    site.write(fill_report, report_id, now=site.now)
    line = lines(site, report_id)["al"]
    assert line.values["received"] == 0.0
    assert "No shipment was received" in line.notes["received"]


def test_a_look_shortly_after_the_end_says_of_which_day_it_is(site: ReportSite) -> None:
    programme = site.programme()
    site.expect(programme, "cs")
    site.feed(stock("b1", 480.0))
    site.look(date(2026, 11, 2))
    report_id = site.report("cs", "2026-09-01").id
    site.write(fill_report, report_id, now=site.now)
    line = lines(site, report_id)["al"]
    assert line.values["closing_balance"] == 480.0
    assert line.notes["closing_balance"] == "Seen on 02 Nov 2026, 2 days after the period's end."


def test_a_facilitys_own_form_is_its_report(site: ReportSite) -> None:
    programme = site.programme()
    site.expect(programme, "gw")
    site.feed(form_of_clinic())
    site.read_streams(date(2026, 11, 5), "requisitions", "outbound_shipments")
    report_id = site.report("gw", "2026-09-01").id
    done = site.write(fill_report, report_id, now=site.now)
    assert done.received
    report = site.report("gw", "2026-09-01")
    assert report.facts.received_at == from_ms(at(2026, 11, 4))
    assert (report.state, report.is_late) == ("received", False)
    (line,) = lines(site, report_id).values()
    assert {key: line.values[key] for key in ("opening_balance", "received", "consumed", "closing_balance")} == {
        "opening_balance": 200.0, "received": 600.0, "consumed": 480.0, "closing_balance": 300.0,
    }  # fmt: skip
    assert (line.values["adjustments_plus"], line.values["adjustments_minus"]) == (0.0, 20.0)
    assert line.judged.difference == 0.0
    assert line.judged.is_complete
    assert "one number" in line.gaps["losses"][1]
    assert site.read(check_report, report_id, TODAY) == [
        finding for finding in site.read(check_report, report_id, TODAY) if finding.severity == "look"
    ]
    (history,) = site.read(submissions_of, report_id)
    assert history.comment == "Requisition R-5 was handed in at msupply-1."


def test_a_draft_of_the_facility_is_not_its_report(site: ReportSite) -> None:
    programme = site.programme()
    site.expect(programme, "gw")
    site.feed(replace(form_of_clinic(), stage="draft", status="INITIATED"))
    report_id = site.report("gw", "2026-09-01").id
    assert not site.write(fill_report, report_id, now=site.now).received
    assert site.report("gw", "2026-09-01").state == "late"


def test_goods_of_another_programme_stay_out(site: ReportSite) -> None:
    programme = site.programme()
    site.expect(programme, "cs")
    site.feed(stock("b1", 480.0), stock("x", 10.0, item="rutf", program=""), stock("y", 5.0, item="ors", program=""))
    report_id = site.report("cs", "2026-09-01").id
    site.write(fill_report, report_id, now=site.now)
    assert set(lines(site, report_id)) == {"al", "ors"}


def test_what_was_entered_survives_filling_and_counts(site: ReportSite) -> None:
    report_id = filled_store(site)
    site.write(fill_report, report_id, now=site.now)
    line = lines(site, report_id)["al"]
    entered = {"losses": "12", "adjustments_plus": "0", "adjustments_minus": "0", "closing_balance": "624"}
    site.write(enter, report_id, line.id, entered, now=site.now, remarks="12 damaged by water", who="ada")
    line = lines(site, report_id)["al"]
    assert (line.values["closing_balance"], line.filled["closing_balance"]) == (624.0, 636.0)
    assert line.judged.difference == 0.0  # 960 + 1176 - 1500 - 12
    site.write(fill_report, report_id, now=site.now)
    again = lines(site, report_id)["al"]
    assert again.entered == line.entered
    assert again.remarks == "12 damaged by water"
    site.write(enter, report_id, line.id, {"closing_balance": ""}, now=site.now)
    assert lines(site, report_id)["al"].values["closing_balance"] == 636.0


def test_opening_is_the_last_closing_and_a_difference_is_found(site: ReportSite) -> None:
    report_id = filled_store(site)
    site.write(fill_report, report_id, now=site.now)
    before = site.report("cs", "2026-07-01").id
    site.look(date(2026, 8, 31))
    site.write(fill_report, before, now=site.now)
    old = lines(site, before)["al"]
    site.write(enter, before, old.id, {"closing_balance": "900"}, now=site.now)
    found = site.read(check_report, report_id, TODAY)
    assert any(one.figure == "opening_balance" and "last closing balance was 900" in one.what for one in found)
    site.write(fill_report, report_id, now=site.now)
    assert lines(site, report_id)["al"].values["opening_balance"] == 900.0


def test_consumption_entered_by_hand_renews_the_average(site: ReportSite) -> None:
    report_id = filled_store(site)
    site.write(fill_report, report_id, now=site.now)
    line = lines(site, report_id)["al"]
    site.write(enter, report_id, line.id, {"consumed": "1160"}, now=site.now)
    assert lines(site, report_id)["al"].values["amc"] == pytest.approx(1_160 / (2 * 58 / 61), abs=0.001)


def test_submissions_keep_history_and_three_facts_stay_apart(site: ReportSite) -> None:
    report_id = filled_store(site)
    site.write(fill_report, report_id, now=site.now)
    assert site.report("cs", "2026-09-01").state == "late"
    monday = from_ms(at(2026, 11, 9))
    site.write(receive, report_id, received_from="Ada Obi", received_at=monday, now=site.now, who="bola")
    report = site.report("cs", "2026-09-01")
    assert (report.state, report.is_late) == ("incomplete", True)
    line = lines(site, report_id)["al"]
    zero = dict.fromkeys(("losses", "adjustments_plus", "adjustments_minus"), "0")
    site.write(enter, report_id, line.id, zero, now=site.now)
    assert site.report("cs", "2026-09-01").state == "received"
    with pytest.raises(ReportRefused, match="not been sent"):
        site.write(note_accepted, report_id, "", now=site.now)
    site.write(note_handed_over, report_id, "by e-mail", now=site.now)
    assert site.report("cs", "2026-09-01").state == "sent"
    with pytest.raises(ReportRefused, match="sent already"):
        site.write(enter, report_id, line.id, {"losses": "1"}, now=site.now)
    site.write(take_back, report_id, "The closing balance is wrong.", now=site.now)
    assert site.report("cs", "2026-09-01").state == "rejected"
    site.write(receive, report_id, received_from="Ada Obi", received_at=site.now, now=site.now)
    report = site.report("cs", "2026-09-01")
    assert (report.state, report.facts.submission, report.facts.sent_at) == ("corrected", 2, None)
    assert report.is_late, "the first one was late, and a correction does not make it early"
    assert [one.number for one in site.read(submissions_of, report_id)] == [2, 1]
    site.write(note_handed_over, report_id, "on paper", now=site.now)
    site.write(note_accepted, report_id, "Stamped.", now=site.now)
    assert site.report("cs", "2026-09-01").state == "accepted"


def test_refusals_say_what_to_do(site: ReportSite) -> None:
    programme = site.programme()
    site.expect(programme, "cs")
    running = site.report("cs", "2026-11-01")
    assert running.state == "open"
    with pytest.raises(ReportRefused, match="from the day after"):
        site.write(fill_report, running.id, now=site.now)
    late = site.report("cs", "2026-09-01").id
    with pytest.raises(ReportRefused, match="in the future"):
        site.write(receive, late, received_from="x", received_at=site.now + timedelta(days=1), now=site.now)
    with pytest.raises(ReportRefused, match="before the period"):
        site.write(receive, late, received_from="x", received_at=from_ms(at(2026, 8, 1)), now=site.now)
    with pytest.raises(ReportRefused, match="from whom"):
        site.write(receive, late, received_from=" ", received_at=site.now, now=site.now)
    site.write(excuse, late, "Flooded", now=site.now)
    assert site.report("cs", "2026-09-01").state == "excused"
    with pytest.raises(ReportRefused, match="excused"):
        site.write(fill_report, late, now=site.now)
    site.write(excuse, late, "", now=site.now)
    assert site.report("cs", "2026-09-01").state == "late"
