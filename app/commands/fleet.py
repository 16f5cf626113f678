"""``devices`` and ``vehicles``: trackers known and waiting, and what they are on. Every act prints the rows it left."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

from app.commands.output import json_option, print_rows
from app.commands.session import Session

if TYPE_CHECKING:
    from sqlalchemy import Connection

_DEVICE_TABLE = (
    "device", "kind", "state", "vehicle", "freshness", "last_seen", "fixed_at", "speed_km_h", "source", "name",
)  # fmt: skip
_VEHICLE_TABLE = ("plate", "name", "make_model", "trackers", "id")

device_argument = click.argument("device", metavar="IMEI")


@click.group()
def devices() -> None:
    """Trackers: known ones and those that wait in the inbox."""


@devices.command(name="list")
@json_option
@click.pass_obj
def list_devices_(session: Session, as_json: bool) -> None:
    """All trackers, and drivers' phones, with the newest that is known of them."""
    _print_devices(session, None, as_json=as_json)


@devices.command()
@device_argument
@click.option("--vehicle", required=True, help="Plate, name or id; made new if there is none.")
@json_option
@click.pass_obj
def adopt(session: Session, device: str, vehicle: str, as_json: bool) -> None:
    """Put a tracker on a vehicle; its history comes along."""
    from app.fleet.devices import adopt as act

    session.write(partial(act, device=device, vehicle=vehicle, now_ms=session.clock.now_ms()))
    _print_devices(session, device, as_json=as_json)


@devices.command()
@device_argument
@json_option
@click.pass_obj
def release(session: Session, device: str, as_json: bool) -> None:
    """Take a tracker off its vehicle from now on."""
    from app.fleet.devices import release as act

    session.write(partial(act, device=device, now_ms=session.clock.now_ms()))
    _print_devices(session, device, as_json=as_json)


@devices.command()
@device_argument
@json_option
@click.pass_obj
def block(session: Session, device: str, as_json: bool) -> None:
    """Count what a tracker sends from now on, and store none of it."""
    from app.fleet.devices import block as act

    session.write(partial(act, device=device))
    _print_devices(session, device, as_json=as_json)


@devices.command()
@device_argument
@json_option
@click.pass_obj
def unblock(session: Session, device: str, as_json: bool) -> None:
    """Store again what a blocked tracker sends."""
    from app.fleet.devices import unblock as act

    session.write(partial(act, device=device))
    _print_devices(session, device, as_json=as_json)


@devices.command()
@device_argument
@click.option("--offset", "offset_s", type=int, help="Device clock minus UTC, in seconds; left out: what it declares.")
@json_option
@click.pass_obj
def clock(session: Session, device: str, offset_s: int | None, as_json: bool) -> None:
    """Correct a tracker's clock from now on."""
    from app.fleet.devices import set_clock_offset

    session.write(partial(set_clock_offset, device=device, clock_offset_s=offset_s))
    _print_devices(session, device, as_json=as_json)


def _print_devices(session: Session, wanted: str | None, *, as_json: bool) -> None:
    """All of them, or those of one IMEI: two integrations may know the same tracker."""
    from app.fleet.listing import list_devices

    rows = session.read(partial(list_devices, now_ms=session.clock.now_ms(), wanted=wanted))
    print_rows([row.as_row() for row in rows], _DEVICE_TABLE, as_json=as_json)


@click.group()
def vehicles() -> None:
    """Vehicles."""


@vehicles.command(name="list")
@json_option
@click.pass_obj
def list_vehicles_(session: Session, as_json: bool) -> None:
    """All vehicles with their trackers."""
    _print_vehicles(session, None, as_json=as_json)


@vehicles.command(name="add")
@click.argument("plate")
@click.option("--name", default="", help="What people call it.")
@click.option("--make-model", default="", help="Make and model.")
@click.option("--notes", default="", help="Anything else.")
@json_option
@click.pass_obj
def add(session: Session, plate: str, name: str, make_model: str, notes: str, as_json: bool) -> None:
    """A new vehicle."""
    from app.fleet.vehicles import add_vehicle

    job = partial(add_vehicle, plate=plate, name=name, make_model=make_model, notes=notes)
    _write_vehicle(session, job, as_json=as_json)


@vehicles.command(name="set")
@click.argument("vehicle")
@click.option("--plate", help="The new plate.")
@click.option("--name", help="What people call it.")
@click.option("--make-model", help="Make and model.")
@click.option("--notes", help="Anything else.")
@json_option
@click.pass_obj
def set_(session: Session, /, vehicle: str, as_json: bool, **given: str | None) -> None:
    """Change a vehicle, named by plate, name or id."""
    from app.fleet.vehicles import set_vehicle

    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("Name something to change: --plate, --name, --make-model or --notes.")
    _write_vehicle(session, partial(set_vehicle, vehicle=vehicle, changes=changes), as_json=as_json)


def _write_vehicle(session: Session, job: Callable[[Connection], str], *, as_json: bool) -> None:
    _print_vehicles(session, session.write(job), as_json=as_json)


def _print_vehicles(session: Session, vehicle_id: str | None, *, as_json: bool) -> None:
    from app.fleet.export import export_rows

    with session.store() as store:
        rows = [row for row in export_rows(store, "vehicles") if vehicle_id is None or row["id"] == vehicle_id]
    print_rows(rows, _VEHICLE_TABLE, as_json=as_json)
