"""The questions the map asks the store; each runs off the UI thread and answers in the map's own shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, or_, select

from app.fleet.states import UPTO
from app.store.facts import get_fact
from app.store.tables import (
    Device,
    DeviceAssignment,
    DeviceEventRow,
    DeviceState,
    GeofenceRow,
    Integration,
    IntegrationState,
    PositionRow,
    RawFrameRow,
    Vehicle,
)
from resources.i18n import tr
from widgets.map.events import EventMark
from widgets.map.fleet import NewPositions, Tracker
from widgets.map.geofences import Fence
from widgets.map.projection import FloatArray
from widgets.map.raw_inspector import FrameView
from widgets.map.track import Track

PAGE_ROWS = 5_000
MOST_EVENTS = 500
MOST_FIXES = 200_000  # a fix every half second, all day
ALARM_KINDS = frozenset({
    "sos", "power_cut", "power_off", "tamper", "tampering", "collision", "accident", "fall", "tow", "jamming",
    "fuel_leak", "alarm",
})  # fmt: skip
"""Events that a person must see to; everything else is only an event."""

_TRACKER = (
    Device.key,
    Device.unique_id,
    Device.name,
    Device.state,
    Integration.name,
    Device.vehicle_id,
    Vehicle.plate,
    Vehicle.name,
    DeviceState.source,
    DeviceState.position_id,
    DeviceState.fixed_at_ms,
    DeviceState.last_seen_ms,
    DeviceState.lat,
    DeviceState.lon,
    DeviceState.speed_km_h,
    DeviceState.course_deg,
    DeviceState.marks,
    DeviceState.power_level,
    DeviceState.gsm_level,
    DeviceState.satellites,
    DeviceState.battery_v,
    DeviceState.external_v,
    DeviceState.charging,
    DeviceState.ignition,
)
_POSITION = (
    PositionRow.id,
    PositionRow.device_key,
    PositionRow.fixed_at_ms,
    PositionRow.received_at_ms,
    PositionRow.lat,
    PositionRow.lon,
    PositionRow.speed_km_h,
    PositionRow.course_deg,
    PositionRow.marks,
)
_EVENT = (
    DeviceEventRow.id,
    DeviceEventRow.device_key,
    DeviceEventRow.occurred_at_ms,
    DeviceEventRow.received_at_ms,
    DeviceEventRow.kind,
    DeviceEventRow.text,
    DeviceEventRow.lat,
    DeviceEventRow.lon,
    Vehicle.plate,
    Device.name,
    Device.unique_id,
)
_FRAME = (
    RawFrameRow.protocol,
    RawFrameRow.data,
    RawFrameRow.received_at_ms,
    RawFrameRow.peer,
    RawFrameRow.verdict,
    RawFrameRow.reply,
    Integration.type,
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All trackers that are not blocked, true up to position ``newest_id``."""

    trackers: list[Tracker]
    newest_id: int


@dataclass(frozen=True, slots=True)
class FleetSources:
    """Enabled integrations and what those that listen say of where."""

    names: tuple[str, ...]
    listening: tuple[str, ...]


def read_snapshot(connection: Connection) -> Snapshot:
    """Everything about every tracker as last written; newer positions follow by :func:`read_since`."""
    upto = get_fact(connection, UPTO) or {}
    return Snapshot(_read_trackers(connection, _trackers()), int(upto.get("position_id", 0)))


def read_trackers(connection: Connection, device_keys: Sequence[int]) -> list[Tracker]:
    """The same for a few trackers: what changes without a position (battery, signal) is read again here."""
    return _read_trackers(connection, _trackers().where(Device.key.in_(device_keys)))


def _trackers() -> Select[*tuple[Any, ...]]:
    return (
        select(*_TRACKER)
        .join(Integration, Integration.id == Device.integration_id)
        .outerjoin(Vehicle, Vehicle.id == Device.vehicle_id)
        .outerjoin(DeviceState, DeviceState.device_key == Device.key)
        .where(Device.state != "blocked", Integration.removed_at.is_(None))
        .order_by(Device.key)
    )


def _read_trackers(connection: Connection, query: Select[*tuple[Any, ...]]) -> list[Tracker]:
    trackers = []
    for row in connection.execute(query):
        key, unique_id, name, state, integration, vehicle_id, plate, vehicle_name, source, *moving = row
        words = (key, unique_id, name, state, integration, vehicle_id, plate or "", vehicle_name or "", source or "")
        moving[7] = moving[7] or 0
        trackers.append(Tracker(*words, *moving))
    return trackers


def read_heard(connection: Connection) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Device keys and when each was last heard, by key."""
    query = select(DeviceState.device_key, DeviceState.last_seen_ms).order_by(DeviceState.device_key)
    rows = np.array([tuple(row) for row in connection.execute(query)], np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def read_since(connection: Connection, after_id: int) -> NewPositions:
    """The next positions after an id, at most ``PAGE_ROWS``."""
    query = select(*_POSITION).where(PositionRow.id > after_id).order_by(PositionRow.id).limit(PAGE_ROWS)
    ids, devices, fixed, received, lat, lon, speed, course, marks = _columns(connection, query, len(_POSITION))
    return NewPositions(
        id=_integers(ids),
        device_key=_integers(devices),
        fixed_at_ms=_integers(fixed),
        received_at_ms=_integers(received),
        lat=_floats(lat),
        lon=_floats(lon),
        speed_km_h=_floats(speed),
        course_deg=_floats(course),
        marks=_integers(marks),
    )


def read_track(connection: Connection, device_keys: Sequence[int], start_ms: int, end_ms: int) -> Track:
    """The fixes of some trackers between two times (end exclusive), in the order of their times."""
    query = (
        select(*_POSITION)
        .where(PositionRow.device_key.in_(device_keys))
        .where(PositionRow.fixed_at_ms >= start_ms, PositionRow.fixed_at_ms < end_ms)
        .order_by(PositionRow.fixed_at_ms, PositionRow.id)
        .limit(MOST_FIXES)
    )
    ids, _devices, fixed, _received, lat, lon, speed, course, marks = _columns(connection, query, len(_POSITION))
    return Track(
        id=_integers(ids),
        fixed_at_ms=_integers(fixed),
        lat=_floats(lat),
        lon=_floats(lon),
        speed_km_h=_floats(speed),
        course_deg=_floats(course),
        marks=_integers(marks),
    )


def read_devices_of(connection: Connection, vehicle_id: str, start_ms: int, end_ms: int) -> list[int]:
    """The trackers that were on a vehicle at some time of a span."""
    query = select(DeviceAssignment.device_key).where(
        DeviceAssignment.vehicle_id == vehicle_id,
        DeviceAssignment.from_ms < end_ms,
        or_(DeviceAssignment.to_ms.is_(None), DeviceAssignment.to_ms > start_ms),
    )
    return sorted(set(connection.execute(query).scalars()))


def read_events(connection: Connection, since_ms: int) -> tuple[list[EventMark], dict[int, int]]:
    """The newest events with a place, oldest first, and when each tracker last raised an alarm."""
    query = (
        select(*_EVENT)
        .join(Device, Device.key == DeviceEventRow.device_key)
        .outerjoin(Vehicle, Vehicle.id == Device.vehicle_id)
        .where(DeviceEventRow.occurred_at_ms >= since_ms, Device.state != "blocked")
        .order_by(DeviceEventRow.occurred_at_ms.desc(), DeviceEventRow.id.desc())
        .limit(MOST_EVENTS)
    )
    marks: list[EventMark] = []
    alarms: dict[int, int] = {}
    for row in connection.execute(query):
        event_id, device_key, occurred_ms, received_ms, kind, text, lat, lon, *names = row
        is_alarm = kind in ALARM_KINDS
        at_ms = min(occurred_ms, received_ms)  # an event that claims to come from the future counts from its arrival
        if is_alarm:
            alarms[device_key] = max(at_ms, alarms.get(device_key, 0))
        if lat is not None and lon is not None:
            owner = next(name for name in names if name)
            marks.append(EventMark(event_id, owner, kind, text or kind, at_ms, lat, lon, is_alarm))
    return marks[::-1], alarms


def read_fences(connection: Connection) -> list[Fence]:
    """The visible geofences of integrations that still exist."""
    query = (
        select(GeofenceRow.id, GeofenceRow.name, GeofenceRow.shape, GeofenceRow.points, GeofenceRow.radius_m)
        .join(Integration, Integration.id == GeofenceRow.integration_id)
        .where(GeofenceRow.visible, Integration.removed_at.is_(None))
    )
    return [
        Fence(key, name, shape, [(float(lat), float(lon)) for lat, lon in points], radius_m)
        for key, name, shape, points, radius_m in connection.execute(query)
    ]


def read_sources(connection: Connection) -> FleetSources:
    """Which integrations are on, and the sentence of those that listen."""
    query = (
        select(Integration.name, IntegrationState.detail)
        .outerjoin(IntegrationState, IntegrationState.integration_id == Integration.id)
        .where(Integration.enabled, Integration.removed_at.is_(None))
        .order_by(Integration.name)
    )
    rows = connection.execute(query).all()
    said = [str((detail or {}).get("connected") or "") for _name, detail in rows]
    return FleetSources(tuple(name for name, _detail in rows), tuple(text for text in said if "isten" in text))


def read_frame_of_position(connection: Connection, position_id: int, name: str) -> FrameView | None:
    """The bytes behind a position; None when they were deleted or its source sends none."""
    query = select(PositionRow.raw_frame_id).where(PositionRow.id == position_id)
    title = tr("Position {id} of {name}", id=position_id, name=name)
    return _read_frame(connection, connection.execute(query).scalar_one_or_none(), title)


def read_frame_of_event(connection: Connection, event_id: int, title: str) -> FrameView | None:
    """The bytes behind an event; None when they were deleted or its source sends none."""
    query = select(DeviceEventRow.raw_frame_id).where(DeviceEventRow.id == event_id)
    return _read_frame(connection, connection.execute(query).scalar_one_or_none(), title)


def _read_frame(connection: Connection, frame_id: int | None, title: str) -> FrameView | None:
    if frame_id is None:
        return None
    frame = connection.execute(_frames().where(RawFrameRow.id == frame_id)).one_or_none()
    if frame is None:
        return None
    return FrameView(title, *frame)


def _frames() -> Select[*tuple[Any, ...]]:
    return select(*_FRAME).join(Integration, Integration.key == RawFrameRow.integration_key)


def _columns(connection: Connection, query: Select[*tuple[Any, ...]], width: int) -> list[tuple[Any, ...]]:
    rows = connection.execute(query).all()
    return list(zip(*rows, strict=True)) if rows else [()] * width


def _integers(values: Sequence[int | None]) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def _floats(values: Sequence[float | None]) -> FloatArray:
    return np.array(values, np.float64)  # None becomes NaN
