"""Found refuels and drains as a list, and what a dispatcher decides about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, or_, select, update

from app.clock import from_ms, utc_now
from app.fleet.text import storable
from app.fuel.errors import FuelError
from app.fuel.reconcile import CONFIRMED, FALSE
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.tables import FuelEventRow, Tank, Vehicle


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
    tank_id: str | None = None,
    kind: str | None = None,
    decision: str | None = None,
    text: str = "",
    limit: int = 2_000,
) -> list[StoredEvent]:
    """Events that were not withdrawn, the newest first. ``text``: words of plate, tank, note or reason."""
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
    for column, wanted in ((event.tank_id, tank_id), (event.kind, kind), (event.decision, decision)):
        if wanted is not None:
            query = query.where(column == wanted)
    for word in text.replace("\x00", "").split():
        fields = (Vehicle.plate, Vehicle.name, Tank.name, event.note, event.reason, event.driver)
        query = query.where(or_(*(field.icontains(word, autoescape=True) for field in fields)))
    return [StoredEvent(**{name: getattr(row, name) for name in _FIELDS}) for row in connection.execute(query)]


_FIELDS = tuple(StoredEvent.__dataclass_fields__)


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


def _event(connection: Connection, event_id: str) -> Any:
    row = connection.execute(select(FuelEventRow.__table__).where(FuelEventRow.id == event_id)).first()
    if row is None or row.withdrawn_at is not None:
        raise FuelError("This event was taken back by newer data. Load the list again.")
    return row


def _subject(connection: Connection, row: Any) -> str:
    plate = connection.execute(select(Vehicle.plate).where(Vehicle.id == row.vehicle_id)).scalar_one()
    return f"{plate} {row.kind} {row.litres:.0f} L {from_ms(row.start_ms):%Y-%m-%d %H:%M}"
