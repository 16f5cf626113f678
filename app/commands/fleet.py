"""``devices`` and ``vehicles``: trackers known and waiting, and what they are on."""

from __future__ import annotations

from functools import partial

import click

from app.commands.output import json_option, print_facts, print_rows
from app.commands.session import Session

_DEVICE_TABLE = ("device", "state", "vehicle", "freshness", "last_seen", "fixed_at", "speed_km_h", "source", "name")
_VEHICLE_TABLE = ("plate", "name", "make_model", "trackers", "id")


@click.group()
def devices() -> None:
    """Trackers: known ones and those that wait in the inbox."""


@devices.command(name="list")
@json_option
@click.pass_obj
def list_devices_(session: Session, as_json: bool) -> None:
    """All trackers with the newest that is known of them."""
    from app.fleet.listing import list_devices

    rows = session.read(partial(list_devices, now_ms=session.clock.now_ms()))
    print_rows([row.as_row() for row in rows], _DEVICE_TABLE, as_json=as_json)


@devices.command()
@click.argument("device", metavar="IMEI")
@click.option("--vehicle", required=True, help="Plate, name or id; made new if there is none.")
@json_option
@click.pass_obj
def adopt(session: Session, device: str, vehicle: str, as_json: bool) -> None:
    """Put a tracker on a vehicle; its history comes along."""
    from app.fleet.devices import adopt as act

    vehicle_id = session.write(partial(act, device=device, vehicle=vehicle, now_ms=session.clock.now_ms()))
    print_facts({"device": device, "vehicle_id": vehicle_id}, as_json=as_json)


@devices.command()
@click.argument("device", metavar="IMEI")
@json_option
@click.pass_obj
def block(session: Session, device: str, as_json: bool) -> None:
    """Count what a tracker sends from now on, and store none of it."""
    from app.fleet.devices import block as act

    session.write(partial(act, device=device))
    print_facts({"device": device, "state": "blocked"}, as_json=as_json)


@devices.command()
@click.argument("device", metavar="IMEI")
@json_option
@click.pass_obj
def unblock(session: Session, device: str, as_json: bool) -> None:
    """Store again what a blocked tracker sends."""
    from app.fleet.devices import unblock as act

    session.write(partial(act, device=device))
    print_facts({"device": device, "blocked": False}, as_json=as_json)


@devices.command(name="clock")
@click.argument("device", metavar="IMEI")
@click.option("--offset", "offset_s", type=int, help="Device clock minus UTC, in seconds; left out: what it declares.")
@json_option
@click.pass_obj
def clock(session: Session, device: str, offset_s: int | None, as_json: bool) -> None:
    """Correct a tracker's clock from now on."""
    from app.fleet.devices import set_clock_offset

    session.write(partial(set_clock_offset, device=device, clock_offset_s=offset_s))
    print_facts({"device": device, "clock_offset_s": offset_s}, as_json=as_json)


@click.group()
def vehicles() -> None:
    """Vehicles."""


@vehicles.command(name="list")
@json_option
@click.pass_obj
def list_vehicles_(session: Session, as_json: bool) -> None:
    """All vehicles with their trackers."""
    from app.fleet.export import export_rows

    with session.store() as store:
        print_rows(export_rows(store, "vehicles"), _VEHICLE_TABLE, as_json=as_json)


@vehicles.command(name="add")
@click.argument("plate")
@click.option("--name", default="")
@click.option("--make-model", default="")
@click.option("--notes", default="")
@json_option
@click.pass_obj
def add(session: Session, plate: str, name: str, make_model: str, notes: str, as_json: bool) -> None:
    """A new vehicle."""
    from app.fleet.vehicles import add_vehicle

    job = partial(add_vehicle, plate=plate, name=name, make_model=make_model, notes=notes)
    print_facts({"id": session.write(job), "plate": plate}, as_json=as_json)


@vehicles.command(name="set")
@click.argument("vehicle")
@click.option("--plate")
@click.option("--name")
@click.option("--make-model")
@click.option("--notes")
@json_option
@click.pass_obj
def set_(session: Session, /, vehicle: str, as_json: bool, **given: str | None) -> None:
    """Change a vehicle, named by plate, name or id."""
    from app.fleet.vehicles import set_vehicle

    changes = {name: value for name, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("Name something to change: --plate, --name, --make-model or --notes.")
    print_facts({"id": session.write(partial(set_vehicle, vehicle=vehicle, changes=changes))}, as_json=as_json)
