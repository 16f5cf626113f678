"""The queue as pages and commands show it, and how sending goes as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from app.clock import from_ms
from app.fleet.times import iso
from app.mail.errors import MailNotFound
from app.mail.settings import get_mail_settings
from app.mail.trouble import get_trouble
from app.mail.words import STANDING, MailState
from app.store.tables import Integration, MailMessage, OutboxItem
from app.sync.words import STATE_WORDS as OUTBOX_WORDS
from app.sync.words import State

MOST = 500
COLUMNS = ("id", "recipient", "state", "tries", "last_answer", "next_try", "created_at")


@dataclass(frozen=True, slots=True)
class MailRow:
    """One mail. ``answer`` is the mail server's last word, or why it waits; ``next_try`` None where none is known."""

    id: str
    recipient: str
    person: str
    source: str
    state: MailState
    tries: int
    answer: str
    last_try: datetime | None
    next_try: datetime | None
    created_at: datetime
    created_by: str
    ended_at: datetime | None

    @property
    def is_standing(self) -> bool:
        """Whether an operator can try it again or cancel it."""
        return self.state in STANDING

    def as_row(self) -> dict[str, Any]:
        """As commands show it."""
        return {
            "id": self.id,
            "recipient": self.recipient,
            "person": self.person,
            "integration": self.source,
            "state": str(self.state),
            "tries": self.tries,
            "last_answer": self.answer,
            "last_try": iso(self.last_try) if self.last_try is not None else None,
            "next_try": iso(self.next_try) if self.next_try is not None else None,
            "created_at": iso(self.created_at),
            "created_by": self.created_by,
            "ended_at": iso(self.ended_at) if self.ended_at is not None else None,
        }


@dataclass(frozen=True, slots=True)
class MailOverview:
    """``is_set``: a server was entered. ``trouble``: why nothing goes out, "" for nothing; ``since`` belongs to it."""

    is_set: bool
    is_on: bool
    server: str
    sender: str
    trouble: str
    since: datetime | None
    next_try: datetime | None
    counts: dict[str, int]

    def as_row(self) -> dict[str, Any]:
        return {
            "set_up": self.is_set,
            "on": self.is_on,
            "server": self.server,
            "sender": self.sender,
            "trouble": self.trouble,
            "since": iso(self.since) if self.since is not None else None,
            "next_try": iso(self.next_try) if self.next_try is not None else None,
            **self.counts,
        }


def mail_overview(connection: Connection) -> MailOverview:
    """How sending goes."""
    saved = get_mail_settings(connection)
    trouble = get_trouble(connection)
    if trouble is not None and (saved is None or trouble.version != saved.version):
        trouble = None  # it was met with other settings
    counts = select(MailMessage.state, func.count()).group_by(MailMessage.state)
    found = dict(connection.execute(counts).all())
    settings = None if saved is None else saved.settings
    next_ms = 0 if trouble is None else trouble.next_try_ms
    return MailOverview(
        is_set=settings is not None,
        is_on=settings is not None and settings.enabled,
        server="" if settings is None else f"{settings.host}:{settings.port}",
        sender="" if settings is None else settings.sender,
        trouble="" if trouble is None else trouble.why,
        since=None if trouble is None else from_ms(trouble.since_ms),
        next_try=from_ms(next_ms) if next_ms else None,
        counts={str(state): found.get(state, 0) for state in MailState},
    )


def list_mails(connection: Connection, *, states: Sequence[MailState] = (), limit: int = MOST) -> list[MailRow]:
    """The newest first."""
    query = _query().order_by(MailMessage.seq.desc()).limit(limit)
    if states:
        query = query.where(MailMessage.state.in_(states))
    line_next = _line_next(connection)
    return [_row(row, line_next) for row in connection.execute(query)]


def mail_row(connection: Connection, mail_id: str) -> MailRow:
    """One mail. Raises MailNotFound."""
    row = connection.execute(_query().where(MailMessage.id == mail_id)).one_or_none()
    if row is None:
        raise MailNotFound(f"There is no mail {mail_id} in the queue. Read the list again.")
    return _row(row, _line_next(connection))


def _query() -> Any:
    mail, item = MailMessage, OutboxItem
    return (
        select(mail.__table__, Integration.name.label("source"), item.state.label("item_state"))
        .outerjoin(Integration, Integration.id == mail.integration_id)
        .outerjoin(item, item.id == mail.outbox_id)
    )


def _line_next(connection: Connection) -> datetime | None:
    trouble = get_trouble(connection)
    return from_ms(trouble.next_try_ms) if trouble is not None and trouble.next_try_ms else None


def _row(row: Any, line_next: datetime | None) -> MailRow:
    state, answer, next_try = MailState(row.state), row.last_answer, row.next_try
    if state is MailState.WAITING:
        if row.item_state not in (None, State.ACCEPTED):
            answer = _until_accepted(row.item_state)
            next_try = None
        else:
            next_try = max((one for one in (next_try, line_next) if one is not None), default=None)
    values = row._mapping[MailMessage.__table__.c["values"]]
    return MailRow(
        row.id, row.recipient, str(values.get("person", "")), row.source or "", state, row.tries, answer, row.last_try,
        next_try, row.created_at, row.created_by, row.ended_at,
    )  # fmt: skip


def _until_accepted(item_state: str) -> str:
    if item_state in (State.WAITING, State.SENDING, State.DOUBTFUL):
        return "Waits until the platform has accepted the invitation."
    word = OUTBOX_WORDS[State(item_state)].lower()
    return f"The invitation is “{word}” in the outbox. Decide about it there; the mail waits for it."
