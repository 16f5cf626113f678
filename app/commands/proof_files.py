"""``deliveries files`` and ``deliveries fetch``: the files of proofs with their states, and fetching them by hand."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from app.commands.output import Refused, json_option, print_json, print_rows
from app.commands.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

_STATES = ("waiting", "fetching", "kept", "off", "blocked", "refused", "removed")


@click.command()
@click.option("--state", "states", multiple=True, type=click.Choice(_STATES), help="Only in these states.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1_000, show_default=True, help="The newest so many.")
@json_option
@click.pass_obj
def files(session: Session, states: tuple[str, ...], limit: int, as_json: bool) -> None:
    """Photos and signatures of proofs: where each file stands and why, the newest delivery first."""
    from app.proof_files.listing import COLUMNS, list_files, named_rows

    def read(connection: Connection) -> Sequence[Mapping[str, Any]]:
        return named_rows(connection, list_files(connection, states=states, limit=limit))

    print_rows(session.read(read), COLUMNS, as_json=as_json)


@click.command()
@click.argument("file_ids", metavar="[FILE]…", nargs=-1)
@click.option("--state", type=click.Choice(("off", "blocked", "refused", "removed")), help="All in this state.")
@json_option
@click.pass_obj
def fetch(session: Session, file_ids: tuple[str, ...], state: str | None, as_json: bool) -> None:
    """Have files fetched now, whatever the switch says; the engine does it as soon as the line allows."""
    from app.proof_files.listing import list_files
    from app.proof_files.queue import fetch_now

    if bool(file_ids) == bool(state):
        raise click.UsageError("Name files by their ids from “deliveries files”, or all of a --state.")
    now_ms = session.clock.now_ms()

    def job(connection: Connection) -> list[str]:
        wanted = file_ids or [one.id for one in list_files(connection, states=[str(state)], limit=100_000)]
        for file_id in wanted:
            fetch_now(connection, file_id, now_ms=now_ms)
        return list(wanted)

    asked = session.write(partial(job))
    if not asked:
        raise Refused(f"No file is “{state}”.")
    if as_json:
        print_json({"asked_for": asked})
    else:
        click.echo(f"{len(asked)} to be fetched. See “deliveries files”.")
