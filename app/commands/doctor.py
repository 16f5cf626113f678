"""``doctor``: what works on this machine, and what to do about the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from app.commands.output import Refused, cell, json_option, print_json
from app.commands.session import Session

if TYPE_CHECKING:
    from app.doctor import Finding


@click.command()
@json_option
@click.pass_obj
def doctor(session: Session, as_json: bool) -> None:
    """Examine libraries, key store, ports, clock, disk and store."""
    from app.doctor import examine

    findings = examine(session.paths, session.database, lambda: session.vault, session.catalogue)
    if as_json:
        print_json([finding.as_json() for finding in findings])
    else:
        _print_plainly(findings)
    wrong = [finding.check for finding in findings if not finding.ok]
    if wrong:
        raise Refused(f"Needs attention: {', '.join(wrong)}.")


def _print_plainly(findings: Sequence[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        click.echo(f"{'ok  ' if finding.ok else 'FAIL'}  {finding.check:{width}}  {cell(finding.detail)}")
        if finding.fix:
            click.echo(f"{'':{width + 8}}{cell(finding.fix)}")
