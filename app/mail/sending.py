"""The store's side of sending mails: which are due, marking one, writing what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from app.fleet.text import storable
from app.mail.smtp import Delivery, Outcome
from app.mail.words import MailState
from app.security.redaction import redact_text
from app.store.changes import raise_topic
from app.store.tables import InvitationRow, MailMessage, OutboxItem
from app.sync.seal import count_tries
from app.sync.words import State

PAGE = 50
MOST_DOUBTS = 2
"""Handed over twice without an answer: no third time by itself."""
LONGEST_ANSWER = 2_000
_LOST = "The program ended while this was with the mail server, so it is not known whether it took it."
_REPEATED = " It is sent once more under the same number (Message-ID), by which mail programs know a repeat."
_DECIDE = " It may have arrived twice, so it is not sent again by itself. Ask the recipient, then try again or cancel."


@dataclass(frozen=True, slots=True)
class DueMail:
    """A mail whose time has come. ``invitation`` is the platform's id, "" while the store does not know it."""

    id: str
    integration_id: str
    recipient: str
    invitation: str
    template: str
    values: Mapping[str, str]
    message_id: str
    tries: int
    doubts: int
    created_by: str


def doubt_left_over(connection: Connection, now: datetime) -> int:
    """At the engine's start: what was with the server when the last one ended may have been taken."""
    query = select(MailMessage.id, MailMessage.doubts).where(MailMessage.state == MailState.SENDING)
    rows = connection.execute(query).all()
    if rows:
        version = raise_topic(connection, "mail")
        for row in rows:
            _doubt(connection, row.id, row.doubts, _LOST, now, version)
    return len(rows)


def cancel_uninvited(connection: Connection, now: datetime) -> int:
    """Mails of invitations that an operator gave up have nothing to bring any more."""
    item, mail = OutboxItem, MailMessage
    query = (
        select(mail.id)
        .join(item, item.id == mail.outbox_id)
        .where(mail.state == MailState.WAITING, item.state == State.CANCELLED)
    )
    ids = list(connection.execute(query).scalars())
    if ids:
        version = raise_topic(connection, "mail")
        change = {"state": MailState.CANCELLED, "ended_at": now, "last_answer": "The invitation was cancelled."}
        connection.execute(update(mail).where(mail.id.in_(ids)).values(**change, changed_version=version))
    return len(ids)


def find_due(connection: Connection, now: datetime) -> list[DueMail]:
    """The next mails to send, oldest first. Those whose invitation the platform has not accepted are left out."""
    mail, item = MailMessage, OutboxItem
    query = (
        select(mail.__table__)
        .outerjoin(item, item.id == mail.outbox_id)
        .where(mail.state == MailState.WAITING, or_(mail.next_try.is_(None), mail.next_try <= now))
        .where(or_(item.id.is_(None), item.state == State.ACCEPTED))
        .order_by(mail.seq)
        .limit(PAGE)
    )
    return [_due(connection, row) for row in connection.execute(query).all()]


def next_due(connection: Connection, now: datetime) -> datetime | None:
    """When the next mail that waits for a time may be sent."""
    mail = MailMessage
    query = select(mail.next_try).where(mail.state == MailState.WAITING, mail.next_try > now)
    return connection.execute(query.order_by(mail.next_try).limit(1)).scalar_one_or_none()


def mark_sending(connection: Connection, mail_id: str, now: datetime) -> int | None:
    """It is with the server from now on. Returns the store's count of tries, None where it is not to be sent now."""
    version = raise_topic(connection, "mail")
    mine = (MailMessage.id == mail_id) & (MailMessage.state == MailState.WAITING)
    change = {"state": MailState.SENDING, "tries": MailMessage.tries + 1, "last_try": now, "next_try": None}
    if connection.execute(update(MailMessage).where(mine).values(**change, changed_version=version)).rowcount == 0:
        return None  # an operator cancelled it meanwhile
    return count_tries(connection, 1)


def write_delivery(connection: Connection, due: DueMail, delivery: Delivery, next_try: datetime, now: datetime) -> None:
    """What became of one that was with the server."""
    version = raise_topic(connection, "mail")
    if delivery.outcome is Outcome.DOUBTFUL:
        _doubt(connection, due.id, due.doubts, delivery.answer, now, version)
        return
    answer = _storable(delivery.answer)
    change: dict[str, Any] = {"last_answer": answer, "changed_version": version}
    if delivery.outcome is Outcome.SENT:
        change |= {"state": MailState.SENT, "ended_at": now, "doubts": 0}
    elif delivery.outcome is Outcome.REFUSED:
        change |= {"state": MailState.REFUSED, "ended_at": now}
    else:
        change |= {"state": MailState.WAITING, "next_try": next_try}
    mine = (MailMessage.id == due.id) & (MailMessage.state == MailState.SENDING)
    connection.execute(update(MailMessage).where(mine).values(change))


def write_unsent(connection: Connection, mail_id: str, why: str, next_try: datetime | None, now: datetime) -> None:
    """It never reached the server: tried again at ``next_try``, or set aside where that is None."""
    version = raise_topic(connection, "mail")
    change: dict[str, Any] = {"last_answer": _storable(why), "next_try": next_try, "last_try": now}
    change |= {"state": MailState.REFUSED, "ended_at": now} if next_try is None else {"tries": MailMessage.tries + 1}
    mine = (MailMessage.id == mail_id) & (MailMessage.state == MailState.WAITING)
    connection.execute(update(MailMessage).where(mine).values(**change, changed_version=version))


def _doubt(connection: Connection, mail_id: str, doubts: int, why: str, now: datetime, version: int) -> None:
    doubts += 1
    change: dict[str, Any] = {"doubts": doubts, "next_try": None, "changed_version": version}
    if doubts >= MOST_DOUBTS:
        change |= {"state": MailState.DOUBTFUL, "ended_at": now, "last_answer": _storable(why + _DECIDE)}
    else:
        change |= {"state": MailState.WAITING, "last_answer": _storable(why + _REPEATED)}
    mine = (MailMessage.id == mail_id) & (MailMessage.state == MailState.SENDING)
    connection.execute(update(MailMessage).where(mine).values(change))


def _due(connection: Connection, row: Any) -> DueMail:
    values = row._mapping[MailMessage.__table__.c["values"]]
    invitation = row.invitation or _invitation_of(connection, row.integration_id, row.recipient)
    return DueMail(
        row.id, row.integration_id, row.recipient, invitation, row.template, values, row.message_id, row.tries,
        row.doubts, row.created_by,
    )  # fmt: skip


def _invitation_of(connection: Connection, integration_id: str, recipient: str) -> str:
    """The platform keeps one pending invitation for each address (biko.md 3.5): the newest is the one."""
    row = InvitationRow
    query = (
        select(row.peer_id)
        .where(row.integration_id == integration_id, row.email == recipient, row.stage == "pending")
        .where(row.gone_at.is_(None))
        .order_by(row.invited_ms.desc(), row.key.desc())
        .limit(1)
    )
    return str(connection.execute(query).scalar() or "")


def _storable(text: str) -> str:
    return storable(redact_text(text), LONGEST_ANSWER)
