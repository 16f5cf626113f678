"""``doctor``: what works on this machine, and what to do about the rest."""

from __future__ import annotations

import click

from app.commands.output import Refused, json_option, print_rows
from app.commands.session import Session


@click.command()
@json_option
@click.pass_obj
def doctor(session: Session, as_json: bool) -> None:
    """Examine libraries, key store, ports, clock, disk and store."""
    from app.doctor import examine

    findings = examine(session.paths, session.database, lambda: session.vault, session.catalogue)
    print_rows([finding.as_json() for finding in findings], ["check", "ok", "detail", "fix"], as_json=as_json)
    wrong = [finding.check for finding in findings if not finding.ok]
    if wrong:
        raise Refused(f"Needs attention: {', '.join(wrong)}.")
