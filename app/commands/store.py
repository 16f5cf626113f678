"""``store``: the store itself."""

from __future__ import annotations

import click

from app.commands.output import json_option, print_facts
from app.commands.session import Session
from app.commands.words import read_secret


@click.group()
def store() -> None:
    """The store itself."""


@store.command()
@json_option
@click.pass_obj
def upgrade(session: Session, as_json: bool) -> None:
    """Create the store, or bring it to this program's revision after a verified copy."""
    from app.engine.held import HeldStore
    from app.store.head import HEAD

    session.paths.create()
    before = session.revision()
    if before != HEAD:
        # Only the holder of the engine lock may migrate; taking it does.
        password = session.database_password
        HeldStore.take(
            session.paths, session.clock, started_by="service", database_url=session.database, password=password
        ).close()
    print_facts({"before": before, "after": session.revision()}, as_json=as_json)


@store.command()
@click.option("--from", "source", metavar="env:VAR|file:PATH", help="Where to read the password from.")
@click.option("--forget", is_flag=True, help="Take it out of the vault.")
@json_option
@click.pass_obj
def password(session: Session, source: str | None, forget: bool, as_json: bool) -> None:
    """Keep the password of the database server (--database postgresql://…) in the vault."""
    from app.security.database_password import keep_password

    if forget == (source is not None):
        raise click.UsageError("Give either --from or --forget.")
    keep_password(session.database, session.vault, read_secret("password", source) if source is not None else None)
    print_facts({"kept": not forget, "vault": session.vault.describe()}, as_json=as_json)
