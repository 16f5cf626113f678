"""Tanks and the sensors in them: every change is recorded as an act in its transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from app.clock import SystemClock, utc_now
from app.errors import OperatorError
from app.fleet.errors import NotFound
from app.fleet.text import storable
from app.fleet.vehicles import add_vehicle, find_vehicle, need_vehicle
from app.fuel.errors import FuelError
from app.fuel.spells import came_ms, move_sensor
from app.problems import Issue, clear_problems, raise_problem
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import FuelSensor, Tank, Vehicle

FUELS = ("diesel", "petrol", "other")
COMBINE = ("average", "sum")
LARGEST_L = 100_000.0
_UNBOUND = "fuel_binding"


@dataclass(frozen=True, slots=True)
class TankListing:
    """One tank with its vehicle's plate and its sensors' ids."""

    id: str
    vehicle_id: str
    plate: str
    name: str
    fuel: str
    capacity_l: float | None
    combine: str
    sensors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SensorListing:
    """One sensor; ``tank_id`` is None while it waits to be bound."""

    key: int
    id: str
    integration_id: str
    unique_id: str
    tank_id: str | None
    plate: str
    tank: str
    kind: str
    unit: str
    name: str
    model: str
    serial: str
    settings: dict[str, Any]
    last_ms: int | None
    last_value: float | None
    last_status: str

    @property
    def label(self) -> str:
        return self.name or self.unique_id


def list_tanks(connection: Connection, vehicle_id: str | None = None) -> list[TankListing]:
    """Tanks that were not removed, by plate and name."""
    query = (
        select(Tank.__table__, Vehicle.plate)
        .join(Vehicle, Vehicle.id == Tank.vehicle_id)
        .where(Tank.removed_at.is_(None), Vehicle.removed_at.is_(None))
        .order_by(Vehicle.plate, Tank.name, Tank.id)
    )
    if vehicle_id is not None:
        query = query.where(Tank.vehicle_id == vehicle_id)
    in_tank: dict[str, list[str]] = {}
    for sensor in list_sensors(connection):
        if sensor.tank_id is not None:
            in_tank.setdefault(sensor.tank_id, []).append(sensor.id)
    return [
        TankListing(
            row.id, row.vehicle_id, row.plate, row.name, row.fuel, row.capacity_l, row.combine,
            tuple(in_tank.get(row.id, ())),
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def list_sensors(connection: Connection) -> list[SensorListing]:
    """Sensors that were not removed, the waiting ones first."""
    query = (
        select(FuelSensor.__table__, Vehicle.plate, Tank.name.label("tank"))
        .outerjoin(Tank, Tank.id == FuelSensor.tank_id)
        .outerjoin(Vehicle, Vehicle.id == Tank.vehicle_id)
        .where(FuelSensor.removed_at.is_(None))
        .order_by(FuelSensor.tank_id.is_not(None), Vehicle.plate, FuelSensor.unique_id)
    )
    return [
        SensorListing(
            row.key, row.id, row.integration_id, row.unique_id, row.tank_id, row.plate or "", row.tank or "", row.kind,
            row.unit, row.name, row.model, row.serial, row.settings, row.last_ms, row.last_value, row.last_status,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def add_tank(
    connection: Connection,
    vehicle: str,
    *,
    name: str = "",
    fuel: str = "diesel",
    capacity_l: float | None = None,
    combine: str = "average",
    who: str | None = None,
) -> str:
    """A new tank of a vehicle named by plate, name or id; returns its id. Raises NotFound, FuelError."""
    vehicle_id = need_vehicle(connection, vehicle)
    values = _checked(name=name, fuel=fuel, capacity_l=capacity_l, combine=combine)
    version = raise_topic(connection, "tanks")
    tank_id = new_id()
    row = {"id": tank_id, "vehicle_id": vehicle_id, "created_at": utc_now(), "changed_version": version, **values}
    connection.execute(insert(Tank).values(**row))
    record_act(connection, what="tank.add", subject=_plate(connection, vehicle_id), after=values, who=who)
    return tank_id


def set_tank(connection: Connection, tank_id: str, *, who: str | None = None, **changes: Any) -> None:
    """Change name, fuel, capacity_l or combine. Raises NotFound, FuelError."""
    row = _tank(connection, tank_id)
    values = _checked(
        **{"name": row.name, "fuel": row.fuel, "capacity_l": row.capacity_l, "combine": row.combine, **changes}
    )
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    if not changed:
        return
    version = raise_topic(connection, "tanks")
    connection.execute(update(Tank).where(Tank.id == tank_id).values(**changed, changed_version=version))
    before = {name: getattr(row, name) for name in changed}
    record_act(
        connection, what="tank.set", subject=_plate(connection, row.vehicle_id), before=before, after=changed, who=who
    )


def remove_tank(connection: Connection, tank_id: str, *, now_ms: int | None = None, who: str | None = None) -> None:
    """Take a tank out of the lists; its history stays and its sensors wait again. Raises NotFound."""
    row = _tank(connection, tank_id)
    sensors = raise_topic(connection, "fuel_sensors")
    version = raise_topic(connection, "tanks")
    inside = connection.execute(select(FuelSensor.__table__).where(FuelSensor.tank_id == tank_id)).all()
    for sensor in inside:
        move_sensor(connection, sensor.key, None, _moment(now_ms))
        _put(connection, sensor, None, sensors)
    connection.execute(update(Tank).where(Tank.id == tank_id).values(removed_at=utc_now(), changed_version=version))
    subject = _plate(connection, row.vehicle_id)
    before = {"id": tank_id, "name": row.name, "sensors": [sensor.id for sensor in inside]}
    record_act(connection, what="tank.remove", subject=subject, before=before, who=who)


def bind_sensor(
    connection: Connection,
    sensor_id: str,
    tank_id: str | None,
    *,
    since_ms: int | None = None,
    now_ms: int | None = None,
    who: str | None = None,
) -> None:
    """Put a sensor into a tank, or with None out of it. Raises NotFound.

    The first time it brings everything along that it told before, later it holds from now on; ``since_ms`` names
    another moment, to correct what was noted wrongly.
    """
    row = _sensor(connection, sensor_id)
    if tank_id is not None:
        _tank(connection, tank_id)
    if row.tank_id == tank_id and since_ms is None:
        return
    version = raise_topic(connection, "fuel_sensors")
    _put(connection, row, tank_id, version)
    raise_topic(connection, "tanks")  # its readings are others now
    move_sensor(connection, row.key, tank_id, _moment(now_ms), since_ms)
    record_act(
        connection,
        what="fuel_sensor.bind",
        subject=row.name or row.unique_id,
        before={"tank_id": row.tank_id},
        after={"tank_id": tank_id, "since_ms": since_ms},
        who=who,
    )


def replace_sensor(
    connection: Connection, old_id: str, new_id: str, *, at_ms: int | None = None, who: str | None = None
) -> None:
    """Another sensor took the place of one in its tank, from a moment on, by default now. Raises NotFound, FuelError.

    The old one keeps its past there, and the new one needs a calibration of its own.
    """
    old, new = _sensor(connection, old_id), _sensor(connection, new_id)
    if old.key == new.key:
        raise FuelError("A sensor does not take its own place. Choose the one that was built in instead of it.")
    if old.tank_id is None:
        raise FuelError("The sensor that is replaced is in no tank. Put the new one into its tank instead.")
    if new.tank_id is not None:
        raise FuelError("The new sensor is in a tank already. Take it out there first.")
    moment_ms = _moment(at_ms)
    tank_id = old.tank_id
    if moment_ms <= came_ms(connection, old.key):
        raise FuelError("The old sensor was not in its tank yet at that time. Name the moment when it was replaced.")
    bind_sensor(connection, old_id, None, since_ms=moment_ms, who=who)
    bind_sensor(connection, new_id, tank_id, since_ms=moment_ms, who=who)


def remove_sensor(connection: Connection, sensor_id: str, *, now_ms: int | None = None, who: str | None = None) -> None:
    """Take a sensor out of the lists; its past stays in its tank. When it reports again it waits. Raises NotFound."""
    row = _sensor(connection, sensor_id)
    version = raise_topic(connection, "fuel_sensors")
    _put(connection, row, None, version)
    connection.execute(update(FuelSensor).where(FuelSensor.id == sensor_id).values(removed_at=utc_now()))
    raise_topic(connection, "tanks")
    move_sensor(connection, row.key, None, _moment(now_ms))
    record_act(
        connection, what="fuel_sensor.remove", subject=row.name or row.unique_id, before={"tank_id": row.tank_id},
        who=who,
    )  # fmt: skip


def bind_by_settings(connection: Connection, now_ms: int | None = None) -> int:
    """Bind waiting sensors whose settings name a vehicle; vehicle and tank are made where they do not exist.

    Done once per sensor: a sensor that an operator takes out again stays out. One that cannot be bound as it wishes
    waits, and a problem says so. Returns how many were bound.
    """
    bound = 0
    refused: dict[str, list[str]] = {}
    for sensor in list_sensors(connection):
        wish = _wish(sensor.settings)
        if sensor.tank_id is not None or wish is None or sensor.settings.get("bound_as") == "/".join(wish):
            continue
        try:
            with connection.begin_nested():
                _bind_as_wished(connection, sensor.id, *wish, now_ms)
        except OperatorError as err:
            refused.setdefault(err.why, []).append(sensor.label)
        else:
            bound += 1
    if refused:
        reasons = [f"{', '.join(labels)}: {why}" for why, labels in refused.items()]
        detail = " ".join((*reasons, "Name the vehicle anew in the sensor's settings, or give it a tank yourself."))
        issue = Issue(_UNBOUND, "A fuel sensor could not be put into the tank that its settings name", detail, "none")
        raise_problem(connection, None, issue, _moment(now_ms))
    else:
        clear_problems(connection, None, frozenset({_UNBOUND}), _moment(now_ms))
    return bound


def _bind_as_wished(connection: Connection, sensor_id: str, plate: str, name: str, now_ms: int | None) -> None:
    """Raises Ambiguous, FleetError for a vehicle that cannot be found or made."""
    vehicle_id = find_vehicle(connection, plate) or add_vehicle(connection, plate, who="settings")
    known = [tank for tank in list_tanks(connection, vehicle_id) if tank.name.casefold() == name.casefold()]
    tank_id = known[0].id if known else add_tank(connection, vehicle_id, name=name, who="settings")
    bind_sensor(connection, sensor_id, tank_id, now_ms=now_ms, who="settings")


def _wish(settings: Mapping[str, Any]) -> tuple[str, str] | None:
    """The vehicle and the tank that a sensor's source names."""
    plate, tank = (str(settings.get(name) or "").strip() for name in ("vehicle", "tank"))
    return (plate, tank) if plate else None


def _put(connection: Connection, sensor: Any, tank_id: str | None, version: int) -> None:
    """Whoever puts a sensor somewhere knows better than its settings, until they name something else."""
    wish = _wish(sensor.settings)
    settings = sensor.settings if wish is None else {**sensor.settings, "bound_as": "/".join(wish)}
    values = {"tank_id": tank_id, "settings": settings, "changed_version": version}
    connection.execute(update(FuelSensor).where(FuelSensor.key == sensor.key).values(**values))


def rename_sensor(connection: Connection, sensor_id: str, name: str, *, who: str | None = None) -> None:
    """Raises NotFound."""
    row = _sensor(connection, sensor_id)
    new = storable(" ".join(name.split()), 200)
    if new == row.name:
        return
    version = raise_topic(connection, "fuel_sensors")
    connection.execute(update(FuelSensor).where(FuelSensor.id == sensor_id).values(name=new, changed_version=version))
    record_act(
        connection, what="fuel_sensor.set", subject=row.unique_id, before={"name": row.name}, after={"name": new},
        who=who,
    )  # fmt: skip


def _checked(*, name: str, fuel: str, capacity_l: float | None, combine: str) -> dict[str, Any]:
    if fuel not in FUELS:
        raise FuelError(f"The fuel is one of {', '.join(FUELS)}.")
    if combine not in COMBINE:
        raise FuelError("Several sensors of one tank are taken as their average or as their sum.")
    if capacity_l is not None and not 0 < capacity_l <= LARGEST_L:
        raise FuelError(f"The capacity must be more than 0 and at most {LARGEST_L:,.0f} L.")
    text = storable(" ".join(name.split()), 200)
    return {"name": text, "fuel": fuel, "capacity_l": capacity_l, "combine": combine}


def _tank(connection: Connection, tank_id: str) -> Any:
    row = connection.execute(select(Tank.__table__).where(Tank.id == tank_id, Tank.removed_at.is_(None))).first()
    if row is None:
        raise NotFound("This tank does not exist any more. Load the list again.")
    return row


def _sensor(connection: Connection, sensor_id: str) -> Any:
    query = select(FuelSensor.__table__).where(FuelSensor.id == sensor_id, FuelSensor.removed_at.is_(None))
    row = connection.execute(query).first()
    if row is None:
        raise NotFound("This sensor does not exist any more. Load the list again.")
    return row


def _moment(now_ms: int | None) -> int:
    return SystemClock().now_ms() if now_ms is None else now_ms


def _plate(connection: Connection, vehicle_id: str) -> str:
    return str(connection.execute(select(Vehicle.plate).where(Vehicle.id == vehicle_id)).scalar_one())
