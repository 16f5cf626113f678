"""The platform's vehicles and this console's own: they meet by plate, and by the tracker that the platform names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from app.deliveries.rows import by_place, of_integrations
from app.store.tables import Device, FleetVehicleRow, Vehicle
from app.supply.filters import Place


@dataclass(frozen=True, slots=True)
class VehicleMatch:
    """A vehicle of the platform and the console's own, ``vehicle_id`` "" for none; ``why`` is a sentence either way."""

    plate: str
    model: str
    vehicle_id: str
    why: str


def plate_key(plate: str) -> str:
    """A plate as it is compared: ``KAN-123 XA`` and ``kan123xa`` are one."""
    return "".join(char for char in plate.casefold() if char.isalnum())


class OwnVehicles:
    """The console's vehicles, to be looked up by what the platform says of one of its own."""

    def __init__(self, by_plate: Mapping[str, frozenset[str]], by_tracker: Mapping[str, frozenset[str]]) -> None:
        self._by_plate = by_plate
        self._by_tracker = by_tracker

    @classmethod
    def load(cls, connection: Connection) -> OwnVehicles:
        """A few thousand rows at most."""
        vehicle = Vehicle
        by_plate: dict[str, set[str]] = {}
        query = select(vehicle.id, vehicle.plate).where(vehicle.removed_at.is_(None))
        for row in connection.execute(query).all():
            by_plate.setdefault(plate_key(row.plate), set()).add(row.id)
        by_tracker: dict[str, set[str]] = {}
        devices = select(Device.unique_id, Device.vehicle_id).where(Device.vehicle_id.is_not(None))
        for unique_id, vehicle_id in connection.execute(devices):
            by_tracker.setdefault(unique_id, set()).add(str(vehicle_id))
        return cls(
            {key: frozenset(ids) for key, ids in by_plate.items() if key},
            {key: frozenset(ids) for key, ids in by_tracker.items() if key},
        )

    def match(self, plate: str, telematics_id: str = "") -> tuple[str, str]:
        """(vehicle id or "", sentence)."""
        found = self._by_plate.get(plate_key(plate), frozenset())
        if len(found) == 1:
            return next(iter(found)), f"The plate {plate} is the same."
        if len(found) > 1:
            return "", f"Several vehicles here have the plate {plate}, so none is taken. Remove the one that is wrong."
        found = self._by_tracker.get(telematics_id, frozenset())
        if telematics_id and len(found) == 1:
            return next(iter(found)), f"The platform names its tracker {telematics_id}."
        if not plate:
            return "", "The platform names no plate."
        return "", f"No vehicle here has the plate {plate}. Add it, and give it its tracker."


def match_vehicles(connection: Connection, places: Iterable[Place]) -> dict[Place, VehicleMatch]:
    """By integration and the vehicle's id there; what the platform does not know is left out."""
    columns = (FleetVehicleRow.plate, FleetVehicleRow.model, FleetVehicleRow.telematics_id)
    rows = by_place(connection, FleetVehicleRow, places, columns)
    if not rows:
        return {}
    own = OwnVehicles.load(connection)
    return {
        place: VehicleMatch(row.plate, row.model, *own.match(row.plate, row.telematics_id))
        for place, row in rows.items()
    }


def platform_vehicles(connection: Connection, vehicle_id: str) -> list[Place]:
    """The platform's vehicles that are this one of ours."""
    own = OwnVehicles.load(connection)
    vehicle = FleetVehicleRow
    columns = (vehicle.integration_id, vehicle.peer_id, vehicle.plate, vehicle.telematics_id)
    rows = connection.execute(select(*columns).where(of_integrations(vehicle, None)))
    return [
        Place(row.integration_id, row.peer_id)
        for row in rows
        if own.match(row.plate, row.telematics_id)[0] == vehicle_id
    ]


@dataclass(frozen=True, slots=True)
class FleetListing:
    """One vehicle of the platform, with the console's own that it is."""

    id: str
    integration_id: str
    peer_id: str
    plate: str
    model: str
    kind: str
    status: str
    fuel_type: str
    driver: str
    vehicle_id: str
    why: str


def list_fleet(connection: Connection, integration_id: str | None = None) -> list[FleetListing]:
    """By plate: what there is to choose from when a batch is assigned."""
    vehicle = FleetVehicleRow
    rows: list[Any] = list(
        connection.execute(
            select(vehicle.__table__)
            .where(of_integrations(vehicle, integration_id))
            .order_by(vehicle.plate, vehicle.key)
        )
    )
    own = OwnVehicles.load(connection)
    return [
        FleetListing(
            row.id, row.integration_id, row.peer_id, row.plate, row.model, row.kind, row.status, row.fuel_type,
            row.driver, *own.match(row.plate, row.telematics_id),
        )
        for row in rows
    ]  # fmt: skip
