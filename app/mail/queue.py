"""The queue: asking for the mail of an invitation, and an operator's retry and cancel.

All are functions of a connection inside a ``Store.write`` job: a mail is asked for in the transaction that saves its
invitation. What is kept never holds the link (docs/decisions/0110).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from app.fleet.text import storable
from app.mail.addresses import domain_of, mail_address
from app.mail.errors import MailError, MailNotFound
from app.mail.settings import get_mail_settings
from app.mail.templates import INVITATION, LONGEST_VALUE
from app.mail.trouble import clear_trouble
from app.mail.words import OPEN, STANDING, STATE_WORDS, MailState
from app.security.audit import record_act
from app.security.operator import present_operator
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import Integration, InvitationRow, MailMessage, OnboardingRequestRow, OutboxItem, WorkspaceRow
from app.sync.words import State

MOST_WAITING = 2_000
"""A queue that long is a mistake, or a server that is gone: more would only make it worse."""


def mail_hindrance(connection: Connection) -> str:
    """Why no mail can be asked for now, a sentence with the next step; "" where one can."""
    saved = get_mail_settings(connection)
    if saved is None:
        return "No mail server is set up. Enter it under Settings, Mail; until then copy the link."
    if not saved.settings.enabled:
        return "Mail is switched off. Switch it on under Settings, Mail; until then copy the link."
    waiting = select(func.count()).where(MailMessage.state.in_(OPEN))
    if connection.execute(waiting).scalar_one() >= MOST_WAITING:
        return f"{MOST_WAITING:,} mails wait to be sent already. See why under Settings, Mail, before adding more."
    return ""


def mail_invitation(
    connection: Connection,
    *,
    outbox_id: str = "",
    invitation_id: str = "",
    person: str = "",
    now: datetime,
    who: str | None = None,
) -> str:
    """Mail an invitation: give the ``outbox_id`` of one that was just saved, or the row's id of one that is pending.

    It is sent once the platform has accepted the invitation. ``person`` is how the mail addresses them; where it is
    empty, the name in their request for access, else their address. Returns the mail's id. Raises MailError,
    MailNotFound.
    """
    version = raise_topic(connection, "mail")
    if why := mail_hindrance(connection):
        raise MailError(why)
    saved = get_mail_settings(connection)
    assert saved is not None  # noqa: S101 - mail_hindrance has seen it
    integration_id, email, peer_id = _invited(connection, outbox_id, invitation_id)
    recipient = mail_address(email)
    _refuse_doubled(connection, integration_id, recipient)
    mail_id, who = new_id(), storable(who or present_operator(), 200)
    values = {
        "person": person.strip() or _name_of(connection, integration_id, email) or email,
        "workspace": _workspace_of(connection, integration_id),
    }
    row = {
        "id": mail_id,
        "integration_id": integration_id,
        "outbox_id": outbox_id,
        "invitation": peer_id,
        "recipient": recipient,
        "template": INVITATION,
        "values": {name: storable(text, LONGEST_VALUE) for name, text in values.items()},
        "message_id": f"<{mail_id}@{domain_of(mail_address(saved.settings.sender))}>",
        "state": MailState.WAITING,
        "created_at": now,
        "created_by": who,
        "changed_version": version,
    }
    connection.execute(insert(MailMessage).values(**row))
    record_act(connection, what="mail.ask", subject=_subject(recipient), after={"template": INVITATION}, who=who)
    return mail_id


def retry_mail(connection: Connection, mail_id: str, *, who: str | None = None) -> None:
    """Send it as soon as the line allows; a refused sign-in is tried anew as well. Raises MailError, MailNotFound."""
    version = raise_topic(connection, "mail")
    row = _standing(connection, mail_id)
    # Whoever tries a doubtful one again has accepted a repeat; one more lost answer and it is their turn again.
    doubts = 1 if row.state == MailState.DOUBTFUL else 0
    change = {"state": MailState.WAITING, "next_try": None, "doubts": doubts, "ended_at": None}
    connection.execute(update(MailMessage).where(MailMessage.id == mail_id).values(**change, changed_version=version))
    clear_trouble(connection)
    _record(connection, "mail.retry", row, MailState.WAITING, who)


def cancel_mail(connection: Connection, mail_id: str, *, now: datetime, who: str | None = None) -> None:
    """Give it up; the invitation stays. Raises MailError, MailNotFound."""
    version = raise_topic(connection, "mail")
    row = _standing(connection, mail_id)
    change = {"state": MailState.CANCELLED, "next_try": None, "ended_at": now, "changed_version": version}
    connection.execute(update(MailMessage).where(MailMessage.id == mail_id).values(change))
    _record(connection, "mail.cancel", row, MailState.CANCELLED, who)


def _standing(connection: Connection, mail_id: str) -> Any:
    row = connection.execute(select(MailMessage.__table__).where(MailMessage.id == mail_id)).one_or_none()
    if row is None:
        raise MailNotFound(f"There is no mail {mail_id} in the queue. Read the list again.")
    if row.state not in STANDING:
        word = STATE_WORDS[MailState(row.state)].lower()
        raise MailError(f"The mail to {row.recipient} is “{word}”, so there is nothing to change about it.")
    return row


def _record(connection: Connection, what: str, row: Any, state: MailState, who: str | None) -> None:
    sides = {"state": str(row.state)}, {"state": str(state)}
    record_act(connection, what=what, subject=_subject(row.recipient), before=sides[0], after=sides[1], who=who)


def _subject(recipient: str) -> str:
    return f"Mail of the invitation to {recipient}"


def _invited(connection: Connection, outbox_id: str, invitation_id: str) -> tuple[str, str, str]:
    """Integration, address, and the platform's id of the invitation ("" where it is to come)."""
    if outbox_id:
        item = connection.execute(select(OutboxItem.__table__).where(OutboxItem.id == outbox_id)).one_or_none()
        if item is None or item.record != "invitation":
            raise MailNotFound("There is no such invitation in the outbox. Read the list again.")
        if item.state in (State.CANCELLED, State.REFUSED):
            raise MailError(f"{item.subject} was not taken by the platform, so there is nothing to mail.")
        values = item._mapping[OutboxItem.__table__.c["values"]]
        if values.get("email"):
            return item.integration_id, str(values["email"]), ""
        row = _invitation(connection, item.record_id)
        return row.integration_id, row.email, row.peer_id
    row = _invitation(connection, invitation_id)
    if row.stage != "pending" or row.gone_at is not None:
        raise MailError(f"The invitation of {row.email} is not pending, so its link opens nothing. Invite again.")
    return row.integration_id, row.email, row.peer_id


def _invitation(connection: Connection, invitation_id: str) -> Any:
    row = connection.execute(select(InvitationRow.__table__).where(InvitationRow.id == invitation_id)).one_or_none()
    if row is None:
        raise MailNotFound(f"There is no invitation with the id {invitation_id}. Read the list again.")
    return row


def _refuse_doubled(connection: Connection, integration_id: str, recipient: str) -> None:
    mine = (MailMessage.integration_id == integration_id) & (MailMessage.recipient == recipient)
    query = select(MailMessage.id).where(mine, MailMessage.state.in_(OPEN)).limit(1)
    if connection.execute(query).first() is not None:
        raise MailError(f"A mail to {recipient} waits already. Nothing was added.")


def _name_of(connection: Connection, integration_id: str, email: str) -> str:
    request = OnboardingRequestRow
    query = (
        select(request.name)
        .where(request.integration_id == integration_id, func.lower(request.email) == email.lower())
        .order_by(request.submitted_ms.desc())
        .limit(1)
    )
    return str(connection.execute(query).scalar() or "")


def _workspace_of(connection: Connection, integration_id: str) -> str:
    """The name that the platform tells of the chosen workspace, else what was entered, else the integration's name."""
    query = select(Integration.name, Integration.config).where(Integration.id == integration_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        return ""
    entered = str(row.config.get("workspace") or "")
    of = WorkspaceRow
    names = select(of.name).where(of.integration_id == integration_id, of.peer_id == entered)
    return str(connection.execute(names).scalar() or entered or row.name)
