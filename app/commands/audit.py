"""``audit``: the chain of operators' acts."""

from __future__ import annotations

import click

from app.commands.output import Refused, json_option, print_facts
from app.commands.session import Session


@click.group()
def audit() -> None:
    """The record of operators' acts."""


@audit.command()
@json_option
@click.pass_obj
def verify(session: Session, as_json: bool) -> None:
    """Check the chain of acts, and that it still holds what was sealed."""
    from app.security.seal import Seal

    report = session.read(Seal(session.vault, session.database).verify)
    facts = {"ok": report.ok, "entries": report.entries, "first_fault": report.first_fault}
    print_facts(facts, as_json=as_json)
    if not report.ok:
        raise Refused(str(report.first_fault))
