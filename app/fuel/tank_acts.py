"""What operators do to tanks and sensors beyond one row: each act checks what it needs and says what it would leave.

The single steps stand in :mod:`app.fuel.tanks` and :mod:`app.fuel.calibrations`, and record themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, or_, select

from app.fleet.errors import NotFound
from app.fleet.vehicles import add_vehicle, find_vehicle
from app.fuel.calibrations import end_calibrations, list_calibrations
from app.fuel.errors import FuelError
from app.fuel.readings import capacity_of
from app.fuel.tanks import SensorListing, TankListing, add_tank, list_sensors, list_tanks, replace_sensor, set_tank
from app.store.tables import Calibration, FuelEventRow, FuelReadingRow, FuelSensorSpell


@dataclass(frozen=True, slots=True)
class History:
    """What was measured in a tank, or by a sensor in its tanks: counts, and first to last reading."""

    readings: int
    first_ms: int | None
    last_ms: int | None
    events: int
    calibrations: int


def tank_history(connection: Connection, tank_id: str) -> History:
    """What a tank has behind it."""
    row = FuelEventRow
    events = select(func.count()).where(row.tank_id == tank_id, row.withdrawn_at.is_(None))
    return _history(
        connection, FuelSensorSpell.tank_id == tank_id, connection.execute(events).scalar_one(),
        Calibration.tank_id == tank_id,
    )  # fmt: skip


def sensor_history(connection: Connection, sensor: SensorListing) -> History:
    """What a sensor measured in tanks; its events are the tank's and not counted."""
    return _history(connection, FuelSensorSpell.sensor_key == sensor.key, 0, Calibration.sensor_id == sensor.id)


def _history(connection: Connection, whose: Any, events: int, table_of: Any) -> History:
    row, spell = FuelReadingRow, FuelSensorSpell
    during = and_(
        spell.sensor_key == row.sensor_key,
        row.measured_at_ms >= spell.from_ms,
        or_(spell.to_ms.is_(None), row.measured_at_ms < spell.to_ms),
    )
    query = select(func.count(), func.min(row.measured_at_ms), func.max(row.measured_at_ms))
    count, first_ms, last_ms = connection.execute(query.select_from(row).join(spell, during).where(whose)).one()
    tables = select(func.count()).where(table_of, Calibration.removed_at.is_(None))
    return History(count, first_ms, last_ms, events, connection.execute(tables).scalar_one())


def make_tank(connection: Connection, vehicle: str, *, name: str = "", who: str | None = None, **values: Any) -> str:
    """A new tank; the vehicle is made where there is none of this plate. Returns its id.

    Raises FuelError where the vehicle has a tank of this name already.
    """
    vehicle_id = find_vehicle(connection, vehicle) or add_vehicle(connection, vehicle, who=who)
    _refuse_namesake(connection, vehicle_id, name, None)
    return add_tank(connection, vehicle_id, name=name, who=who, **values)


def change_tank(connection: Connection, tank_id: str, *, who: str | None = None, **changes: Any) -> None:
    """As :func:`app.fuel.tanks.set_tank`, and no two tanks of a vehicle get one name. Raises NotFound, FuelError."""
    if "name" in changes:
        tank = find_tank(connection, tank_id)
        _refuse_namesake(connection, tank.vehicle_id, changes["name"], tank_id)
    set_tank(connection, tank_id, who=who, **changes)


def replace_in_tank(connection: Connection, old_id: str, new_id: str, *, at_ms: int, who: str | None = None) -> None:
    """Another sensor took the place of one at a time: the old one's past and table end there, the tank stays as large.

    A table of the tank itself ends only where no other sensor reads by it. Raises NotFound, FuelError.
    """
    sensors = {one.id: one for one in list_sensors(connection)}
    old = sensors.get(old_id)
    if old is None or old.tank_id is None:
        raise NotFound("The sensor that is replaced is in no tank any more. Load the list again.")
    tank = find_tank(connection, old.tank_id)
    standing = list_calibrations(connection, tank.id)
    if tank.capacity_l is None and any(one.valid_to_ms is None for one in standing):
        set_tank(connection, tank.id, capacity_l=round(capacity_of(tank, standing), 1), who=who)
    end_calibrations(connection, tank.id, old_id, at_ms, who=who)
    if tank.sensors == (old_id,):
        end_calibrations(connection, tank.id, None, at_ms, who=who)
    replace_sensor(connection, old_id, new_id, at_ms=at_ms, who=who)


def find_tank(connection: Connection, tank_id: str) -> TankListing:
    """Raises NotFound."""
    found = next((one for one in list_tanks(connection) if one.id == tank_id), None)
    if found is None:
        raise NotFound("This tank does not exist any more. Load the list again.")
    return found


def _refuse_namesake(connection: Connection, vehicle_id: str, name: str, tank_id: str | None) -> None:
    wanted = " ".join(name.split())
    for tank in list_tanks(connection, vehicle_id):
        if tank.id != tank_id and tank.name.casefold() == wanted.casefold():
            which = f"the tank “{tank.name}”" if tank.name else "a tank without a name"
            raise FuelError(f"{tank.plate} has {which} already. Give this one another name.")
