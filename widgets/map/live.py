"""The questions the map asks the store; each runs off the UI thread and answers in the map's own shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, not_, or_, select

from app.alarms.words import Priority
from app.fleet import queries
from app.fleet.alarms import ALARM_KINDS
from app.fleet.listing import DeviceListing, list_devices
from app.fleet.phones import is_phone
from app.fleet.registry import KNOWN, WAITING
from app.fleet.states import UPTO
from app.fleet.tracks import device_track, vehicle_track
from app.store.facts import get_fact
from app.store.tables import Alarm as StoredAlarm
from app.store.tables import Device, DeviceState, Integration, IntegrationState
from widgets.map.events import Alarm, EventMark
from widgets.map.geofences import Fence
from widgets.map.raw_inspector import FrameView
from widgets.map.track import Track

MOST_EVENTS = 500
MOST_TO_CATCH_UP = 20_000  # positions that states may lag behind; only a store without its facts lags more


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The trackers to show, true up to position ``newest_id``, and the names of integrations by id."""

    trackers: list[DeviceListing]
    newest_id: int
    integrations: dict[str, str]


@dataclass(frozen=True, slots=True)
class Tracked:
    """Whose track is asked for: a vehicle's with whatever trackers it had, or that of one device on none."""

    label: str
    device_key: int
    vehicle_id: str | None


@dataclass(frozen=True, slots=True)
class FleetSources:
    """Enabled integrations, what those that listen say of where, and how many trackers wait to be adopted."""

    names: tuple[str, ...]
    listening: tuple[str, ...]
    waiting: int


def read_snapshot(connection: Connection, now_ms: int) -> Snapshot:
    """Everything about every tracker as last written; newer positions follow by ``queries.positions_since``."""
    upto = int((get_fact(connection, UPTO) or {}).get("position_id", 0))
    newest_id = max(upto, queries.newest_position_id(connection) - MOST_TO_CATCH_UP)
    trackers = [
        tracker
        for tracker in list_devices(connection, now_ms, states=frozenset({KNOWN}), phones=False)
        if tracker.visible or tracker.vehicle_id is not None
    ]
    names = {row.id: row.name for row in connection.execute(select(Integration.id, Integration.name))}
    return Snapshot(trackers, newest_id, names)


def read_heard(connection: Connection) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Device keys and when each was last heard, by key."""
    query = select(DeviceState.device_key, DeviceState.last_seen_ms).order_by(DeviceState.device_key)
    rows = np.array([tuple(row) for row in connection.execute(query)], np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def read_track(connection: Connection, tracked: Tracked, start_ms: int, end_ms: int) -> Track:
    """The fixes between two times (end exclusive)."""
    if tracked.vehicle_id is not None:
        return Track.of(vehicle_track(connection, tracked.vehicle_id, start_ms, end_ms).fixes)
    return Track.of(device_track(connection, tracked.device_key, start_ms, end_ms).fixes)


def read_events(connection: Connection, since_ms: int) -> tuple[list[EventMark], dict[int, Alarm]]:
    """The newest events with a place, oldest first, and the last alarm of each tracker by its key."""
    marks: list[EventMark] = []
    alarms: dict[int, Alarm] = {}
    for event in queries.find_events(connection, from_ms=since_ms, limit=MOST_EVENTS):
        is_alarm = event.kind in ALARM_KINDS
        at_ms = min(event.occurred_at_ms, event.received_at_ms)  # one from the future counts from its arrival
        text = event.text or event.kind.replace("_", " ")
        if is_alarm and (event.device_key not in alarms or alarms[event.device_key].at_ms < at_ms):
            alarms[event.device_key] = Alarm(at_ms, text)
        if event.lat is not None and event.lon is not None:
            owner = event.vehicle or event.device
            marks.append(EventMark(event.id, owner, event.kind, text, at_ms, event.lat, event.lon, is_alarm))
    return marks[::-1], alarms


def read_standing(connection: Connection, now_ms: int) -> dict[int, Alarm]:
    """The alarm of each tracker's vehicle that somebody should look at on a map, by the tracker's key.

    Those that nobody has seen to, of medium and high priority: a mark on every silent tracker would mark nothing.
    """
    wants = (
        StoredAlarm.acknowledged_at_ms.is_(None),
        StoredAlarm.cleared_at_ms.is_(None),
        StoredAlarm.parent_id.is_(None),
        StoredAlarm.priority.in_([Priority.MEDIUM.value, Priority.HIGH.value]),
        or_(StoredAlarm.shelved_until_ms.is_(None), StoredAlarm.shelved_until_ms <= now_ms),
    )
    of_it = or_(Device.key == StoredAlarm.device_key, Device.vehicle_id == StoredAlarm.vehicle_id)
    query = select(Device.key, StoredAlarm.raised_at_ms, StoredAlarm.title).join(StoredAlarm.__table__, of_it)
    rows = connection.execute(query.where(*wants).order_by(StoredAlarm.raised_at_ms))
    return {row[0]: Alarm(row[1], row[2]) for row in rows}


def read_fences(connection: Connection) -> list[Fence]:
    """The geofences that their servers still show."""
    return [
        Fence(row.id, row.name, row.shape, [(float(lat), float(lon)) for lat, lon in row.points], row.radius_m)
        for row in queries.list_geofences(connection)
    ]


def read_sources(connection: Connection) -> FleetSources:
    """Which integrations are on, the sentence of those that listen, and the trackers that wait."""
    query = (
        select(Integration.name, IntegrationState.detail)
        .outerjoin(IntegrationState, IntegrationState.integration_id == Integration.id)
        .where(Integration.enabled, Integration.removed_at.is_(None))
        .order_by(Integration.name)
    )
    rows = connection.execute(query).all()
    said = [str((detail or {}).get("connected") or "") for _name, detail in rows]
    trackers = select(Device.unique_id).where(Device.state == WAITING, not_(is_phone()))
    waiting = connection.execute(trackers.distinct()).all()
    listening = tuple(text for text in said if text.startswith("Listening"))
    return FleetSources(tuple(name for name, _detail in rows), listening, len(waiting))


def read_frame(connection: Connection, title: str, *, position_id: int = 0, event_id: int = 0) -> FrameView | None:
    """The bytes behind a position or an event; None when they were deleted or the source sends none."""
    row: Any = (
        queries.frame_behind_position(connection, position_id)
        if position_id
        else queries.frame_behind_event(connection, event_id)
    )
    if row is None:
        return None
    query = select(Integration.type).where(Integration.key == row.integration_key)
    kind = connection.execute(query).scalar_one_or_none() or ""
    return FrameView(title, row.protocol, row.data, row.received_at_ms, row.peer, row.verdict, row.reply, kind)
