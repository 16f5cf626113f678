"""``sensors profile``: the settings of a sensor saved, compared with another, written to it, kept in the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.commands.bench_session import Line, at_bench, line_options, note_writes, print_written, run
from app.commands.output import json_option, print_facts, print_rows
from app.commands.session import Session

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from adapters.bench import Written
    from app.fuel.profiles import Difference
    from app.fuel.saved_profiles import SavedProfile

KEPT_COLUMNS = ("id", "name", "dialect", "model", "created_at", "note")
COMPARE_COLUMNS = ("name", "label", "profile", "sensor", "same", "why_not")
_file = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.group()
def profile() -> None:
    """The settings of a sensor: save, compare and write files; keep them in the store."""


@profile.command()
@line_options
@click.argument("address", type=int)
@_file
@json_option
@click.pass_obj
def save(
    session: Session,
    line: Line,
    address: int,
    file: Path,
    as_json: bool,
) -> None:
    """Save the settings of a sensor."""
    from app.fuel.profiles import save_profile, take_profile

    async def look() -> None:
        async with at_bench(session, line) as (bench, _store):
            taken = await take_profile(bench, address)
        save_profile(file, taken)
        print_facts({"file": str(file), "model": taken.model, "settings": dict(taken.settings)}, as_json=as_json)

    run(look())


@profile.command()
@line_options
@click.argument("address", type=int)
@_file
@json_option
@click.pass_obj
def compare(
    session: Session,
    line: Line,
    address: int,
    file: Path,
    as_json: bool,
) -> None:
    """A saved profile beside a sensor as it is."""
    from app.fuel.profiles import compare as compare_profile
    from app.fuel.profiles import load_profile

    wanted = load_profile(file)

    async def look() -> None:
        async with at_bench(session, line) as (bench, _store):
            found = compare_profile(wanted, await bench.settings(address))
        print_rows([_row(one) for one in found], COMPARE_COLUMNS, as_json=as_json)

    run(look())


@profile.command(name="write")
@line_options
@click.argument("address", type=int)
@_file
@json_option
@click.pass_obj
def write_profile(
    session: Session,
    line: Line,
    address: int,
    file: Path,
    as_json: bool,
) -> None:
    """Write what differs and may be written; what the sensor held before is saved beside the file first."""
    from app.fuel.profiles import changes_to_write, load_profile, profile_of, save_profile
    from app.fuel.profiles import compare as compare_profile

    wanted = load_profile(file)

    async def set_up() -> None:
        async with at_bench(session, line) as (bench, store):
            facts, settings = await bench.identify(address), await bench.settings(address)
            changes = changes_to_write(compare_profile(wanted, settings))
            written: Sequence[Written] = []
            if changes:
                way_back = _way_back(file, address)
                save_profile(way_back, profile_of(facts, settings))
                click.echo(f"What the sensor held before is in {way_back}; write that profile to restore it.", err=True)
                written = await bench.write(address, changes)
                await note_writes(store, line.port, facts, written)
        print_written(written, len(changes), as_json=as_json)

    run(set_up())


def _way_back(file: Path, address: int) -> Path:
    """A name that no run before this one has used: the oldest file holds what the sensor was before all of them."""
    path = file.with_name(f"{file.stem}.before-{address}{file.suffix}")
    numbered = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
    return next(one for one in chain([path], numbered) if not one.exists())


def _row(one: Difference) -> dict[str, Any]:
    return {**asdict(one), "same": one.is_same}


@profile.command(name="list")
@click.option("--dialect", help="Only of this way to speak to sensors, for example lls.")
@json_option
@click.pass_obj
def list_(session: Session, dialect: str | None, as_json: bool) -> None:
    """Profiles that are kept in the store; the window keeps them there too."""
    from app.fuel.saved_profiles import list_profiles

    kept = session.read(partial(list_profiles, dialect=dialect))
    print_rows([_kept_row(one) for one in kept], KEPT_COLUMNS, as_json=as_json)


@profile.command()
@_file
@click.option("--name", required=True, help="By which people know it; the profile that had it is followed.")
@click.option("--note", default="", help="Anything else.")
@json_option
@click.pass_obj
def keep(session: Session, file: Path, name: str, note: str, as_json: bool) -> None:
    """Keep the profile of a file in the store, so that every workplace has it."""
    from app.fuel.profiles import load_profile
    from app.fuel.saved_profiles import find_profile, keep_profile

    taken = load_profile(file)

    def job(connection: Connection) -> SavedProfile:
        return find_profile(connection, keep_profile(connection, name, taken, note=note))

    print_rows([_kept_row(session.write(job))], KEPT_COLUMNS, as_json=as_json)


@profile.command()
@click.argument("wanted", metavar="PROFILE")
@_file
@json_option
@click.pass_obj
def export(session: Session, wanted: str, file: Path, as_json: bool) -> None:
    """Write a kept profile, named by its id or its name, to a file that `compare` and `write` take."""
    from app.fuel.profiles import save_profile
    from app.fuel.saved_profiles import find_profile

    found = session.read(partial(find_profile, wanted=wanted))
    save_profile(file, found.profile)
    print_facts({"file": str(file), **_kept_row(found)}, as_json=as_json)


@profile.command()
@click.argument("wanted", metavar="PROFILE")
@json_option
@click.pass_obj
def remove(session: Session, wanted: str, as_json: bool) -> None:
    """Take a profile, named by its id or its name, out of the list. Prints the row that it was."""
    from app.fuel.saved_profiles import find_profile, remove_profile

    def job(connection: Connection) -> SavedProfile:
        found = find_profile(connection, wanted)
        remove_profile(connection, found.id)
        return found

    print_rows([_kept_row(session.write(job))], KEPT_COLUMNS, as_json=as_json)


def _kept_row(one: SavedProfile) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        "dialect": one.profile.dialect,
        "model": one.profile.model,
        "settings": dict(one.profile.settings),
        "note": one.note,
        "created_at": one.created_at,
    }
