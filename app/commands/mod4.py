"""``mod4``: drivers linked by e-mail or one-time code, requests for access, batches by the platform's rules."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from app.commands.output import Refused, json_option, print_facts, print_rows
from app.commands.session import Session

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from app.deliveries.acts import Saved

_LINKS = ("id", "name", "email", "driver", "method", "stage", "silence", "problem")
_REQUESTS = ("id", "name", "phone", "email", "organisation", "submitted_at", "stage")
_INVITATIONS = ("id", "email", "state", "invited_at", "expires_at", "outbox", "answer")
_SESSIONS = ("id", "integration_id", "user", "driver", "device", "started_at", "active_at", "vehicle")
_CODES = ("id", "email", "state", "minutes_left", "tries_left")
_BATCHES = ("id", "name", "stage", "driver", "plate", "scheduled_on", "stops", "stops_done", "pending")
_STAGES = ("planned", "assigned", "in_progress", "completed", "cancelled")

Do = Callable[..., "Saved"]

_yes_option = click.option("--yes", is_flag=True, help="Do not ask where the act does more than it says.")
_mail_option = click.option("--mail", "by_mail", is_flag=True, help="Mail the link once the platform has it.")
_platform_option = click.option("--integration", default="", metavar="ID|NAME", help="Which, where there are several.")


@click.group()
def mod4() -> None:
    """The driver platform: links, codes, requests, invitations, batches."""


@mod4.command()
@click.argument("address")
@_platform_option
@_mail_option
@json_option
@click.pass_obj
def link(session: Session, address: str, integration: str, by_mail: bool, as_json: bool) -> None:
    """Link a driver by e-mail: an invitation that waits in the outbox until the platform has it."""
    from app.clock import utc_now
    from app.deliveries.acts import invite

    catalogue = session.catalogue

    def job(connection: Connection) -> Mapping[str, Any]:
        platform = _platform(connection, session, integration)
        saved = invite(connection, catalogue, platform, address, now=utc_now())
        return _facts(connection, _mailed(connection, saved) if by_mail else saved)

    facts = session.write(job)
    print_facts({"invitation": facts["outbox"]["id"], "email": address.strip().lower(), **facts}, as_json=as_json)


@mod4.command()
@click.argument("address")
@_platform_option
@json_option
@click.pass_obj
def code(session: Session, address: str, integration: str, as_json: bool) -> None:
    """Make a one-time code; it is printed once and kept nowhere. It needs the line."""
    from app.deliveries.acts import clean_address
    from app.deliveries.platforms import need_platform, run_action
    from app.fleet.times import iso_ms
    from app.integrations.changes import Desk

    email = clean_address(address)
    with session.store() as store:
        with store.read() as connection:
            platform = need_platform(connection, session.catalogue, integration)
        desk = Desk(store, session.catalogue, session.vault)
        made = asyncio.run(run_action(desk, platform.id, "one_time_code", {"email": email}, session.clock))
    told = made.model_dump()
    facts = {"email": told["email"], "code": told["code"], "expires_at": iso_ms(told["expires_ms"])}
    if told.get("voided"):
        facts["older_codes_ended"] = told["voided"]
    if told.get("remark"):
        click.echo(told["remark"], err=True)
    print_facts(facts, as_json=as_json)


@mod4.group()
def codes() -> None:
    """One-time codes that are pending: time and tries left, never the codes."""


@codes.command(name="list")
@json_option
@click.pass_obj
def codes_list(session: Session, as_json: bool) -> None:
    """Pending codes, and those that ended within a day."""
    from app.deliveries.codes import list_codes

    rows = session.read(partial(list_codes, now_ms=session.clock.now_ms(), only_pending=False))
    print_rows([row.as_row() for row in rows], _CODES, as_json=as_json)


@mod4.group()
def sessions() -> None:
    """Times of being signed in to the driver app that are open."""


@sessions.command(name="list")
@json_option
@click.pass_obj
def sessions_list(session: Session, as_json: bool) -> None:
    """Open ones with their drivers, the newest first."""
    from app.deliveries.linked import list_open_sessions

    print_rows([row.as_row() for row in session.read(list_open_sessions)], _SESSIONS, as_json=as_json)


@sessions.command(name="end")
@click.argument("session_id", metavar="ID")
@_yes_option
@json_option
@click.pass_obj
def sessions_end(session: Session, session_id: str, yes: bool, as_json: bool) -> None:
    """End one; it waits in the outbox until the platform has it."""
    from app.deliveries.acts import end_session

    _do(session, "driver_session", "ended", session_id, end_session, yes, as_json)


@mod4.group()
def requests() -> None:
    """Requests for access."""


@requests.command(name="list")
@json_option
@click.pass_obj
def requests_list(session: Session, as_json: bool) -> None:
    """Those that wait first."""
    from app.deliveries.codes import list_requests

    print_rows([row.as_row() for row in session.read(list_requests)], _REQUESTS, as_json=as_json)


@requests.command(name="approve")
@click.argument("request_id", metavar="ID")
@click.option("--notes", default="", help="For whoever looks later.")
@json_option
@click.pass_obj
def requests_approve(session: Session, request_id: str, notes: str, as_json: bool) -> None:
    """Approve a request; a one-time code is the next step."""
    from app.deliveries.acts import approve_request

    _do(session, "onboarding_request", "approved", request_id, partial(approve_request, notes=notes), True, as_json)


@requests.command(name="reject")
@click.argument("request_id", metavar="ID")
@click.option("--notes", default="", help="Why.")
@json_option
@click.pass_obj
def requests_reject(session: Session, request_id: str, notes: str, as_json: bool) -> None:
    """Reject a request."""
    from app.deliveries.acts import reject_request

    _do(session, "onboarding_request", "rejected", request_id, partial(reject_request, notes=notes), True, as_json)


@mod4.group()
def links() -> None:
    """Linked users."""


@links.command(name="list")
@json_option
@click.pass_obj
def links_list(session: Session, as_json: bool) -> None:
    """Each login with its driver, and how long it is silent."""
    from app.deliveries.linked import list_linked

    rows = session.read(partial(list_linked, now_ms=session.clock.now_ms()))
    print_rows([row.as_row() for row in rows], _LINKS, as_json=as_json)


def _link_command(name: str, stage: str, told: str) -> None:
    @links.command(name=name, help=told)
    @click.argument("link_id", metavar="ID")
    @_yes_option
    @json_option
    @click.pass_obj
    def command(session: Session, link_id: str, yes: bool, as_json: bool) -> None:
        from app.deliveries.acts import set_link

        _do(session, "driver_link", stage, link_id, partial(set_link, stage=stage), yes, as_json)


_link_command("suspend", "suspended", "The driver app shows no batches until it is activated again.")
_link_command("revoke", "revoked", "The driver app can no longer be used with this account.")
_link_command("activate", "active", "Activate it again.")


@mod4.group()
def invitations() -> None:
    """Invitations by e-mail."""


@invitations.command(name="list")
@json_option
@click.pass_obj
def invitations_list(session: Session, as_json: bool) -> None:
    """Those that wait here first, then the platform's."""
    from app.deliveries.invitations import list_invitations

    rows = session.read(partial(list_invitations, now_ms=session.clock.now_ms()))
    print_rows([row.as_row() for row in rows], _INVITATIONS, as_json=as_json)


@invitations.command(name="resend")
@click.argument("invitation_id", metavar="ID")
@_mail_option
@json_option
@click.pass_obj
def invitations_resend(session: Session, invitation_id: str, by_mail: bool, as_json: bool) -> None:
    """Invite again where it expired or was revoked."""
    from app.deliveries.acts import resend_invitation

    def act(connection: Connection, catalogue: Any, record_id: str, *, now: Any) -> Saved:
        saved = resend_invitation(connection, catalogue, record_id, now=now)
        return _mailed(connection, saved) if by_mail else saved

    _do(session, "invitation", "pending", invitation_id, act, True, as_json)


@invitations.command(name="mail")
@click.argument("invitation_id", metavar="ID")
@json_option
@click.pass_obj
def invitations_mail(session: Session, invitation_id: str, as_json: bool) -> None:
    """Mail the link of a pending invitation, by the mail server of “mail settings”."""
    from app.clock import utc_now
    from app.mail.listing import mail_row
    from app.mail.queue import mail_invitation

    def job(connection: Connection) -> Mapping[str, Any]:
        return mail_row(connection, mail_invitation(connection, invitation_id=invitation_id, now=utc_now())).as_row()

    print_facts(session.write(job), as_json=as_json)


@invitations.command(name="revoke")
@click.argument("invitation_id", metavar="ID")
@_yes_option
@json_option
@click.pass_obj
def invitations_revoke(session: Session, invitation_id: str, yes: bool, as_json: bool) -> None:
    """The link that was sent stops working."""
    from app.deliveries.acts import revoke_invitation

    _do(session, "invitation", "revoked", invitation_id, revoke_invitation, yes, as_json)


@mod4.group()
def batches() -> None:
    """Batches of deliveries."""


@batches.command(name="list")
@click.option("--stage", type=click.Choice(_STAGES), help="Only in this stage.")
@click.option("--day", help="Only of this day, as 2026-11-25.")
@click.option("--text", default="", help="Words in name, medicines, notes, driver or plate.")
@click.option("--limit", type=click.IntRange(1, 5_000), default=200, show_default=True)
@json_option
@click.pass_obj
def batches_list(session: Session, stage: str | None, day: str | None, text: str, limit: int, as_json: bool) -> None:
    """The newest day first."""
    from app.deliveries.batches import BatchFilter, page_of_batches

    wanted = BatchFilter(
        words=tuple(text.split()), stages=() if stage is None else (stage,), from_day=day, until_day=day
    )
    rows, _further = session.read(partial(page_of_batches, wanted=wanted, limit=limit))
    print_rows([row.as_row() for row in rows], _BATCHES, as_json=as_json)


@batches.command(name="assign")
@click.argument("batch_id", metavar="ID")
@click.option("--driver", required=True, help="A driver's name or id.")
@click.option("--vehicle", help="A plate or id of the platform's vehicle.")
@json_option
@click.pass_obj
def batches_assign(session: Session, batch_id: str, driver: str, vehicle: str | None, as_json: bool) -> None:
    """Give a batch its driver, and its vehicle."""
    from app.deliveries.acts import assign_batch
    from app.deliveries.choose import choose_driver, choose_vehicle

    def act(connection: Connection, catalogue: Any, record_id: str, *, now: Any) -> Saved:
        driver_id = choose_driver(connection, driver, now)
        vehicle_id = None if vehicle is None else choose_vehicle(connection, vehicle)
        return assign_batch(connection, catalogue, record_id, driver_id, vehicle_id, now=now)

    _do(session, "delivery_batch", "assigned", batch_id, act, True, as_json)


def _batch_command(name: str, stage: str, told: str) -> None:
    @batches.command(name=name, help=told)
    @click.argument("batch_id", metavar="ID")
    @_yes_option
    @json_option
    @click.pass_obj
    def command(session: Session, batch_id: str, yes: bool, as_json: bool) -> None:
        from app.deliveries import acts

        _do(session, "delivery_batch", stage, batch_id, getattr(acts, f"{name}_batch"), yes, as_json)


_batch_command("start", "in_progress", "Start a batch: its stops and quantities are frozen from then on.")
_batch_command("complete", "completed", "Complete a batch: its requisitions count as fulfilled.")
_batch_command("cancel", "cancelled", "Cancel a batch.")


def _do(session: Session, record: str, stage: str, record_id: str, act: Do, yes: bool, as_json: bool) -> None:
    """One act, confirmed where it has an effect beyond the change; prints the row as it is shown now."""
    from app.clock import utc_now
    from app.deliveries.offers import offers_of

    catalogue = session.catalogue
    with session.store() as store:
        with store.read() as connection:
            offers = offers_of(connection, catalogue, record, [record_id]).get(record_id)
        acts = () if offers is None else offers.acts
        mine = next((one for one in acts if one.values.get("stage") == stage), None)
        effect = "" if mine is None or mine.hindrance else mine.effect
        if effect:
            click.echo(effect, err=True)
            if not yes and sys.stdin.isatty() and not click.confirm("Do it?", err=True):
                raise Refused("Nothing was changed.")

        def job(connection: Connection) -> Mapping[str, Any]:
            return _facts(connection, act(connection, catalogue, record_id, now=utc_now()))

        facts = store.write(job).result()
        with store.read() as connection:
            row = _shown(connection, record, record_id, session.clock.now_ms())
    if facts["hint"]:
        click.echo(facts["hint"], err=True)
    print_facts({**row, **facts}, as_json=as_json)


def _mailed(connection: Connection, saved: Saved) -> Saved:
    """The same, with a mail in the same transaction. Raises MailError: then nothing is saved."""
    from dataclasses import replace

    from app.clock import utc_now
    from app.mail.queue import mail_invitation

    mail_invitation(connection, outbox_id=saved.outbox_id, now=utc_now())
    return replace(saved, hint="It waits in the outbox. The link is mailed once the platform has it.")


def _facts(connection: Connection, saved: Saved) -> Mapping[str, Any]:
    from app.sync.listing import outbox_row

    return {"outbox": outbox_row(connection, saved.outbox_id).as_row(), "hint": saved.hint}


def _shown(connection: Connection, record: str, record_id: str, now_ms: int) -> Mapping[str, Any]:
    from app.deliveries.batch import need_batch
    from app.deliveries.codes import list_requests
    from app.deliveries.invitations import list_invitations
    from app.deliveries.linked import list_linked, list_open_sessions

    rows: Sequence[Any]
    match record:
        case "delivery_batch":
            return need_batch(connection, record_id).as_row()
        case "driver_link":
            rows = list_linked(connection, now_ms)
        case "invitation":
            rows = list_invitations(connection, now_ms)
        case "driver_session":
            rows = list_open_sessions(connection, record_id)
        case _:
            rows = list_requests(connection)
    return next((row.as_row() for row in rows if row.id == record_id), {"id": record_id})


def _platform(connection: Connection, session: Session, wanted: str) -> str:
    from app.deliveries.platforms import need_platform

    return need_platform(connection, session.catalogue, wanted).id
