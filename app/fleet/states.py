"""The newest of everything about each device, coalesced in memory and written at most once a second per device.

``device_states`` is a convenience that can always be derived again: the fact ``device_states_upto`` names the
position and the raw frame up to which all its rows are true, and :meth:`StateBook.recover` adds what was stored after
those, so that rows are right after kill -9 too. Power and signal levels of the last second before a kill come back
with the device's next heartbeat. Where the fact was lost, each device's newest fix is looked up instead: a store of
millions of positions must not be walked at a start.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Dialect, func, select

from adapters.records import DeviceStatus
from app.fleet.bulk import compile_for
from app.fleet.freshness import smoothed_lag_s
from app.fleet.plausibility import NOT_LIVE, OLD_AFTER_MS, Mark
from app.store.facts import DEVICE_STATES_UPTO, get_fact, set_fact
from app.store.tables import Device, DeviceState, PositionRow, RawFrameRow
from app.store.upsert import insert_on

UPTO = DEVICE_STATES_UPTO
FLUSH_EVERY_MS = 1_000
ALIVE_VERDICTS = frozenset({"ok", "unknown_type"})
"""Verdicts of frames that prove their device alive, also without a record; others may be anybody's."""
KIND_LENGTH = 32

COLUMNS = tuple(column.name for column in DeviceState.__table__.columns if column.name != "changed_version")
_values = attrgetter(*COLUMNS)
_NO_LAG = (Mark.NO_DEVICE_TIME | Mark.OLD | Mark.ABSURD_DATE).value
_MOVING = tuple(column for column in PositionRow.__table__.columns if column.name != "attributes")
_TOLD = (
    "power_level", "gsm_level", "satellites", "battery_v", "battery_percent", "external_v", "charging", "ignition",
)  # fmt: skip
_PAGE_ROWS = 5_000
_KEYS_PER_QUERY = 500


class LiveState:
    """One row of ``device_states`` in memory, and whether it differs from the stored one."""

    __slots__ = (*COLUMNS, "flushed_at_ms", "unflushed_frame", "unflushed_position")

    device_key: int
    last_seen_ms: int
    last_kind: str
    frames: int
    blocked_frames: int
    position_id: int | None
    fixed_at_ms: int | None
    lat: float | None
    lon: float | None
    speed_km_h: float | None
    course_deg: float | None
    marks: int
    power_level: int | None
    gsm_level: int | None
    satellites: int | None
    battery_v: float | None
    battery_percent: int | None
    external_v: float | None
    charging: bool | None
    ignition: bool | None
    clock_lag_s: int | None
    source: str
    raw_frame_id: int | None
    flushed_at_ms: int
    unflushed_position: int
    unflushed_frame: int

    def __init__(self, device_key: int) -> None:
        for name in COLUMNS:
            setattr(self, name, None)
        self.device_key = device_key
        self.last_seen_ms = self.frames = self.blocked_frames = self.marks = 0
        self.last_kind = self.source = ""
        self.flushed_at_ms = self.unflushed_position = self.unflushed_frame = 0

    def heard(self, at_ms: int, kind: str, source: str, raw_frame_id: int | None) -> None:
        """A frame of any kind arrived."""
        self.frames += 1
        if raw_frame_id is not None:
            self.raw_frame_id = raw_frame_id  # also the last one counted, by which a recovery counts on
        if at_ms >= self.last_seen_ms:
            self.last_seen_ms = at_ms
            self.last_kind = kind[:KIND_LENGTH]
            self.source = source

    def moved(self, row: Sequence[Any]) -> None:
        """A position was stored; ``row`` is its tuple. Kept if it is live and newer than the one we have.

        A fix that claims to come from the future counts from its arrival, so that it cannot hold the vehicle there.
        """
        fixed_at_ms, received_at_ms, marks = row[2], row[3], row[11]
        if not marks & _NO_LAG and fixed_at_ms - received_at_ms < OLD_AFTER_MS:
            self.clock_lag_s = smoothed_lag_s(self.clock_lag_s, (fixed_at_ms - received_at_ms) // 1000)
        if marks & NOT_LIVE:
            return
        at_ms = min(fixed_at_ms, received_at_ms)
        if self.fixed_at_ms is not None and at_ms <= self.fixed_at_ms:
            return
        self.fixed_at_ms = at_ms
        self.position_id = row[0]
        self.lat, self.lon, self.speed_km_h, self.course_deg = row[4], row[5], row[6], row[7]
        self.marks = marks
        if row[9] is not None:
            self.satellites = row[9]

    def told(self, status: DeviceStatus) -> None:
        """Take over what a status says; what it does not say stays."""
        for name in _TOLD:
            value = getattr(status, name)
            if value is not None and isfinite(value):
                setattr(self, name, value)

    def as_row(self, version: int) -> tuple[Any, ...]:
        return (*_values(self), version)


def _is_due(state: LiveState, now_ms: int) -> bool:
    # A time of writing that lies ahead means that the clock was set back; that must not keep states in memory.
    return not now_ms - FLUSH_EVERY_MS < state.flushed_at_ms <= now_ms


class StateBook:
    """The live states of all devices; touched on the writer thread only."""

    def __init__(self, dialect: Dialect) -> None:
        names = (*COLUMNS, "changed_version")
        upsert = insert_on(dialect)(DeviceState).values(dict.fromkeys(names))
        upsert = upsert.on_conflict_do_update(
            index_elements=["device_key"],
            set_={name: upsert.excluded[name] for name in names if name != "device_key"},
        )
        self._upsert = compile_for(dialect, upsert, names)
        self._states: dict[int, LiveState] = {}
        self._dirty: dict[int, LiveState] = {}

    def load(self, connection: Connection, device_keys: Iterable[int]) -> None:
        """Bring the states of these devices into memory."""
        missing = [key for key in device_keys if key not in self._states]
        for start in range(0, len(missing), _KEYS_PER_QUERY):
            part = missing[start : start + _KEYS_PER_QUERY]
            rows = connection.execute(
                select(*(DeviceState.__table__.c[name] for name in COLUMNS)).where(DeviceState.device_key.in_(part))
            )
            for row in rows:
                state = LiveState(row[0])
                for name, value in zip(COLUMNS, row, strict=True):
                    setattr(state, name, value)
                self._states[state.device_key] = state
        for key in missing:
            if key not in self._states:
                self._states[key] = LiveState(key)

    def moved(self, rows: Iterable[Sequence[Any]]) -> None:
        """Positions of loaded devices were stored; see :meth:`LiveState.moved`."""
        states = self._states
        for row in rows:
            states[row[1]].moved(row)

    def touch(self, device_key: int, position_id: int, frame_id: int) -> LiveState:
        """The loaded state of a device, to be changed; the ids are the next ones that will be given out."""
        state = self._states[device_key]
        if device_key not in self._dirty:
            self._dirty[device_key] = state
            state.unflushed_position, state.unflushed_frame = position_id, frame_id
        return state

    @property
    def is_dirty(self) -> bool:
        return bool(self._dirty)

    def is_due(self, device_keys: Iterable[int], now_ms: int) -> bool:
        """Whether a flush would write something, once the devices named have been touched."""
        states = self._states
        return any(_is_due(states[key], now_ms) for key in device_keys) or any(
            _is_due(state, now_ms) for state in self._dirty.values()
        )

    def flush(
        self, connection: Connection, now_ms: int, version: int, next_ids: tuple[int, int], *, everything: bool = False
    ) -> int:
        """Write the states that changed and were not written within the last second; returns how many.

        ``version`` is that of the topic ``device_states``; ``next_ids`` the next position and raw frame id.
        """
        due = [state for state in self._dirty.values() if everything or _is_due(state, now_ms)]
        if not due:
            return 0
        connection.exec_driver_sql(self._upsert, [state.as_row(version) for state in due])
        for state in due:
            state.flushed_at_ms = now_ms
            del self._dirty[state.device_key]
        waiting = self._dirty.values()
        position_id = min((state.unflushed_position for state in waiting), default=next_ids[0]) - 1
        frame_id = min((state.unflushed_frame for state in waiting), default=next_ids[1]) - 1
        set_fact(connection, UPTO, {"position_id": position_id, "frame_id": frame_id})
        return len(due)

    def recover(self, connection: Connection) -> None:
        """Add to the states what was stored after they were last written; they are then dirty."""
        upto = get_fact(connection, UPTO)
        if upto is None:
            self._look_up_newest(connection)
            return
        self._recover_positions(connection, int(upto["position_id"]))
        self._recover_frames(connection, int(upto["frame_id"]))

    def _look_up_newest(self, connection: Connection) -> None:
        """The newest live fix of every device, found by the index of the natural key."""
        keys = connection.execute(select(Device.key)).scalars().all()
        self.load(connection, keys)
        live = PositionRow.marks.bitwise_and(NOT_LIVE | Mark.AHEAD.value) == 0
        newest = select(*_MOVING).where(live).order_by(PositionRow.fixed_at_ms.desc()).limit(1)
        for key in keys:
            row = connection.execute(newest.where(PositionRow.device_key == key)).first()
            if row is not None:
                self._add_position(row)

    def _recover_positions(self, connection: Connection, upto: int) -> None:
        while True:
            page = connection.execute(
                select(*_MOVING).where(PositionRow.id > upto).order_by(PositionRow.id).limit(_PAGE_ROWS)
            ).all()
            if not page:
                return
            self.load(connection, {row[1] for row in page})
            for row in page:
                self._add_position(row)
            upto = page[-1][0]

    def _add_position(self, row: Sequence[Any]) -> None:
        state = self.touch(row[1], row[0], 1)
        state.moved(row)
        if row[3] > state.last_seen_ms:  # frames are counted by their own rows
            state.last_seen_ms, state.last_kind, state.source = row[3], "position", row[13]

    def _recover_frames(self, connection: Connection, upto: int) -> None:
        """Count the frames that came after the last one that each state has counted."""
        frame = RawFrameRow
        is_new = frame.id > func.coalesce(DeviceState.raw_frame_id, 0)
        rows = connection.execute(
            select(Device.key, func.count(), func.max(frame.received_at_ms), func.max(frame.id))
            .join(frame, frame.device_key == Device.key)
            .outerjoin(DeviceState, DeviceState.device_key == Device.key)
            .where(frame.id > upto, frame.verdict.in_(ALIVE_VERDICTS), is_new)
            .group_by(Device.key)
        ).all()
        self.load(connection, [row[0] for row in rows])
        for key, count, newest_ms, newest_id in rows:
            state = self.touch(key, 1, newest_id)
            state.frames += count
            state.raw_frame_id = newest_id
            state.last_seen_ms = max(state.last_seen_ms, newest_ms)
