"""Questions about the fleet: the live picture, what is new, events, geofences, the bytes behind a row, statistics.

Functions on a connection of ``store.read``; each is one page of work, so no read transaction lasts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, or_, select

from app.fleet.freshness import Freshness, freshness
from app.fleet.geo import distance_m
from app.fleet.listing import DeviceListing, list_devices
from app.fleet.registry import KNOWN
from app.fleet.tracks import as_array
from app.store.tables import (
    Device,
    DeviceEventRow,
    GeofenceRow,
    PositionRow,
    RawFrameRow,
    Vehicle,
)

PAGE_ROWS = 5_000
DISAGREE_M = 500.0
DISAGREE_WITHIN_MS = 60_000


@dataclass(frozen=True, slots=True)
class LiveFleet:
    """What the map shows: one entry per vehicle, and one per tracker that its server names but no vehicle carries.

    ``devices`` are the sources chosen; arrays are ``(n,)`` in the same order, NaN where unknown. ``other_source_m``
    is the distance to what a second source says of the same minute, NaN without one; more than ``DISAGREE_M``
    deserves a word.
    """

    devices: Sequence[DeviceListing]
    device_key: NDArray[np.int64]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    course_deg: NDArray[np.float64]
    speed_km_h: NDArray[np.float64]
    fixed_at_ms: NDArray[np.int64]
    last_seen_ms: NDArray[np.int64]
    marks: NDArray[np.int64]
    other_source_m: NDArray[np.float64]


def live_fleet(connection: Connection, now_ms: int) -> LiveFleet:
    """The live picture; blocked and waiting trackers, those without any fix and drivers' phones are left out."""
    by_vehicle: dict[str, list[DeviceListing]] = {}
    for device in list_devices(connection, now_ms, states=frozenset({KNOWN}), phones=False):
        if device.lat is not None and (device.visible or device.vehicle_id is not None):
            by_vehicle.setdefault(device.vehicle_id or device.id, []).append(device)
    chosen = [min(sources, key=_preference) for sources in by_vehicle.values()]
    apart = [_distance_between(one, by_vehicle[one.vehicle_id or one.id]) for one in chosen]
    return LiveFleet(
        chosen,
        np.array([device.key for device in chosen], np.int64),
        _floats([device.lat for device in chosen]),
        _floats([device.lon for device in chosen]),
        _floats([device.course_deg for device in chosen]),
        _floats([device.speed_km_h for device in chosen]),
        np.array([device.fixed_at_ms or 0 for device in chosen], np.int64),
        np.array([device.last_seen_ms or 0 for device in chosen], np.int64),
        np.array([device.marks for device in chosen], np.int64),
        _floats(apart),
    )


def _preference(device: DeviceListing) -> tuple[bool, bool, int]:
    """Smallest first: a direct source with a fresh fix, then any fresh one, then the freshest."""
    is_fresh = freshness(device.fixed_at_ms, device.now_ms) is Freshness.ONLINE
    return (not is_fresh, device.is_from_server if is_fresh else False, -(device.fixed_at_ms or 0))


def _distance_between(chosen: DeviceListing, sources: Sequence[DeviceListing]) -> float | None:
    """Metres from the chosen source to the farthest other one that speaks of the same minute."""
    distances = [
        distance_m(chosen.lat, chosen.lon, other.lat, other.lon)
        for other in sources
        if other is not chosen
        and chosen.lat is not None
        and chosen.lon is not None
        and other.lat is not None
        and other.lon is not None
        and abs((other.fixed_at_ms or 0) - (chosen.fixed_at_ms or 0)) <= DISAGREE_WITHIN_MS
    ]
    return max(distances, default=None)


def _floats(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array(values, np.float64)


def newest_position_id(connection: Connection) -> int:
    """The id of the newest stored position, 0 when there is none."""
    return connection.execute(select(func.coalesce(func.max(PositionRow.id), 0))).scalar_one()


def positions_since(connection: Connection, after_id: int, *, limit: int = PAGE_ROWS) -> NDArray[np.void]:
    """Positions stored after the one with ``after_id``, in the order of storing, as the array of a track."""
    position = PositionRow
    rows = connection.execute(
        select(
            position.id,
            position.device_key,
            position.fixed_at_ms,
            position.received_at_ms,
            position.lat,
            position.lon,
            position.speed_km_h,
            position.course_deg,
            position.marks,
        )
        .where(position.id > after_id)
        .order_by(position.id)
        .limit(limit)
    ).all()
    return as_array(rows)


@dataclass(frozen=True, slots=True)
class EventListing:
    """One event with the names that a person knows it by."""

    id: int
    device_key: int
    device: str
    vehicle_id: str | None
    vehicle: str | None
    integration_id: str
    occurred_at_ms: int
    received_at_ms: int
    kind: str
    code: str
    text: str
    source: str
    lat: float | None
    lon: float | None
    marks: int
    raw_frame_id: int | None


_EVENT = (
    select(
        DeviceEventRow.id,
        DeviceEventRow.device_key,
        Device.unique_id,
        Device.vehicle_id,
        Vehicle.plate,
        Device.integration_id,
        DeviceEventRow.occurred_at_ms,
        DeviceEventRow.received_at_ms,
        DeviceEventRow.kind,
        DeviceEventRow.code,
        DeviceEventRow.text,
        DeviceEventRow.source,
        DeviceEventRow.lat,
        DeviceEventRow.lon,
        DeviceEventRow.marks,
        DeviceEventRow.raw_frame_id,
    )
    .join(Device, Device.key == DeviceEventRow.device_key)
    .outerjoin(Vehicle, Vehicle.id == Device.vehicle_id)
)


def events_since(connection: Connection, after_id: int, *, limit: int = PAGE_ROWS) -> list[EventListing]:
    """Events stored after the one with ``after_id``, in the order of storing."""
    query = _EVENT.where(DeviceEventRow.id > after_id).order_by(DeviceEventRow.id).limit(limit)
    return [EventListing(*tuple(row)) for row in connection.execute(query)]


def find_events(
    connection: Connection,
    *,
    text: str = "",
    kinds: Collection[str] = (),
    device_key: int | None = None,
    vehicle_id: str | None = None,
    integration_id: str | None = None,
    from_ms: int | None = None,
    to_ms: int | None = None,
    before: tuple[int, int] | None = None,
    limit: int = 500,
) -> list[EventListing]:
    """Events by time, newest first. Each word of ``text`` is sought in text, kind, code, tracker and plate.

    ``before`` is (occurred_at_ms, id) of the last event of the page before.
    """
    event = DeviceEventRow
    query = _EVENT.order_by(event.occurred_at_ms.desc(), event.id.desc()).limit(limit)
    for word in text.replace("\x00", "").split():
        fields = (event.text, event.kind, event.code, Device.unique_id, Device.name, Vehicle.plate)
        query = query.where(or_(*(field.icontains(word, autoescape=True) for field in fields)))
    if kinds:
        query = query.where(event.kind.in_(kinds))
    if device_key is not None:
        query = query.where(event.device_key == device_key)
    if vehicle_id is not None:
        query = query.where(Device.vehicle_id == vehicle_id)
    if integration_id is not None:
        query = query.where(Device.integration_id == integration_id)
    if from_ms is not None:
        query = query.where(event.occurred_at_ms >= from_ms)
    if to_ms is not None:
        query = query.where(event.occurred_at_ms < to_ms)
    if before is not None:
        at_ms, event_id = before
        older = (event.occurred_at_ms == at_ms) & (event.id < event_id)
        query = query.where((event.occurred_at_ms < at_ms) | older)
    return [EventListing(*tuple(row)) for row in connection.execute(query)]


def list_geofences(connection: Connection, *, integration_id: str | None = None) -> list[Any]:
    """Rows of the geofences that their servers still show, by name."""
    query = select(GeofenceRow.__table__).where(GeofenceRow.visible).order_by(GeofenceRow.name, GeofenceRow.id)
    if integration_id is not None:
        query = query.where(GeofenceRow.integration_id == integration_id)
    return list(connection.execute(query).all())


def frame_behind_position(connection: Connection, position_id: int) -> Any | None:
    """The row of ``raw_frames`` from which a position was read; None without one, or after retention deleted it."""
    return connection.execute(
        select(RawFrameRow.__table__)
        .join(PositionRow, PositionRow.raw_frame_id == RawFrameRow.id)
        .where(PositionRow.id == position_id)
    ).one_or_none()


def frame_behind_event(connection: Connection, event_id: int) -> Any | None:
    """As :func:`frame_behind_position`, for an event."""
    return connection.execute(
        select(RawFrameRow.__table__)
        .join(DeviceEventRow, DeviceEventRow.raw_frame_id == RawFrameRow.id)
        .where(DeviceEventRow.id == event_id)
    ).one_or_none()
