"""``sensors``: the serial workbench without a window."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.commands.bench_session import (
    Line,
    addresses_of,
    at_bench,
    find_bench,
    find_dialect,
    line_options,
    note_writes,
    print_written,
    run,
    until_stopped,
)
from app.commands.output import Refused, cell, iso, json_option, print_facts, print_json, print_rows
from app.commands.sensor_profiles import profile
from app.commands.session import Session
from app.commands.words import read_pair

if TYPE_CHECKING:
    from adapters.bench import BenchSession, Found, Level, SensorSetting, Traffic

FOUND_COLUMNS = ("address", "speed", "dialect", "title", "talks_unasked")
LEVEL_COLUMNS = ("time", "address", "value", "unit", "temperature_c", "raw", "why")
SETTING_COLUMNS = ("name", "label", "value", "unit", "minimum", "maximum", "read_only_why")


_poll_option = click.option("--poll", type=int, multiple=True, help="Read this address once a second meanwhile.")
_seconds_option = click.option(
    "--seconds", type=click.FloatRange(min=0), help="End after so long, not only with Ctrl+C."
)


def _watch_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--poll`` and ``--seconds`` of the commands that watch a line."""
    return _poll_option(_seconds_option(command))


@click.group()
def sensors() -> None:
    """Fuel sensors at a serial port: find, read, set up, record. Needs no integration."""


sensors.add_command(profile)


@sensors.command()
@json_option
@click.pass_obj
def ports(session: Session, as_json: bool) -> None:
    """The serial ports of this computer."""
    rows = [asdict(one) for one in find_bench(session).ports()]
    print_rows(rows, ["path", "description", "hardware_id", "in_use_by"], as_json=as_json)


@sensors.command()
@json_option
@click.pass_obj
def dialects(session: Session, as_json: bool) -> None:
    """How sensors can be spoken to."""
    rows = [
        {**asdict(one), "speeds": list(one.speeds), "addresses": [one.addresses[0], one.addresses[-1]]}
        for one in find_bench(session).dialects()
    ]
    print_rows(rows, ["key", "label", "bus", "default_speed", "read_only_why"], as_json=as_json)


@sensors.command()
@line_options
@click.option("--addresses", help="Only these, e.g. 1-8,12.")
@click.option("--all-speeds", is_flag=True, help="Try every speed of the dialect.")
@json_option
@click.pass_obj
def scan(
    session: Session,
    line: Line,
    addresses: str | None,
    all_speeds: bool,
    as_json: bool,
) -> None:
    """Search for sensors: addresses 1 to 8 first. Ctrl+C stops and shows what was found."""
    spoken = find_dialect(session, line.dialect)
    wanted = addresses_of(addresses, spoken.addresses) if addresses else list(spoken.addresses)
    tried = spoken.speeds if all_speeds else line.speeds or (spoken.default_speed,)
    found: list[Found] = []

    async def search() -> None:
        async with at_bench(session, line) as (bench, _store):

            async def look() -> None:
                async for one in bench.scan(wanted, tried, _show_progress):
                    found.append(one)
                    if not as_json:
                        click.echo(f"\rfound {one.address}: {cell(one.title)}", err=True)

            await until_stopped(None, look, ends_with_work=True)

    run(search())
    print_rows([asdict(one) for one in found], FOUND_COLUMNS, as_json=as_json)


@sensors.command()
@line_options
@click.argument("addresses", metavar="ADDRESS…", type=int, nargs=-1, required=True)
@click.option("--every", type=click.FloatRange(min=0.1), help="Read again after so many seconds; ends with Ctrl+C.")
@json_option
@click.pass_obj
def read(
    session: Session,
    line: Line,
    addresses: tuple[int, ...],
    every: float | None,
    as_json: bool,
) -> None:
    """Level, temperature and raw count now; with --every one line per reading."""
    levels: list[Level] = []

    async def look() -> None:
        async with at_bench(session, line) as (bench, _store):
            if every is None:
                levels.extend([await bench.read(address) for address in addresses])
            else:
                await until_stopped(None, lambda: _read_along(bench, addresses, every, as_json=as_json))

    run(look())
    if every is None:
        print_rows([_level(one) for one in levels], LEVEL_COLUMNS, as_json=as_json)
    if levels and all(one.value is None for one in levels):
        raise Refused(levels[0].why)


@sensors.command()
@line_options
@click.argument("address", type=int)
@json_option
@click.pass_obj
def identify(
    session: Session,
    line: Line,
    address: int,
    as_json: bool,
) -> None:
    """Model, firmware, serial number and what else a sensor tells of itself."""

    async def look() -> None:
        async with at_bench(session, line) as (bench, _store):
            facts = asdict(await bench.identify(address))
        details = dict(facts.pop("details"))
        print_facts({**facts, "details": details} if as_json else {**facts, **details}, as_json=as_json)

    run(look())


@sensors.command()
@line_options
@click.argument("address", type=int)
@json_option
@click.pass_obj
def settings(
    session: Session,
    line: Line,
    address: int,
    as_json: bool,
) -> None:
    """The settings of a sensor, and which of them may be written."""

    async def look() -> None:
        async with at_bench(session, line) as (bench, _store):
            found = await bench.settings(address)
        print_rows([_setting(one) for one in found], SETTING_COLUMNS, as_json=as_json)

    run(look())


@sensors.command()
@line_options
@click.argument("address", type=int)
@json_option
@click.pass_obj
def history(
    session: Session,
    line: Line,
    address: int,
    as_json: bool,
) -> None:
    """What a sensor remembers of changes to its settings."""

    async def look() -> None:
        async with at_bench(session, line) as (bench, _store):
            rows = [dict(zip(("time", "what", "value"), one, strict=True)) for one in await bench.history(address)]
        print_rows(rows, ["time", "what", "value"], as_json=as_json)

    run(look())


@sensors.command()
@line_options
@click.argument("address", type=int)
@click.argument("changes", metavar="NAME=VALUE…", nargs=-1, required=True)
@json_option
@click.pass_obj
def write(
    session: Session,
    line: Line,
    address: int,
    changes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write settings, one after the other, and read each back."""
    wanted = dict(map(read_pair, changes))

    async def set_up() -> None:
        async with at_bench(session, line) as (bench, store):
            facts = await bench.identify(address)
            written = await bench.write(address, wanted)
            await note_writes(store, line.port, facts, written)
        print_written(written, len(wanted), as_json=as_json)

    run(set_up())


@sensors.command()
@line_options
@_watch_options
@json_option
@click.pass_obj
def monitor(
    session: Session,
    line: Line,
    poll: tuple[int, ...],
    seconds: float | None,
    as_json: bool,
) -> None:
    """Everything that passes over the line, with its decoded fields; one JSON object per line."""

    async def look() -> None:
        async with at_bench(session, line) as (bench, _store):
            bench.watch(lambda traffic: _print_traffic(traffic, as_json=as_json))
            await until_stopped(seconds, lambda: _read_along(bench, poll, 1.0, as_json=None))

    run(look())


@sensors.command()
@line_options
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@_watch_options
@json_option
@click.pass_obj
def capture(
    session: Session,
    line: Line,
    file: Path,
    poll: tuple[int, ...],
    seconds: float | None,
    as_json: bool,
) -> None:
    """Keep everything that passes over the line in a new file, through any loss of the adapter; a full disk ends it."""
    from app.fuel.captures import CaptureWriter

    speed = line.speed or find_dialect(session, line.dialect).default_speed
    writers: list[CaptureWriter] = []

    async def look() -> None:
        async with at_bench(session, line) as (bench, _store):
            ended = asyncio.Event()
            writer = CaptureWriter(
                file, dialect=line.dialect, port=line.port, speed=speed, on_fault=lambda _why: ended.set()
            )
            writers.append(writer)
            bench.watch(writer.write)
            try:
                await until_stopped(seconds, lambda: _read_along(bench, poll, 1.0, as_json=None), stopped=ended)
            finally:
                writer.close()

    run(look())
    if writers[0].fault:
        raise Refused(writers[0].fault)
    print_facts({"file": str(file), "lines": writers[0].lines}, as_json=as_json)


@sensors.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--dialect", help="Decode it as another dialect than it was captured with.")
@json_option
@click.pass_obj
def replay(session: Session, file: Path, dialect: str | None, as_json: bool) -> None:
    """A capture through the decoder of the live monitor; one JSON object per line."""
    from app.fuel.captures import read_capture

    found = read_capture(file)
    for traffic in find_bench(session).explain(dialect or found.dialect, found.traffic):
        _print_traffic(traffic, as_json=as_json)
    if found.skipped:
        click.echo(f"{found.skipped} lines of {file} could not be read and were passed over.", err=True)


async def _read_along(bench: BenchSession, addresses: Sequence[int], every_s: float, *, as_json: bool | None) -> None:
    """Poll for ever; a pulled adapter is waited for. ``as_json`` None prints nothing: the monitor shows it all."""
    from adapters.errors import NotReady

    while addresses:
        for address in addresses:
            try:
                level = _level(await bench.read(address))
            except NotReady as err:
                level = {"time": iso(datetime.now(UTC)), "address": address, "value": None, "why": err.why}
            if as_json:
                print_json(level)
            elif as_json is not None:
                shown = cell(level["why"]) if level["value"] is None else f"{cell(level['value'])} {level['unit']}"
                click.echo(f"{level['time']}  {address:3}  {shown}")
        await asyncio.sleep(every_s)


def _level(one: Level) -> dict[str, Any]:
    row: dict[str, Any] = asdict(one)
    return {"time": _iso(row.pop("at_s")), **row, "more": dict(one.more)}


def _setting(one: SensorSetting) -> dict[str, Any]:
    return {**asdict(one), "choices": {str(key): label for key, label in one.choices.items()}}


def _print_traffic(traffic: Traffic, *, as_json: bool) -> None:
    at, data = _iso(traffic.at_s), traffic.data.hex(" ").upper()
    if as_json:
        row = {"time": at, "direction": traffic.direction, "hex": traffic.data.hex().upper(), "note": traffic.note}
        print_json({**row, "fields": dict(traffic.fields)})
        return
    arrow = {"sent": "→", "received": "←", "note": "·"}[traffic.direction]
    fields = ", ".join(f"{name} {value}" for name, value in traffic.fields)
    click.echo(f"{at}  {arrow} {cell('  '.join(filter(None, (data, traffic.note, fields))))}")


def _show_progress(done: int, total: int) -> None:
    """On a terminal alone; a log needs no counting."""
    if sys.stderr.isatty():
        click.echo(f"\r{done} of {total}", err=True, nl=False)


def _iso(at_s: float) -> str:
    return iso(datetime.fromtimestamp(at_s, UTC))
