"""What must be right before a report is sent: each finding names the line, what is wrong, and the next step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from sqlalchemy import Connection, select

from app.reports.codes import Codes, read_codes
from app.reports.figures import BY_KEY, FIGURES, MOST_UNITS
from app.reports.forms import FormLine, ReportForm, report_form
from app.reports.states import ReportState
from app.store.tables import ReportLine, ReportRow

Severity = Literal["stop", "hold", "look"]
"""stop: the report cannot go out like this. hold: this line stays behind, the rest goes. look: probably wrong."""

HUGE_TIMES = 10.0
"""So many times the average of a month (and of the period's months) a quantity is probably typed wrongly."""

SEVERITY_WORDS: Mapping[str, str] = {"stop": "Must be mended", "hold": "Held back", "look": "Look again"}


@dataclass(frozen=True, slots=True)
class Finding:
    """``line_id`` is "" for the report as a whole; ``figure`` "" for the whole line."""

    severity: Severity
    what: str
    next_step: str
    line_id: str = ""
    item: str = ""
    figure: str = ""

    def as_row(self) -> dict[str, Any]:
        return {
            "severity": self.severity,
            "line": self.item,
            "line_id": self.line_id,
            "figure": self.figure,
            "what": self.what,
            "next": self.next_step,
        }


def check_report(connection: Connection, report_id: str, today: date) -> list[Finding]:
    """Every finding, those that stop the report first. Raises UnknownReport."""
    form = report_form(connection, report_id, today)
    return check_form(form, _last_closing(connection, form), read_codes(connection, form.programme.reports_to), today)


def check_form(form: ReportForm, last_closing: Mapping[str, float], codes: Codes, today: date) -> list[Finding]:
    """The findings of a form; ``last_closing`` is each item's closing balance in the report before."""
    found = [*_whole(form, codes, today)]
    for line in form.lines:
        found += _line(form, line, last_closing, codes)
    order = ("stop", "hold", "look")
    return sorted(found, key=lambda one: (order.index(one.severity), bool(one.line_id)))


def stops(findings: list[Finding]) -> list[Finding]:
    return [one for one in findings if one.severity == "stop"]


def _whole(form: ReportForm, codes: Codes, today: date) -> Iterator[Finding]:
    report = form.report
    if report.period.ends_on >= today:
        yield Finding(
            "stop",
            f"The period runs until {report.period.ends_on:%d %b %Y}.",
            "Wait for its end, then fill the report.",
        )
    if not form.lines:
        yield Finding("stop", "The report has no lines.", "Fill it from the evidence.")
    if report.state is ReportState.EXCUSED:
        yield Finding("stop", "The facility is excused from this report.", "Take that back, or leave it.")
    elif report.facts.received_at is None and report.period.ends_on < today:
        yield Finding(
            "stop", "The facility has not handed the report in.", "Note from whom and when it came (Received…)."
        )
    if form.programme.reports_to:
        trouble = codes.trouble_of_facility(report.facility_code)
        if trouble:
            what, _, step = trouble.partition(". ")
            yield Finding("stop", f"{what}.", step)
        if form.programme.program and not form.programme.name_there.strip():
            yield Finding(
                "stop",
                f"It is not set how {codes.peer} names the programme {form.programme.name}.",
                "Enter its name there in the programme's settings.",
            )


def _line(form: ReportForm, line: FormLine, last_closing: Mapping[str, float], codes: Codes) -> Iterator[Finding]:
    def finding(severity: Severity, what: str, next_step: str, figure: str = "") -> Finding:
        return Finding(severity, what, next_step, line.id, line.name, figure)

    for key in line.judged.missing:
        yield finding("stop", f"{BY_KEY[key].label} is not known.", line.why_empty(key), key)
    difference = line.judged.difference
    if difference is not None and abs(difference) > form.programme.tolerance_units:
        closing, expected = line.values["closing_balance"], line.judged.expected_closing
        yield finding(
            "stop",
            f"The balance differs by {difference:+,.10g}: the closing balance is {closing:,.10g}, the other figures "
            f"give {expected:,.10g}.",
            "Count again, or enter losses and adjustments that explain it.",
            "closing_balance",
        )
    opening, last = line.values["opening_balance"], last_closing.get(line.item)
    if opening is not None and last is not None and abs(float(opening) - last) > form.programme.tolerance_units:
        yield finding(
            "stop",
            f"The opening balance is {opening:,.10g}, the last closing balance was {last:,.10g}.",
            "Correct the one that is wrong; the one before may have to be taken back.",
            "opening_balance",
        )
    yield from _numbers(form, line, finding)
    if form.programme.reports_to:
        trouble = codes.trouble_of_item(line.code)
        if trouble:
            what, _, step = trouble.partition(". ")
            yield finding("hold", f"{what}.", step)


def _numbers(form: ReportForm, line: FormLine, finding: Any) -> Iterator[Finding]:
    amc = line.values["amc"]
    most = HUGE_TIMES * float(amc) * form.report.period.months if isinstance(amc, (int, float)) and amc > 0 else None
    for figure in FIGURES:
        value = line.values.get(figure.key)
        if not isinstance(value, (int, float)):
            continue
        if value < 0:
            yield finding("stop", f"{figure.label} is {value:,.10g}, less than 0.", "Enter what is right.", figure.key)
        elif value > MOST_UNITS:
            yield finding(
                "stop", f"{figure.label} is {value:,.0f}, beyond every reason.", "Enter what is right.", figure.key
            )
        elif most is not None and figure.sign and value > most:
            yield finding(
                "look",
                f"{figure.label} is {value:,.10g}, more than {HUGE_TIMES:g} times what is used in such a period.",
                "Look whether packs were counted as units, or a digit is too many.",
                figure.key,
            )
    out = line.values["stockout_days"]
    if isinstance(out, (int, float)) and out > form.report.period.days:
        yield finding(
            "stop",
            f"{out:g} stock-out days are more than the {form.report.period.days} days of the period.",
            "Enter 0 to the number of days.",
            "stockout_days",
        )
    if not line.pack_size > 0:
        yield finding("stop", "The item's pack size is no number above 0.", "Correct it in the supply system.")
    elif line.pack_size != 1:
        for key in ("received", "closing_balance"):
            value = line.values[key]
            if isinstance(value, (int, float)) and abs(value / line.pack_size - round(value / line.pack_size)) > 1e-6:
                yield finding(
                    "look",
                    f"{BY_KEY[key].label} is {value:,.10g}, no whole number of packs of {line.pack_size:,.10g}.",
                    "Look whether units or packs were meant; opened packs are fine.",
                    key,
                )
    first = line.values["expires_first"]
    if isinstance(first, str) and first <= form.report.period.ends_on.isoformat():
        yield finding(
            "look",
            f"Stock that expired on {first} is still held.",
            "Take it out of the stock, and enter it as a loss.",
            "expires_first",
        )


def _last_closing(connection: Connection, form: ReportForm) -> dict[str, float]:
    """Each item's closing balance in the report that ended the day before this one began."""
    report, table, line = form.report, ReportRow, ReportLine
    before = date.fromordinal(report.period.starts_on.toordinal() - 1).isoformat()
    query = (
        select(line.item, line.closing_units)
        .join(table, table.id == line.report_id)
        .where(
            table.programme_id == report.programme_id,
            table.facility == report.facility,
            table.ends_on == before,
            line.closing_units.is_not(None),
        )
    )
    return {row.item: row.closing_units for row in connection.execute(query)}
