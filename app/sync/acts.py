"""What operators do with what waits: try again, set aside, restore, pause, give up; one by one or by a filter.

Each is a function of a connection inside a ``Store.write`` job, and recorded in its transaction. Nothing here ever
deletes: work that is not accepted stays in the outbox, whatever is decided about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.tables import ConflictRow, OutboxItem
from app.sync.errors import ActRefused, NotFound
from app.sync.listing import Wanted, where_of
from app.sync.outbox import rebase
from app.sync.problems import judge_decisions
from app.sync.records import refresh_pending
from app.sync.words import MAY_BE_APPLIED, STATE_WORDS, State, counted

PAGE = 1_000
MOST_NAMED = 20

_TRY_AGAIN = (State.WAITING, State.DOUBTFUL, State.REFUSED)


def retry(connection: Connection, item_ids: Iterable[str], *, now: datetime, who: str | None = None) -> int:
    """Let these be sent as soon as possible; a refused one waits again. Returns how many. Raises NotFound.

    One that is being sent is left alone: its answer is on the way, and must find it as it was.
    """

    def change(item: Any) -> dict[str, Any]:
        if item.state == State.CONFLICT:
            raise ActRefused(f"{item.subject} was changed on both sides. Decide between them on the tab Conflicts.")
        if item.state == State.SET_ASIDE:
            raise ActRefused(f"{item.subject} was set aside. Restore it instead.")
        _refuse_ended(item)
        if item.state == State.SENDING:
            return {"is_paused": False}
        return {"state": _open_state(item), "next_try": None, "is_paused": False}

    return _each(connection, item_ids, "outbox.retry", change, now, who)


def set_aside(connection: Connection, item_ids: Iterable[str], *, now: datetime, who: str | None = None) -> int:
    """Do not send these for now: they let what follows them go on, and can be restored."""

    def change(item: Any) -> dict[str, Any]:
        _refuse_ended(item)
        if item.state == State.SENDING:
            raise ActRefused(f"{item.subject} is being sent at this moment. See how it ends.")
        if item.state == State.CONFLICT:
            raise ActRefused(f"{item.subject} was changed on both sides. Decide between them on the tab Conflicts.")
        return {"state": State.SET_ASIDE, "ended_at": now, "next_try": None}

    return _each(connection, item_ids, "outbox.set_aside", change, now, who)


def restore(connection: Connection, item_ids: Iterable[str], *, now: datetime, who: str | None = None) -> int:
    """Take back what was set aside; it goes before what was changed after it."""

    def change(item: Any) -> dict[str, Any]:
        if item.state != State.SET_ASIDE:
            raise ActRefused(f"{item.subject} is not set aside ({STATE_WORDS[item.state]}).")
        return {"state": _open_state(item), "ended_at": None, "next_try": None}

    return _each(connection, item_ids, "outbox.restore", change, now, who)


def cancel(connection: Connection, item_ids: Iterable[str], *, now: datetime, who: str | None = None) -> int:
    """Give these up: the peer's values stand again. Not for one that may have been applied already."""

    def change(item: Any) -> dict[str, Any]:
        _refuse_ended(item)
        if item.state in MAY_BE_APPLIED or item.is_doubtful:
            raise ActRefused(
                f"{item.subject} was handed over and its answer was lost, so it may be applied already. Let it be "
                "tried again: that asks first."
            )
        return {"state": State.CANCELLED, "ended_at": now, "next_try": None}

    return _each(connection, item_ids, "outbox.cancel", change, now, who)


def pause(connection: Connection, item_ids: Iterable[str], *, now: datetime, who: str | None = None) -> int:
    """Hold these, and what follows them in the same paper, until they are resumed."""

    def change(item: Any) -> dict[str, Any]:
        _refuse_ended(item)
        return {"is_paused": True}

    return _each(connection, item_ids, "outbox.pause", change, now, who)


def resume(connection: Connection, item_ids: Iterable[str], *, now: datetime, who: str | None = None) -> int:
    """Let paused ones go on."""

    def change(item: Any) -> dict[str, Any]:
        _refuse_ended(item)
        return {"is_paused": False}

    return _each(connection, item_ids, "outbox.resume", change, now, who)


def count_replay(connection: Connection, wanted: Wanted) -> int:
    """How many :func:`replay` would try again."""
    return len(_replayable(connection, wanted))


def replay(connection: Connection, wanted: Wanted, *, now: datetime, who: str | None = None) -> int:
    """Let everything that the filter shows, and that can be tried, be sent again; returns how many.

    One act tells of all. What is in conflict, set aside or with the peer now is left as it is.
    """
    version = raise_topic(connection, "outbox")
    items = _replayable(connection, wanted)
    for start in range(0, len(items), PAGE):
        page = items[start : start + PAGE]
        ids = [item.id for item in page]
        base = {"next_try": None, "is_paused": False, "changed_version": version}
        connection.execute(update(OutboxItem).where(OutboxItem.id.in_(ids)).values(**base))
        refused = OutboxItem.id.in_([item.id for item in page if item.state == State.REFUSED])
        for doubt, state in ((True, State.DOUBTFUL), (False, State.WAITING)):
            which = refused & OutboxItem.is_doubtful.is_(doubt)
            connection.execute(update(OutboxItem).where(which).values(state=state))
    for integration_id in sorted({item.integration_id for item in items}):
        judge_decisions(connection, integration_id, now)
    if items:
        after = {
            "filter": wanted.as_json(),
            "count": len(items),
            "first": [item.subject for item in items[:MOST_NAMED]],
        }
        subject = counted(len(items), "change", "changes")
        record_act(connection, what="outbox.replay", subject=subject, after=after, who=who)
    return len(items)


def _open_state(item: Any) -> str:
    """How an item waits to be sent: one whose answer was lost may have been applied, so its next try asks first."""
    return State.DOUBTFUL if item.is_doubtful else State.WAITING


def _replayable(connection: Connection, wanted: Wanted) -> list[Any]:
    held = or_(OutboxItem.state == State.REFUSED, OutboxItem.next_try.is_not(None), OutboxItem.is_paused)
    query = (
        select(OutboxItem.id, OutboxItem.state, OutboxItem.integration_id, OutboxItem.subject)
        .where(where_of(wanted), OutboxItem.state.in_(_TRY_AGAIN), held)
        .order_by(OutboxItem.seq)
    )
    return list(connection.execute(query))


def _each(
    connection: Connection,
    item_ids: Iterable[str],
    what: str,
    change: Callable[[Any], Mapping[str, Any]],
    now: datetime,
    who: str | None,
) -> int:
    """All of them or none."""
    version = raise_topic(connection, "outbox")
    items = load_items(connection, item_ids)
    for item in items:
        values = dict(change(item))
        connection.execute(update(OutboxItem).where(OutboxItem.id == item.id).values(**values, changed_version=version))
        state = values.get("state", item.state)
        if state != item.state:
            _carry_on(connection, item, state, now, version)
        before = {"state": item.state, "paused": item.is_paused}
        after = {"state": state, "paused": values.get("is_paused", item.is_paused)}
        record_act(connection, what=what, subject=item.subject, before=before, after=after, who=who)
    for integration_id in sorted({item.integration_id for item in items}):
        judge_decisions(connection, integration_id, now)
    return len(items)


def _carry_on(connection: Connection, item: Any, state: str, now: datetime, version: int) -> None:
    """What a new state means for the changes behind this one, for the row, and for a conflict about it."""
    if state in (State.CANCELLED, State.SET_ASIDE) and item.state != State.SET_ASIDE:
        rebase(connection, item, item.seen, version)
    elif item.state == State.SET_ASIDE and state != State.CANCELLED:
        rebase(connection, item, item.values, version)
    refresh_pending(connection, item.record, item.record_id)
    if item.state == State.CONFLICT:
        raised = raise_topic(connection, "conflicts")
        still_open = (ConflictRow.outbox_id == item.id) & (ConflictRow.state == "open")
        decided = {"state": "resolved", "kept": "theirs", "resolved_at": now, "changed_version": raised}
        connection.execute(update(ConflictRow).where(still_open).values(**decided))


def load_items(connection: Connection, item_ids: Iterable[str]) -> list[Any]:
    """Rows of ``outbox_items`` in the order of their making. Raises NotFound for the first that is missing."""
    wanted = list(dict.fromkeys(item_ids))
    rows: list[Any] = []
    for start in range(0, len(wanted), PAGE):
        query = select(OutboxItem.__table__).where(OutboxItem.id.in_(wanted[start : start + PAGE]))
        rows += connection.execute(query).all()
    known = {row.id for row in rows}
    missing = next((one for one in wanted if one not in known), None)
    if missing is not None:
        raise NotFound(f"There is no change {missing} in the outbox. See “outbox list”.")
    return sorted(rows, key=lambda row: row.seq)


def _refuse_ended(item: Any) -> None:
    if item.state == State.ACCEPTED:
        raise ActRefused(f"{item.subject}: this change is accepted already. To take it back, change the value again.")
    if item.state == State.CANCELLED:
        raise ActRefused(f"{item.subject}: this change was cancelled. Make it again if it is wanted after all.")
