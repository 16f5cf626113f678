"""How well facilities report and are stocked: the indicators of nhlmis.md, B3, and the list of reminders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from sqlalchemy import Connection, and_, select

from app.reports.calendar import ReportListing, WantedReports, list_reports
from app.reports.periods import ReportPeriod, day_begins_ms, local_day
from app.reports.states import WAITED_FOR, ReportState
from app.store.tables import (
    ReportLine,
    ReportProgramme,
    RequisitionLineRow,
    RequisitionRow,
    ShipmentLineRow,
    ShipmentRow,
)

GroupBy = Literal["programme", "facility", "period"]


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole; ``percent`` is None where the whole is nothing, so that nothing can be said."""

    part: int
    whole: int

    @property
    def percent(self) -> float | None:
        return None if self.whole == 0 else 100.0 * self.part / self.whole

    def __add__(self, other: Share) -> Share:
        return Share(self.part + other.part, self.whole + other.whole)


NONE = Share(0, 0)


@dataclass(frozen=True, slots=True)
class Indicators:
    """``expected`` leaves excused reports out, and those whose due day has not come and that have not come either.

    ``fill_rate`` is of units delivered to units ordered, rounded to whole ones.
    """

    name: str
    reports: int
    excused: int
    reporting: Share
    timeliness: Share
    line_completeness: Share
    complete_reports: Share
    accuracy: Share
    stockout: Share
    to_plan: Share
    fill_rate: Share
    lines_in_full: Share

    def as_row(self) -> dict[str, Any]:
        """Percent to one decimal, with the counts behind each."""
        row: dict[str, Any] = {"name": self.name, "reports": self.reports, "excused": self.excused}
        for key in INDICATORS:
            share: Share = getattr(self, key)
            row[key] = None if share.percent is None else round(share.percent, 1)
            row[f"{key}_of"] = [share.part, share.whole]
        return row


INDICATORS: Mapping[str, str] = {
    "reporting": "Reporting rate",
    "timeliness": "Timeliness",
    "line_completeness": "Completeness",
    "complete_reports": "Complete reports",
    "accuracy": "Accuracy",
    "stockout": "Stock-out rate",
    "to_plan": "Stocked to plan",
    "fill_rate": "Order fill rate",
    "lines_in_full": "Lines in full",
}
HELP: Mapping[str, str] = {
    "reporting": "Facilities that reported, of those that were expected to. A late report counts.",
    "timeliness": "Reports that came on or before the due day, of those that were expected.",
    "line_completeness": "Lines with every required figure, of all lines of the reports that came.",
    "complete_reports": "Reports without a missing figure, of those that came.",
    "accuracy": "Lines whose balance holds within the tolerance, of those where all of it is known.",
    "stockout": "Lines with nothing left at the end of the period, of those with a closing balance.",
    "to_plan": "Lines between least and most months of stock, of those of which months are known.",
    "fill_rate": "Units delivered, of the units asked for in requisitions of the period that were delivered.",
    "lines_in_full": "Lines delivered with at least what was asked for, of the lines of these requisitions.",
}


@dataclass(frozen=True, slots=True)
class Reminder:
    """A facility to be asked for its report. ``days_late`` is 0 until the due day has passed."""

    report: ReportListing
    days_late: int

    def as_row(self) -> dict[str, Any]:
        report = self.report
        return {
            "facility": report.facility_name,
            "facility_code": report.facility_code,
            "zone": report.zone,
            "programme": report.programme,
            "period": report.period.name,
            "due_on": report.due_on.isoformat(),
            "days_late": self.days_late,
            "state": str(report.state),
            "why": report.answer if report.state is ReportState.REJECTED else "",
            "id": report.id,
        }


@dataclass(slots=True)
class _Lines:
    """What the lines of one report say."""

    stockout: Share = NONE
    to_plan: Share = NONE
    fill_rate: Share = NONE
    in_full: Share = NONE


def indicators(
    connection: Connection, wanted: WantedReports, today: date, by: GroupBy = "programme"
) -> list[Indicators]:
    """The indicators of the reports that ``wanted`` finds, in groups; the whole stands last where there are several."""
    reports = [one for one in list_reports(connection, wanted, today) if one.period.ends_on < today]
    lines = _read_lines(connection, [one.id for one in reports])
    _add_orders(connection, reports, lines)
    groups: dict[str, list[ReportListing]] = {}
    for report in sorted(reports, key=_order_of(by)):
        groups.setdefault(_name_of(report, by), []).append(report)
    found = [_indicators(name, members, lines, today) for name, members in groups.items()]
    if len(found) > 1:
        found.append(_indicators("All", reports, lines, today))
    return found


def reminders(connection: Connection, wanted: WantedReports, today: date) -> list[Reminder]:
    """Who is to be asked: reports that are due, late, incomplete or rejected; the longest overdue first."""
    states = (*WAITED_FOR, ReportState.INCOMPLETE, ReportState.REJECTED)
    found = [
        Reminder(one, max((today - one.due_on).days, 0))
        for one in list_reports(connection, wanted, today)
        if one.state in states
    ]
    return sorted(found, key=lambda one: (-one.days_late, one.report.facility_name.casefold(), one.report.programme))


def _indicators(name: str, reports: Sequence[ReportListing], lines: Mapping[str, _Lines], today: date) -> Indicators:
    counted = [one for one in reports if one.state is not ReportState.EXCUSED]
    expected = [one for one in counted if one.facts.received_at is not None or one.due_on < today]
    came = [one for one in counted if one.facts.received_at is not None]
    own = [lines[one.id] for one in came if one.id in lines]
    return Indicators(
        name=name,
        reports=len(counted),
        excused=len(reports) - len(counted),
        reporting=Share(len(came), len(expected)),
        timeliness=Share(sum(not one.is_late for one in came), len(expected)),
        line_completeness=Share(sum(one.facts.lines_filled for one in came), sum(one.facts.lines for one in came)),
        complete_reports=Share(sum(one.facts.is_complete for one in came), len(came)),
        accuracy=Share(sum(one.lines_balanced for one in came), sum(one.lines_checkable for one in came)),
        stockout=_sum(one.stockout for one in own),
        to_plan=_sum(one.to_plan for one in own),
        fill_rate=_sum(one.fill_rate for one in own),
        lines_in_full=_sum(one.in_full for one in own),
    )


def _sum(shares: Iterable[Share]) -> Share:
    total = NONE
    for share in shares:
        total += share
    return total


def _read_lines(connection: Connection, ids: Sequence[str]) -> dict[str, _Lines]:
    line = ReportLine
    found: dict[str, _Lines] = {report_id: _Lines() for report_id in ids}
    for start in range(0, len(ids), 500):
        query = select(line.report_id, line.closing_units, line.stock_class).where(
            line.report_id.in_(ids[start : start + 500])
        )
        for row in connection.execute(query):
            own = found[row.report_id]
            if row.closing_units is not None:
                own.stockout += Share(int(row.stock_class == "stocked_out"), 1)
            if row.stock_class != "unknown":
                own.to_plan += Share(int(row.stock_class == "adequate"), 1)
    return found


def _add_orders(connection: Connection, reports: Sequence[ReportListing], lines: Mapping[str, _Lines]) -> None:
    """What was delivered of what was asked for, where shipments name the requisition that they fill."""
    if not reports:
        return
    first = min(one.period.starts_on for one in reports)
    last = max(one.period.ends_on for one in reports)
    asked = _asked(connection, [one.programme_id for one in reports], first, last)
    if not asked:
        return
    delivered = _delivered(connection, {key[0] for key in asked})
    by_place: dict[tuple[str, str], list[tuple[date, float, float]]] = {}
    done = {(integration, paper) for integration, paper, _item in delivered}
    for (integration, paper, item), (programme_id, facility, day, units) in asked.items():
        if (integration, paper) in done:
            came = delivered.get((integration, paper, item), 0.0)
            by_place.setdefault((programme_id, facility), []).append((day, units, came))
    for report in reports:
        own = lines[report.id]
        for day, units, came in by_place.get((report.programme_id, report.facility), ()):
            if report.period.holds(day):
                own.fill_rate += Share(round(min(came, units)), round(units))
                own.in_full += Share(int(came >= units), 1)


Asked = dict[tuple[str, str, str], tuple[str, str, date, float]]


def _asked(connection: Connection, programme_ids: Sequence[str], first: date, last: date) -> Asked:
    """(integration, requisition, item) to (programme, facility, day, units asked for)."""
    paper, line, own = RequisitionRow, RequisitionLineRow, ReportProgramme
    query = (
        select(
            paper.integration_id, paper.peer_id, paper.facility, paper.created_ms, line.item, line.requested_units,
            line.approved_units, own.id,
        )
        .join(line, and_(line.integration_id == paper.integration_id, line.requisition == paper.peer_id))
        .join(
            own,
            and_(own.integration_id == paper.integration_id, (own.program == "") | (own.program == paper.program)),
        )
        .where(
            own.id.in_(sorted(set(programme_ids))),
            paper.created_ms >= day_begins_ms(first),
            paper.created_ms < day_begins_ms(date.fromordinal(last.toordinal() + 1)),
            paper.gone_at.is_(None),
            line.gone_at.is_(None),
        )
    )  # fmt: skip
    found: Asked = {}
    for row in connection.execute(query):
        units = row.approved_units if row.approved_units is not None else row.requested_units
        if units and units > 0:
            key = (row.integration_id, row.peer_id, row.item)
            found[key] = (row.id, row.facility, local_day(row.created_ms), units)
    return found


def _delivered(connection: Connection, integrations: set[str]) -> dict[tuple[str, str, str], float]:
    """(integration, requisition, item) to the units that arrived for it."""
    paper, line = ShipmentRow, ShipmentLineRow
    query = (
        select(paper.integration_id, paper.requisition, line.item, line.units, line.accepted_units)
        .join(line, and_(line.integration_id == paper.integration_id, line.shipment == paper.peer_id))
        .where(
            paper.integration_id.in_(sorted(integrations)),
            paper.requisition != "",
            paper.stage.in_(("delivered", "received", "verified")),
            paper.gone_at.is_(None),
            line.gone_at.is_(None),
            line.is_placeholder.is_(False),
        )
    )
    found: dict[tuple[str, str, str], float] = {}
    for row in connection.execute(query):
        key = (row.integration_id, row.requisition, row.item)
        units = row.units if row.accepted_units is None else row.accepted_units
        found[key] = found.get(key, 0.0) + units
    return found


def _order_of(by: GroupBy) -> Any:
    if by == "period":
        return lambda one: one.period.starts_on
    return lambda one: _name_of(one, by).casefold()


def _name_of(report: ReportListing, by: GroupBy) -> str:
    if by == "programme":
        return report.programme
    return report.facility_name if by == "facility" else report.period.name


def last_periods(reports: Sequence[ReportListing], count: int) -> list[ReportPeriod]:
    """The newest periods of a list, the oldest of them first."""
    found = sorted({one.period for one in reports})
    return found[-count:]
