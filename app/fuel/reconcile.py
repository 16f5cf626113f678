"""What an analysis found anew, beside what is stored: an event keeps its identity and the dispatcher's decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, insert, select, update

from app.clock import from_ms
from app.fleet.geo import distance_m
from app.fuel.detect.events import FuelEvent
from app.fuel.tanks import TankListing
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import FuelEventRow

CONFIRMED, FALSE = "confirmed", "false"
SAME_WITHIN_MS = 600_000
"""Findings of one kind that overlap, or lie so close, are one event found anew."""
SAME_PLACE_M = 300.0
SAME_PLACE_WITHIN_MS = 3_600_000
"""At one place they may lie so far apart: late data moved the event."""
LONGEST_MS = 30 * 86_400_000
"""No event lasts longer."""


@dataclass(slots=True)
class _Changes:
    new: list[dict[str, Any]] = field(default_factory=list)
    changed: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.new) + len(self.changed) + len(self.gone)


def reconcile(
    connection: Connection, tank: TankListing, found: Sequence[FuelEvent], from_ms_: int, until_ms: int, now_ms: int
) -> int:
    """Bring the stored events of a tank that begin between two times in step with ``found``; returns the changes.

    ``found`` may hold events that begin before: what is stored of them stays as it is. An event that is not found any
    more is withdrawn unless somebody confirmed it; it comes back as itself when it is found again.
    """
    rows = _stored(connection, tank, from_ms_, until_ms)
    changes = _compare(rows, found, from_ms_, until_ms)
    if not len(changes):
        return 0
    event = FuelEventRow
    version = raise_topic(connection, "fuel_events")
    base = {"vehicle_id": tank.vehicle_id, "tank_id": tank.id, "found_at": from_ms(now_ms), "changed_version": version}
    if changes.new:
        connection.execute(insert(event), [{"id": new_id(), **base, **values} for values in changes.new])
    for event_id, values in changes.changed:
        stands = {"withdrawn_at": None, "changed_version": version}
        connection.execute(update(event).where(event.id == event_id).values(**values, **stands))
    if changes.gone:
        withdrawn = {"withdrawn_at": from_ms(now_ms), "changed_version": version}
        connection.execute(update(event).where(event.id.in_(changes.gone)).values(**withdrawn))
    return len(changes)


def _stored(connection: Connection, tank: TankListing, from_ms_: int, until_ms: int) -> list[Any]:
    event = FuelEventRow
    near_ms = SAME_PLACE_WITHIN_MS
    query = (
        select(event.__table__)
        .where(
            event.vehicle_id == tank.vehicle_id,
            event.tank_id == tank.id,
            event.start_ms >= from_ms_ - LONGEST_MS,
            event.start_ms < until_ms + near_ms,
            event.end_ms >= from_ms_ - near_ms,
        )
        .order_by(event.withdrawn_at.is_not(None), event.start_ms, event.id)
    )
    return list(connection.execute(query))


def _compare(rows: list[Any], found: Sequence[FuelEvent], from_ms_: int, until_ms: int) -> _Changes:
    left, changes = list(rows), _Changes()
    for one in found:
        values = values_of(one)
        same = _same(left, values)
        if same is not None:
            left.remove(same)
        if not from_ms_ <= values["start_ms"] < until_ms:
            continue
        if same is None:
            changes.new.append(values)
        elif same.withdrawn_at is not None or any(getattr(same, name) != values[name] for name in values):
            changes.changed.append((same.id, values))
    changes.gone = [
        row.id
        for row in left
        if row.withdrawn_at is None and row.decision != CONFIRMED and from_ms_ <= row.start_ms < until_ms
    ]
    return changes


def _same(rows: Sequence[Any], values: dict[str, Any]) -> Any:
    """The stored event that this is: of its kind, overlapping before near, standing before withdrawn."""
    near = [row for row in rows if row.kind == values["kind"] and _is_near(row, values)]

    def rank(row: Any) -> tuple[bool, bool, int]:
        apart_ms = _apart_ms(row, values)
        return apart_ms > 0, row.withdrawn_at is not None, apart_ms

    return min(near, key=rank, default=None)


def _is_near(row: Any, values: dict[str, Any]) -> bool:
    apart_ms = _apart_ms(row, values)
    if apart_ms <= SAME_WITHIN_MS:
        return True
    places = (row.lat, row.lon, values["lat"], values["lon"])
    return apart_ms <= SAME_PLACE_WITHIN_MS and None not in places and distance_m(*places) <= SAME_PLACE_M


def _apart_ms(row: Any, values: dict[str, Any]) -> int:
    """Between two stretches of time; negative by how far they overlap."""
    return int(max(row.start_ms, values["start_ms"]) - min(row.end_ms, values["end_ms"]))


def values_of(event: FuelEvent) -> dict[str, Any]:
    """The columns of a found event."""
    return {
        "kind": event.kind,
        "start_ms": round(event.start_s * 1000),
        "end_ms": round(event.end_s * 1000),
        "litres": event.litres,
        "level_before_l": event.level_before_l,
        "level_after_l": event.level_after_l,
        "confidence": event.confidence,
        "at_least": event.at_least,
        "in_motion": event.in_motion,
        "provisional": event.provisional,
        "lat": event.lat,
        "lon": event.lon,
        "evidence": [{"test": one.test, "outcome": one.outcome, "text": one.text} for one in event.evidence],
    }
