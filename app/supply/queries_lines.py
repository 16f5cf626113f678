"""Lines of one requisition or shipment, with the names of their items and what waits on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select

from app.store.tables import ItemRow, RequisitionLineRow, ShipmentLineRow
from app.supply.queries import joined

MOST_LINES = 5_000
"""Of one paper; a requisition over a whole catalogue has a few thousand."""

Pending = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RequisitionLineListing:
    """One line in units; None where the peer does not tell. ``pending`` is what waits to be sent, by field."""

    key: int
    id: str
    peer_id: str
    item: str
    item_code: str
    item_name: str
    unit: str
    requested_units: float | None
    approved_units: float | None
    supply_units: float | None
    suggested_units: float | None
    stock_units: float | None
    opening_units: float | None
    received_units: float | None
    consumed_units: float | None
    adjusted_units: float | None
    stockout_days: float | None
    average_monthly_units: float | None
    comment: str
    pending: Pending


@dataclass(frozen=True, slots=True)
class ShipmentLineListing:
    """One item and batch in units. A placeholder still needs stock to be chosen for it."""

    key: int
    id: str
    peer_id: str
    item: str
    item_code: str
    item_name: str
    unit: str
    units: float
    batch: str
    expires_on: str | None
    pack_size: float
    accepted_units: float | None
    rejected_units: float | None
    rejection_reason: str
    is_placeholder: bool
    comment: str
    pending: Pending


def requisition_lines(connection: Connection, integration_id: str, requisition: str) -> list[RequisitionLineListing]:
    """The lines that a requisition has now, by the names of their items. ``requisition`` is its peer id."""
    line = RequisitionLineRow
    rows = connection.execute(_lines_of(line, line.requisition, integration_id, requisition))
    return [
        RequisitionLineListing(
            row.key, row.id, row.peer_id, row.item, row.item_code or "", row.item_name or row.item, row.unit or "",
            row.requested_units, row.approved_units, row.supply_units, row.suggested_units, row.stock_units,
            row.opening_units, row.received_units, row.consumed_units, row.adjusted_units, row.stockout_days,
            row.average_monthly_units, row.comment, row.pending or {},
        )
        for row in rows
    ]  # fmt: skip


def shipment_lines(connection: Connection, integration_id: str, shipment: str) -> list[ShipmentLineListing]:
    """The lines that a shipment has now, by the names of their items. ``shipment`` is its peer id."""
    line = ShipmentLineRow
    rows = connection.execute(_lines_of(line, line.shipment, integration_id, shipment))
    return [
        ShipmentLineListing(
            row.key, row.id, row.peer_id, row.item, row.item_code or "", row.item_name or row.item, row.unit or "",
            row.units, row.batch, row.expires_on, row.pack_size, row.accepted_units, row.rejected_units,
            row.rejection_reason, row.is_placeholder, row.comment, row.pending or {},
        )
        for row in rows
    ]  # fmt: skip


def _lines_of(line: Any, parent: Any, integration_id: str, paper: str) -> Select[Any]:
    return (
        select(
            line.__table__,
            ItemRow.code.label("item_code"),
            ItemRow.name.label("item_name"),
            ItemRow.unit.label("unit"),
        )
        .outerjoin(ItemRow, joined(ItemRow, line.integration_id, line.item))
        .where(line.integration_id == integration_id, parent == paper, line.gone_at.is_(None))
        .order_by(ItemRow.name, line.key)
        .limit(MOST_LINES)
    )
