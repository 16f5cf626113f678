"""``export``: any table that a screen shows."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Literal

import click

from app.clock import to_ms
from app.commands.output import Refused
from app.commands.session import Session, moment
from app.commands.words import read_pair


@click.command()
@click.argument("table")
@click.option("--since", help="Not older than this ISO 8601 time.", callback=moment)
@click.option("--until", help="Older than this ISO 8601 time.", callback=moment)
@click.option("--where", "conditions", multiple=True, metavar="FIELD=VALUE", help="Only rows that say so.")
@click.option("--format", "file_format", type=click.Choice(["csv", "jsonl", "xlsx"]), default="csv")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: standard output.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format jsonl.")
@click.pass_obj
def export(
    session: Session,
    table: str,
    since: datetime | None,
    until: datetime | None,
    conditions: tuple[str, ...],
    file_format: Literal["csv", "jsonl", "xlsx"],
    output: Path | None,
    as_json: bool,
) -> None:
    """Write TABLE as CSV, JSON lines or a spreadsheet."""
    from app.fleet.export import export_pieces

    where = dict(map(read_pair, conditions))
    with session.store() as store:
        pieces = export_pieces(
            store,
            table,
            "jsonl" if as_json else file_format,
            since_ms=to_ms(since) if since is not None else None,
            until_ms=to_ms(until) if until is not None else None,
            where=where,
        )
        if output is None:
            stream = sys.stdout.buffer
            for piece in pieces:
                stream.write(piece)
            stream.flush()
            return
        write_file(output, pieces)


def write_file(output: Path, pieces: Iterable[bytes]) -> None:
    """All of it or nothing: a half-written table never stands under the wanted name."""
    part = output.with_name(f"{output.name}.part")
    try:
        with part.open("wb") as stream:
            for piece in pieces:
                stream.write(piece)
        part.replace(output)
    except OSError as err:
        raise Refused(f"{output} cannot be written: {err.strerror}. Choose another place.") from err
    finally:
        part.unlink(missing_ok=True)
