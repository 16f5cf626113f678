"""Sent invitations (biko.md 2.6): those that wait here on top, then the platform's, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from app.clock import to_ms
from app.deliveries.rows import integration_names, of_integrations, shown_in
from app.deliveries.waiting import NOT_SAID, with_refusals
from app.fleet.times import iso_ms
from app.store.tables import InvitationRow, OutboxItem
from app.sync.words import STATE_WORDS, STUCK, UNSENT

MOST = 2_000
"""Rows of one list; the platform's page shows all, nobody reads more."""


@dataclass(frozen=True, slots=True)
class InvitationListing:
    """One invitation. ``state`` is ``pending``, ``accepted``, ``expired``, ``revoked``, ``unknown``, or ``here``.

    ``expired`` is told by the time: the platform keeps such a one pending. ``here``: saved here, the platform does
    not have it; ``outbox_id`` is its item, ``outbox_state`` the outbox's word and ``answer`` what it was told.
    ``pending`` is what waits over the platform's value, ``refusal`` why that goes no further, "" where it may.
    """

    id: str
    integration_id: str
    source: str
    peer_id: str
    email: str
    role: str
    state: str
    invited_ms: int | None
    expires_ms: int | None
    invited_by: str
    accepted_ms: int | None = None
    revoked_ms: int | None = None
    pending: Mapping[str, Any] | None = None
    refusal: str = ""
    outbox_id: str = ""
    outbox_state: str = ""
    answer: str = ""

    @property
    def is_here(self) -> bool:
        return self.state == "here"

    def as_row(self) -> dict[str, Any]:
        """As commands show it."""
        return {
            "id": self.id or self.outbox_id,
            "integration_id": self.integration_id,
            "email": self.email,
            "role": self.role,
            "state": self.state,
            "invited_at": iso_ms(self.invited_ms),
            "expires_at": iso_ms(self.expires_ms),
            "invited_by": self.invited_by,
            "accepted_at": iso_ms(self.accepted_ms),
            "revoked_at": iso_ms(self.revoked_ms),
            "pending": dict(self.pending or {}),
            "refusal": self.refusal,
            "outbox": self.outbox_state,
            "answer": self.answer,
        }


def list_invitations(
    connection: Connection, now_ms: int, integration_id: str | None = None, *, text: str = ""
) -> list[InvitationListing]:
    """At most :data:`MOST`. ``text`` stands in the address."""
    sources = integration_names(connection)
    return [
        *_here(connection, sources, integration_id, text),
        *_at_the_platform(connection, sources, now_ms, integration_id, text),
    ]


def invitation_state(stage: str, expires_ms: int, now_ms: int) -> str:
    """What an invitation is by now: a pending one past its time has expired (biko.md 3.5)."""
    return "expired" if stage == "pending" and expires_ms <= now_ms else stage


def _here(
    connection: Connection, sources: Mapping[str, str], integration_id: str | None, text: str
) -> list[InvitationListing]:
    item = OutboxItem
    query = (
        select(
            item.id, item.integration_id, item.values, item.state, item.last_answer, item.created_at, item.created_by
        )
        .where(item.record == "invitation", item.peer_id == "", item.state.in_(UNSENT))
        .order_by(item.seq.desc())
        .limit(MOST)
    )
    if integration_id is not None:
        query = query.where(item.integration_id == integration_id)
    return [
        InvitationListing(
            id="",
            integration_id=row.integration_id,
            source=sources.get(row.integration_id, ""),
            peer_id="",
            email=str(row.values.get("email", "")),
            role="driver",
            state="here",
            invited_ms=to_ms(row.created_at),
            expires_ms=None,
            invited_by=row.created_by,
            outbox_id=row.id,
            outbox_state=STATE_WORDS.get(row.state, row.state),
            answer=row.last_answer,
            refusal=(row.last_answer or NOT_SAID) if row.state in STUCK else "",
        )
        for row in connection.execute(query)
        if text.casefold() in str(row.values.get("email", "")).casefold()
    ]


def _at_the_platform(
    connection: Connection, sources: Mapping[str, str], now_ms: int, integration_id: str | None, text: str
) -> list[InvitationListing]:
    invitation = InvitationRow
    query = (
        select(invitation.__table__)
        .where(of_integrations(invitation, integration_id))
        .order_by(invitation.invited_ms.desc(), invitation.key.desc())
        .limit(MOST)
    )
    if text:
        query = query.where(invitation.email.icontains(text, autoescape=True))
    found = [
        InvitationListing(
            id=row.id,
            integration_id=row.integration_id,
            source=sources.get(row.integration_id, ""),
            peer_id=row.peer_id,
            email=row.email,
            role=row.role,
            state=_state(row, now_ms),
            invited_ms=row.invited_ms,
            expires_ms=row.expires_ms,
            invited_by=row.invited_by,
            accepted_ms=row.accepted_ms,
            revoked_ms=row.revoked_ms,
            pending=row.pending,
        )
        for row in connection.execute(query)
    ]
    return with_refusals(connection, found)


def _state(row: Any, now_ms: int) -> str:
    """A step that waits shows as what it will be; one sent anew has not expired."""
    stage = str(shown_in(row, "stage"))
    return stage if row.pending else invitation_state(stage, row.expires_ms, now_ms)
