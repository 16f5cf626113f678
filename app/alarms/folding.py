"""Related alarms under one cause: a line that is down explains its silent trackers, a cut wire the silence after it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select, update

from app.alarms.words import Kind
from app.store.changes import raise_topic
from app.store.tables import Alarm, Device, DeviceState, FuelSensor, Tank

LINGER_MS = 20 * 60_000
"""How long a cause still explains what stands after it is over: trackers need their time to report again."""

CUT_BEFORE_MS = 30 * 60_000
"""A power cut explains a silence that began within this time of it."""

_CAUSES = (Kind.INTEGRATION_DOWN, Kind.TRACKER_SILENT, Kind.POWER_CUT)
_FOLDED = frozenset({Kind.TRACKER_SILENT, Kind.SENSOR_SILENT})


@dataclass(frozen=True, slots=True)
class Link:
    """An alarm as far as folding looks at it. ``devices`` are keys of the trackers that it depends on."""

    id: str
    kind: str
    integration_id: str | None
    vehicle_id: str | None
    devices: frozenset[int]
    began_ms: int  # of a silence: when the tracker was last heard
    cleared_at_ms: int | None
    parent_id: str | None


def parents(alarms: Sequence[Link], now_ms: int) -> dict[str, str | None]:
    """The cause of each silence that stands; None for one that stands for itself."""
    causes = [one for one in alarms if one.kind in _CAUSES and _still_explains(one, now_ms)]
    return {
        one.id: next((cause.id for cause in _by_weight(causes) if _explains(cause, one)), None)
        for one in alarms
        if one.kind in _FOLDED and one.cleared_at_ms is None
    }


def fold(connection: Connection, now_ms: int) -> int:
    """Put every standing silence under its cause, and take it out where that is over; how many moved."""
    found = _links(connection, now_ms)
    before = {one.id: one.parent_id for one in found}
    moved = {one: parent for one, parent in parents(found, now_ms).items() if before[one] != parent}
    version = raise_topic(connection, "alarms") if moved else 0
    for alarm_id, parent_id in moved.items():
        change = update(Alarm).where(Alarm.id == alarm_id)
        connection.execute(change.values(parent_id=parent_id, changed_version=version))
    return len(moved)


def see_to_with_cause(connection: Connection) -> int:
    """Whoever saw to a cause has seen to what came under it later and ended by itself; how many those are."""
    cause = Alarm.__table__.alias("cause")
    query = (
        select(Alarm.id, cause.c.acknowledged_at_ms, cause.c.acknowledged_by)
        .join(cause, cause.c.id == Alarm.parent_id)
        .where(Alarm.acknowledged_at_ms.is_(None), Alarm.cleared_at_ms.is_not(None))
        .where(cause.c.acknowledged_at_ms.is_not(None))
    )
    rows = connection.execute(query).all()
    version = raise_topic(connection, "alarms") if rows else 0
    for alarm_id, at_ms, who in rows:
        values = {"acknowledged_at_ms": at_ms, "acknowledged_by": who, "changed_version": version}
        connection.execute(update(Alarm).where(Alarm.id == alarm_id).values(**values))
    return len(rows)


def _by_weight(causes: Iterable[Link]) -> list[Link]:
    """The widest cause first; of one kind the one that stands before the one that is over, then the oldest."""
    order = {kind: place for place, kind in enumerate(_CAUSES)}
    return sorted(causes, key=lambda one: (order[Kind(one.kind)], one.cleared_at_ms is not None, one.began_ms))


def _still_explains(cause: Link, now_ms: int) -> bool:
    return cause.cleared_at_ms is None or now_ms - cause.cleared_at_ms < LINGER_MS


def _explains(cause: Link, one: Link) -> bool:
    if cause.id == one.id:
        return False
    if cause.kind == Kind.INTEGRATION_DOWN:
        return cause.integration_id is not None and cause.integration_id == one.integration_id
    if cause.kind == Kind.TRACKER_SILENT:
        return one.kind == Kind.SENSOR_SILENT and bool(cause.devices & one.devices)
    if one.kind != Kind.TRACKER_SILENT or not _same_place(cause, one):
        return False
    return abs(one.began_ms - cause.began_ms) < CUT_BEFORE_MS


def _same_place(cause: Link, one: Link) -> bool:
    same_vehicle = cause.vehicle_id is not None and cause.vehicle_id == one.vehicle_id
    return same_vehicle or bool(cause.devices & one.devices)


def _links(connection: Connection, now_ms: int) -> list[Link]:
    lingering = Alarm.cleared_at_ms > now_ms - LINGER_MS
    query = select(
        Alarm.id,
        Alarm.kind,
        Alarm.alarm_key,
        Alarm.integration_id,
        Alarm.vehicle_id,
        Alarm.device_key,
        Alarm.raised_at_ms,
        Alarm.cleared_at_ms,
        Alarm.parent_id,
        DeviceState.last_seen_ms,
    )
    query = query.outerjoin(DeviceState, DeviceState.device_key == Alarm.device_key).where(
        Alarm.kind.in_([Kind.SENSOR_SILENT.value, *(kind.value for kind in _CAUSES)]),
        or_(Alarm.cleared_at_ms.is_(None), lingering),
    )
    rows = connection.execute(query).all()
    sensors = {row.alarm_key for row in rows if row.kind == Kind.SENSOR_SILENT}
    trackers_of = _trackers_of_sensors(connection) if sensors else {}
    return [
        Link(
            row.id,
            row.kind,
            row.integration_id,
            row.vehicle_id,
            trackers_of.get(row.alarm_key, frozenset() if row.device_key is None else frozenset({row.device_key})),
            row.last_seen_ms if row.kind == Kind.TRACKER_SILENT and row.last_seen_ms else row.raised_at_ms,
            row.cleared_at_ms,
            row.parent_id,
        )
        for row in rows
    ]


def _trackers_of_sensors(connection: Connection) -> dict[str, frozenset[int]]:
    """For the alarm of each sensor that reports through trackers, the trackers of its vehicle."""
    query = (
        select(FuelSensor.key, Device.key)
        .join(Tank, Tank.id == FuelSensor.tank_id)
        .join(Device, Device.vehicle_id == Tank.vehicle_id)
        .where(FuelSensor.kind == "telematics", FuelSensor.removed_at.is_(None))
    )
    found: dict[str, set[int]] = {}
    for sensor_key, device_key in connection.execute(query):
        found.setdefault(f"{Kind.SENSOR_SILENT.value}:{sensor_key}", set()).add(device_key)
    return {key: frozenset(devices) for key, devices in found.items()}
