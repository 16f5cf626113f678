"""``sensors profile``: the settings of a sensor saved, compared with another, written to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.commands.bench_session import Line, at_bench, line_options, note_writes, print_written, run
from app.commands.output import json_option, print_facts, print_rows
from app.commands.session import Session

if TYPE_CHECKING:
    from adapters.bench import Written
    from app.fuel.profiles import Difference

COMPARE_COLUMNS = ("name", "label", "profile", "sensor", "same", "why_not")
_file = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.group()
def profile() -> None:
    """The settings of a sensor as a file: save, compare, write."""


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
