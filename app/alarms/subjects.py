"""Who alarms are about: vehicles with their trackers, and known trackers that no vehicle carries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, not_, or_, select

from app.fleet.phones import is_phone
from app.fleet.registry import KNOWN
from app.store.tables import Device, Vehicle


@dataclass(frozen=True, slots=True)
class Subject:
    """A vehicle, or a tracker on none; ``id`` is that of the vehicle or the tracker, ``label`` what people call it."""

    id: str
    label: str
    vehicle_id: str | None
    devices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Subjects:
    """All of them in the order of their ids, and the place of each tracker's subject by the tracker's key."""

    all: Sequence[Subject]
    place_of: Mapping[int, int]
    integration_of: Mapping[int, str]

    def of_device(self, device_key: int) -> Subject | None:
        place = self.place_of.get(device_key)
        return None if place is None else self.all[place]


def read_subjects(connection: Connection) -> Subjects:
    """Adopted trackers that their servers still list, by vehicle; waiting and blocked ones raise no alarms.

    Nor do drivers' phones: they are silent whenever a shift is over, and a driver in a vehicle would raise all twice.
    """
    query = (
        select(Device.key, Device.id, Device.unique_id, Device.name, Device.integration_id, Vehicle.id, Vehicle.plate)
        .outerjoin(Vehicle, Vehicle.id == Device.vehicle_id)
        .where(Device.state == KNOWN, or_(Device.visible, Device.vehicle_id.is_not(None)), not_(is_phone()))
        .order_by(Device.key)
    )
    found: dict[str, tuple[str, str | None, list[int]]] = {}
    integrations: dict[int, str] = {}
    for key, device_id, unique_id, name, integration_id, vehicle_id, plate in connection.execute(query):
        label = plate or name or unique_id
        found.setdefault(vehicle_id or device_id, (label, vehicle_id, []))[2].append(key)
        integrations[key] = integration_id
    subjects = [Subject(one, label, vehicle, tuple(keys)) for one, (label, vehicle, keys) in sorted(found.items())]
    places = {key: place for place, subject in enumerate(subjects) for key in subject.devices}
    return Subjects(subjects, places, integrations)
