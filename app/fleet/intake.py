"""One pass over the records of a batch: each becomes rows, and the sums that the engine reports.

Made anew for every batch; it reads what the sink's caches know and writes nothing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from sqlalchemy import Connection

from adapters.records import (
    DeviceEvent,
    DeviceInfo,
    DeviceStatus,
    EngineReading,
    FuelReading,
    FuelSensorInfo,
    Geofence,
    Position,
    RawFrame,
    Record,
    Rejected,
)
from adapters.vocabulary import Attributes
from app.fleet import rows
from app.fleet.freshness import CLOCKS_APART_MS
from app.fleet.plausibility import NOT_A_REFERENCE, Mark, is_place, static_marks
from app.fleet.registry import BLOCKED, Registry, Tracker, neighbours
from app.fleet.states import ALIVE_VERDICTS, LiveState, StateBook
from app.fleet.strays import StrayFrames
from app.fleet.text import json_text

_JUMP = Mark.JUMP.value
_Source = tuple[Tracker, LiveState]


class Intake:
    """Rows and sums of one batch. ``next_position`` and ``next_raw`` are the ids to give out next."""

    def __init__(
        self,
        connection: Connection,
        integration_key: int,
        devices: Mapping[str, Tracker],
        registry: Registry,
        states: StateBook,
        strays: StrayFrames,
        next_ids: tuple[int, int],
        now_ms: int,
    ) -> None:
        self._connection = connection
        self._integration_key = integration_key
        self._devices = devices
        self._registry = registry
        self._states = states
        self._strays = strays
        self._now_ms = now_ms
        self.next_position, self.next_raw = next_ids
        self._raw_ids: dict[int, int] = {}
        self._texts: dict[int, str] = {}
        self._sources: dict[str, _Source] = {}
        self._look_up = partial(neighbours, connection)
        self._ids_at_start = next_ids
        self.raw_rows: list[rows.RawRow] = []
        self.position_rows: list[rows.PositionTuple] = []
        self.event_rows: list[rows.EventTuple] = []
        self.rejected: list[Rejected] = []
        self.statuses = self.infos = self.blocked = self.unattributed = self.unkept = 0
        self.newest_data_ms = 0
        self._take: Mapping[type[Record], Callable[[Any], None]] = {
            Position: self._position,
            DeviceStatus: self._status,
            DeviceEvent: self._event,
            DeviceInfo: self._info,
            RawFrame: self._lone_frame,
            Rejected: self.rejected.append,
            Geofence: _elsewhere,
            FuelSensorInfo: _elsewhere,
            FuelReading: _elsewhere,
            EngineReading: _elsewhere,
        }

    def take(self, records: Iterable[Record]) -> None:
        """Work through ``records`` in the order of their arrival."""
        handlers = self._take
        for record in records:
            handlers[type(record)](record)

    def keep_frame(self, raw: RawFrame) -> int:
        """The id under which a frame of no tracker is kept, for whoever points at it."""
        return self._raw_id(raw, None)

    def _position(self, position: Position) -> None:
        source = self._sources.get(position.device) or self._source(position)
        if source is None:
            return
        tracker = source[0]
        offset_s = tracker.clock_offset_s
        if offset_s is None:
            offset_s = position.declared_offset_s
        received_at_ms = position.received_at_ms
        device_ms = position.fixed_at_ms
        fixed_at_ms = received_at_ms if device_ms is None else device_ms - offset_s * 1000
        lat, lon = position.lat, position.lon
        if not is_place(lat, lon):
            self._heard(source, position, "position")
            why = f"The position of {position.device} is nowhere: latitude {lat}, longitude {lon}."
            self.rejected.append(Rejected(f"position of {position.device}", why, repr(position)))
            return
        marks = static_marks(
            None if device_ms is None else fixed_at_ms,
            received_at_ms,
            lat,
            lon,
            position.speed_km_h,
            position.course_deg,
            position.located,
        )
        if not marks & NOT_A_REFERENCE:
            history = tracker.history or self._registry.history(self._connection, tracker)
            if history.is_jump((fixed_at_ms, lat, lon), self._look_up):
                marks |= _JUMP
        raw_id = self._heard(source, position, "position")
        row_id = self.next_position
        self.next_position = row_id + 1
        attributes = self._attributes_text(position.attributes) if position.attributes else None
        self.position_rows.append(
            rows.position_row(row_id, tracker.key, position, offset_s, fixed_at_ms, marks, raw_id, attributes)
        )
        at_ms = min(received_at_ms, fixed_at_ms)
        if at_ms > self.newest_data_ms:  # noqa: PLR1730 - max() costs a call per position
            self.newest_data_ms = at_ms

    def _status(self, status: DeviceStatus) -> None:
        source = self._sources.get(status.device) or self._source(status)
        if source is None:
            return
        self.statuses += 1
        self._heard(source, status, status.kind)
        source[1].told(status)
        self.newest_data_ms = max(self.newest_data_ms, status.received_at_ms)

    def _event(self, event: DeviceEvent) -> None:
        """What a server says about a device, by itself, is no sign of life of it: its silence is reported as well."""
        source = self._sources.get(event.device) or self._source(event)
        if source is None:
            return
        tracker = source[0]
        offset_s = tracker.clock_offset_s if tracker.clock_offset_s is not None else event.declared_offset_s
        raw_id = None if event.raw is None else self._heard(source, event, event.kind)
        row = rows.event_row(tracker.key, event, offset_s, raw_id)
        self.event_rows.append(row)
        if event.raw is not None:
            self.newest_data_ms = max(self.newest_data_ms, min(row[1], event.received_at_ms))

    def _info(self, info: DeviceInfo) -> None:
        self.infos += 1
        tracker = self._devices.get(info.device)
        if tracker is None or info.last_update_ms is None or tracker.state == BLOCKED:
            return
        state = self._touch(tracker)
        at_ms = min(info.last_update_ms, self._now_ms)  # the server's clock may be ahead of ours
        state.last_seen_ms = max(state.last_seen_ms, at_ms)
        self.newest_data_ms = max(self.newest_data_ms, at_ms)

    def _lone_frame(self, raw: RawFrame) -> None:
        """A frame without a record: kept. It proves a device alive only if it was well formed, and creates none."""
        tracker = self._devices.get(raw.device) if raw.device is not None else None
        if tracker is None:
            self._stray(raw)
            return
        if tracker.state == BLOCKED:
            self._count_blocked(tracker, raw, raw.received_at_ms)
            return
        is_known = id(raw) in self._raw_ids
        raw_id = self._raw_id(raw, tracker.key)
        if raw.verdict in ALIVE_VERDICTS and not is_known:
            self._touch(tracker).heard(raw.received_at_ms, "frame", raw.protocol, raw_id)

    def _source(self, record: Position | DeviceStatus | DeviceEvent) -> _Source | None:
        """The device whose record is to be stored, with its state; None after counting why not."""
        tracker = self._devices.get(record.device)
        if tracker is None:
            self.unattributed += 1
            if record.raw is not None:
                self._stray(record.raw)
            return None
        if tracker.state == BLOCKED:
            self._count_blocked(tracker, record.raw, record.received_at_ms)
            return None
        source = self._sources[record.device] = (tracker, self._touch(tracker))
        if tracker.offset_is_new:
            tracker.offset_is_new = False
            source[1].clock_lag_s = None  # what was measured with another offset says nothing now
        return source

    def _stray(self, raw: RawFrame) -> None:
        """Keep a frame of no device that we know, unless more of them came in this hour than are worth keeping."""
        if id(raw) in self._raw_ids:
            return
        if self._strays.is_kept(self._integration_key, raw.received_at_ms):
            self._raw_id(raw, None)
        else:
            self._raw_ids[id(raw)] = 0
            self.unkept += 1

    def _count_blocked(self, tracker: Tracker, raw: RawFrame | None, received_at_ms: int) -> None:
        """Count one frame of a blocked device, once however many records it gave."""
        if raw is not None:
            if id(raw) in self._raw_ids:
                return
            self._raw_ids[id(raw)] = 0
        self.blocked += 1
        state = self._touch(tracker)
        state.blocked_frames += 1
        state.last_seen_ms = max(state.last_seen_ms, received_at_ms)

    def _heard(self, source: _Source, record: Position | DeviceStatus | DeviceEvent, kind: str) -> int | None:
        """Count one frame of a device, once however many records it gave; returns the id of its bytes."""
        tracker, state = source
        raw = record.raw
        raw_id = None
        if raw is not None:
            before = self.next_raw
            raw_id = self._raw_id(raw, tracker.key)
            if raw_id < before:
                return raw_id
        state.heard(record.received_at_ms, kind, record.source, raw_id)
        return raw_id

    def _touch(self, tracker: Tracker) -> LiveState:
        state = self._states.touch(tracker.key, *self._ids_at_start)
        if state.last_seen_ms > self._now_ms + CLOCKS_APART_MS:
            state.last_seen_ms = 0  # our clock was ahead then and was set right; nobody is heard tomorrow
        return state

    def _raw_id(self, raw: RawFrame, device_key: int | None) -> int:
        # Records of one frame share the object, so its identity is the frame's; the batch keeps it alive.
        raw_id = self.next_raw
        known = self._raw_ids.setdefault(id(raw), raw_id)
        if known != raw_id:
            return known
        self.next_raw = raw_id + 1
        self.raw_rows.append(rows.raw_row(raw_id, self._integration_key, device_key, raw))
        return raw_id

    def _attributes_text(self, attributes: Attributes) -> str:
        """As JSON. Trackers say the same in frame after frame, and their adapter says it with the same object."""
        text = self._texts.get(id(attributes))
        if text is None:
            text = self._texts[id(attributes)] = json_text(attributes)
        return text


def _elsewhere(_record: object) -> None:
    """Geofences are compared with the store before anything is written; fuel has an intake of its own."""
