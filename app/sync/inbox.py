"""Messages that peers pushed: kept before they are answered, understood from this queue, known for weeks afterwards.

All are functions of a connection. A message is processed at least once: merging what it brought changes nothing where
it was merged before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, true, update

from adapters.records import PushedMessage
from app.clock import from_ms
from app.fleet.text import storable
from app.security.audit import record_act
from app.security.redaction import redact_text
from app.store.changes import raise_topic
from app.store.tables import InboxMessage, Integration
from app.store.upsert import insert_or
from app.sync.errors import NotFound

LONGEST_WHY = 2_000
_AT_ONCE = 500


class InboxState(StrEnum):
    WAITING = "waiting"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message that is not understood yet."""

    key: int
    message_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class InboxRow:
    """One message as a screen shows it; ``text`` is its body, damaged bytes replaced."""

    key: int
    integration_id: str
    integration: str
    message_id: str
    received_at: datetime
    peer: str
    state: str
    why: str
    records: int
    handled_at: datetime | None
    text: str

    def as_row(self) -> dict[str, Any]:
        """For commands; times are ISO texts there."""
        return {name: getattr(self, name) for name in ROW_COLUMNS} | {"id": self.key, "body": redact_text(self.text)}


ROW_COLUMNS = ("integration_id", "message_id", "received_at", "peer", "state", "why", "records", "handled_at")


def keep_messages(connection: Connection, integration_id: str, messages: Sequence[PushedMessage]) -> int:
    """Store messages; returns how many were new. One whose id is known, in the store or here, is not stored again."""
    version = raise_topic(connection, "inbox")
    new = 0
    for message in messages:
        row = {
            "integration_id": integration_id,
            "message_id": message.message_id,
            "sent_at": from_ms(message.sent_at_ms),
            "received_at": from_ms(message.received_at_ms),
            "peer": storable(message.peer, 60),
            "body": message.body,
            "state": InboxState.WAITING,
            "why": "",
            "records": 0,
            "changed_version": version,
        }
        statement = insert_or(connection, InboxMessage).values(**row)
        new += connection.execute(
            statement.on_conflict_do_nothing(index_elements=["integration_id", "message_id"])
        ).rowcount
    return new


def waiting_messages(connection: Connection, integration_id: str, limit: int) -> list[Waiting]:
    """The oldest that wait."""
    row = InboxMessage
    query = (
        select(row.key, row.message_id, row.body)
        .where(row.integration_id == integration_id, row.state == InboxState.WAITING)
        .order_by(row.key)
        .limit(limit)
    )
    return [Waiting(*found) for found in connection.execute(query)]


def mark_handled(
    connection: Connection, key: int, state: InboxState, why: str, *, records: int = 0, now_ms: int
) -> None:
    """What became of a message."""
    version = raise_topic(connection, "inbox")
    change = {
        "state": state,
        "why": storable(redact_text(why), LONGEST_WHY),
        "records": records,
        "handled_at": from_ms(now_ms),
        "changed_version": version,
    }
    connection.execute(update(InboxMessage).where(InboxMessage.key == key).values(**change))


def process_again(connection: Connection, keys: Collection[int], *, who: str | None = None) -> int:
    """Let messages wait again, in the order in which they came. Raises NotFound where one is forgotten already."""
    version = raise_topic(connection, "inbox")
    change = {"state": InboxState.WAITING, "why": "", "handled_at": None, "changed_version": version}
    found = connection.execute(update(InboxMessage).where(InboxMessage.key.in_(keys)).values(**change)).rowcount
    if found < len(set(keys)):
        raise NotFound("One of these messages is not in the inbox any more. Load the list again.")
    record_act(connection, what="inbox.process_again", subject=f"{found} pushed messages", who=who)
    return found


@dataclass(frozen=True, slots=True)
class WantedMessages:
    """Which messages; empty parts ask for nothing. ``text`` is looked for in id, sender and reason."""

    integration_id: str = ""
    state: str = ""
    text: str = ""


def messages_where(wanted: WantedMessages) -> ColumnElement[bool]:
    """The one condition behind list, counters and processing again."""
    row = InboxMessage
    conditions: list[ColumnElement[bool]] = [true()]
    if wanted.integration_id:
        conditions.append(row.integration_id == wanted.integration_id)
    if wanted.state:
        conditions.append(row.state == wanted.state)
    for word in wanted.text.lower().split():
        columns = (row.message_id, row.peer, row.why)
        conditions.append(or_(*(func.lower(column).contains(word, autoescape=True) for column in columns)))
    return and_(*conditions)


def count_inbox(connection: Connection, wanted: WantedMessages) -> dict[str, int]:
    """How many there are, by state."""
    row = InboxMessage
    count = func.count().label("messages")
    query = select(row.state, count).where(messages_where(wanted)).group_by(row.state)
    return {one.state: one.messages for one in connection.execute(query)}


def process_again_where(connection: Connection, wanted: WantedMessages, *, who: str | None = None) -> int:
    """Let all messages of a filter that were handled wait again. Returns how many."""
    handled = select(InboxMessage.key).where(messages_where(wanted), InboxMessage.state != InboxState.WAITING)
    keys = connection.execute(handled).scalars().all()
    for start in range(0, len(keys), _AT_ONCE):
        process_again(connection, keys[start : start + _AT_ONCE], who=who)
    return len(keys)


def list_inbox(
    connection: Connection, *, integration_id: str = "", state: str = "", text: str = "", limit: int = 1_000
) -> list[InboxRow]:
    """The newest first."""
    row = InboxMessage
    query = select(
        row.key, row.integration_id, func.coalesce(Integration.name, ""), row.message_id, row.received_at, row.peer,
        row.state, row.why, row.records, row.handled_at, row.body,
    ).outerjoin(Integration.__table__, Integration.id == row.integration_id)  # fmt: skip
    query = query.where(messages_where(WantedMessages(integration_id, state, text)))
    found: Iterator[Any] = iter(connection.execute(query.order_by(row.key.desc()).limit(limit)))
    return [InboxRow(*(*one[:-1], one[-1].decode("utf-8", "replace"))) for one in found]


@dataclass(frozen=True, slots=True)
class InboxHead:
    """One message without its body."""

    key: int
    message_id: str
    received_at: datetime
    state: str


def inbox_heads(connection: Connection, integration_id: str, *, limit: int) -> list[InboxHead]:
    """An integration's newest messages, no body of them read."""
    row = InboxMessage
    query = select(row.key, row.message_id, row.received_at, row.state).where(row.integration_id == integration_id)
    return [InboxHead(*found) for found in connection.execute(query.order_by(row.key.desc()).limit(limit))]


def message_body(connection: Connection, key: int) -> bytes:
    """A body as it came. Raises NotFound where it is forgotten already."""
    body = connection.execute(select(InboxMessage.body).where(InboxMessage.key == key)).scalar_one_or_none()
    if body is None:
        raise NotFound("This message is not in the inbox any more. Load the list again.")
    return bytes(body)


def integration_named(connection: Connection, name: str) -> str | None:
    """The id of the integration of this name or id, None where there is none, or several of that name."""
    query = select(Integration.id).where(
        Integration.removed_at.is_(None), (Integration.id == name) | (func.lower(Integration.name) == name.lower())
    )
    found = connection.execute(query.limit(2)).scalars().all()
    return found[0] if len(found) == 1 else None
