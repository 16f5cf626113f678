"""What operators do with alarms: see to them, put them off, talk about them. Each is recorded in its transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, or_, select, update

from app.alarms.errors import AlarmError, NotFound
from app.alarms.words import ENDED_BY_HAND, KIND_WORDS, MOMENTARY
from app.fleet.text import storable
from app.fleet.times import iso_ms
from app.security.audit import record_act
from app.security.operator import present_operator
from app.store.changes import raise_topic
from app.store.tables import Alarm

LONGEST_SHELF_MS = 31 * 24 * 3_600_000
LONGEST_TEXT = 4_000
MOST_COMMENTS = 500


def acknowledge(connection: Connection, alarm_ids: Sequence[str], now_ms: int, *, who: str | None = None) -> int:
    """Somebody has seen to these and to what is folded under them; how many that were not seen to before.

    One that tells of a moment (SOS, drain) is over by it; one that tells of a state stands until the state ends.
    Raises NotFound.
    """
    version = raise_topic(connection, "alarms")
    who = who or present_operator()
    rows = _with_folded(connection, _rows(connection, alarm_ids))
    count = 0
    for row in rows:
        if row.acknowledged_at_ms is not None:
            continue
        values: dict[str, Any] = {"acknowledged_at_ms": now_ms, "acknowledged_by": storable(who, 200)}
        if row.kind in MOMENTARY and row.cleared_at_ms is None:
            values["cleared_at_ms"] = max(now_ms, row.raised_at_ms)
        _change(connection, row, version, values)
        record_act(connection, what="alarm.acknowledge", subject=row.title, who=who)
        count += 1
    return count


def end(connection: Connection, alarm_ids: Sequence[str], now_ms: int, *, who: str | None = None) -> int:
    """Somebody knows that these are over, which their trackers did not tell; how many stood until then.

    Whoever knows that has seen to them, too. Raises NotFound, AlarmError for a kind that ends by itself.
    """
    version = raise_topic(connection, "alarms")
    who = storable(who or present_operator(), 200)
    count = 0
    for row in _rows(connection, alarm_ids):
        if row.kind not in ENDED_BY_HAND:
            word = KIND_WORDS.get(row.kind, row.kind).lower()
            raise AlarmError(f"“{row.title}” cannot be ended by hand: an alarm of the kind “{word}” ends by itself.")
        if row.cleared_at_ms is not None:
            continue
        values: dict[str, Any] = {"cleared_at_ms": max(now_ms, row.raised_at_ms)}
        if row.acknowledged_at_ms is None:
            values |= {"acknowledged_at_ms": now_ms, "acknowledged_by": who}
        _change(connection, row, version, values)
        record_act(connection, what="alarm.end", subject=row.title, who=who)
        count += 1
    return count


def shelve(
    connection: Connection, alarm_ids: Sequence[str], until_ms: int, reason: str, now_ms: int, *, who: str | None = None
) -> int:
    """Put these off until a time, for a reason; they come back then. Raises NotFound, AlarmError."""
    reason = _text(reason)
    if not reason:
        raise AlarmError("Say why the alarm is put off: whoever comes next must know.", "reason")
    if until_ms <= now_ms:
        raise AlarmError("That time is over. Choose one that is to come.", "until")
    if until_ms - now_ms > LONGEST_SHELF_MS:
        raise AlarmError("Longer than 31 days is too long to be forgotten. Change the rule instead.", "until")
    version = raise_topic(connection, "alarms")
    rows = _rows(connection, alarm_ids)
    for row in rows:
        _change(connection, row, version, {"shelved_until_ms": until_ms, "shelved_reason": reason})
        after = {"until": iso_ms(until_ms), "reason": reason}
        record_act(connection, what="alarm.shelve", subject=row.title, after=after, who=who)
    return len(rows)


def unshelve(connection: Connection, alarm_ids: Sequence[str], *, who: str | None = None) -> int:
    """Take them back before their time; how many were put off. Raises NotFound."""
    version = raise_topic(connection, "alarms")
    count = 0
    for row in _rows(connection, alarm_ids):
        if row.shelved_until_ms is None:
            continue
        _change(connection, row, version, {"shelved_until_ms": None, "shelved_reason": ""})
        before = {"until": iso_ms(row.shelved_until_ms), "reason": row.shelved_reason}
        record_act(connection, what="alarm.unshelve", subject=row.title, before=before, who=who)
        count += 1
    return count


def assign(connection: Connection, alarm_ids: Sequence[str], to: str, *, who: str | None = None) -> int:
    """Give these to somebody, "" for nobody; how many that changed. Raises NotFound."""
    version = raise_topic(connection, "alarms")
    to = storable(" ".join(to.split()), 200)
    count = 0
    for row in _rows(connection, alarm_ids):
        if row.assigned_to == to:
            continue
        _change(connection, row, version, {"assigned_to": to})
        change = ({"assigned_to": row.assigned_to}, {"assigned_to": to})
        record_act(connection, what="alarm.assign", subject=row.title, before=change[0], after=change[1], who=who)
        count += 1
    return count


def comment(connection: Connection, alarm_ids: Sequence[str], text: str, now_ms: int, *, who: str | None = None) -> int:
    """Add a comment to each of these. Raises NotFound, AlarmError for an empty one."""
    text = _text(text)
    if not text:
        raise AlarmError("Write something first.", "text")
    version = raise_topic(connection, "alarms")
    who = storable(who or present_operator(), 200)
    rows = _rows(connection, alarm_ids)
    for row in rows:
        if len(row.comments) >= MOST_COMMENTS:
            raise AlarmError(f"“{row.title}” has {MOST_COMMENTS} comments already; that is as many as it takes.")
        said = {"at_ms": now_ms, "who": who, "text": text}
        _change(connection, row, version, {"comments": [*row.comments, said]})
        record_act(connection, what="alarm.comment", subject=row.title, after={"text": text}, who=who)
    return len(rows)


def _rows(connection: Connection, alarm_ids: Iterable[str]) -> list[Any]:
    wanted = list(dict.fromkeys(alarm_ids))
    rows = {row.id: row for row in connection.execute(select(Alarm.__table__).where(Alarm.id.in_(wanted)))}
    missing = [one for one in wanted if one not in rows]
    if missing:
        raise NotFound(f"There is no alarm {missing[0]}. It may have been deleted; read the list again.")
    return [rows[one] for one in wanted]


def _with_folded(connection: Connection, rows: list[Any]) -> list[Any]:
    """With what stands under them now, however deep: a line, its trackers, their sensors."""
    known = {row.id for row in rows}
    layer = list(known)
    while layer:
        below = connection.execute(
            select(Alarm.__table__).where(
                Alarm.parent_id.in_(layer), or_(Alarm.cleared_at_ms.is_(None), Alarm.acknowledged_at_ms.is_(None))
            )
        ).all()
        new = [row for row in below if row.id not in known]
        rows = [*rows, *new]
        layer = [row.id for row in new]
        known.update(layer)
    return rows


def _change(connection: Connection, row: Any, version: int, values: dict[str, Any]) -> None:
    connection.execute(update(Alarm).where(Alarm.id == row.id).values(**values, changed_version=version))


def _text(text: str) -> str:
    return storable(text.strip(), LONGEST_TEXT)
