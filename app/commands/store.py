"""``store``: the store itself."""

from __future__ import annotations

import click

from app.commands.output import json_option, print_facts
from app.commands.session import Session


@click.group()
def store() -> None:
    """The store itself."""


@store.command()
@json_option
@click.pass_obj
def upgrade(session: Session, as_json: bool) -> None:
    """Create the store, or bring it to this program's revision after a verified copy."""
    from app.engine.host import HeldStore

    session.paths.create()
    before = session.revision()
    # Only the holder of the engine lock may migrate; taking it does.
    held = HeldStore.take(session.paths, session.clock, started_by="service", database_url=session.database)
    held.close()
    print_facts({"before": before, "after": session.revision()}, as_json=as_json)
