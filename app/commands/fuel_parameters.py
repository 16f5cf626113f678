"""``fuel parameters``: what the detection works with, of a vehicle or of a whole class."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from app.commands.output import Refused, json_option, print_rows
from app.commands.session import Session
from app.commands.words import read_pair

if TYPE_CHECKING:
    from sqlalchemy import Connection

_TABLE = ("name", "value", "own", "unit", "label")
_vehicle = click.option("--vehicle", help="Of this vehicle: plate, name or id.")
_class = click.option("--class", "vehicle_class", help="Of this class: truck, heavy, van, car, …")


@click.group()
def parameters() -> None:
    """Norms and limits of the detection: of a class, and of single vehicles, which win."""


@parameters.command()
@_vehicle
@_class
@json_option
@click.pass_obj
def show(session: Session, vehicle: str | None, vehicle_class: str | None, as_json: bool) -> None:
    """Everything that holds for a vehicle or a class; what was set for it is its own."""
    _need_one(vehicle, vehicle_class)
    rows = session.read(partial(_rows, vehicle=vehicle, vehicle_class=vehicle_class))
    print_rows(rows, _TABLE, as_json=as_json)


@parameters.command(name="set")
@_vehicle
@_class
@click.argument("pairs", metavar="[NAME=VALUE]…", nargs=-1)
@click.option(
    "--reset", multiple=True, metavar="NAME", help="Take what was set back, so that the class or default holds."
)
@json_option
@click.pass_obj
def set_(
    session: Session,
    vehicle: str | None,
    vehicle_class: str | None,
    pairs: tuple[str, ...],
    reset: tuple[str, ...],
    as_json: bool,
) -> None:
    """Change parameters; events and totals are computed anew. Prints what holds then."""
    from app.fuel.settings import own_values, set_parameters

    _need_one(vehicle, vehicle_class)
    if not pairs and not reset:
        raise click.UsageError("Name something to change: NAME=VALUE or --reset NAME.")
    given = {name: _value(text) for name, text in map(read_pair, pairs)}

    def job(connection: Connection) -> list[dict[str, Any]]:
        scope = _scope(connection, vehicle, vehicle_class)
        own = own_values(connection, scope)
        unknown = [name for name in reset if name not in own]
        if unknown:
            raise Refused(f"“{unknown[0]}” is not set here; there is nothing to take back.")
        kept = {name: value for name, value in own.items() if name not in reset}
        set_parameters(connection, scope, kept | given)
        return _rows(connection, vehicle, vehicle_class)

    print_rows(session.write(job), _TABLE, as_json=as_json)


def _need_one(vehicle: str | None, vehicle_class: str | None) -> None:
    if (vehicle is None) == (vehicle_class is None):
        raise click.UsageError("Say either --vehicle or --class.")


def _scope(connection: Connection, vehicle: str | None, vehicle_class: str | None) -> str:
    from app.fleet.vehicles import need_vehicle
    from app.fuel.parameters import CLASSES

    if vehicle is not None:
        return f"vehicle:{need_vehicle(connection, vehicle)}"
    if vehicle_class not in CLASSES:
        raise Refused(f"The class of a vehicle is one of {', '.join(CLASSES)}.")
    return f"class:{vehicle_class}"


def _rows(connection: Connection, vehicle: str | None, vehicle_class: str | None) -> list[dict[str, Any]]:
    from app.fuel.parameters import DESCRIBED, changed, of_class, to_values
    from app.fuel.settings import own_values, parameters_of

    scope = _scope(connection, vehicle, vehicle_class)
    own = own_values(connection, scope)
    if vehicle is None:
        held = changed(of_class(vehicle_class), own)
    else:
        held = parameters_of(connection, scope.partition(":")[2])
    described = {one.name: one for one in DESCRIBED}
    return [
        {
            "name": name,
            "value": value,
            "own": name in own,
            "unit": described[name].unit if name in described else "",
            "label": described[name].label if name in described else "",
        }
        for name, value in to_values(held).items()
    ]


def _value(text: str) -> Any:
    """A number, true or false, else the text itself; the parameters judge it."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, bool | int | float) else text
