"""Finding one driver, vehicle, shipment or batch by what people type: an id, a name, a plate, a number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from app.clock import to_ms
from app.deliveries.drivers import list_drivers
from app.deliveries.errors import DeliveryError, NotFound
from app.deliveries.rows import of_integrations
from app.deliveries.vehicles import list_fleet, plate_key
from app.store.tables import DeliveryBatchRow, ShipmentRow


def choose_driver(connection: Connection, wanted: str, now: datetime) -> str:
    """The id of the row. Raises NotFound, DeliveryError where several fit."""
    drivers = list_drivers(connection, to_ms(now))
    exact = [one for one in drivers if wanted in (one.id, one.peer_id)]
    named = [one for one in drivers if one.name.casefold() == wanted.strip().casefold()]
    return _one([one.id for one in exact or named], f"driver {wanted}")


def choose_vehicle(connection: Connection, wanted: str) -> str:
    """The id of the row of a vehicle of the platform. Raises NotFound, DeliveryError where several fit."""
    fleet = list_fleet(connection)
    exact = [one for one in fleet if wanted in (one.id, one.peer_id)]
    named = [one for one in fleet if plate_key(one.plate) == plate_key(wanted)]
    return _one([one.id for one in exact or named], f"vehicle {wanted}")


def choose_journey(connection: Connection, wanted: str) -> str:
    """The id of a shipment or batch, by it, a shipment's number or a batch's name. Raises NotFound, DeliveryError."""
    shipment, batch = ShipmentRow, DeliveryBatchRow
    tables: Sequence[tuple[Any, Any]] = (
        (shipment, (shipment.number == wanted.strip()) & (shipment.side == "outbound")),
        (batch, batch.name == wanted.strip()),
    )
    for table, _is_called in tables:
        if connection.execute(select(table.id).where(table.id == wanted)).one_or_none() is not None:
            return wanted
    found: list[str] = []
    for table, is_called in tables:
        found += connection.execute(select(table.id).where(is_called, of_integrations(table, None)).limit(5)).scalars()
    return _one(found, f"shipment or batch {wanted}")


def _one(ids: Sequence[str], what: str) -> str:
    if not ids:
        raise NotFound(f"There is no {what}. The lists show them all.")
    if len(ids) > 1:
        raise DeliveryError(f"Several fit {what}: {', '.join(ids)}. Name the id instead.")
    return ids[0]
