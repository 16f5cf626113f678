"""The calendar: which reports are expected, one row per programme, facility and period, and how far each is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, select, update

from app.fleet.times import iso
from app.reports.errors import UnknownReport
from app.reports.periods import ReportPeriod, due_day, periods_between
from app.reports.programmes import Programme, list_programmes
from app.reports.states import STATE_WORDS, Facts, ReportState
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import (
    FacilityRow,
    Integration,
    ReportFacility,
    ReportLine,
    ReportProgramme,
    ReportRow,
    ReportTask,
)

PAGE_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class ReportListing:
    """One report as lists show it. ``open_tasks`` are those of its refused and held-back lines."""

    id: str
    programme_id: str
    programme: str
    integration_id: str
    reports_to: str
    facility: str
    facility_code: str
    facility_name: str
    zone: str
    period: ReportPeriod
    due_on: date
    facts: Facts
    state: ReportState
    is_late: bool
    filled_at: datetime | None
    received_from: str
    sent_how: str
    is_doubtful: bool
    answer: str
    excused_by: str
    excuse: str
    lines_checkable: int
    lines_balanced: int
    open_tasks: int

    @property
    def subject(self) -> str:
        """What an operator calls it."""
        return f"{self.programme}, {self.facility_name}, {self.period.name}"

    @property
    def word(self) -> str:
        return STATE_WORDS[self.state]

    def as_row(self) -> dict[str, Any]:
        """As commands and exports show it."""
        facts = self.facts
        return {
            "id": self.id,
            "programme": self.programme,
            "facility": self.facility_name,
            "facility_code": self.facility_code,
            "zone": self.zone,
            "period": self.period.name,
            "starts_on": self.period.starts_on.isoformat(),
            "ends_on": self.period.ends_on.isoformat(),
            "due_on": self.due_on.isoformat(),
            "state": str(self.state),
            "late": self.is_late,
            "submission": facts.submission,
            "received_at": _iso(facts.received_at),
            "received_from": self.received_from,
            "sent_at": _iso(facts.sent_at),
            "sent_how": self.sent_how,
            "doubtful": self.is_doubtful,
            "accepted_at": _iso(facts.accepted_at),
            "rejected_at": _iso(facts.rejected_at),
            "answer": self.answer,
            "excuse": self.excuse,
            "lines": facts.lines,
            "lines_filled": facts.lines_filled,
            "tasks": self.open_tasks,
        }


@dataclass(frozen=True, slots=True)
class WantedReports:
    """Which reports; empty parts ask for nothing. Days are exclusive of nothing: whole periods that touch them."""

    programme_id: str = ""
    facility: str = ""
    states: tuple[str, ...] = ()
    since: date | None = None
    until: date | None = None
    report_id: str = ""


def ensure_reports(connection: Connection, today: date) -> int:
    """Bring the calendar in step with programmes and facilities; returns how many reports it added or took away.

    Expected are the active facilities that are assigned at the period's end (B3). A report that nobody has touched and
    that is not expected any more goes; one that holds anything stays whatever is set later.
    """
    changed = 0
    version = 0
    for found in list_programmes(connection, only_on=True):
        add, drop, move = _plan(connection, found, today)
        if not (add or drop or move):
            continue
        version = version or raise_topic(connection, "reports")
        for start in range(0, len(drop), 500):
            connection.execute(delete(ReportRow).where(ReportRow.id.in_(drop[start : start + 500])))
        for start in range(0, len(add), PAGE_ROWS):
            connection.execute(
                insert(ReportRow), [{**row, "changed_version": version} for row in add[start : start + PAGE_ROWS]]
            )
        for report_id, due_on in move:
            one = update(ReportRow).where(ReportRow.id == report_id)
            connection.execute(one.values(due_on=due_on, changed_version=version))
        changed += len(add) + len(drop) + len(move)
    return changed


def _plan(
    connection: Connection, found: Programme, today: date
) -> tuple[list[dict[str, Any]], list[str], list[tuple[str, str]]]:
    """New rows, ids of rows to take away, and (id, due day) of those that are due on another day now."""
    wanted = _wanted(connection, found, today)
    table = ReportRow
    query = select(
        table.id, table.facility, table.starts_on, table.ends_on, table.due_on, table.submission, table.filled_at,
        table.excused_at,
    ).where(table.programme_id == found.id)  # fmt: skip
    entered = set(
        connection.execute(
            select(ReportLine.report_id)
            .distinct()
            .join(table, table.id == ReportLine.report_id)
            .where(table.programme_id == found.id)
        ).scalars()
    )
    drop: list[str] = []
    move: list[tuple[str, str]] = []
    taken: set[tuple[str, str]] = set()
    kept: dict[str, list[ReportPeriod]] = {}
    for row in connection.execute(query):
        key = (row.facility, row.starts_on)
        period = wanted.get(key)
        is_touched = bool(row.submission or row.filled_at or row.excused_at or row.id in entered)
        if period is None or period.ends_on.isoformat() != row.ends_on:
            if is_touched:
                own = ReportPeriod(date.fromisoformat(row.starts_on), date.fromisoformat(row.ends_on))
                kept.setdefault(row.facility, []).append(own)
            else:
                drop.append(row.id)
            continue
        taken.add(key)
        due_on = due_day(period.ends_on, found.due_days, found.holiday_days).isoformat()
        if due_on != row.due_on and not row.submission:
            move.append((row.id, due_on))
    add = [
        {
            "id": new_id(),
            "programme_id": found.id,
            "facility": facility,
            "starts_on": period.starts_on.isoformat(),
            "ends_on": period.ends_on.isoformat(),
            "due_on": due_day(period.ends_on, found.due_days, found.holiday_days).isoformat(),
        }
        for (facility, starts_on), period in wanted.items()
        if (facility, starts_on) not in taken
        and not any(period.overlaps(own) for own in kept.get(facility, ()))  # nobody reports a month twice
    ]
    return add, drop, move


def _wanted(connection: Connection, found: Programme, today: date) -> dict[tuple[str, str], ReportPeriod]:
    mine = ReportFacility
    query = (
        select(mine.facility, mine.since_on, mine.until_on, FacilityRow.is_active, FacilityRow.gone_at)
        .outerjoin(
            FacilityRow,
            and_(FacilityRow.integration_id == found.integration_id, FacilityRow.peer_id == mine.facility),
        )
        .where(mine.programme_id == found.id)
        .order_by(mine.facility)
    )
    wanted: dict[tuple[str, str], ReportPeriod] = {}
    first = date.fromisoformat(found.starts_on)
    for row in connection.execute(query):
        since = max(first, date.fromisoformat(row.since_on))
        until = date.fromisoformat(row.until_on) if row.until_on else None
        is_active = row.is_active is not False and row.gone_at is None
        for period in periods_between(since, today, found.rhythm, found.first_month):
            if until is not None and period.ends_on >= until:
                break
            if not is_active and period.ends_on >= today:
                break
            wanted[row.facility, period.starts_on.isoformat()] = period
    return wanted


def list_reports(connection: Connection, wanted: WantedReports, today: date) -> list[ReportListing]:
    """Reports by period (the newest first), programme and facility."""
    table = ReportRow
    tasks = (
        select(ReportTask.report_id, func.count().label("tasks"))
        .where(ReportTask.state == "open", ReportTask.report_id.is_not(None))
        .group_by(ReportTask.report_id)
        .subquery()
    )
    query = (
        select(
            table.__table__,
            ReportProgramme.name.label("programme"),
            ReportProgramme.integration_id,
            ReportProgramme.reports_to,
            FacilityRow.code.label("facility_code"),
            FacilityRow.name.label("facility_name"),
            FacilityRow.zone,
            func.coalesce(tasks.c.tasks, 0).label("tasks"),
        )
        .join(ReportProgramme, ReportProgramme.id == table.programme_id)
        .join(Integration, and_(Integration.id == ReportProgramme.integration_id, Integration.removed_at.is_(None)))
        .outerjoin(
            FacilityRow,
            and_(FacilityRow.integration_id == ReportProgramme.integration_id, FacilityRow.peer_id == table.facility),
        )
        .outerjoin(tasks, tasks.c.report_id == table.id)
        .order_by(table.starts_on.desc(), ReportProgramme.name, FacilityRow.name, table.id)
    )
    if wanted.report_id:
        query = query.where(table.id == wanted.report_id)
    if wanted.programme_id:
        query = query.where(table.programme_id == wanted.programme_id)
    if wanted.facility:
        query = query.where(table.facility == wanted.facility)
    if wanted.since is not None:
        query = query.where(table.ends_on >= wanted.since.isoformat())
    if wanted.until is not None:
        query = query.where(table.starts_on <= wanted.until.isoformat())
    rows = (_listing(row, today) for row in connection.execute(query))
    return [row for row in rows if not wanted.states or row.state in wanted.states]


def report_listing(connection: Connection, report_id: str, today: date) -> ReportListing:
    """One report. Raises UnknownReport."""
    found = list_reports(connection, WantedReports(report_id=report_id), today) if report_id else []
    if not found:
        raise UnknownReport(f"There is no report {report_id}. “reports list” shows those that there are.")
    return found[0]


def count_states(reports: Sequence[ReportListing]) -> Mapping[str, int]:
    """How many reports of a list are in each state."""
    counts: dict[str, int] = {}
    for report in reports:
        counts[report.state] = counts.get(report.state, 0) + 1
    return counts


def _listing(row: Any, today: date) -> ReportListing:
    facts = Facts(
        ends_on=date.fromisoformat(row.ends_on),
        due_on=date.fromisoformat(row.due_on),
        submission=row.submission,
        received_at=row.received_at,
        first_received_at=row.first_received_at,
        sent_at=row.sent_at,
        accepted_at=row.accepted_at,
        rejected_at=row.rejected_at,
        excused_at=row.excused_at,
        lines=row.lines,
        lines_filled=row.lines_filled,
    )
    state = facts.state(today)
    return ReportListing(
        id=row.id,
        programme_id=row.programme_id,
        programme=row.programme,
        integration_id=row.integration_id,
        reports_to=row.reports_to,
        facility=row.facility,
        facility_code=row.facility_code or "",
        facility_name=row.facility_name or row.facility,
        zone=row.zone or "",
        period=ReportPeriod(date.fromisoformat(row.starts_on), facts.ends_on),
        due_on=facts.due_on,
        facts=facts,
        state=state,
        is_late=state is not ReportState.EXCUSED and facts.is_late(today),
        filled_at=row.filled_at,
        received_from=row.received_from,
        sent_how=row.sent_how,
        is_doubtful=row.is_doubtful,
        answer=row.answer,
        excused_by=row.excused_by,
        excuse=row.excuse,
        lines_checkable=row.lines_checkable,
        lines_balanced=row.lines_balanced,
        open_tasks=row.tasks,
    )


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)
