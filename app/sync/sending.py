"""The store's side of sending: which items go next, marking them, and writing what became of each.

All are functions of a connection. What is marked ``sending`` is committed before the request goes out; its outcome,
what the peer's answer brought, and the row's ``pending`` are one commit. docs/decisions/0100.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, or_, select, update

from adapters.base import Outgoing
from app.fleet.text import storable
from app.security.redaction import redact_text
from app.store.changes import raise_topic
from app.store.tables import OutboxItem
from app.sync.problems import judge_decisions
from app.sync.records import Accepted, settle_accepted
from app.sync.words import IN_THE_WAY, State

PAGE = 200
"""Items looked at in one reading while the next to send are sought."""
LONGEST_ANSWER = 4_000


@dataclass(frozen=True, slots=True)
class Due:
    """One item that is with the peer from now on."""

    id: str
    seq: int
    record: str
    record_id: str
    family: str
    subject: str
    outgoing: Outgoing


@dataclass(frozen=True, slots=True)
class Ready:
    """Items that may be sent now, in order. ``floor`` is where the next reading goes on; None at the end."""

    seqs: tuple[int, ...]
    floor: int | None


def doubt_unended(connection: Connection, integration_id: str, item_ids: Collection[str] | None = None) -> int:
    """What was with the peer when its engine ended, or its connection was given up, may have been applied."""
    mine = (OutboxItem.integration_id == integration_id) & (OutboxItem.state == State.SENDING)
    if item_ids is not None:
        mine &= OutboxItem.id.in_(item_ids)
    if connection.execute(select(OutboxItem.seq).where(mine).limit(1)).first() is None:
        return 0
    version = raise_topic(connection, "outbox")
    answer = "It was being sent when the work ended, and its answer was lost. The next try asks first."
    change = {"state": State.DOUBTFUL, "is_doubtful": True, "next_try": None, "last_answer": answer}
    return connection.execute(update(OutboxItem).where(mine).values(**change, changed_version=version)).rowcount


def find_ready(connection: Connection, integration_id: str, now: datetime, floor: int) -> Ready:
    """The next items that are due and stand first in their family, above the ``seq`` of ``floor``."""
    item = OutboxItem
    due = or_(item.next_try.is_(None), item.next_try <= now)
    found: list[Any] = []
    ends: list[int] = []
    for state in (State.DOUBTFUL, State.WAITING):  # each along its index; both at once would be sorted anew
        query = (
            select(item.seq, item.family)
            .where(item.integration_id == integration_id, item.state == state, item.seq > floor)
            .where(item.is_paused.is_(False), due)
            .order_by(item.seq)
            .limit(PAGE)
        )
        rows = connection.execute(query).all()
        found += rows
        if len(rows) == PAGE:
            ends.append(rows[-1].seq)
    end = min(ends, default=None)
    page = sorted(row for row in found if end is None or row.seq <= end)
    heads = heads_of(connection, {row.family for row in page})
    return Ready(tuple(row.seq for row in page if heads.get(row.family) == row.seq), end)


def next_due(connection: Connection, integration_id: str, now: datetime) -> datetime | None:
    """When the next item that waits for a time may be sent."""
    item = OutboxItem
    query = (
        select(item.next_try)
        .where(item.integration_id == integration_id, item.state.in_((State.WAITING, State.DOUBTFUL)))
        .where(item.is_paused.is_(False), item.next_try > now)
        .order_by(item.next_try)
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()


def wake_all(connection: Connection, integration_id: str) -> None:
    """An operator asks for a run now: nothing waits for its time any more."""
    mine = (OutboxItem.integration_id == integration_id) & OutboxItem.state.in_((State.WAITING, State.DOUBTFUL))
    mine &= OutboxItem.next_try.is_not(None)
    if connection.execute(select(OutboxItem.seq).where(mine).limit(1)).first() is not None:
        version = raise_topic(connection, "outbox")
        connection.execute(update(OutboxItem).where(mine).values(next_try=None, changed_version=version))


def mark_sending(connection: Connection, seqs: Sequence[int], now: datetime, version: int) -> list[Due]:
    """Mark these as with the peer; what is not due or not first in its family any more is left out."""
    item = OutboxItem
    due = or_(item.next_try.is_(None), item.next_try <= now)
    open_ones = item.state.in_((State.WAITING, State.DOUBTFUL)) & item.is_paused.is_(False) & due
    query = select(item.__table__).where(item.seq.in_(seqs), open_ones).order_by(item.seq)
    rows = connection.execute(query).all()
    heads = heads_of(connection, {row.family for row in rows})
    rows = [row for row in rows if heads.get(row.family) == row.seq]
    change = {"state": State.SENDING, "tries": item.tries + 1, "last_try": now, "next_try": None}
    mine = item.seq.in_([row.seq for row in rows])
    connection.execute(update(item).where(mine).values(**change, changed_version=version))
    return [_due(row) for row in rows]


def write_accepted(
    connection: Connection, answers: Sequence[tuple[Due, str]], now: datetime, version: int, versions: Mapping[str, int]
) -> set[int]:
    """The peer has these: their values are the peer's from now on. ``answers`` are pairs with its words, ``versions``
    those of the records' topics. Returns the ``seq`` of those that were not written already."""
    item = OutboxItem
    seqs = [due.seq for due, _answer in answers]
    if not seqs:
        return set()
    query = select(item.seq).where(item.seq.in_(seqs), item.state == State.SENDING)
    written = set(connection.execute(query).scalars())
    mine = [(due, answer) for due, answer in answers if due.seq in written]
    if not mine:
        return written
    ended = {"state": State.ACCEPTED, "ended_at": now, "is_doubtful": False, "changed_version": version}
    statement = update(item).where(item.seq == bindparam("of_seq"))
    connection.execute(
        statement.values(**ended, last_answer=bindparam("answer")),
        [{"of_seq": due.seq, "answer": _storable(answer)} for due, answer in mine],
    )
    accepted = [Accepted(due.record, due.record_id, due.outgoing.values) for due, _answer in mine]
    settle_accepted(connection, accepted, versions)
    return written


def write_refused(connection: Connection, due: Due, why: str, integration_id: str, now: datetime, version: int) -> bool:
    """The peer will not have it: somebody must decide. False where this was written already."""
    if not _end(connection, due, {"state": State.REFUSED, "is_doubtful": False}, why, version):
        return False
    judge_decisions(connection, integration_id, now)
    return True


def write_waiting(
    connection: Connection, due: Due, why: str, next_try: datetime | None, *, is_doubtful: bool, version: int
) -> None:
    """It is tried again at ``next_try``. What was doubtful before stays so: nothing has told what became of it."""
    doubt = is_doubtful or due.outgoing.is_doubtful
    state = State.DOUBTFUL if doubt else State.WAITING
    _end(connection, due, {"state": state, "is_doubtful": doubt, "next_try": next_try}, why, version)


def _end(connection: Connection, due: Due, change: Mapping[str, Any], answer: str, version: int) -> bool:
    """False where it is not being sent: a commit went through whose answer was not waited for."""
    values = {**change, "last_answer": _storable(answer), "changed_version": version}
    mine = (OutboxItem.seq == due.seq) & (OutboxItem.state == State.SENDING)
    return connection.execute(update(OutboxItem).where(mine).values(**values)).rowcount > 0


def _storable(answer: str) -> str:
    return storable(redact_text(answer), LONGEST_ANSWER)


def heads_of(connection: Connection, families: set[str]) -> dict[str, int]:
    """The first item of each family that is in the way of the others."""
    item = OutboxItem
    query = (
        select(item.family, func.min(item.seq))
        .where(item.family.in_(sorted(families)), item.state.in_(IN_THE_WAY))
        .group_by(item.family)
    )
    return dict(connection.execute(query).all())


def _due(row: Any) -> Due:
    outgoing = Outgoing(
        write=row.write,
        record=row.record,
        peer_id=row.peer_id,
        parent_peer_id=row.parent_peer_id,
        values=row._mapping[OutboxItem.__table__.c["values"]],
        seen=row.seen,
        key=row.key,
        tries=row.tries,
        is_doubtful=row.is_doubtful,
    )
    return Due(row.id, row.seq, row.record, row.record_id, row.family, row.subject, outgoing)
