"""``integrations``: what can be added, what is configured, and every act on it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import click
from sqlalchemy import Connection, select

from app.commands.output import Refused, cell, iso, json_option, print_facts, print_json, print_rows
from app.commands.session import Session, moment
from app.commands.words import read_fields, read_secrets
from app.integrations import COLUMNS, CheckReport, Desk
from app.store.logs import LogFilter, LogLine, search_logs
from app.store.store import Store
from app.store.tables import Integration

SYNC_WAIT_S = 600.0
LOG_COLUMNS = ("id", "integration_id", "event_type", "payload", "created_at")
_LOOK_S = 0.1

set_option = click.option("--set", "sets", multiple=True, metavar="FIELD=VALUE", help="A setting.")
secret_option = click.option(
    "--secret", "secrets", multiple=True, metavar="FIELD=env:VAR|file:PATH", help="Where to read a secret from."
)
no_check_option = click.option("--no-check", is_flag=True, help="Save without asking the peer.")


@click.group()
def integrations() -> None:
    """What can be added, what is configured, and every act on it."""


@integrations.command()
@json_option
@click.pass_obj
def catalogue(session: Session, as_json: bool) -> None:
    """What can be added."""
    from app.integrations import catalogue_rows

    rows = catalogue_rows(session.catalogue)
    print_rows(rows, ["key", "name", "category", "coming_soon", "capabilities"], as_json=as_json)


@integrations.command()
@click.argument("key")
@click.option("--name", required=True, help="How the console calls it.")
@set_option
@secret_option
@no_check_option
@json_option
@click.pass_obj
def add(
    session: Session,
    key: str,
    name: str,
    sets: Sequence[str],
    secrets: Sequence[str],
    no_check: bool,
    as_json: bool,
) -> None:
    """Validate, check, save and enable a new integration."""
    from app.integrations import add as add_integration
    from app.integrations import check_settings, validate

    model = session.catalogue.manifest(key).settings
    values, hidden = read_fields(model, sets), read_secrets(model, secrets)
    validate(session.catalogue, key, values, hidden)
    with session.store() as store:
        identity = None
        if not no_check:
            report = asyncio.run(check_settings(session.catalogue, key, values, hidden, session.clock))
            identity = _held(report).identity
        added = add_integration(_desk(session, store), key, name, values, hidden, identity=identity)
    print_facts({"id": added}, as_json=as_json)


@integrations.command(name="list")
@json_option
@click.pass_obj
def list_(session: Session, as_json: bool) -> None:
    """The configured ones and how they are."""
    from app.integrations import list_integrations

    rows = [row.as_json() for row in session.read(list_integrations)]
    print_rows(rows, COLUMNS if as_json else [name for name in COLUMNS if name != "next_try"], as_json=as_json)


@integrations.command(name="set")
@click.argument("integration_id", metavar="ID")
@click.option("--name", help="A new name.")
@set_option
@secret_option
@no_check_option
@json_option
@click.pass_obj
def set_(
    session: Session,
    integration_id: str,
    name: str | None,
    sets: Sequence[str],
    secrets: Sequence[str],
    no_check: bool,
    as_json: bool,
) -> None:
    """Change settings or secrets in place; the engine takes them up within 2 s."""
    from app.integrations import change, check_saved, configured

    with session.store() as store:
        desk = _desk(session, store)
        with store.read() as connection:
            old = configured(connection, integration_id)
        model = session.catalogue.manifest(old.type).settings
        values, hidden = read_fields(model, sets), read_secrets(model, secrets)
        identity = None
        if not no_check and (values or hidden):
            report = asyncio.run(check_saved(desk, integration_id, session.clock, values=values, secrets=hidden))
            identity = _held(report).identity
        row = change(desk, integration_id, name=name, values=values, secrets=hidden, identity=identity)
    print_facts(row.as_json(), as_json=as_json)


@integrations.command()
@click.argument("integration_id", metavar="ID")
@json_option
@click.pass_obj
def enable(session: Session, integration_id: str, as_json: bool) -> None:
    """Let the engine run it."""
    from app.integrations import enable as act

    with session.store() as store:
        print_facts(act(_desk(session, store), integration_id).as_json(), as_json=as_json)


@integrations.command()
@click.argument("integration_id", metavar="ID")
@json_option
@click.pass_obj
def disable(session: Session, integration_id: str, as_json: bool) -> None:
    """Stop it; settings, secrets and data stay."""
    from app.integrations import disable as act

    with session.store() as store:
        print_facts(act(_desk(session, store), integration_id).as_json(), as_json=as_json)


@integrations.command()
@click.argument("integration_id", metavar="ID")
@json_option
@click.pass_obj
def remove(session: Session, integration_id: str, as_json: bool) -> None:
    """Take it off the list and forget its secrets; its data stays."""
    from app.integrations import remove as act

    with session.store() as store:
        act(_desk(session, store), integration_id)
    print_facts({"id": integration_id, "removed": True}, as_json=as_json)


@integrations.command()
@click.argument("integration_id", metavar="ID")
@json_option
@click.pass_obj
def check(session: Session, integration_id: str, as_json: bool) -> None:
    """Prove address and credentials, layer by layer."""
    from app.integrations import check_saved

    with session.store() as store:
        report = asyncio.run(check_saved(_desk(session, store), integration_id, session.clock))
    if as_json:
        print_json(report.as_json())
    else:
        _print_layers(report)
    if not report.ok:
        raise Refused(report.why)


@integrations.command()
@click.argument("integration_id", metavar="ID")
@json_option
@click.pass_obj
def compare(session: Session, integration_id: str, as_json: bool) -> None:
    """Every difference between what is sent and what the peer's interface offers; changes nothing."""
    from app.integrations.comparing import compare_saved

    with session.store() as store:
        found = asyncio.run(compare_saved(_desk(session, store), integration_id, session.clock))
    if not found and not as_json:
        click.echo("The peer offers everything that is sent to it.")
        return
    rows = [{"operation": told.operation, "difference": told.what, "consequence": told.consequence} for told in found]
    print_rows(rows, ["operation", "difference", "consequence"], as_json=as_json)


@integrations.command()
@click.argument("integration_id", metavar="ID")
@json_option
@click.pass_obj
def sync(session: Session, integration_id: str, as_json: bool) -> None:
    """Ask the running engine for a run now, and wait for its end."""
    from app.engine.commands import SYNC, give_command, outcome_of
    from app.engine.running import require_engine
    from app.integrations import configured

    with session.store() as store:
        with store.read() as connection:
            wanted = configured(connection, integration_id)
        if "pull" not in session.catalogue.manifest(wanted.type).modes:
            raise Refused(f"“{wanted.name}” listens: its peers send by themselves, there is nothing to run.")
        require_engine(store, session.clock)
        give = partial(give_command, name=SYNC, now_ms=session.clock.now_ms(), integration_id=integration_id)
        command_id = store.write(give).result()
        outcome = _wait_for(store, partial(outcome_of, command_id=command_id), session)
    if outcome.get("ok") is False:
        raise Refused(str(outcome.get("error") or "The run failed."))
    print_facts(outcome, as_json=as_json)


@integrations.command()
@click.argument("integration_id", metavar="[ID]", required=False)
@click.option("--since", help="Only newer than this ISO 8601 time.", callback=moment)
@click.option("--text", default="", help="Only what contains this text.")
@json_option
@click.pass_obj
def logs(session: Session, integration_id: str | None, since: datetime | None, text: str, as_json: bool) -> None:
    """The event log, newest first; with --json one object per line."""
    wanted = LogFilter(text=text, integration_id=integration_id, since=since)
    with session.store() as store:
        if integration_id is not None:
            _require_known(store, integration_id)
        older_than: int | None = None
        while True:
            with store.read() as connection:
                page = search_logs(connection, wanted, older_than=older_than)
            for line in page.lines:
                _print_log_line(line, as_json=as_json)
            if page.older_than is None:
                return
            older_than = page.older_than


def _require_known(store: Store, integration_id: str) -> None:
    """Also one that was removed may be asked for: its lines stay. Raises Refused."""
    with store.read() as connection:
        if connection.execute(select(Integration.id).where(Integration.id == integration_id)).first() is None:
            raise Refused(f"There is no integration with the id {integration_id}. “integrations list” shows them.")


def _print_log_line(line: LogLine, *, as_json: bool) -> None:
    if as_json:
        print_json({name: getattr(line, name) for name in LOG_COLUMNS})
    else:
        click.echo(f"{iso(line.created_at)}  {line.event_type:24} {cell(line.text)}")


def _desk(session: Session, store: Store) -> Desk:
    return Desk(store, session.catalogue, session.vault)


def _held(report: CheckReport) -> CheckReport:
    """A check that held. Raises Refused with what failed."""
    if not report.ok:
        raise Refused(f"{report.why} Nothing was saved; --no-check saves without asking.")
    return report


def _print_layers(report: CheckReport) -> None:
    for step in report.layers:
        click.echo(f"{'ok  ' if step.ok else 'FAIL'} {step.layer.value.replace('_', ' '):12} {cell(step.detail)}")


def _wait_for(store: Store, look: Callable[[Connection], dict[str, Any] | None], session: Session) -> dict[str, Any]:
    from app.engine.running import require_engine

    ends = time.monotonic() + SYNC_WAIT_S
    while time.monotonic() < ends:
        with store.read() as connection:
            outcome = look(connection)
        if outcome is not None:
            return outcome
        require_engine(store, session.clock)
        time.sleep(_LOOK_S)
    raise Refused("The engine did not finish the run within 10 minutes. Look at “integrations logs”.")
