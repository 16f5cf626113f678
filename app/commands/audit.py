"""``audit``: the chain of operators' acts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from app.commands.output import Refused, json_option, print_facts
from app.commands.session import Session

if TYPE_CHECKING:
    from app.security.audit import AuditReport
    from app.security.seal import Seal


@click.group()
def audit() -> None:
    """The record of operators' acts."""


@audit.command()
@click.option(
    "--against",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Compare with this copy of the checkpoints as well, which 'audit copy' made.",
)
@json_option
@click.pass_obj
def verify(session: Session, against: Path | None, as_json: bool) -> None:
    """Check the chain of acts, and that it still holds what every checkpoint sealed."""
    seal = _seal(session)
    report = session.read(lambda connection: seal.verify(connection, against))
    facts: dict[str, object] = {
        "ok": report.ok,
        "entries": report.entries,
        "first_fault": report.first_fault,
        "first_faulty_entry": report.first_entry,
    }
    if as_json:
        print_facts({**facts, **_more(report)}, as_json=True)
    else:
        print_facts({**facts, **_spoken(report)}, as_json=False)
    if not report.ok:
        raise Refused(" ".join(found.sentence for found in report.findings))


@audit.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
@click.pass_obj
def copy(session: Session, file: Path, as_json: bool) -> None:
    """Copy the checkpoints to FILE, to be kept where this computer's users cannot write."""
    count = _seal(session).copy_to(file)
    print_facts({"ok": True, "file": str(file), "checkpoints": count}, as_json=as_json)


@audit.command()
@click.option("--reason", required=True, help="Why the record is not the sealed one; it becomes an act.")
@json_option
@click.pass_obj
def accept(session: Session, reason: str, as_json: bool) -> None:
    """Seal the chain as it is now, after something known: a store put back by hand, a new vault."""
    from app.security.seal import accept_chain

    if not reason.strip():
        raise click.BadParameter("say why, in a few words", param_hint="--reason")
    with session.store() as store:
        report = accept_chain(store, _seal(session), reason=reason.strip()[:300])
    if not report.ok:
        raise Refused(f"{report.first_fault} That is in the chain itself and cannot be accepted: restore a backup.")
    print_facts({"ok": True, "entries": report.entries}, as_json=as_json)


def _seal(session: Session) -> Seal:
    from app.security.seal import Seal

    return Seal(session.vault, session.database, session.paths.checkpoints)


def _more(report: AuditReport) -> dict[str, object]:
    newest = report.newest
    return {
        "findings": [
            {"kind": found.kind.value, "entry": found.entry, "sentence": found.sentence} for found in report.findings
        ],
        "checkpoints": report.checkpoints,
        "sealed_entries": None if newest is None else newest.entries,
        "sealed_at": None if newest is None else newest.at or None,
        "accepted": [{"at": one.at, "kept": one.kept, "why": one.why} for one in report.restarts],
    }


def _spoken(report: AuditReport) -> dict[str, object]:
    newest = report.newest
    sealed = "never" if newest is None else f"{newest.entries} entries, {newest.at or 'by an earlier release'}"
    more: dict[str, object] = {"sealed": sealed, "checkpoints": report.checkpoints}
    if report.restarts:
        more["accepted"] = "; ".join(f"{one.at} {one.why}" for one in report.restarts)
    return more
