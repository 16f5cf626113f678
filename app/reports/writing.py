"""What changes a report: filling, entering, receiving, correcting, excusing; each recorded in its transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from app.clock import from_ms, to_ms
from app.fleet.text import storable
from app.reports.calendar import ReportListing, report_listing
from app.reports.errors import ReportRefused, UnknownReport
from app.reports.evidence import TOLD_STAGES, Evidence, earlier_lines, gather
from app.reports.figures import BY_KEY, Limits, effective, judge, read_value
from app.reports.fill import FilledLine, amc_from_reports, fill_lines
from app.reports.periods import local_day
from app.reports.programmes import programme
from app.reports.states import ReportState
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import Act, ReportLine, ReportRow, ReportSource, ReportSubmission

LONGEST_REMARK = 2_000
_SENT = (ReportState.SENT, ReportState.ACCEPTED)


@dataclass(frozen=True, slots=True)
class FillResult:
    """``unknown`` counts required figures that stayed empty; ``received``: the facility's own report was found."""

    lines: int
    figures: int
    unknown: int
    received: bool


def fill_report(connection: Connection, report_id: str, *, now: datetime, who: str | None = None) -> FillResult:
    """Fill a report anew; what a person entered stays, and counts before what is filled. Raises ReportRefused."""
    today = local_day(to_ms(now))
    report = report_listing(connection, report_id, today)
    _refuse_sent(report)
    if report.state is ReportState.EXCUSED:
        raise ReportRefused(f"{report.subject} is excused. Take that back first.")
    if report.period.ends_on >= today:
        raise ReportRefused(
            f"{report.subject}: the period runs until {report.period.ends_on:%d %b %Y}. It can be filled from the day "
            "after."
        )
    found = programme(connection, report.programme_id)
    evidence = gather(connection, report, found)
    lines = fill_lines(evidence, report.period, found.limits, found.program)
    version = raise_topic(connection, "reports")
    _write_lines(connection, report, lines, version)
    connection.execute(
        update(ReportRow).where(ReportRow.id == report_id).values(filled_at=now, changed_version=version)
    )
    rejudge(connection, report_id, found.limits, version)
    received = _receive_from_form(connection, report, evidence, now)
    figures = sum(len(line.values) for line in lines)
    unknown = sum(1 for line in lines for key in line.gaps if BY_KEY[key].required and line.gaps[key][0] == "unknown")
    record_act(
        connection,
        what="report.fill",
        subject=report.subject,
        after={"lines": len(lines), "figures": figures, "unknown": unknown},
        who=who,
    )
    return FillResult(len(lines), figures, unknown, received)


def enter(
    connection: Connection,
    report_id: str,
    line_id: str,
    figures: Mapping[str, str],
    *,
    now: datetime,
    remarks: str | None = None,
    who: str | None = None,
) -> dict[str, Any]:
    """Enter figures of one line as they were typed; "" takes an entry back. Returns what counts now.

    Raises ReportRefused with the figure, UnknownReport.
    """
    report = report_listing(connection, report_id, local_day(to_ms(now)))
    _refuse_sent(report)
    line = ReportLine
    row = connection.execute(
        select(line.__table__).where(line.id == line_id, line.report_id == report_id)
    ).one_or_none()
    if row is None:
        raise UnknownReport(f"{report.subject} has no line {line_id}. Fill the report, then look again.")
    entered = dict(row.entered)
    for key, text in figures.items():
        value = read_value(key, text)
        entered.pop(key, None)
        if value is not None and value != row.filled.get(key):
            entered[key] = value
    values: dict[str, Any] = {"entered": entered}
    if remarks is not None:
        values["remarks"] = storable(remarks.strip(), LONGEST_REMARK)
    found = programme(connection, report.programme_id)
    if {"consumed", "stockout_days"} & set(figures):
        values |= _fresh_amc(connection, report, row, entered, found.limits)
    version = raise_topic(connection, "reports")
    connection.execute(update(line).where(line.id == line_id).values(**values, changed_version=version))
    rejudge(connection, report_id, found.limits, version)
    record_act(
        connection,
        what="report.enter",
        subject=f"{report.subject}: {row.item_name}",
        before={key: row.entered.get(key) for key in figures}
        | ({"remarks": row.remarks} if remarks is not None else {}),
        after={key: entered.get(key) for key in figures}
        | ({"remarks": values["remarks"]} if remarks is not None else {}),
        who=who,
    )
    return effective(values.get("filled", row.filled), entered)


def receive(
    connection: Connection,
    report_id: str,
    *,
    received_from: str,
    received_at: datetime,
    now: datetime,
    comment: str = "",
    who: str | None = None,
) -> int:
    """The facility has handed its report in, or a corrected one; returns the number of the submission.

    What was said about the one before (sent, accepted, rejected) belongs to that one and stays in its history.
    """
    report = report_listing(connection, report_id, local_day(to_ms(now)))
    person = storable(received_from.strip(), 200)
    if not person:
        raise ReportRefused("Say from whom the report came.", "received_from")
    if received_at > now:
        raise ReportRefused(
            "A report cannot come in the future. Check the time, and this computer's clock.", "received_at"
        )
    if local_day(to_ms(received_at)) < report.period.starts_on:
        raise ReportRefused("That is before the period began. Check the day on which it came.", "received_at")
    if report.state is ReportState.EXCUSED:
        raise ReportRefused(f"{report.subject} is excused. Take that back first.")
    return _receive(connection, report, person, received_at, now, comment, who)


def excuse(connection: Connection, report_id: str, why: str, *, now: datetime, who: str | None = None) -> None:
    """A facility need not report this once; with the reason. "" takes it back."""
    report = report_listing(connection, report_id, local_day(to_ms(now)))
    text = storable(why.strip(), LONGEST_REMARK)
    if text and report.facts.received_at is not None:
        raise ReportRefused(f"{report.subject} has come already; there is nothing to excuse.")
    act = record_act(
        connection,
        what="report.excuse" if text else "report.expect_again",
        subject=report.subject,
        before={"excuse": report.excuse},
        after={"excuse": text},
        who=who,
    )
    values: dict[str, Any] = {"excuse": text, "excused_at": now if text else None, "excused_by": ""}
    if text:
        values["excused_by"] = _who_of(connection, act)
    _set(connection, report_id, **values)


def take_back(connection: Connection, report_id: str, why: str, *, now: datetime, who: str | None = None) -> None:
    """A report that was sent or accepted must be corrected: it counts as rejected until the correction comes."""
    report = report_listing(connection, report_id, local_day(to_ms(now)))
    text = storable(why.strip(), LONGEST_REMARK)
    if report.facts.received_at is None:
        raise ReportRefused(f"{report.subject} has not come yet; there is nothing to correct.")
    if not text:
        raise ReportRefused("Say what is wrong with the report.", "why")
    record_act(connection, what="report.reject", subject=report.subject, after={"why": text}, who=who)
    _set(connection, report_id, rejected_at=now, answer=text, accepted_at=None)


def note_handed_over(
    connection: Connection, report_id: str, how: str, *, now: datetime, who: str | None = None
) -> None:
    """A report for which there is no call went out as a file or on paper."""
    report = report_listing(connection, report_id, local_day(to_ms(now)))
    if report.facts.received_at is None:
        raise ReportRefused(f"{report.subject} has not come from the facility yet. Note that first.")
    text = storable(how.strip(), LONGEST_REMARK)
    record_act(connection, what="report.hand_over", subject=report.subject, after={"how": text}, who=who)
    _set(
        connection, report_id, sent_at=now, sent_how="export", is_doubtful=False, accepted_at=None, rejected_at=None,
        answer=text,
    )  # fmt: skip


def note_accepted(
    connection: Connection, report_id: str, answer: str, *, now: datetime, who: str | None = None
) -> None:
    """Whoever took the report has accepted it; only for one that was sent."""
    report = report_listing(connection, report_id, local_day(to_ms(now)))
    if report.facts.sent_at is None:
        raise ReportRefused(f"{report.subject} has not been sent, so nobody can have accepted it.")
    text = storable(answer.strip(), LONGEST_REMARK)
    record_act(connection, what="report.accept", subject=report.subject, after={"answer": text}, who=who)
    _set(connection, report_id, accepted_at=now, rejected_at=None, is_doubtful=False, answer=text)


def rejudge(connection: Connection, report_id: str, limits: Limits, version: int) -> None:
    """Write what follows from the lines, into them and into their report."""
    line = ReportLine
    columns = (
        line.id, line.filled, line.entered, line.gaps, line.pack_size, line.closing_units, line.months,
        line.stock_class,
    )  # fmt: skip
    filled = checkable = balanced = count = 0
    for row in connection.execute(select(*columns).where(line.report_id == report_id)).all():
        values = effective(row.filled, row.entered)
        judged = judge(values, row.gaps, limits, pack_size=row.pack_size)
        count += 1
        filled += judged.is_complete
        if judged.difference is not None:
            checkable += 1
            balanced += abs(judged.difference) <= limits.tolerance_units
        closing = values["closing_balance"]
        now = (closing, judged.months, judged.stock_class)
        if now != (row.closing_units, row.months, row.stock_class):
            one = update(line).where(line.id == row.id)
            connection.execute(one.values(closing_units=closing, months=judged.months, stock_class=judged.stock_class))
    connection.execute(
        update(ReportRow)
        .where(ReportRow.id == report_id)
        .values(
            lines=count,
            lines_filled=filled,
            lines_checkable=checkable,
            lines_balanced=balanced,
            changed_version=version,
        )
    )


def _write_lines(connection: Connection, report: ReportListing, lines: list[FilledLine], version: int) -> None:
    """New lines, filled ones anew; lines that evidence knows no more stay only where somebody entered something."""
    table = ReportLine
    known = {
        row.item: row
        for row in connection.execute(
            select(table.id, table.item, table.entered, table.remarks).where(table.report_id == report.id)
        )
    }
    connection.execute(
        delete(ReportSource).where(ReportSource.line_id.in_(select(table.id).where(table.report_id == report.id)))
    )
    sources: list[dict[str, Any]] = []
    fresh: list[dict[str, Any]] = []
    for filled in lines:
        item = filled.item
        values = {
            "item_code": item.code,
            "item_name": item.name,
            "unit": item.unit,
            "pack_size": item.pack_size,
            "filled": filled.values,
            "gaps": filled.gaps,
            "notes": filled.notes,
            "changed_version": version,
        }
        row = known.pop(item.peer_id, None)
        line_id = row.id if row is not None else new_id()
        if row is not None:
            connection.execute(update(table).where(table.id == line_id).values(values))
        else:
            fresh.append({"id": line_id, "report_id": report.id, "item": item.peer_id, "entered": {}, **values})
        for figure, found in filled.sources.items():
            sources += [
                {
                    "line_id": line_id,
                    "figure": figure,
                    "record": source.record,
                    "record_id": source.record_id[:64],
                    "label": storable(source.label, 400),
                    "value": source.value,
                    "day": source.day,
                    "read_at": source.read_at,
                }
                for source in found
            ]
    if fresh:
        connection.execute(insert(table), fresh)
    if sources:
        connection.execute(insert(ReportSource), sources)
    empty: dict[str, Any] = {"filled": {}, "gaps": {}, "notes": {}, "changed_version": version}
    for row in known.values():
        one = table.id == row.id
        if row.entered or row.remarks:
            connection.execute(update(table).where(one).values(empty))
        else:
            connection.execute(delete(table).where(one))


def _fresh_amc(
    connection: Connection, report: ReportListing, row: Any, entered: Mapping[str, Any], limits: Limits
) -> dict[str, Any]:
    """Consumption changed by hand changes the average that was made from reports."""
    made = select(ReportSource.record).where(ReportSource.line_id == row.id, ReportSource.figure == "amc")
    if set(connection.execute(made).scalars()) - {"report_line"}:
        return {}
    found = amc_from_reports(
        earlier_lines(connection, report, row.item, limits.amc_months), report.period, {**row.filled, **entered}, limits
    )
    filled, notes, gaps = dict(row.filled), dict(row.notes), dict(row.gaps)
    connection.execute(delete(ReportSource).where(ReportSource.line_id == row.id, ReportSource.figure == "amc"))
    notes.pop("amc", None)
    if found is None:
        filled.pop("amc", None)
        return {"filled": filled, "notes": notes, "gaps": gaps}
    value, sources, note = found
    filled["amc"] = value
    gaps.pop("amc", None)
    if note:
        notes["amc"] = note
    rows = [
        {
            "line_id": row.id,
            "figure": "amc",
            "record": one.record,
            "record_id": one.record_id,
            "label": one.label,
            "value": one.value,
            "day": one.day,
        }
        for one in sources
    ]
    connection.execute(insert(ReportSource), rows)
    return {"filled": filled, "notes": notes, "gaps": gaps}


def _receive_from_form(connection: Connection, report: ReportListing, evidence: Evidence, now: datetime) -> bool:
    """Where the facility reports at its own system, that is the moment at which the report came."""
    paper = evidence.requisition
    if paper is None or report.facts.submission or paper.stage not in TOLD_STAGES or paper.sent_ms is None:
        return False
    moment = from_ms(paper.sent_ms)
    if moment > now or local_day(paper.sent_ms) < report.period.starts_on:
        return False
    words = f"Requisition {paper.number or paper.peer_id} was handed in at {evidence.system}."
    _receive(connection, report, evidence.system, moment, now, words, None)
    return True


def _receive(
    connection: Connection,
    report: ReportListing,
    person: str,
    received_at: datetime,
    now: datetime,
    comment: str,
    who: str | None,
) -> int:
    number = report.facts.submission + 1
    line = ReportLine
    rows = connection.execute(
        select(line.item, line.item_name, line.filled, line.entered, line.remarks).where(line.report_id == report.id)
    )
    lines = [
        {"item": row.item, "name": row.item_name, "values": effective(row.filled, row.entered), "remarks": row.remarks}
        for row in rows
    ]
    act = record_act(
        connection,
        what="report.receive" if number == 1 else "report.correct",
        subject=report.subject,
        before={"submission": report.facts.submission, "state": str(report.state), "answer": report.answer},
        after={"submission": number, "from": person, "at": received_at.isoformat()},
        who=who,
    )
    connection.execute(
        insert(ReportSubmission).values(
            id=new_id(),
            report_id=report.id,
            number=number,
            received_at=received_at,
            received_from=person,
            noted_by=_who_of(connection, act),
            noted_at=now,
            comment=storable(comment.strip(), LONGEST_REMARK),
            lines=lines,
        )
    )
    _set(
        connection,
        report.id,
        submission=number,
        received_at=received_at,
        first_received_at=report.facts.first_received_at or received_at,
        received_from=person,
        sent_at=None,
        sent_how="",
        is_doubtful=False,
        accepted_at=None,
        rejected_at=None,
        answer="",
    )
    return number


def _refuse_sent(report: ReportListing) -> None:
    if report.state in _SENT:
        raise ReportRefused(
            f"{report.subject} was sent already. Take it back for correction first, so that both versions are kept."
        )


def _who_of(connection: Connection, act_id: int) -> str:
    return str(connection.execute(select(Act.who).where(Act.id == act_id)).scalar_one())


def _set(connection: Connection, report_id: str, **values: Any) -> None:
    version = raise_topic(connection, "reports")
    connection.execute(update(ReportRow).where(ReportRow.id == report_id).values(**values, changed_version=version))
