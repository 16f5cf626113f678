"""``backup``: create, verify, restore."""

from __future__ import annotations

from pathlib import Path

import click

from app.commands.output import json_option, print_facts
from app.commands.session import Session

file_argument = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.group()
def backup() -> None:
    """Backups of the store. They hold no secrets: after a restore the integrations need sign-in."""


@backup.command()
@file_argument
@json_option
@click.pass_obj
def create(session: Session, file: Path, as_json: bool) -> None:
    """Write and verify a backup, also while a gateway or a window is running."""
    from app.store.backup import create_backup

    created = create_backup(session.database, file, password=session.database_password)
    _show({"ok": True, "file": str(file), **created.as_json()}, as_json=as_json)


@backup.command()
@file_argument
@json_option
@click.pass_obj
def verify(session: Session, file: Path, as_json: bool) -> None:  # noqa: ARG001 - every command gets the session
    """Read a whole backup and compare it with its manifest."""
    from app.store.backup import verify_backup

    _show({"ok": True, "file": str(file), **verify_backup(file).as_json()}, as_json=as_json)


@backup.command()
@file_argument
@json_option
@click.pass_obj
def restore(session: Session, file: Path, as_json: bool) -> None:
    """Put a backup in the place of the store; the store as it was is kept as a copy."""
    from app.security.seal import Seal, seal_restored
    from app.store.restore import restore_backup

    session.paths.create()
    paths, password = session.paths, session.database_password
    seal = Seal(session.vault, session.database, session.paths.checkpoints)
    seal.read()  # a locked vault is told before anything is changed
    restored = restore_backup(
        file, session.database, lock_file=paths.engine_lock, copies=paths.backups, password=password
    )
    replaced = str(restored.replaced) if restored.replaced is not None else None
    with session.store() as store:
        kept = {"created_at": restored.backup.created_at, "replaced_store": replaced}
        seal_restored(store, seal, subject=file.name, after=kept)
    facts = {"ok": True, "file": str(file), "replaced_store": replaced, **restored.backup.as_json()}
    _show(facts, as_json=as_json)


def _show(facts: dict[str, object], *, as_json: bool) -> None:
    if not as_json:
        tables = facts.pop("tables")
        assert isinstance(tables, dict)  # noqa: S101 - as_json of a manifest
        facts["rows"] = sum(table["rows"] for table in tables.values())
    print_facts(facts, as_json=as_json)
