"""``outbox``: what was changed here and is not accepted yet, and what is to happen with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from app.commands.output import json_option, print_facts, print_rows
from app.commands.session import Session
from app.commands.words import read_pair

if TYPE_CHECKING:
    from sqlalchemy import Connection

_TABLE = ("id", "what", "for", "state", "tries", "last_answer", "next_try")

ids_argument = click.argument("item_ids", metavar="ID…", nargs=-1, required=True)
where_option = click.option(
    "--where", "conditions", multiple=True, metavar="FIELD=VALUE", help="Only those that say so."
)


@click.group()
def outbox() -> None:
    """Changes on their way to the peers: saved here, sent, accepted."""


@outbox.command(name="list")
@where_option
@click.option("--all", "with_ended", is_flag=True, help="Also what is accepted or cancelled.")
@json_option
@click.pass_obj
def list_(session: Session, conditions: tuple[str, ...], with_ended: bool, as_json: bool) -> None:
    """What is not accepted yet, in the order of its making."""
    from dataclasses import replace

    from app.sync.listing import list_outbox, read_filter
    from app.sync.words import UNSENT

    wanted = read_filter(dict(map(read_pair, conditions)))
    if not wanted.states and not with_ended and not wanted.item_id:
        wanted = replace(wanted, states=tuple(UNSENT))
    rows = session.read(partial(list_outbox, wanted=wanted))
    print_rows([row.as_row() for row in rows], _TABLE, as_json=as_json)


@outbox.command()
@ids_argument
@json_option
@click.pass_obj
def retry(session: Session, item_ids: tuple[str, ...], as_json: bool) -> None:
    """Send these as soon as possible; a refused one waits again."""
    from app.sync.acts import retry as act

    _act(session, item_ids, act, as_json=as_json)


@outbox.command(name="set-aside")
@ids_argument
@json_option
@click.pass_obj
def set_aside(session: Session, item_ids: tuple[str, ...], as_json: bool) -> None:
    """Do not send these for now; what follows them goes on."""
    from app.sync.acts import set_aside as act

    _act(session, item_ids, act, as_json=as_json)


@outbox.command()
@ids_argument
@json_option
@click.pass_obj
def restore(session: Session, item_ids: tuple[str, ...], as_json: bool) -> None:
    """Take back what was set aside."""
    from app.sync.acts import restore as act

    _act(session, item_ids, act, as_json=as_json)


@outbox.command()
@ids_argument
@json_option
@click.pass_obj
def pause(session: Session, item_ids: tuple[str, ...], as_json: bool) -> None:
    """Hold these, and what follows them in the same paper."""
    from app.sync.acts import pause as act

    _act(session, item_ids, act, as_json=as_json)


@outbox.command()
@ids_argument
@json_option
@click.pass_obj
def resume(session: Session, item_ids: tuple[str, ...], as_json: bool) -> None:
    """Let paused ones go on."""
    from app.sync.acts import resume as act

    _act(session, item_ids, act, as_json=as_json)


@outbox.command()
@ids_argument
@json_option
@click.pass_obj
def cancel(session: Session, item_ids: tuple[str, ...], as_json: bool) -> None:
    """Give these up; not where they may be applied already."""
    from app.sync.acts import cancel as act

    _act(session, item_ids, act, as_json=as_json)


@outbox.command()
@where_option
@click.option("--dry-run", is_flag=True, help="Only count them.")
@json_option
@click.pass_obj
def replay(session: Session, conditions: tuple[str, ...], dry_run: bool, as_json: bool) -> None:
    """Send again everything that a filter shows and that waits for a time, is paused, or was refused."""
    from app.clock import utc_now
    from app.sync.acts import count_replay
    from app.sync.acts import replay as act
    from app.sync.listing import read_filter

    wanted = read_filter(dict(map(read_pair, conditions)))
    if dry_run:
        count = session.read(partial(count_replay, wanted=wanted))
    else:
        count = session.write(partial(act, wanted=wanted, now=utc_now()))
    print_facts({"count": count, "dry_run": dry_run}, as_json=as_json)


@outbox.command(name="confirm-store")
@json_option
@click.pass_obj
def confirm_store(session: Session, as_json: bool) -> None:
    """Say that this store, restored or copied, is the one that works; the engine sends again."""
    from app.clock import utc_now
    from app.sync.seal import confirm_store as act

    count = session.write(partial(act, now=utc_now()))
    print_facts({"confirmed": True, "asked_about_first": count}, as_json=as_json)


def _act(session: Session, wanted: tuple[str, ...], act: Callable[..., int], *, as_json: bool) -> None:
    """All of them in one transaction, or none; prints the rows that it left."""
    from app.clock import utc_now
    from app.sync.listing import outbox_row

    def job(connection: Connection) -> list[dict[str, Any]]:
        act(connection, wanted, now=utc_now())
        return [outbox_row(connection, one).as_row() for one in dict.fromkeys(wanted)]

    print_rows(session.write(job), _TABLE, as_json=as_json)
