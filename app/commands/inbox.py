"""``inbox``: messages that peers pushed, what became of them, and processing them again."""

from __future__ import annotations

from functools import partial

import click

from app.commands.output import json_option, print_facts, print_rows
from app.commands.session import Session

_TABLE = ("id", "received_at", "message_id", "state", "records", "why")


@click.group()
def inbox() -> None:
    """Messages that other systems pushed: stored before they were answered, processed from here."""


@inbox.command(name="list")
@click.option("--state", type=click.Choice(["waiting", "done", "refused"]), help="Only those.")
@click.option("--integration", "integration_id", default="", metavar="ID", help="Only those of this receiver.")
@click.option("--limit", default=1_000, show_default=True, type=click.IntRange(1, 100_000))
@json_option
@click.pass_obj
def list_(session: Session, state: str | None, integration_id: str, limit: int, as_json: bool) -> None:
    """The newest first, with their bodies in --json."""
    from app.sync.inbox import list_inbox

    rows = session.read(partial(list_inbox, state=state or "", integration_id=integration_id, limit=limit))
    print_rows([row.as_row() for row in rows], _TABLE, as_json=as_json)


@inbox.command()
@click.argument("message_keys", metavar="ID…", nargs=-1, required=True, type=int)
@json_option
@click.pass_obj
def again(session: Session, message_keys: tuple[int, ...], as_json: bool) -> None:
    """Process these once more, for example after the rules were corrected. The engine does it as soon as it runs."""
    from app.sync.inbox import process_again

    found = session.write(partial(process_again, keys=message_keys))
    print_facts({"waiting": found}, as_json=as_json)
