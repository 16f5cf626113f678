"""From findings to rows: one alarm of a key stands at a time, repeats are counted on it, flapping cries only once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, insert, select, update

from app.alarms.findings import Clear, Fact, Finding, Raise
from app.alarms.folding import fold
from app.alarms.words import ADVICE, ENDED_BY_HAND, MOMENTARY, RANKS
from app.fleet.text import storable
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import Alarm

FLAP_MS = 5 * 60_000
"""What comes back so soon after its end is the same alarm again, also when it was acknowledged meanwhile."""

ANEW_MS = 30 * 60_000
"""What was seen to, was not told to be over and cries again after so long a quiet has happened once more."""

MOST_EVIDENCE = 24
_LOOKED_AT = 20


def apply_findings(connection: Connection, findings: Iterable[Finding], now_ms: int) -> int:
    """Write what was found, in its order, and fold; the number of alarms that changed. Raises the topic if any did."""
    findings = list(findings)
    if not findings:
        return 0
    version = raise_topic(connection, "alarms")
    changed = 0
    for finding in findings:
        if isinstance(finding, Raise):
            changed += _raise(connection, finding, now_ms, version)
        else:
            changed += _clear(connection, finding, version)
    fold(connection, now_ms)
    return changed


def _raise(connection: Connection, found: Raise, now_ms: int, version: int) -> bool:
    rows = _of_key(connection, found.key)
    if found.ended_ms is not None:
        if any(_overlaps(row, found.at_ms, found.ended_ms) for row in rows):
            return False
        _insert(connection, found, version)
        return True
    if found.is_once and rows:
        return _renew(connection, rows[0], found, version)
    same = next((row for row in rows if _is_same(row, found.at_ms, now_ms)), None)
    if same is not None and _is_anew(same, found, now_ms):
        ended_by: Fact = ("Ended by", "the next one, after a quiet time", "")
        _clear(connection, Clear(found.key, found.at_ms, [ended_by]), version)
        same = None
    if same is None:
        _insert(connection, found, version)
        return True
    if found.is_state and same.cleared_at_ms is None:
        return False
    values: dict[str, Any] = {
        "repeats": same.repeats + 1,
        "last_at_ms": max(same.last_at_ms, found.at_ms),
        "changed_version": version,
    }
    if found.kind in MOMENTARY and same.acknowledged_at_ms is not None:
        pass  # the same press of a button goes on: it was seen, and stays over
    else:
        values["cleared_at_ms"] = None
    if RANKS[found.priority] > RANKS[same.priority]:
        values |= {"priority": found.priority.value, "acknowledged_at_ms": None, "acknowledged_by": ""}
    connection.execute(update(Alarm).where(Alarm.id == same.id).values(values))
    return True


def _renew(connection: Connection, row: Any, found: Raise, version: int) -> bool:
    """The one alarm of a thing of the past with what is known of that now; one that was seen to stays over."""
    if row.acknowledged_at_ms is not None and row.cleared_at_ms is not None:
        return False
    values: dict[str, Any] = {
        "title": storable(found.title, 300),
        "detail": storable(found.detail),
        "cleared_at_ms": None,
    }
    if all(getattr(row, name) == value for name, value in values.items()):
        return False
    values |= {"evidence": _evidence(found), "changed_version": version}
    connection.execute(update(Alarm).where(Alarm.id == row.id).values(values))
    return True


def _clear(connection: Connection, found: Clear, version: int) -> bool:
    standing = Alarm.cleared_at_ms.is_(None) & (Alarm.alarm_key == found.key)
    changed = False
    for row in connection.execute(select(Alarm.id, Alarm.raised_at_ms, Alarm.evidence).where(standing)).all():
        values = {
            "cleared_at_ms": max(found.at_ms, row.raised_at_ms),
            "evidence": [*row.evidence, *map(list, found.evidence)][:MOST_EVIDENCE],
            "changed_version": version,
        }
        connection.execute(update(Alarm).where(Alarm.id == row.id).values(values))
        changed = True
    return changed


def _of_key(connection: Connection, key: str) -> list[Any]:
    query = select(Alarm.__table__).where(Alarm.alarm_key == key).order_by(Alarm.raised_at_ms.desc(), Alarm.id.desc())
    return list(connection.execute(query.limit(_LOOKED_AT)))


def _is_same(row: Any, at_ms: int, now_ms: int) -> bool:
    """Whether what begins at ``at_ms`` is that alarm once more."""
    if row.cleared_at_ms is None or (row.shelved_until_ms or 0) > now_ms:
        return True
    # A momentary alarm is over when it was acknowledged, whenever that was.
    end_ms = row.cleared_at_ms
    return row.acknowledged_at_ms is None or at_ms - end_ms < FLAP_MS


def _is_anew(row: Any, found: Raise, now_ms: int) -> bool:
    """Whether what still stands, for want of a word that it ended, must have ended before this."""
    if found.kind not in ENDED_BY_HAND or row.cleared_at_ms is not None or (row.shelved_until_ms or 0) > now_ms:
        return False
    return row.acknowledged_at_ms is not None and found.at_ms - row.last_at_ms >= ANEW_MS


def _overlaps(row: Any, from_ms: int, to_ms: int) -> bool:
    end_ms = row.cleared_at_ms if row.cleared_at_ms is not None else row.last_at_ms
    return bool(row.raised_at_ms - FLAP_MS <= to_ms and from_ms <= end_ms + FLAP_MS)


def _insert(connection: Connection, found: Raise, version: int) -> None:
    row = {
        "id": new_id(),
        "alarm_key": found.key,
        "rule_id": found.rule_id,
        "kind": found.kind.value,
        "priority": found.priority.value,
        "vehicle_id": found.vehicle_id,
        "device_key": found.device_key,
        "integration_id": found.integration_id,
        "fuel_event_id": found.fuel_event_id,
        "position_id": found.position_id,
        "event_id": found.event_id,
        "title": storable(found.title, 300),
        "detail": storable(found.detail),
        "advice": ADVICE[found.kind],
        "evidence": _evidence(found),
        "lat": found.lat,
        "lon": found.lon,
        "raised_at_ms": found.at_ms,
        "last_at_ms": found.at_ms,
        "cleared_at_ms": found.ended_ms,
        "comments": [],
        "changed_version": version,
    }
    connection.execute(insert(Alarm).values(row))


def _evidence(found: Raise) -> list[list[Any]]:
    return [_plain(fact) for fact in found.evidence][:MOST_EVIDENCE]


def _plain(fact: Fact) -> list[Any]:
    name, value, unit = fact
    return [name, storable(value) if isinstance(value, str) else value, unit]
