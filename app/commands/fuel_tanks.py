"""``fuel tanks``, ``fuel sensors``, ``fuel calibrations``: what is in which vehicle. Acts print the rows they left."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from app.clock import from_ms, to_ms
from app.commands.output import Refused, json_option, print_rows
from app.commands.session import Session, moment

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from app.fuel.calibrations import CalibrationVersion
    from app.fuel.tanks import SensorListing, TankListing

_TANKS = ("id", "vehicle", "name", "fuel", "capacity_l", "combine", "sensors")
_SENSORS = ("id", "sensor", "name", "kind", "unit", "vehicle", "tank", "value", "measured_at")
_CALIBRATIONS = (
    "id",
    "vehicle",
    "tank",
    "sensor",
    "version",
    "valid_from",
    "valid_to",
    "rows",
    "unit",
    "origin",
    "note",
)
_FUELS = click.Choice(["diesel", "petrol", "other"])
_COMBINE = click.Choice(["average", "sum"])
_tank = click.argument("tank", metavar="TANK")
_sensor = click.argument("sensor", metavar="SENSOR")


@click.group()
def tanks() -> None:
    """Tanks of vehicles. TANK is an id, or an end of it that no other has."""


@tanks.command(name="list")
@json_option
@click.pass_obj
def list_tanks_(session: Session, as_json: bool) -> None:
    """All tanks with their sensors."""
    _print_tanks(session, None, as_json=as_json)


@tanks.command(name="add")
@click.argument("vehicle")
@click.option("--name", default="", help="Which of the vehicle's tanks it is; empty for the only one.")
@click.option("--fuel", type=_FUELS, default="diesel", show_default=True)
@click.option("--capacity", "capacity_l", type=float, help="Litres; left out: the end of its calibration.")
@click.option("--combine", type=_COMBINE, default="average", show_default=True, help="How several sensors count.")
@json_option
@click.pass_obj
def add_tank_(session: Session, /, vehicle: str, as_json: bool, **values: Any) -> None:
    """A new tank of a vehicle, which is made where there is none of this plate."""
    from app.fuel.tank_acts import make_tank

    _print_tanks(session, session.write(partial(make_tank, vehicle=vehicle, **values)), as_json=as_json)


@tanks.command(name="set")
@_tank
@click.option("--name")
@click.option("--fuel", type=_FUELS)
@click.option("--capacity", "capacity_l", type=float, help="Litres; 0 for the end of its calibration.")
@click.option("--combine", type=_COMBINE)
@json_option
@click.pass_obj
def set_tank_(session: Session, /, tank: str, as_json: bool, **given: Any) -> None:
    """Change a tank; its events and totals are computed anew where that matters."""
    from app.fuel.tank_acts import change_tank

    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("Name something to change: --name, --fuel, --capacity or --combine.")
    if changes.get("capacity_l") == 0:
        changes["capacity_l"] = None

    def job(connection: Connection) -> str:
        tank_id = _find_tank(connection, tank).id
        change_tank(connection, tank_id, **changes)
        return tank_id

    _print_tanks(session, session.write(job), as_json=as_json)


@tanks.command(name="remove")
@_tank
@click.option("--yes", is_flag=True, help="Also when something was measured in it.")
@json_option
@click.pass_obj
def remove_tank_(session: Session, tank: str, yes: bool, as_json: bool) -> None:
    """Take a tank out for good; its sensors wait again. Prints the row that it was."""
    from app.fuel.tank_acts import tank_history
    from app.fuel.tanks import remove_tank

    def job(connection: Connection) -> dict[str, Any]:
        found = _find_tank(connection, tank)
        readings = tank_history(connection, found.id).readings
        if readings and not yes:
            raise Refused(
                f"Readings in it: {readings:,}; its levels, totals and reports would not be shown any "
                "more, and that cannot be taken back. Give --yes to remove it all the same."
            )
        remove_tank(connection, found.id)
        return _tank_row(found)

    print_rows([session.write(job)], _TANKS, as_json=as_json)


@click.group()
def sensors() -> None:
    """Fuel sensors and the tanks they are in. SENSOR is an id or an end of it, or what its source calls it."""


@sensors.command(name="list")
@json_option
@click.pass_obj
def list_sensors_(session: Session, as_json: bool) -> None:
    """All sensors with their newest reading, the waiting ones first."""
    _print_sensors(session, (), as_json=as_json)


@sensors.command()
@_sensor
@_tank
@json_option
@click.pass_obj
def bind(session: Session, sensor: str, tank: str, as_json: bool) -> None:
    """Put a sensor into a tank: the first time with all that it told before, later from now on."""
    from app.fuel.tanks import bind_sensor

    def job(connection: Connection) -> tuple[str, ...]:
        found = _find_sensor(connection, sensor)
        bind_sensor(connection, found.id, _find_tank(connection, tank).id)
        return (found.id,)

    _print_sensors(session, session.write(job), as_json=as_json)


@sensors.command(name="take-out")
@_sensor
@json_option
@click.pass_obj
def take_out(session: Session, sensor: str, as_json: bool) -> None:
    """Take a sensor out of its tank from now on; what it measured stays."""
    from app.fuel.tanks import bind_sensor

    def job(connection: Connection) -> tuple[str, ...]:
        found = _find_sensor(connection, sensor)
        bind_sensor(connection, found.id, None)
        return (found.id,)

    _print_sensors(session, session.write(job), as_json=as_json)


@sensors.command()
@_sensor
@click.argument("new", metavar="NEW")
@click.option("--at", help="Since when, as ISO 8601; left out: now.", callback=moment)
@json_option
@click.pass_obj
def replace(session: Session, sensor: str, new: str, at: datetime | None, as_json: bool) -> None:
    """NEW, which waits, took the place of SENSOR: its past and its calibration end there."""
    from app.fuel.tank_acts import replace_in_tank

    now_ms = session.clock.now_ms()
    at_ms = now_ms if at is None else to_ms(at)
    if at_ms > now_ms:
        raise click.UsageError("--at must not lie in the future.")

    def job(connection: Connection) -> tuple[str, ...]:
        pair = _find_sensor(connection, sensor).id, _find_sensor(connection, new).id
        replace_in_tank(connection, *pair, at_ms=at_ms)
        return pair

    _print_sensors(session, session.write(job), as_json=as_json)


@sensors.command()
@_sensor
@click.argument("name")
@json_option
@click.pass_obj
def rename(session: Session, sensor: str, name: str, as_json: bool) -> None:
    """What people call a sensor; an empty name gives it back to its source."""
    from app.fuel.tanks import rename_sensor

    def job(connection: Connection) -> tuple[str, ...]:
        found = _find_sensor(connection, sensor)
        rename_sensor(connection, found.id, name)
        return (found.id,)

    _print_sensors(session, session.write(job), as_json=as_json)


@sensors.command(name="remove")
@_sensor
@json_option
@click.pass_obj
def remove_sensor_(session: Session, sensor: str, as_json: bool) -> None:
    """Take a sensor out of the lists until it reports again. Prints the row that it was."""
    from app.fuel.tanks import remove_sensor

    def job(connection: Connection) -> dict[str, Any]:
        found = _find_sensor(connection, sensor)
        remove_sensor(connection, found.id)
        return _sensor_row(found)

    print_rows([session.write(job)], _SENSORS, as_json=as_json)


@click.group()
def calibrations() -> None:
    """Versions of tank tables and the times they hold."""


@calibrations.command(name="list")
@click.option("--vehicle", help="Only of this vehicle: plate, name or id.")
@json_option
@click.pass_obj
def list_calibrations_(session: Session, vehicle: str | None, as_json: bool) -> None:
    """Every version that stands, the oldest of each tank first."""
    print_rows(session.read(partial(_calibration_rows, vehicle=vehicle)), _CALIBRATIONS, as_json=as_json)


@calibrations.command(name="remove")
@click.argument("calibration", metavar="ID")
@click.option("--reason", required=True, help="Why; it is kept with the table in the list of acts.")
@json_option
@click.pass_obj
def remove_calibration_(session: Session, calibration: str, reason: str, as_json: bool) -> None:
    """Take a sensor's newest version back; the one before holds on. Prints what the tank has left."""
    from app.fuel.calibrations import find_calibration, remove_calibration

    def job(connection: Connection) -> list[dict[str, Any]]:
        calibration_id, tank_id = find_calibration(connection, calibration)
        remove_calibration(connection, calibration_id, reason)
        return _calibration_rows(connection, tank_id=tank_id)

    print_rows(session.write(job), _CALIBRATIONS, as_json=as_json)


def _find_tank(connection: Connection, wanted: str) -> TankListing:
    from app.fuel.tanks import list_tanks

    found = [one for one in list_tanks(connection) if wanted and one.id.endswith(wanted)]
    if len(found) != 1:
        raise Refused(f"There is no single tank “{wanted}”. `fuel tanks list` shows their ids.")
    return found[0]


def _find_sensor(connection: Connection, wanted: str) -> SensorListing:
    from app.fuel.tanks import list_sensors

    known = list_sensors(connection)
    found = [one for one in known if wanted == one.unique_id]
    found = found or [one for one in known if wanted and one.id.endswith(wanted)]
    if len(found) != 1:
        raise Refused(f"There is no single fuel sensor “{wanted}”. `fuel sensors list` shows their ids.")
    return found[0]


def _tank_row(tank: TankListing) -> dict[str, Any]:
    return {
        "id": tank.id,
        "vehicle": tank.plate,
        "name": tank.name,
        "fuel": tank.fuel,
        "capacity_l": tank.capacity_l,
        "combine": tank.combine,
        "sensors": list(tank.sensors),
    }


def _sensor_row(sensor: SensorListing) -> dict[str, Any]:
    return {
        "id": sensor.id,
        "sensor": sensor.unique_id,
        "integration_id": sensor.integration_id,
        "name": sensor.name,
        "kind": sensor.kind,
        "unit": sensor.unit,
        "model": sensor.model,
        "serial": sensor.serial,
        "vehicle": sensor.plate or None,
        "tank": sensor.tank,
        "tank_id": sensor.tank_id,
        "value": sensor.last_value,
        "status": sensor.last_status,
        "measured_at": None if sensor.last_ms is None else from_ms(sensor.last_ms),
    }


def _calibration_rows(
    connection: Connection, *, vehicle: str | None = None, tank_id: str | None = None
) -> list[dict[str, Any]]:
    from app.fleet.vehicles import need_vehicle
    from app.fuel.calibrations import list_calibrations
    from app.fuel.tanks import list_sensors, list_tanks

    names = {one.id: one.unique_id for one in list_sensors(connection)}
    own = list_tanks(connection, None if vehicle is None else need_vehicle(connection, vehicle))
    return [
        _calibration_row(tank, one, names.get(one.sensor_id or ""))
        for tank in own
        if tank_id in (None, tank.id)
        for one in list_calibrations(connection, tank.id)
    ]


def _calibration_row(tank: TankListing, one: CalibrationVersion, sensor: str | None) -> dict[str, Any]:
    return {
        "id": one.id,
        "vehicle": tank.plate,
        "tank": tank.name,
        "tank_id": tank.id,
        "sensor": sensor,
        "sensor_id": one.sensor_id,
        "version": one.version,
        "valid_from": from_ms(one.valid_from_ms),
        "valid_to": None if one.valid_to_ms is None else from_ms(one.valid_to_ms),
        "rows": len(one.table.rows()),
        "table": one.table.rows(),
        "unit": one.unit,
        "origin": one.origin,
        "note": one.note,
        "made_by": one.made_by,
    }


def _print_tanks(session: Session, tank_id: str | None, *, as_json: bool) -> None:
    from app.fuel.tanks import list_tanks

    rows = [_tank_row(one) for one in session.read(list_tanks) if tank_id in (None, one.id)]
    print_rows(rows, _TANKS, as_json=as_json)


def _print_sensors(session: Session, ids: tuple[str, ...], *, as_json: bool) -> None:
    from app.fuel.tanks import list_sensors

    rows = [_sensor_row(one) for one in session.read(list_sensors) if not ids or one.id in ids]
    print_rows(rows, _SENSORS, as_json=as_json)
