"""``fuel mappings``: values in trackers' messages as fuel sensors. Every act prints the rows it left."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from app.clock import from_ms
from app.commands.output import Refused, json_option, print_facts, print_rows
from app.commands.session import Session

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from app.fuel.mappings import MappingListing

_TABLE = ("id", "vehicle", "tank", "device", "attribute", "unit", "scale", "offset", "median", "ignition_only", "value")
_SUGGESTED = ("attribute", "unit", "likelihood", "newest", "least", "most", "count", "why")
_UNITS = click.Choice(["counts", "percent", "litres", "volts", "millimetres"])
_scale = click.option("--scale", type=float, help="The number is multiplied by it; 1 where it is left out.")
_offset = click.option("--offset", type=float, help="Then it is added; 0 where it is left out.")
_median = click.option("--median", type=int, help="So many newest values, of which the middle one counts; 1 for each.")
_ignition = click.option(
    "--ignition-only/--always", default=None, help="Whether it counts while the ignition is on only."
)
_mapping = click.argument("mapping", metavar="ID")


@click.group()
def mappings() -> None:
    """Fuel values that come with trackers' messages."""


@mappings.command(name="list")
@json_option
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """Every value that is read, with its newest reading."""
    _print(session, None, as_json=as_json)


@mappings.command()
@click.argument("device", metavar="IMEI")
@click.option("--all", "everything", is_flag=True, help="Every number in its messages, unlikely ones too.")
@json_option
@click.pass_obj
def suggest(session: Session, device: str, everything: bool, as_json: bool) -> None:
    """What in a tracker's newest messages may be a fuel level, the likeliest first."""
    from app.fuel.mappings import newest_messages, suggestions_of

    def look(connection: Connection) -> list[dict[str, Any]]:
        messages = newest_messages(connection, _device_id(connection, device))
        return [asdict(one) for one in suggestions_of(messages, with_unlikely=everything)]

    print_rows(session.read(look), _SUGGESTED, as_json=as_json)


@mappings.command()
@click.argument("device", metavar="IMEI")
@click.argument("attribute")
@_scale
@_offset
@_median
@_ignition
@json_option
@click.pass_obj
def preview(session: Session, /, device: str, attribute: str, as_json: bool, **how: Any) -> None:
    """What an attribute would give now; nothing is saved."""
    from app.fuel.mappings import Reading, newest_messages, preview_of

    reading = replace(Reading(attribute), **_given(how))
    found = session.read(lambda c: preview_of(newest_messages(c, _device_id(c, device)), reading))
    facts = asdict(found)
    at_ms = facts.pop("at_ms")
    print_facts({"at": None if at_ms is None else from_ms(at_ms), **facts}, as_json=as_json)


@mappings.command()
@click.argument("device", metavar="IMEI")
@click.argument("attribute")
@click.option("--unit", type=_UNITS, required=True, help="Of the result.")
@click.option("--vehicle", help="Measure a tank of this vehicle (plate, name or id); left out: it waits.")
@click.option("--tank", default="", help="Which tank, by name; made where there is none of this name.")
@click.option("--name", default="", help="By which people know it.")
@_scale
@_offset
@_median
@_ignition
@json_option
@click.pass_obj
def add(
    session: Session,
    /,
    device: str,
    attribute: str,
    unit: str,
    vehicle: str | None,
    tank: str,
    name: str,
    as_json: bool,
    **how: Any,
) -> None:
    """Read an attribute of a tracker as a fuel sensor, its stored history included."""
    from app.fuel.mappings import Reading, add_mapping

    if tank and vehicle is None:
        raise click.UsageError("Say whose tank it is with --vehicle.")
    reading = replace(Reading(attribute), **_given(how))

    def job(connection: Connection) -> str:
        tank_id = None if vehicle is None else _tank_id(connection, vehicle, tank)
        device_id = _device_id(connection, device)
        return add_mapping(connection, device_id, reading, unit=unit, tank_id=tank_id, name=name)

    _print(session, session.write(job), as_json=as_json)


@mappings.command()
@_mapping
@click.option("--unit", type=_UNITS, help="Of the result.")
@_scale
@_offset
@_median
@_ignition
@json_option
@click.pass_obj
def change(session: Session, /, mapping: str, unit: str | None, as_json: bool, **how: Any) -> None:
    """Read a value otherwise; its readings are made anew from the beginning."""
    from app.fuel.mappings import change_mapping, find_mapping

    given = _given(how)
    if not given and unit is None:
        raise click.UsageError("Name something to change: --unit, --scale, --offset, --median or --ignition-only.")

    def job(connection: Connection) -> str:
        found = find_mapping(connection, mapping)
        change_mapping(connection, found.sensor_id, replace(found.reading, **given), unit=unit or found.unit)
        return found.sensor_id

    _print(session, session.write(job), as_json=as_json)


@mappings.command()
@_mapping
@json_option
@click.pass_obj
def remove(session: Session, mapping: str, as_json: bool) -> None:
    """Read a value no more; what it measured stays in its tank. Prints the row that it was."""
    from app.fuel.mappings import find_mapping
    from app.fuel.tanks import remove_sensor

    def job(connection: Connection) -> MappingListing:
        found = find_mapping(connection, mapping)
        remove_sensor(connection, found.sensor_id)
        return found

    print_rows([session.write(job).as_row()], _TABLE, as_json=as_json)


def _given(how: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in how.items() if value is not None}


def _device_id(connection: Connection, wanted: str) -> str:
    from app.fleet.devices import find_devices

    found = find_devices(connection, wanted)
    if len(found) > 1:
        raise Refused(
            f"{wanted} is known through {len(found)} integrations. Give the tracker's id from `devices list`."
        )
    return str(found[0].id)


def _tank_id(connection: Connection, vehicle: str, name: str) -> str:
    from app.fleet.vehicles import need_vehicle
    from app.fuel.tanks import add_tank, list_tanks

    vehicle_id = need_vehicle(connection, vehicle)
    tanks = list_tanks(connection, vehicle_id)
    if not name and len(tanks) > 1:
        raise Refused(f"{vehicle} has {len(tanks)} tanks. Say which with --tank.")
    known = [one.id for one in tanks if not name or one.name.casefold() == name.casefold()]
    return known[0] if known else add_tank(connection, vehicle_id, name=name)


def _print(session: Session, sensor_id: str | None, *, as_json: bool) -> None:
    from app.fuel.mappings import describe_mappings

    rows = [one.as_row() for one in session.read(describe_mappings) if sensor_id in (None, one.sensor_id)]
    print_rows(rows, _TABLE, as_json=as_json)
