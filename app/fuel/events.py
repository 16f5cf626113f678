"""Found refuels and drains in the store: what the analysis found anew, and what a dispatcher decided about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from app.clock import from_ms, utc_now
from app.fleet.text import storable
from app.fuel.detect.events import FuelEvent
from app.fuel.errors import FuelError
from app.fuel.tanks import TankListing
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import FuelEventRow, Tank, Vehicle

CONFIRMED, FALSE = "confirmed", "false"
SAME_WITHIN_MS = 600_000
"""Findings of one kind that overlap, or lie so close, are one event found anew."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One row of the events list. ``decision`` is "", confirmed or false."""

    id: str
    vehicle_id: str
    plate: str
    tank_id: str
    tank: str
    kind: str
    start_ms: int
    end_ms: int
    litres: float
    level_before_l: float
    level_after_l: float
    confidence: float
    at_least: bool
    in_motion: bool
    provisional: bool
    lat: float | None
    lon: float | None
    driver: str
    evidence: list[dict[str, Any]]
    decision: str
    reason: str
    note: str
    decided_by: str
    decided_at: datetime | None

    @property
    def counts(self) -> bool:
        """Whether totals hold it."""
        return self.decision != FALSE


def list_events(
    connection: Connection,
    *,
    vehicle_id: str | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
    limit: int = 2_000,
) -> list[StoredEvent]:
    """Events that were not withdrawn, the newest first."""
    event = FuelEventRow
    query = (
        select(event.__table__, Vehicle.plate, Tank.name.label("tank"))
        .join(Vehicle, Vehicle.id == event.vehicle_id)
        .join(Tank, Tank.id == event.tank_id)
        .where(event.withdrawn_at.is_(None))
        .order_by(event.start_ms.desc(), event.id)
        .limit(limit)
    )
    if vehicle_id is not None:
        query = query.where(event.vehicle_id == vehicle_id)
    if since_ms is not None:
        query = query.where(event.end_ms >= since_ms)
    if until_ms is not None:
        query = query.where(event.start_ms < until_ms)
    return [StoredEvent(**{name: getattr(row, name) for name in _FIELDS}) for row in connection.execute(query)]


_FIELDS = tuple(StoredEvent.__dataclass_fields__)


def reconcile(
    connection: Connection, tank: TankListing, found: Sequence[FuelEvent], since_ms: int, until_ms: int, now_ms: int
) -> int:
    """Bring the stored events of a tank between two times in step with what was found; returns how many changed.

    An event found again keeps its id and the dispatcher's decision. What is not found any more is withdrawn, unless
    somebody confirmed it.
    """
    event = FuelEventRow
    rows = connection.execute(
        select(event.__table__).where(
            event.tank_id == tank.id, event.withdrawn_at.is_(None), event.end_ms >= since_ms, event.start_ms < until_ms
        )
    ).all()
    left = list(rows)
    new, changed = [], []
    for one in found:
        start_ms, end_ms = round(one.start_s * 1000), round(one.end_s * 1000)
        same = next((row for row in left if row.kind == one.kind and _meet(row, start_ms, end_ms)), None)
        values = _values(one, start_ms, end_ms)
        if same is None:
            new.append(values)
            continue
        left.remove(same)
        if any(getattr(same, name) != value for name, value in values.items() if name != "evidence"):
            changed.append((same.id, values))
    gone = [row.id for row in left if row.decision != CONFIRMED]
    if not (new or changed or gone):
        return 0
    version = raise_topic(connection, "fuel_events")
    base = {"vehicle_id": tank.vehicle_id, "tank_id": tank.id, "found_at": from_ms(now_ms), "changed_version": version}
    if new:
        connection.execute(insert(event), [{"id": new_id(), **base, **values} for values in new])
    for event_id, values in changed:
        connection.execute(update(event).where(event.id == event_id).values(**values, changed_version=version))
    if gone:
        withdrawn = {"withdrawn_at": from_ms(now_ms), "changed_version": version}
        connection.execute(update(event).where(event.id.in_(gone)).values(**withdrawn))
    return len(new) + len(changed) + len(gone)


def decide(connection: Connection, event_id: str, decision: str, reason: str = "", *, who: str | None = None) -> None:
    """Confirm an event, mark it false with a reason, or with "" take the decision back. Raises FuelError."""
    if decision not in ("", CONFIRMED, FALSE):
        raise FuelError("An event is confirmed, false, or undecided.")
    if decision == FALSE and not reason.strip():
        raise FuelError("Say why this event is false: a slope, a sensor that was changed, a calibration …")
    row = _event(connection, event_id)
    version = raise_topic(connection, "fuel_events")
    values: dict[str, Any] = {
        "decision": decision,
        "reason": storable(reason.strip(), 2_000),
        "decided_by": storable(who or "", 200),
        "decided_at": utc_now(),
        "changed_version": version,
    }
    connection.execute(update(FuelEventRow).where(FuelEventRow.id == event_id).values(**values))
    before = {"decision": row.decision, "reason": row.reason}
    record_act(
        connection, what="fuel_event.decide", subject=_subject(connection, row), before=before,
        after={"decision": decision, "reason": values["reason"]}, who=who,
    )  # fmt: skip


def note_event(connection: Connection, event_id: str, note: str, *, who: str | None = None) -> None:
    """Write the note of an event anew. Raises FuelError."""
    row = _event(connection, event_id)
    version = raise_topic(connection, "fuel_events")
    text = storable(note.strip(), 5_000)
    connection.execute(
        update(FuelEventRow).where(FuelEventRow.id == event_id).values(note=text, changed_version=version)
    )
    record_act(
        connection, what="fuel_event.note", subject=_subject(connection, row), before={"note": row.note},
        after={"note": text}, who=who,
    )  # fmt: skip


def _meet(row: Any, start_ms: int, end_ms: int) -> bool:
    return bool(row.start_ms - SAME_WITHIN_MS <= end_ms and start_ms <= row.end_ms + SAME_WITHIN_MS)


def _values(event: FuelEvent, start_ms: int, end_ms: int) -> dict[str, Any]:
    return {
        "kind": event.kind,
        "start_ms": start_ms,
        "end_ms": end_ms,
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


def _event(connection: Connection, event_id: str) -> Any:
    row = connection.execute(select(FuelEventRow.__table__).where(FuelEventRow.id == event_id)).first()
    if row is None or row.withdrawn_at is not None:
        raise FuelError("This event was taken back by newer data. Load the list again.")
    return row


def _subject(connection: Connection, row: Any) -> str:
    plate = connection.execute(select(Vehicle.plate).where(Vehicle.id == row.vehicle_id)).scalar_one()
    return f"{plate} {row.kind} {row.litres:.0f} L {from_ms(row.start_ms):%Y-%m-%d %H:%M}"
