"""The operator's acts on invitations, links, requests, phones, batches and runs.

Each is checked by the platform's rules as far as they can be seen here, and then saved in the outbox: nothing here
says that the platform has it. All are functions of a connection inside a ``Store.write`` job.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from adapters.vocabulary import JsonScalar
from app.catalogue import Catalogue
from app.clock import to_ms
from app.deliveries.errors import DeliveryError, NotFound
from app.deliveries.invitations import invitation_state
from app.deliveries.offers import offers_of
from app.deliveries.rows import of_integrations, shown_in
from app.deliveries.times import moment_words
from app.fleet.text import storable
from app.security.audit import record_act
from app.store.tables import (
    DeliveryBatchRow,
    DispatchRunRow,
    DriverLinkRow,
    DriverRow,
    DriverSessionRow,
    FleetVehicleRow,
    InvitationRow,
    OnboardingRequestRow,
    OutboxItem,
)
from app.sync.outbox import queue_change, queue_new
from app.sync.words import UNSENT

_ADDRESS = re.compile(r"[^@\s\x00-\x1f]+@[^@\s.\x00-\x1f]+(\.[^@\s.\x00-\x1f]+)+")
_UNDER_WAY = ("pending", "dispatched", "in_transit")


@dataclass(frozen=True, slots=True)
class Saved:
    """The change is saved here. ``outbox_id`` is its item; ``hint`` a sentence on what comes next, "" for nothing.

    ``code_for`` is the address to make a one-time code for, where that is the natural next step.
    """

    outbox_id: str
    subject: str
    hint: str = ""
    code_for: str = ""


def clean_address(email: str) -> str:
    """Trimmed and in lower case, as the platform keeps it. Raises DeliveryError."""
    address = email.strip().lower()
    if len(address) > 320 or not _ADDRESS.fullmatch(address):
        raise DeliveryError(f"“{email.strip()[:100]}” is no e-mail address. Write it like driver@example.org.")
    return address


def invite(
    connection: Connection,
    catalogue: Catalogue,
    integration_id: str,
    email: str,
    *,
    now: datetime,
    who: str | None = None,
) -> Saved:
    """Link by e-mail: an invitation that gives the driver role. Raises DeliveryError, ChangeRefused."""
    address = clean_address(email)
    _refuse_doubled(connection, integration_id, address, to_ms(now))
    subject = f"Invitation of {address}"
    item = queue_new(
        connection, catalogue, integration_id, "invite", {"email": address}, subject=subject, now=now, who=who
    )
    return Saved(item, subject, "It waits in the outbox. The link can be copied once the platform has it.")


def link_directly(
    connection: Connection,
    catalogue: Catalogue,
    integration_id: str,
    email: str,
    *,
    now: datetime,
    who: str | None = None,
) -> Saved:
    """Make an account a driver at once. Raises DeliveryError, ChangeRefused."""
    address = clean_address(email)
    subject = f"Driver link of {address}"
    item = queue_new(
        connection, catalogue, integration_id, "link_directly", {"email": address}, subject=subject, now=now, who=who
    )
    return Saved(item, subject, "It waits in the outbox.")


def resend_invitation(
    connection: Connection, catalogue: Catalogue, invitation_id: str, *, now: datetime, who: str | None = None
) -> Saved:
    """Invite an address again whose invitation expired or was revoked. Raises NotFound, DeliveryError, ChangeRefused.

    One that only ran out of time is still pending at the platform, which gives it a new link when it is invited anew.
    """
    row = _need(connection, InvitationRow, invitation_id, "invitation")
    stage = str(shown_in(row, "stage"))
    state = stage if row.pending else invitation_state(stage, row.expires_ms, to_ms(now))
    if state in ("pending", "accepted"):
        word = "still valid" if state == "pending" else "accepted already"
        raise DeliveryError(f"The invitation of {row.email} is {word}, so there is nothing to send again.")
    if stage == "pending":
        return invite(connection, catalogue, row.integration_id, row.email, now=now, who=who)
    return _change(connection, catalogue, "invitation", invitation_id, {"stage": "pending"}, now, who)


def revoke_invitation(
    connection: Connection, catalogue: Catalogue, invitation_id: str, *, now: datetime, who: str | None = None
) -> Saved:
    """The link that was sent stops working. Raises NotFound, ChangeRefused."""
    return _change(connection, catalogue, "invitation", invitation_id, {"stage": "revoked"}, now, who)


def approve_request(
    connection: Connection,
    catalogue: Catalogue,
    request_id: str,
    notes: str = "",
    *,
    now: datetime,
    who: str | None = None,
) -> Saved:
    """Approve a request for access, which makes no account (biko.md 2.5). Raises NotFound, ChangeRefused."""
    row = _need(connection, OnboardingRequestRow, request_id, "request")
    saved = _change(connection, catalogue, "onboarding_request", request_id, _with_notes("approved", notes), now, who)
    if not row.email:
        hint = (
            "Approving makes no account, and the request names no e-mail address. Ask for one, then make a one-time "
            "code for it."
        )
        return Saved(saved.outbox_id, saved.subject, hint)
    hint = f"Approving makes no account. Make a one-time code for {row.email} now, and tell it to {row.name}."
    return Saved(saved.outbox_id, saved.subject, hint, row.email.strip().lower())


def reject_request(
    connection: Connection,
    catalogue: Catalogue,
    request_id: str,
    notes: str = "",
    *,
    now: datetime,
    who: str | None = None,
) -> Saved:
    """Reject a request, with notes for whoever looks later. Raises NotFound, ChangeRefused."""
    return _change(connection, catalogue, "onboarding_request", request_id, _with_notes("rejected", notes), now, who)


def set_link(
    connection: Connection, catalogue: Catalogue, link_id: str, stage: str, *, now: datetime, who: str | None = None
) -> Saved:
    """``suspended``, ``revoked`` or ``active`` again. Raises NotFound, DeliveryError, ChangeRefused."""
    if stage not in ("suspended", "revoked", "active"):
        raise DeliveryError(f"A link cannot be made “{stage}”. It can be suspended, revoked or activated again.")
    row = _need(connection, DriverLinkRow, link_id, "linked user")
    saved = _change(connection, catalogue, "driver_link", link_id, {"stage": stage}, now, who)
    hint = ""
    if stage != "active":
        hint = "Sessions that are open stay open. Revoke the phones as well to sign them out."
    elif not row.driver:
        hint = "It has no dispatch record still, so no batch reaches it until it signs in with a one-time code."
    return Saved(saved.outbox_id, saved.subject, hint)


def revoke_phone(
    connection: Connection, catalogue: Catalogue, device_id: str, *, now: datetime, who: str | None = None
) -> Saved:
    """A phone is trusted no more. Raises NotFound, ChangeRefused."""
    return _change(connection, catalogue, "driver_device", device_id, {"stage": "revoked"}, now, who)


def end_session(
    connection: Connection, catalogue: Catalogue, session_id: str, *, now: datetime, who: str | None = None
) -> Saved:
    """A driver's sign-in ends at the platform. Raises NotFound, ChangeRefused."""
    _need(connection, DriverSessionRow, session_id, "sign-in")
    saved = _change(connection, catalogue, "driver_session", session_id, {"stage": "ended"}, now, who)
    return Saved(saved.outbox_id, saved.subject, "It ends once the platform has the change.")


def assign_batch(
    connection: Connection,
    catalogue: Catalogue,
    batch_id: str,
    driver_id: str,
    vehicle_id: str | None = None,
    *,
    now: datetime,
    who: str | None = None,
) -> Saved:
    """Give a batch its driver and, with ``vehicle_id``, its vehicle; both are ids of rows of the store.

    Raises NotFound, DeliveryError, ChangeRefused.
    """
    batch = _need(connection, DeliveryBatchRow, batch_id, "batch")
    driver = _need(connection, DriverRow, driver_id, "driver")
    _same_integration(batch, driver, f"The driver {driver.name}")
    if driver.gone_at is not None:
        raise DeliveryError(f"{driver.name} does not exist at the platform any more. Choose another driver.")
    values: dict[str, JsonScalar] = {"driver": driver.peer_id, "stage": "assigned"}
    if vehicle_id is not None:
        vehicle = _need(connection, FleetVehicleRow, vehicle_id, "vehicle of the platform")
        _same_integration(batch, vehicle, f"The vehicle {vehicle.plate}")
        values["vehicle"] = vehicle.peer_id
    _refuse_hindered(connection, catalogue, "delivery_batch", batch_id, "assigned")
    saved = _change(connection, catalogue, "delivery_batch", batch_id, values, now, who)
    return Saved(saved.outbox_id, saved.subject, _driver_hint(connection, driver))


def start_batch(
    connection: Connection, catalogue: Catalogue, batch_id: str, *, now: datetime, who: str | None = None
) -> Saved:
    """Start a batch; it needs a driver and a vehicle. Raises NotFound, DeliveryError, ChangeRefused."""
    _refuse_hindered(connection, catalogue, "delivery_batch", batch_id, "in_progress")
    return _change(connection, catalogue, "delivery_batch", batch_id, {"stage": "in_progress"}, now, who)


def complete_batch(
    connection: Connection, catalogue: Catalogue, batch_id: str, *, now: datetime, who: str | None = None
) -> Saved:
    """Raises NotFound, ChangeRefused."""
    return _change(connection, catalogue, "delivery_batch", batch_id, {"stage": "completed"}, now, who)


def cancel_batch(
    connection: Connection,
    catalogue: Catalogue,
    batch_id: str,
    reason: str = "",
    *,
    now: datetime,
    who: str | None = None,
) -> Saved:
    """``reason`` is kept with the recorded acts: the platform has no place for it. Raises NotFound, ChangeRefused."""
    saved = _change(connection, catalogue, "delivery_batch", batch_id, {"stage": "cancelled"}, now, who)
    if reason := storable(" ".join(reason.split()), 2_000):
        after = {"reason": reason}
        record_act(connection, what="batch.cancel_reason", subject=saved.subject, before=None, after=after, who=who)
    return saved


def new_run(
    connection: Connection,
    catalogue: Catalogue,
    batch_id: str,
    notes: str = "",
    *,
    now: datetime,
    who: str | None = None,
) -> Saved:
    """A departure of a batch; one may be under way at a time (biko.md 4.5). Raises NotFound, DeliveryError."""
    batch = _need(connection, DeliveryBatchRow, batch_id, "batch")
    run = DispatchRunRow
    query = select(run.__table__).where(
        run.integration_id == batch.integration_id, run.batch == batch.peer_id, run.gone_at.is_(None)
    )
    if any(shown_in(row, "stage") in _UNDER_WAY for row in connection.execute(query)):
        raise DeliveryError(f"Batch {batch.name} has a departure under way. Complete or cancel that one first.")
    values: dict[str, JsonScalar] = {"batch": batch.peer_id}
    for field in ("driver", "vehicle"):
        if shown_in(batch, field):
            values[field] = shown_in(batch, field)
    if notes.strip():
        values["notes"] = notes.strip()
    subject = f"Run of batch {batch.name}"
    item = queue_new(connection, catalogue, batch.integration_id, "new_run", values, subject=subject, now=now, who=who)
    return Saved(item, subject, "It waits in the outbox.")


def move_run(
    connection: Connection,
    catalogue: Catalogue,
    run_id: str,
    stage: str,
    reason: str = "",
    *,
    now: datetime,
    who: str | None = None,
) -> Saved:
    """``dispatched``, ``in_transit``, ``completed`` or ``cancelled`` with a reason. Raises NotFound, ChangeRefused."""
    values: dict[str, JsonScalar] = {"stage": stage}
    if stage == "cancelled" and reason.strip():
        values["cancel_reason"] = reason.strip()
    return _change(connection, catalogue, "dispatch_run", run_id, values, now, who)


def _change(
    connection: Connection,
    catalogue: Catalogue,
    record: str,
    record_id: str,
    values: Mapping[str, JsonScalar],
    now: datetime,
    who: str | None,
) -> Saved:
    item = queue_change(connection, catalogue, record, record_id, values, now=now, who=who)
    subject = connection.execute(select(OutboxItem.subject).where(OutboxItem.id == item)).scalar_one()
    return Saved(item, subject)


def _with_notes(stage: str, notes: str) -> dict[str, JsonScalar]:
    return {"stage": stage, "notes": notes.strip()} if notes.strip() else {"stage": stage}


def _need(connection: Connection, table: Any, record_id: str, word: str) -> Any:
    row = connection.execute(select(table.__table__).where(table.id == record_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no {word} with the id {record_id}. Read the list again.")
    return row


def _same_integration(batch: Any, other: Any, word: str) -> None:
    if batch.integration_id != other.integration_id:
        raise DeliveryError(f"{word} belongs to another platform than batch {batch.name}. Choose one of the same.")


def _refuse_doubled(connection: Connection, integration_id: str, address: str, now_ms: int) -> None:
    item = OutboxItem
    waiting = select(item.values, item.state).where(
        item.integration_id == integration_id,
        item.record == "invitation",
        item.peer_id == "",
        item.state.in_(UNSENT),
    )
    if any(row.values.get("email") == address for row in connection.execute(waiting)):
        raise DeliveryError(f"An invitation of {address} waits in the outbox already. Look at it there.")
    invitation = InvitationRow
    query = select(invitation.__table__).where(
        of_integrations(invitation, integration_id), invitation.email == address, invitation.stage == "pending"
    )
    for row in connection.execute(query):
        if shown_in(row, "stage") == "pending" and row.expires_ms > now_ms:
            raise DeliveryError(
                f"{address} has an invitation that is valid until {moment_words(row.expires_ms)}. Copy its link, or "
                "revoke it first."
            )
    link = DriverLinkRow
    linked = select(link.__table__).where(of_integrations(link, integration_id), link.email == address)
    for row in connection.execute(linked):
        if shown_in(row, "stage") == "active":
            raise DeliveryError(f"{address} is linked already, as {row.name or row.user}.")


def _refuse_hindered(connection: Connection, catalogue: Catalogue, record: str, record_id: str, stage: str) -> None:
    offers = offers_of(connection, catalogue, record, [record_id]).get(record_id)
    for offer in () if offers is None else offers.acts:
        if offer.values.get("stage") == stage and offer.hindrance:
            raise DeliveryError(offer.hindrance)


def _driver_hint(connection: Connection, driver: Any) -> str:
    link = DriverLinkRow
    query = select(link.__table__).where(
        link.integration_id == driver.integration_id, link.driver == driver.peer_id, link.gone_at.is_(None)
    )
    stages = [shown_in(row, "stage") for row in connection.execute(query)]
    if "active" in stages:
        return ""
    why = f"their link is {stages[0]}" if stages else "no login belongs to them"
    return f"The driver app will not show it to {driver.name}: {why}."
