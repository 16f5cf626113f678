"""Which changes can be told, and what a message says of each.

A message says how a record stands now, by its ids at the system that it is of, so that its receiver needs none of
ours. ``type`` and ``data`` are those of the Standard Webhooks form; figures have their units in their names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select

from app.clock import from_ms
from app.fleet.times import iso
from app.store.columns import Base
from app.store.tables import (
    Alarm,
    DeliveryEventRow,
    FacilityRow,
    FuelEventRow,
    Integration,
    ReportProgramme,
    ReportRow,
    RequisitionRow,
    ShipmentRow,
    Vehicle,
)


@dataclass(frozen=True, slots=True)
class NoticeKind:
    """``switch`` is the setting that asks for it, ``by_default`` what counts where it was never set; ``told`` is what
    is said of one row, ``subject`` its name here."""

    name: str
    switch: str
    topic: str
    table: type[Base]
    told: Callable[[Connection, Mapping[str, Any]], dict[str, Any]]
    subject: Callable[[Mapping[str, Any]], str]
    by_default: bool = True


def changed_since(kind: NoticeKind, version: int, row_id: str, limit: int) -> Select[Any]:
    """Rows that were written after ``(version, row_id)``, in the order of their writing."""
    table = kind.table.__table__
    later = (table.c.changed_version > version) | ((table.c.changed_version == version) & (table.c.id > row_id))
    return select(table).where(later).order_by(table.c.changed_version, table.c.id).limit(limit)


def _shipment(connection: Connection, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_of(connection, row),
        "number": row["number"],
        "side": row["side"],
        "status": row["status"],
        "stage": row["stage"],
        "sender": _place(connection, row["integration_id"], row["sender"]),
        "receiver": _place(connection, row["integration_id"], row["receiver"]),
        "transport_reference": row["transport_reference"],
        "shipped_at": _time(row["shipped_ms"]),
        "delivered_at": _time(row["delivered_ms"]),
        "received_at": _time(row["received_ms"]),
        "expected_on": row["expected_on"],
        "waits_to_be_sent": row["pending"] or {},
        "gone": row["gone_at"] is not None,
    }


def _requisition(connection: Connection, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_of(connection, row),
        "number": row["number"],
        "side": row["side"],
        "status": row["status"],
        "stage": row["stage"],
        "facility": _place(connection, row["integration_id"], row["facility"]),
        "supplier": _place(connection, row["integration_id"], row["supplier"]),
        "is_emergency": bool(row["is_emergency"]),
        "sent_at": _time(row["sent_ms"]),
        "waits_to_be_sent": row["pending"] or {},
        "gone": row["gone_at"] is not None,
    }


def _alarm(_connection: Connection, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "kind": row["kind"],
        "priority": row["priority"],
        "title": row["title"],
        "detail": row["detail"],
        "raised_at": _time(row["raised_at_ms"]),
        "last_at": _time(row["last_at_ms"]),
        "cleared_at": _time(row["cleared_at_ms"]),
        "acknowledged_at": _time(row["acknowledged_at_ms"]),
    }


def _fuel(connection: Connection, row: Mapping[str, Any]) -> dict[str, Any]:
    plate = connection.execute(select(Vehicle.plate).where(Vehicle.id == row["vehicle_id"])).scalar_one_or_none()
    return {
        "id": row["id"],
        "vehicle": plate or "",
        "kind": row["kind"],
        "begins_at": _time(row["start_ms"]),
        "ends_at": _time(row["end_ms"]),
        "litres": row["litres"],
        "confidence": row["confidence"],
        "lat": row["lat"],
        "lon": row["lon"],
        "is_provisional": bool(row["provisional"]),
        "decision": row["decision"],
        "withdrawn": row["withdrawn_at"] is not None,
    }


def _report(connection: Connection, row: Mapping[str, Any]) -> dict[str, Any]:
    programme = connection.execute(
        select(ReportProgramme.name, ReportProgramme.integration_id).where(ReportProgramme.id == row["programme_id"])
    ).one_or_none()
    place = {} if programme is None else _place(connection, programme.integration_id, row["facility"])
    return {
        "id": row["id"],
        "programme": "" if programme is None else programme.name,
        "facility": place,
        "starts_on": row["starts_on"],
        "ends_on": row["ends_on"],
        "due_on": row["due_on"],
        **{name: None if row[name] is None else iso(row[name]) for name in _REPORT_TIMES},
        "lines": row["lines"],
    }


_REPORT_TIMES = ("received_at", "sent_at", "accepted_at", "rejected_at")


def _delivery(connection: Connection, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_of(connection, row),
        "kind": row["kind"],
        "batch": row["batch"],
        "facility": _place(connection, row["integration_id"], row["facility"]),
        "captured_at": _time(row["captured_ms"]),
        "lat": row["lat"],
        "lon": row["lon"],
        "recipient": row["recipient"],
        "item": row["item"],
        "expected_units": row["expected_units"],
        "delivered_units": row["delivered_units"],
        "reason": row["reason"],
    }


def _of(connection: Connection, row: Mapping[str, Any]) -> dict[str, Any]:
    """Which record of which system it is."""
    name = connection.execute(select(Integration.name).where(Integration.id == row["integration_id"])).scalar()
    return {"id": row["peer_id"], "system": name or ""}


def _place(connection: Connection, integration_id: str, peer_id: str) -> dict[str, str]:
    row = FacilityRow
    mine = (row.integration_id == integration_id) & (row.peer_id == peer_id)
    found = connection.execute(select(row.code, row.name).where(mine)).one_or_none()
    return {"id": peer_id, "code": found.code if found else "", "name": found.name if found else ""}


def _time(ms: int | None) -> str | None:
    return None if ms is None else iso(from_ms(ms))


KINDS: tuple[NoticeKind, ...] = (
    NoticeKind(
        "shipment.changed", "tells_shipments", "shipments", ShipmentRow, _shipment,
        lambda row: f"Shipment {row['number'] or row['peer_id']}, {row['stage']}",
    ),
    NoticeKind(
        "requisition.changed", "tells_requisitions", "requisitions", RequisitionRow, _requisition,
        lambda row: f"Requisition {row['number'] or row['peer_id']}, {row['stage']}", by_default=False,
    ),
    NoticeKind("alarm.changed", "tells_alarms", "alarms", Alarm, _alarm, lambda row: f"Alarm: {row['title']}"),
    NoticeKind(
        "fuel.event", "tells_fuel", "fuel_events", FuelEventRow, _fuel,
        lambda row: f"Fuel: {row['kind']} of {row['litres']:.0f} l",
    ),
    NoticeKind(
        "report.changed", "tells_reports", "reports", ReportRow, _report,
        lambda row: f"Report for {row['starts_on']} to {row['ends_on']}", by_default=False,
    ),
    NoticeKind(
        "delivery.event", "tells_deliveries", "deliveries", DeliveryEventRow, _delivery,
        lambda row: f"Delivery: {row['kind']}",
    ),
)  # fmt: skip
