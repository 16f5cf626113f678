"""Journeys to choose from: shipments that leave us and batches, the newest first, found by what people type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select

from app.clock import to_ms
from app.deliveries.rows import integration_names, names_by_place, of_integrations, shown_in
from app.deliveries.vehicles import plate_key
from app.identity.kinds import in_chunks
from app.store.tables import (
    DeliveryBatchRow,
    DriverRow,
    FacilityRow,
    FleetVehicleRow,
    RequisitionRow,
    ShipmentBatch,
    ShipmentRow,
)
from app.supply.filters import Place

MOST = 200
"""Of each kind; whoever looks for an older one types its number."""


@dataclass(frozen=True, slots=True)
class JourneyListing:
    """A shipment or a batch. ``other`` names the batches of a shipment, or how many shipments a batch carries."""

    id: str
    kind: str
    number: str
    receiver: str
    other: str
    stage: str
    source: str
    at_ms: int | None

    @property
    def label(self) -> str:
        return f"Shipment {self.number}" if self.kind == "shipment" else f"Batch {self.number}"


def list_journeys(connection: Connection, text: str = "", limit: int = MOST) -> list[JourneyListing]:
    """Shipments by number, transport reference or receiver, batches by name, and both by the number of an order, a
    plate (compared as :func:`app.deliveries.vehicles.plate_key` does) or a driver's name; the newest of both first.
    """
    found = [*_shipments(connection, text.strip(), limit), *_batches(connection, text.strip(), limit)]
    return sorted(found, key=lambda one: (-(one.at_ms or 0), one.id))[:limit]


def _like(text: str) -> str:
    escaped = text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _holds(column: Any, text: str) -> ColumnElement[bool]:
    found: ColumnElement[bool] = func.lower(column).like(_like(text), escape="\\")
    return found


def _joined() -> ColumnElement[bool]:
    """The shipment of a row travels in the batch of a row."""
    join = ShipmentBatch
    return and_(join.shipment_id == ShipmentRow.id, join.batch_id == DeliveryBatchRow.id, join.how != "declined")


def _ordered_as(text: str) -> ColumnElement[bool]:
    """Shipments for an order with such a number."""
    order, shipment = RequisitionRow, ShipmentRow
    same = and_(order.integration_id == shipment.integration_id, order.peer_id == shipment.requisition)
    return exists().where(same, _holds(order.number, text)).correlate(ShipmentRow)


def on_the_road(connection: Connection, text: str) -> ColumnElement[bool]:
    """Batches whose vehicle's plate or driver's name holds ``text``, with what waits to be sent."""
    batch, driver = DeliveryBatchRow, DriverRow
    same = and_(driver.integration_id == batch.integration_id, driver.peer_id == _shown("driver"))
    by_name = exists().where(same, _holds(driver.name, text)).correlate(DeliveryBatchRow)
    ways: list[ColumnElement[bool]] = [by_name]
    for integration_id, peer_ids in _vehicles_called(connection, text).items():
        ways += [
            and_(batch.integration_id == integration_id, _shown("vehicle").in_(some)) for some in in_chunks(peer_ids)
        ]
    return or_(*ways)


def _shown(field: str) -> ColumnElement[str]:
    batch = DeliveryBatchRow
    return func.coalesce(batch.pending[field].as_string(), getattr(batch, field))


def _vehicles_called(connection: Connection, text: str) -> dict[str, list[str]]:
    """Peers' ids of vehicles by integration; a platform has a few thousand at most."""
    key, vehicle = plate_key(text), FleetVehicleRow
    found: dict[str, list[str]] = {}
    if not key:
        return found
    query = select(vehicle.integration_id, vehicle.peer_id, vehicle.plate).where(vehicle.gone_at.is_(None))
    for row in connection.execute(query):
        if key in plate_key(row.plate):
            found.setdefault(row.integration_id, []).append(row.peer_id)
    return found


def _shipments(connection: Connection, text: str, limit: int) -> list[JourneyListing]:
    shipment, place = ShipmentRow, FacilityRow
    query = (
        select(shipment.__table__, place.name.label("receiver_name"))
        .outerjoin(place, (place.integration_id == shipment.integration_id) & (place.peer_id == shipment.receiver))
        .where(shipment.side == "outbound", shipment.gone_at.is_(None), of_integrations(shipment, None))
    )
    if text:
        travels = exists().where(_joined(), on_the_road(connection, text))
        called = (_holds(column, text) for column in (shipment.number, shipment.transport_reference, place.name))
        query = query.where(or_(*called, _ordered_as(text), travels))
    newest = shipment.created_ms.desc().nulls_last()
    rows = list(connection.execute(query.order_by(newest, shipment.id).limit(limit)))
    batches = _batches_of(connection, [row.id for row in rows])
    names = integration_names(connection)
    return [
        JourneyListing(
            row.id, "shipment", row.number or row.peer_id, row.receiver_name or "", ", ".join(batches.get(row.id, ())),
            str(shown_in(row, "stage")), names.get(row.integration_id, ""), row.shipped_ms or row.created_ms,
        )
        for row in rows
    ]  # fmt: skip


def _batches(connection: Connection, text: str, limit: int) -> list[JourneyListing]:
    batch, join, shipment = DeliveryBatchRow, ShipmentBatch, ShipmentRow
    query = select(batch.__table__).where(batch.gone_at.is_(None), of_integrations(batch, None))
    if text:
        carries = exists().where(_joined(), shipment.gone_at.is_(None), _ordered_as(text))
        query = query.where(or_(_holds(batch.name, text), on_the_road(connection, text), carries))
    newest = batch.scheduled_on.desc().nulls_last()
    rows = list(connection.execute(query.order_by(newest, batch.id).limit(limit)))
    counts: dict[str, int] = {}
    for some in in_chunks([row.id for row in rows]):
        counted = select(join.batch_id, func.count()).where(join.batch_id.in_(some), join.how != "declined")
        counts.update({row[0]: row[1] for row in connection.execute(counted.group_by(join.batch_id))})
    starts = names_by_place(connection, FacilityRow, (Place(row.integration_id, row.warehouse) for row in rows))
    names = integration_names(connection)

    def start(row: Any) -> str:
        name = starts.get(Place(row.integration_id, row.warehouse), "")
        return name and f"from {name}"

    return [
        JourneyListing(
            row.id, "batch", row.name or row.peer_id, start(row), _carried(counts.get(row.id, 0)),
            str(shown_in(row, "stage")), names.get(row.integration_id, ""), row.started_ms or _day_ms(row.scheduled_on),
        )
        for row in rows
    ]  # fmt: skip


def _batches_of(connection: Connection, shipment_ids: Sequence[str]) -> dict[str, list[str]]:
    join, batch = ShipmentBatch, DeliveryBatchRow
    found: dict[str, list[str]] = {}
    for some in in_chunks(shipment_ids):
        query = (
            select(join.shipment_id, batch.name)
            .join(batch, batch.id == join.batch_id)
            .where(join.shipment_id.in_(some), join.how != "declined")
            .order_by(batch.name)
        )
        for row in connection.execute(query):
            found.setdefault(row.shipment_id, []).append(row.name)
    return found


def _carried(count: int) -> str:
    return "no shipment" if not count else f"{count} shipment{'s' if count > 1 else ''}"


def _day_ms(day: str | None) -> int | None:
    try:
        return to_ms(datetime.fromisoformat(day or "").replace(tzinfo=UTC))
    except ValueError:
        return None
