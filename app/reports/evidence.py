"""What the store knows about one report, item by item: papers, stock, history, earlier reports. Nothing is guessed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, select

from app.clock import from_ms
from app.reports.calendar import ReportListing
from app.reports.periods import ReportPeriod, day_begins_ms, local_day
from app.reports.programmes import Programme
from app.reports.spans import DayStock, stock_history
from app.store.tables import (
    FacilityRow,
    Integration,
    ItemRow,
    PeriodRow,
    ReportLine,
    ReportRow,
    RequisitionLineRow,
    RequisitionRow,
    ShipmentLineRow,
    ShipmentRow,
    StockLineRow,
)
from app.supply.ages import UNREAD, Age, data_ages

RECEIVED_STAGES = ("received", "verified")
ISSUED_STAGES = ("picked", "shipped", "delivered", "received", "verified")
COMING_STAGES = ("ordered", "new", "allocated", "picked", "shipped", "delivered")
NO_REPORT_STAGES = ("rejected", "skipped")
TOLD_STAGES = ("submitted", "in_approval", "approved", "ordered", "closed")


@dataclass(frozen=True, slots=True)
class Source:
    """One record behind a figure, with its part of it. ``read_at`` None: it is our own."""

    record: str
    record_id: str
    label: str
    value: float
    day: str = ""
    read_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ItemFacts:
    peer_id: str
    code: str
    name: str
    unit: str
    pack_size: float
    programs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Earlier:
    """An item's figures in an earlier report, the newest first. ``values`` are those that counted."""

    line_id: str
    period_name: str
    ends_on: str
    months: int
    days: int
    values: Mapping[str, Any]


@dataclass(slots=True)
class Evidence:
    """By item's peer id, where it says so. ``*_read_at`` None: never read."""

    system: str
    facility_kind: str
    is_ours: bool
    items: dict[str, ItemFacts]
    requisition: Any = None
    asked: dict[str, Any] = field(default_factory=dict)
    received: dict[str, list[Source]] = field(default_factory=lambda: defaultdict(list))
    issued: dict[str, list[Source]] = field(default_factory=lambda: defaultdict(list))
    coming: dict[str, list[Source]] = field(default_factory=lambda: defaultdict(list))
    stock: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    history: Mapping[str, DayStock] = field(default_factory=dict)
    looks: Mapping[date, datetime] = field(default_factory=dict)
    earlier: dict[str, list[Earlier]] = field(default_factory=lambda: defaultdict(list))
    ages: Mapping[str, Age] = field(default_factory=dict)
    undated: int = 0

    def read_at(self, topic: str) -> datetime | None:
        last_ms = self.ages.get(topic, UNREAD).last_read_ms
        return None if last_ms is None else from_ms(last_ms)

    def knows_until(self, topic: str, ends_on: date) -> bool:
        """Whether records of this topic were read after the period had ended, so that none of it is missing."""
        last_ms = self.ages.get(topic, UNREAD).last_read_ms
        return last_ms is not None and last_ms >= day_begins_ms(ends_on + timedelta(days=1))

    def all_items(self) -> set[str]:
        """Every item about which there is something to say."""
        return {*self.asked, *self.received, *self.issued, *self.coming, *self.stock, *self.history, *self.earlier}


def gather(connection: Connection, report: ReportListing, found: Programme) -> Evidence:
    """Everything that the figures of one report may be filled from."""
    system, facility, period = found.integration_id, report.facility, report.period
    place = connection.execute(
        select(FacilityRow.kind, FacilityRow.is_ours).where(
            FacilityRow.integration_id == system, FacilityRow.peer_id == facility
        )
    ).one_or_none()
    name = connection.execute(select(Integration.name).where(Integration.id == system)).scalar_one_or_none()
    evidence = Evidence(
        system=name or "the supply system",
        facility_kind=place.kind if place is not None else "facility",
        is_ours=bool(place is not None and place.is_ours),
        items={},
    )
    evidence.ages = {topic: data_ages(connection, topic).get(system, UNREAD) for topic in _TOPICS}
    _read_requisition(connection, evidence, report, found)
    _read_shipments(connection, evidence, report, found)
    _read_stock(connection, evidence, report, found)
    before = period.starts_on - timedelta(days=1)
    evidence.history, evidence.looks = stock_history(connection, system, facility, before, period.ends_on)
    _read_earlier(connection, evidence, report, found)
    _keep_items(connection, evidence, found)
    return evidence


_TOPICS = ("stock", "requisitions", "shipments")


def _read_requisition(connection: Connection, evidence: Evidence, report: ReportListing, found: Programme) -> None:
    """The facility's own report form at its system, for exactly this period."""
    paper = RequisitionRow
    query = (
        select(paper.__table__)
        .join(PeriodRow, and_(PeriodRow.integration_id == paper.integration_id, PeriodRow.peer_id == paper.period))
        .where(
            paper.integration_id == found.integration_id,
            paper.facility == report.facility,
            paper.gone_at.is_(None),
            paper.is_emergency.is_(False),
            paper.stage.not_in(NO_REPORT_STAGES),
            PeriodRow.starts_on == report.period.starts_on.isoformat(),
            PeriodRow.ends_on == report.period.ends_on.isoformat(),
        )
        .order_by(paper.created_ms.desc(), paper.key.desc())
        .limit(1)
    )
    if found.program:
        query = query.where(paper.program == found.program)
    row = connection.execute(query).one_or_none()
    if row is None:
        return
    evidence.requisition = row
    line = RequisitionLineRow
    lines = select(line.__table__).where(
        line.integration_id == found.integration_id, line.requisition == row.peer_id, line.gone_at.is_(None)
    )
    for one in connection.execute(lines.order_by(line.key)):
        if not (one.attributes or {}).get("skipped"):
            evidence.asked[one.item] = one


def _read_shipments(connection: Connection, evidence: Evidence, report: ReportListing, found: Programme) -> None:
    """What came in and what went out in the period.

    Two stores of ours both keep a paper of the same goods: a store of ours is judged by its own papers, others by
    those of whoever supplied them.
    """
    paper, line = ShipmentRow, ShipmentLineRow
    columns = (
        paper.number, paper.sender, paper.receiver, paper.side, paper.stage, paper.program, paper.received_ms,
        paper.received_on, paper.picked_ms, paper.shipped_ms, line.id, line.item, line.units, line.accepted_units,
    )  # fmt: skip
    mine = (paper.receiver == report.facility) & (paper.side == ("inbound" if evidence.is_ours else "outbound"))
    gone_out = (paper.sender == report.facility) & (paper.side == "outbound")
    query = (
        select(*columns)
        .join(line, and_(line.integration_id == paper.integration_id, line.shipment == paper.peer_id))
        .where(
            paper.integration_id == found.integration_id,
            paper.gone_at.is_(None),
            line.gone_at.is_(None),
            line.is_placeholder.is_(False),
            paper.stage.in_({*ISSUED_STAGES, *COMING_STAGES}),
            mine | gone_out,
        )
        .order_by(paper.created_ms, line.key)
    )
    names = _names(connection, found.integration_id)
    read_at = evidence.read_at("shipments")
    for row in connection.execute(query):
        if found.program and row.program not in ("", found.program):
            continue
        is_in = row.receiver == report.facility and row.sender != report.facility
        if is_in and row.stage in COMING_STAGES:
            label = f"Shipment {row.number} from {names.get(row.sender, row.sender)} ({row.stage})"
            evidence.coming[row.item].append(Source("shipment_line", row.id, label, row.units, "", read_at))
            continue
        if row.stage not in (RECEIVED_STAGES if is_in else ISSUED_STAGES):
            continue
        day = _day_in(row) if is_in else _day_out(row)
        if day is None:
            evidence.undated += 1
            continue
        if not report.period.holds(day):
            continue
        units = row.units if not is_in or row.accepted_units is None else row.accepted_units
        other = names.get(row.sender if is_in else row.receiver, row.sender if is_in else row.receiver)
        label = f"Shipment {row.number} {'from' if is_in else 'to'} {other}"
        source = Source("shipment_line", row.id, label, units, day.isoformat(), read_at)
        (evidence.received if is_in else evidence.issued)[row.item].append(source)


def _day_in(row: Any) -> date | None:
    if row.received_ms is not None:
        return local_day(row.received_ms)
    return date.fromisoformat(row.received_on) if row.received_on else None


def _day_out(row: Any) -> date | None:
    """Stock leaves the books when it is picked; systems that do not tell that tell when it was shipped."""
    ms = row.picked_ms if row.picked_ms is not None else row.shipped_ms
    return None if ms is None else local_day(ms)


def _read_stock(connection: Connection, evidence: Evidence, report: ReportListing, found: Programme) -> None:
    line = StockLineRow
    query = select(line.__table__).where(
        line.integration_id == found.integration_id, line.facility == report.facility, line.gone_at.is_(None)
    )
    for row in connection.execute(query.order_by(line.expires_on, line.key)):
        if not found.program or row.program in ("", found.program):
            evidence.stock[row.item].append(row)


def _read_earlier(connection: Connection, evidence: Evidence, report: ReportListing, found: Programme) -> None:
    for item, earlier in _earlier_rows(connection, report, found.amc_months):
        evidence.earlier[item].append(earlier)


def earlier_lines(connection: Connection, report: ReportListing, item: str, amc_months: int) -> list[Earlier]:
    """One item's lines in the reports before this one, the newest first."""
    return [earlier for own, earlier in _earlier_rows(connection, report, amc_months) if own == item]


def _earlier_rows(connection: Connection, report: ReportListing, amc_months: int) -> list[tuple[str, Earlier]]:
    """Lines of the same facility's reports before this one, as far back as consumption is averaged."""
    table, line = ReportRow, ReportLine
    first = report.period.starts_on - timedelta(days=31 * (amc_months + 3))
    query = (
        select(line.id, line.item, line.filled, line.entered, table.starts_on, table.ends_on)
        .join(table, table.id == line.report_id)
        .where(
            table.programme_id == report.programme_id,
            table.facility == report.facility,
            table.ends_on < report.period.starts_on.isoformat(),
            table.ends_on >= first.isoformat(),
        )
        .order_by(table.ends_on.desc(), line.id)
    )
    found = []
    for row in connection.execute(query):
        period = ReportPeriod(date.fromisoformat(row.starts_on), date.fromisoformat(row.ends_on))
        values = {**row.filled, **row.entered}
        found.append((row.item, Earlier(row.id, period.name, row.ends_on, period.months, period.days, values)))
    return found


def _keep_items(connection: Connection, evidence: Evidence, found: Programme) -> None:
    """Names of the items; goods that belong to another programme are left out where no paper names this one."""
    wanted = sorted(evidence.all_items())
    for start in range(0, len(wanted), 500):
        for row in _items(connection, found.integration_id, wanted[start : start + 500]):
            evidence.items[row.peer_id] = ItemFacts(
                row.peer_id, row.code, row.name or row.peer_id, row.unit, row.pack_size, frozenset(row.programs or ())
            )
    for item in wanted:
        known = evidence.items.setdefault(item, ItemFacts(item, "", item, "", 1.0, frozenset()))
        if found.program and item not in evidence.asked and item not in evidence.earlier:
            named = any(row.program == found.program for row in evidence.stock.get(item, ()))
            if found.program not in known.programs and not named:
                for part in (evidence.received, evidence.issued, evidence.coming, evidence.stock):
                    part.pop(item, None)
                evidence.history = {key: value for key, value in evidence.history.items() if key != item}


def _items(connection: Connection, integration_id: str, ids: Sequence[str]) -> Sequence[Any]:
    item = ItemRow
    columns = (item.peer_id, item.code, item.name, item.unit, item.pack_size, item.programs)
    query = select(*columns).where(item.integration_id == integration_id, item.peer_id.in_(ids))
    return connection.execute(query).all()


def _names(connection: Connection, integration_id: str) -> dict[str, str]:
    query = select(FacilityRow.peer_id, FacilityRow.name).where(FacilityRow.integration_id == integration_id)
    return {row.peer_id: row.name or row.peer_id for row in connection.execute(query)}
