"""Requisitions and shipments: who asks whom, who sends whom, how far it is, and what waits to be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, or_, select

from app.store.tables import (
    FacilityRow,
    Integration,
    PeriodRow,
    ProgramRow,
    RequisitionLineRow,
    RequisitionRow,
    ShipmentLineRow,
    ShipmentRow,
)
from app.supply.ages import UNREAD, Age, data_ages
from app.supply.filters import Place, SupplyFilter
from app.supply.paging import After, Sort, count_up_to, holds_words, rows_after
from app.supply.queries import is_waiting, joined

REQUISITION_SORTS = ("created_ms", "number", "stage", "facility", "supplier", "sent_ms")
SHIPMENT_SORTS = ("created_ms", "number", "stage", "sender", "receiver", "shipped_ms", "expected_on")

_here = FacilityRow.__table__.alias("here")
_there = FacilityRow.__table__.alias("there")

Pending = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RequisitionListing:
    """One requisition. ``pending`` is what waits on it, ``waiting_lines`` on how many of its lines something waits."""

    key: int
    id: str
    integration_id: str
    source: str
    peer_id: str
    number: str
    side: str
    status: str
    stage: str
    facility: str
    supplier: str
    program: str
    period: str
    is_emergency: bool
    created_ms: int | None
    sent_ms: int | None
    closed_ms: int | None
    changed_ms: int | None
    reference: str
    comment: str
    lines: int
    pending: Pending
    waiting_lines: int
    is_gone: bool
    age: Age

    @property
    def waits(self) -> bool:
        return bool(self.pending) or self.waiting_lines > 0


@dataclass(frozen=True, slots=True)
class ShipmentListing:
    """One shipment, as :class:`RequisitionListing`; ``requisition_number`` is that of what it answers."""

    key: int
    id: str
    integration_id: str
    source: str
    peer_id: str
    number: str
    side: str
    status: str
    stage: str
    sender: str
    receiver: str
    requisition_number: str
    program: str
    is_on_hold: bool
    created_ms: int | None
    allocated_ms: int | None
    picked_ms: int | None
    shipped_ms: int | None
    delivered_ms: int | None
    received_ms: int | None
    verified_ms: int | None
    expected_on: str | None
    transport_reference: str
    reference: str
    received_by: str
    delivered_by: str
    received_on: str | None
    comment: str
    lines: int
    pending: Pending
    waiting_lines: int
    is_gone: bool
    age: Age

    @property
    def waits(self) -> bool:
        return bool(self.pending) or self.waiting_lines > 0


def page_of_requisitions(
    connection: Connection,
    wanted: SupplyFilter,
    *,
    sort: str = "created_ms",
    descending: bool = True,
    after: After | None = None,
    limit: int = 200,
) -> tuple[list[RequisitionListing], After | None]:
    """One page of requisitions, newest first unless asked otherwise."""
    paper = RequisitionRow
    column = {
        "created_ms": Sort(paper.created_ms, True, descending),
        "sent_ms": Sort(paper.sent_ms, True, descending),
        "number": Sort(paper.number, False, descending),
        "stage": Sort(paper.stage, False, descending),
        "facility": Sort(_here.c.name, True, descending),
        "supplier": Sort(_there.c.name, True, descending),
    }[sort]
    rows, further = rows_after(connection, _requisitions(wanted), paper.key, column, after, limit)
    return _with_ages(connection, "requisitions", rows, _requisition), further


def page_of_shipments(
    connection: Connection,
    wanted: SupplyFilter,
    *,
    sort: str = "created_ms",
    descending: bool = True,
    after: After | None = None,
    limit: int = 200,
) -> tuple[list[ShipmentListing], After | None]:
    """One page of shipments, newest first unless asked otherwise."""
    paper = ShipmentRow
    column = {
        "created_ms": Sort(paper.created_ms, True, descending),
        "shipped_ms": Sort(paper.shipped_ms, True, descending),
        "expected_on": Sort(paper.expected_on, True, descending),
        "number": Sort(paper.number, False, descending),
        "stage": Sort(paper.stage, False, descending),
        "sender": Sort(_here.c.name, True, descending),
        "receiver": Sort(_there.c.name, True, descending),
    }[sort]
    rows, further = rows_after(connection, _shipments(wanted), paper.key, column, after, limit)
    return _with_ages(connection, "shipments", rows, _shipment), further


def find_requisition(connection: Connection, requisition_id: str) -> RequisitionListing | None:
    """One requisition as it is now, by its id."""
    query = _requisitions(SupplyFilter(includes_gone=True)).where(RequisitionRow.id == requisition_id)
    found = _with_ages(connection, "requisitions", connection.execute(query).all(), _requisition)
    return found[0] if found else None


def find_shipment(connection: Connection, shipment_id: str) -> ShipmentListing | None:
    """One shipment as it is now, by its id."""
    query = _shipments(SupplyFilter(includes_gone=True)).where(ShipmentRow.id == shipment_id)
    found = _with_ages(connection, "shipments", connection.execute(query).all(), _shipment)
    return found[0] if found else None


def count_requisitions(connection: Connection, wanted: SupplyFilter) -> int:
    """How many requisitions a filter finds, at most ``COUNT_STOPS``."""
    return count_up_to(connection, _requisitions(wanted))


def count_shipments(connection: Connection, wanted: SupplyFilter) -> int:
    """How many shipments a filter finds, at most ``COUNT_STOPS``."""
    return count_up_to(connection, _shipments(wanted))


def _requisitions(wanted: SupplyFilter) -> Select[Any]:
    paper = RequisitionRow
    query = (
        select(
            paper.__table__,
            Integration.name.label("source"),
            _here.c.name.label("here_name"),
            _there.c.name.label("there_name"),
            ProgramRow.name.label("program_name"),
            PeriodRow.name.label("period_name"),
            _lines(RequisitionLineRow, RequisitionLineRow.requisition, paper).label("line_count"),
            _lines(RequisitionLineRow, RequisitionLineRow.requisition, paper, waiting=True).label("waiting_count"),
        )
        .join(Integration, Integration.id == paper.integration_id)
        .outerjoin(_here, _at(_here, paper.integration_id, paper.facility))
        .outerjoin(_there, _at(_there, paper.integration_id, paper.supplier))
        .outerjoin(ProgramRow, joined(ProgramRow, paper.integration_id, paper.program))
        .outerjoin(PeriodRow, joined(PeriodRow, paper.integration_id, paper.period))
    )
    searched = (paper.number, paper.reference, paper.comment, _here.c.name, _there.c.name, ProgramRow.name)
    waits = _waits(paper, RequisitionLineRow, RequisitionLineRow.requisition)
    return _narrowed(query, wanted, paper, searched, (paper.facility, paper.supplier), waits)


def _shipments(wanted: SupplyFilter) -> Select[Any]:
    paper = ShipmentRow
    query = (
        select(
            paper.__table__,
            Integration.name.label("source"),
            _here.c.name.label("here_name"),
            _there.c.name.label("there_name"),
            ProgramRow.name.label("program_name"),
            RequisitionRow.number.label("requisition_number"),
            _lines(ShipmentLineRow, ShipmentLineRow.shipment, paper).label("line_count"),
            _lines(ShipmentLineRow, ShipmentLineRow.shipment, paper, waiting=True).label("waiting_count"),
        )
        .join(Integration, Integration.id == paper.integration_id)
        .outerjoin(_here, _at(_here, paper.integration_id, paper.sender))
        .outerjoin(_there, _at(_there, paper.integration_id, paper.receiver))
        .outerjoin(ProgramRow, joined(ProgramRow, paper.integration_id, paper.program))
        .outerjoin(RequisitionRow, joined(RequisitionRow, paper.integration_id, paper.requisition))
    )
    searched = (
        paper.number,
        paper.reference,
        paper.transport_reference,
        paper.comment,
        _here.c.name,
        _there.c.name,
        ProgramRow.name,
    )
    waits = _waits(paper, ShipmentLineRow, ShipmentLineRow.shipment)
    return _narrowed(query, wanted, paper, searched, (paper.sender, paper.receiver), waits)


def _narrowed(
    query: Select[Any],
    wanted: SupplyFilter,
    paper: Any,
    searched: tuple[Any, ...],
    sides: tuple[Any, Any],
    waits: ColumnElement[bool],
) -> Select[Any]:
    query = query.where(*holds_words(wanted.words, searched))
    if not wanted.includes_gone:
        query = query.where(paper.gone_at.is_(None), Integration.removed_at.is_(None))
    if wanted.integration_id is not None:
        query = query.where(paper.integration_id == wanted.integration_id)
    if wanted.facility is not None:
        at_it = [
            (paper.integration_id == one.integration_id) & (side == one.peer_id)
            for one in wanted.places
            for side in sides
        ]
        query = query.where(or_(*at_it))
    if wanted.program is not None:
        query = query.where(_is_place(paper.integration_id, paper.program, wanted.program))
    if wanted.stage:
        query = query.where(paper.stage == wanted.stage)
    if wanted.since_ms is not None:
        query = query.where(paper.created_ms >= wanted.since_ms)
    if wanted.until_ms is not None:
        query = query.where(paper.created_ms < wanted.until_ms)
    return query.where(waits) if wanted.is_waiting else query


def _lines(line: Any, parent: Any, paper: Any, *, waiting: bool = False) -> Any:
    """How many lines a paper has, or on how many of them something waits."""
    own = and_(line.integration_id == paper.integration_id, parent == paper.peer_id, line.gone_at.is_(None))
    query = select(func.count(line.key)).where(own)
    if waiting:
        query = query.where(is_waiting(line.pending))
    return query.correlate(paper.__table__).scalar_subquery()


def _waits(paper: Any, line: Any, parent: Any) -> ColumnElement[bool]:
    own = and_(line.integration_id == paper.integration_id, parent == paper.peer_id)
    on_lines = select(line.key).where(own, is_waiting(line.pending)).correlate(paper.__table__).exists()
    return or_(is_waiting(paper.pending), on_lines)


def _at(table: Any, integration_id: Any, peer_id: Any) -> ColumnElement[bool]:
    return and_(table.c.integration_id == integration_id, table.c.peer_id == peer_id)


def _is_place(integration_id: Any, peer_id: Any, place: Place) -> ColumnElement[bool]:
    return and_(integration_id == place.integration_id, peer_id == place.peer_id)


def _with_ages(connection: Connection, topic: str, rows: Any, make: Any) -> list[Any]:
    ages = data_ages(connection, topic)
    return [make(row, ages.get(row.integration_id, UNREAD)) for row in rows]


def _requisition(row: Any, age: Age) -> RequisitionListing:
    return RequisitionListing(
        row.key, row.id, row.integration_id, row.source, row.peer_id, row.number, row.side, row.status, row.stage,
        row.here_name or row.facility, row.there_name or row.supplier, row.program_name or row.program,
        row.period_name or row.period, row.is_emergency, row.created_ms, row.sent_ms, row.closed_ms, row.changed_ms,
        row.reference, row.comment, row.line_count, row.pending or {}, row.waiting_count, row.gone_at is not None, age,
    )  # fmt: skip


def _shipment(row: Any, age: Age) -> ShipmentListing:
    return ShipmentListing(
        row.key, row.id, row.integration_id, row.source, row.peer_id, row.number, row.side, row.status, row.stage,
        row.here_name or row.sender, row.there_name or row.receiver, row.requisition_number or row.requisition,
        row.program_name or row.program, row.is_on_hold, row.created_ms, row.allocated_ms, row.picked_ms,
        row.shipped_ms, row.delivered_ms, row.received_ms, row.verified_ms, row.expected_on, row.transport_reference,
        row.reference, row.received_by, row.delivered_by, row.received_on, row.comment, row.line_count,
        row.pending or {}, row.waiting_count, row.gone_at is not None, age,
    )  # fmt: skip
