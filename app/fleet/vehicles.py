"""Vehicles: list, add, change, remove. Every change is recorded as an act in its transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, or_, select, update

from app.clock import SystemClock, utc_now
from app.fleet.assignments import release_from_vehicle
from app.fleet.errors import AlreadyExists, Ambiguous, FleetError, NotFound
from app.fleet.text import storable
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import Device, Vehicle

_LENGTHS = {"plate": 40, "name": 200, "make_model": 200, "notes": 10_000}


@dataclass(frozen=True, slots=True)
class VehicleListing:
    """One vehicle and the unique ids of its trackers."""

    id: str
    plate: str
    name: str
    make_model: str
    notes: str
    created_at: datetime
    trackers: tuple[str, ...]
    changed_version: int

    @property
    def label(self) -> str:
        """What the map and the lists call it."""
        return f"{self.plate} {self.name}" if self.name and self.name != self.plate else self.plate


def list_vehicles(connection: Connection, *, since_version: int = 0) -> list[VehicleListing]:
    """All vehicles that were not removed, by plate; only those changed after ``since_version``."""
    trackers: dict[str, list[str]] = {}
    on_vehicles = select(Device.vehicle_id, Device.unique_id).where(Device.vehicle_id.is_not(None))
    for vehicle_id, unique_id in connection.execute(on_vehicles.order_by(Device.unique_id)):
        ids = trackers.setdefault(str(vehicle_id), [])
        if unique_id not in ids:  # the same tracker through two integrations
            ids.append(unique_id)
    rows = connection.execute(
        select(Vehicle.__table__)
        .where(Vehicle.removed_at.is_(None), Vehicle.changed_version > since_version)
        .order_by(Vehicle.plate)
    )
    return [
        VehicleListing(
            row.id,
            row.plate,
            row.name,
            row.make_model,
            row.notes,
            row.created_at,
            tuple(trackers.get(row.id, ())),
            row.changed_version,
        )
        for row in rows
    ]


def find_vehicle(connection: Connection, wanted: str) -> str | None:
    """The id of the vehicle with this id, plate or name, in this order; letters' case and spaces are not compared.

    None where there is none. Raises Ambiguous when several vehicles have the name.
    """
    name = _folded(wanted)
    rows = connection.execute(select(Vehicle.id, Vehicle.plate, Vehicle.name).where(Vehicle.removed_at.is_(None))).all()
    for row in rows:
        if row.id == wanted.strip():
            return str(row.id)
    for row in rows:
        if _folded(row.plate) == name:
            return str(row.id)
    named = [row for row in rows if row.name and _folded(row.name) == name]
    if len(named) > 1:
        plates = ", ".join(sorted(row.plate for row in named))
        raise Ambiguous(f"Several vehicles are called {wanted.strip()}: {plates}. Name the plate instead.")
    return str(named[0].id) if named else None


def need_vehicle(connection: Connection, wanted: str) -> str:
    """As :func:`find_vehicle`; raises NotFound where there is none."""
    vehicle_id = find_vehicle(connection, wanted)
    if vehicle_id is None:
        raise NotFound(f"No vehicle has the id, plate or name {wanted.strip()}. The list of vehicles shows them all.")
    return vehicle_id


def add_vehicle(
    connection: Connection,
    plate: str,
    *,
    name: str = "",
    make_model: str = "",
    notes: str = "",
    who: str | None = None,
) -> str:
    """A new vehicle, or a removed one brought back; returns its id.

    Raises AlreadyExists for a plate that another vehicle has, FleetError for an empty one.
    """
    values = _checked({"plate": plate, "name": name, "make_model": make_model, "notes": notes})
    version = raise_topic(connection, "vehicles")
    known = _by_plate(connection, values["plate"])
    if known is not None and known.removed_at is None:
        raise AlreadyExists(f"A vehicle with the plate {known.plate} exists already. Change that one instead.")
    vehicle_id = new_id() if known is None else str(known.id)
    if known is None:
        row = {"id": vehicle_id, "created_at": utc_now(), "changed_version": version, **values}
        connection.execute(insert(Vehicle).values(**row))
    else:
        connection.execute(
            update(Vehicle).where(Vehicle.id == vehicle_id).values(removed_at=None, changed_version=version, **values)
        )
    record_act(connection, what="vehicle.add", subject=values["plate"], after={"id": vehicle_id, **values}, who=who)
    return vehicle_id


def set_vehicle(connection: Connection, vehicle: str, changes: Mapping[str, str], *, who: str | None = None) -> str:
    """Change plate, name, make_model or notes of a vehicle named as in :func:`find_vehicle`; returns its id.

    Raises NotFound, AlreadyExists for a plate in use, FleetError for a field that does not exist.
    """
    values = _checked(changes)
    vehicle_id = need_vehicle(connection, vehicle)
    version = raise_topic(connection, "vehicles")
    row = connection.execute(select(Vehicle.__table__).where(Vehicle.id == vehicle_id)).one()._mapping
    changed = {name: value for name, value in values.items() if row[name] != value}
    if not changed:
        return vehicle_id
    other = _by_plate(connection, changed["plate"]) if "plate" in changed else None
    if other is not None and other.id != vehicle_id:
        was = "" if other.removed_at is None else " (removed; add it again to use it)"
        raise AlreadyExists(f"The plate {other.plate} belongs to another vehicle{was}.")
    connection.execute(update(Vehicle).where(Vehicle.id == vehicle_id).values(changed_version=version, **changed))
    before = {name: row[name] for name in changed}
    record_act(connection, what="vehicle.set", subject=row["plate"], before=before, after=changed, who=who)
    return vehicle_id


def remove_vehicle(
    connection: Connection, vehicle: str, *, now_ms: int | None = None, who: str | None = None
) -> Sequence[str]:
    """Take a vehicle out of the lists; its history stays. Its trackers come free; returns their unique ids."""
    vehicle_id = need_vehicle(connection, vehicle)
    moment_ms = SystemClock().now_ms() if now_ms is None else now_ms
    devices_version = raise_topic(connection, "devices")
    version = raise_topic(connection, "vehicles")
    plate = connection.execute(select(Vehicle.plate).where(Vehicle.id == vehicle_id)).scalar_one()
    released = release_from_vehicle(connection, vehicle_id, moment_ms, devices_version)
    connection.execute(
        update(Vehicle).where(Vehicle.id == vehicle_id).values(removed_at=utc_now(), changed_version=version)
    )
    before = {"id": vehicle_id, "trackers": list(released)}
    record_act(connection, what="vehicle.remove", subject=plate, before=before, who=who)
    return released


def _by_plate(connection: Connection, plate: str) -> Any:
    folded = _folded(plate)
    rows = connection.execute(
        select(Vehicle.id, Vehicle.plate, Vehicle.removed_at).where(
            or_(Vehicle.plate == plate, func.lower(func.replace(Vehicle.plate, " ", "")) == folded)
        )
    ).all()
    return rows[0] if rows else None


def _checked(values: Mapping[str, str]) -> dict[str, str]:
    """Values ready for the table. Raises FleetError naming the field."""
    checked = {}
    for name, value in values.items():
        if name not in _LENGTHS:
            raise FleetError(f"A vehicle has no field {name}; it has {', '.join(_LENGTHS)}.")
        text = storable(" ".join(value.split()) if name != "notes" else value.strip())
        if len(text) > _LENGTHS[name]:
            raise FleetError(f"The {name.replace('_', ' ')} is longer than {_LENGTHS[name]} characters.")
        checked[name] = text
    if checked.get("plate") == "":
        raise FleetError("A vehicle needs a plate.")
    return checked


def _folded(text: str) -> str:
    return "".join(text.split()).lower()
