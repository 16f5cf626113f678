"""``conflicts``: what both sides changed, and the decision between them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import click

from app.commands.output import json_option, print_facts, print_rows
from app.commands.session import Session
from app.commands.words import read_pair

if TYPE_CHECKING:
    from sqlalchemy import Connection

_TABLE = ("id", "for", "what", "state", "kept", "ours_by", "ours_at", "theirs_by", "theirs_at")


@click.group()
def conflicts() -> None:
    """Fields that were changed here and at the other side."""


@conflicts.command(name="list")
@click.option("--all", "with_decided", is_flag=True, help="Also those that are decided.")
@json_option
@click.pass_obj
def list_(session: Session, with_decided: bool, as_json: bool) -> None:
    """What waits for a decision: both values, who and when."""
    from app.sync.conflict_list import list_conflicts

    rows = session.read(partial(list_conflicts, state="" if with_decided else "open"))
    print_rows([row.as_row() for row in rows], _TABLE, as_json=as_json)


@conflicts.command()
@click.argument("conflict_id", metavar="ID")
@click.option("--keep", type=click.Choice(["ours", "theirs", "both"]), help="Whose value stands; both for texts.")
@click.option("--merge", "pairs", multiple=True, metavar="FIELD=VALUE", help="A value of your own for each field.")
@click.argument("more_pairs", metavar="[FIELD=VALUE…]", nargs=-1)
@json_option
@click.pass_obj
def resolve(
    session: Session,
    conflict_id: str,
    keep: Literal["ours", "theirs", "both"] | None,
    pairs: tuple[str, ...],
    more_pairs: tuple[str, ...],
    as_json: bool,
) -> None:
    """Decide a conflict."""
    from app.clock import utc_now
    from app.sync.conflict_list import conflict_row
    from app.sync.conflicts import resolve as act

    values = dict(map(read_pair, (*pairs, *more_pairs)))
    if (keep is None) == (not values):
        raise click.UsageError("Say either --keep ours, theirs or both, or --merge FIELD=VALUE for every field.")
    catalogue = session.catalogue

    def job(connection: Connection) -> dict[str, Any]:
        act(connection, catalogue, conflict_id, keep or "merge", values, now=utc_now())
        return conflict_row(connection, conflict_id).as_row()

    print_facts(session.write(job), as_json=as_json)


@conflicts.command()
@click.argument("conflict_id", metavar="ID")
@json_option
@click.pass_obj
def undo(session: Session, conflict_id: str, as_json: bool) -> None:
    """Take a decision back: open again, or the value before it is sent."""
    from app.clock import utc_now
    from app.sync.conflict_list import conflict_row
    from app.sync.conflicts import undo as act

    catalogue = session.catalogue

    def job(connection: Connection) -> dict[str, Any]:
        outcome = act(connection, catalogue, conflict_id, now=utc_now())
        return {**conflict_row(connection, conflict_id).as_row(), "outcome": outcome}

    print_facts(session.write(job), as_json=as_json)
