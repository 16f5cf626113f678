"""Where a vehicle was, how fast and with which ignition, from whatever trackers were on it and from its engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Text, case, cast, func, select

from app.fleet.plausibility import NOT_IN_TOTALS
from app.fleet.tracks import assignments_of, filled
from app.fuel.arrays import Floats
from app.fuel.columns import TEN_MILLIONTHS, THOUSANDTHS, WHOLE, read_columns
from app.store.tables import EngineReadingRow, PositionRow

WITHIN_S = 600.0
"""A fix says something about a reading that came so much later at most."""
ENOUGH_FIXES = 150_000
"""A chart has far fewer points."""

_WHILE_MS = 600_000
_FIX: np.dtype[np.void] = np.dtype(
    [(name, np.float64) for name in ("fixed_at_ms", "speed_km_h", "lat", "lon", "ignition")]
)


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Arrays of one length in the order of time, NaN where unknown. ``ignition`` is 1 on, 0 off, NaN unknown."""

    time_s: Floats
    speed_km_h: Floats
    lat: Floats
    lon: Floats
    ignition: Floats

    def at(self, moments_s: Floats) -> Motion:
        """What the newest fix before each moment says, NaN where it is too old."""
        if not len(self.time_s):
            return no_motion(moments_s)
        at = np.searchsorted(self.time_s, moments_s, side="right") - 1
        known = (at >= 0) & (moments_s - self.time_s[at] <= WITHIN_S)
        series = (self.speed_km_h, self.lat, self.lon, self.ignition)
        return Motion(moments_s, *(np.where(known, values[at], np.nan) for values in series))

    def or_else(self, other: Motion) -> Motion:
        """Both of one length: ``other`` where this says nothing."""
        pairs = (
            (self.speed_km_h, other.speed_km_h),
            (self.lat, other.lat),
            (self.lon, other.lon),
            (self.ignition, other.ignition),
        )
        return Motion(self.time_s, *(np.where(np.isnan(first), second, first) for first, second in pairs))


def no_motion(moments_s: Floats) -> Motion:
    """Nothing known at any of the moments."""
    unknown = np.full(len(moments_s), np.nan)
    return Motion(moments_s, unknown, unknown, unknown, unknown)


def vehicle_motion(
    connection: Connection, vehicle_id: str, from_ms: int, to_ms: int, *, enough: int | None = None
) -> Motion:
    """Fixes that totals count, of the trackers of a vehicle while they were on it, ``from_ms <= time < to_ms``.

    Where two sources tell of one time, the direct one is taken, as in :func:`app.fleet.tracks.vehicle_track`. Of more
    fixes than ``enough`` of a tracker only the first part of every ten minutes is read: for the eye, not for distances.
    """
    parts: dict[bool, list[NDArray[np.void]]] = {False: [], True: []}
    for device_key, through_server, start_ms, end_ms in assignments_of(connection, vehicle_id, from_ms, to_ms):
        fixes = _fixes(connection, device_key, max(from_ms, start_ms), min(to_ms, end_ms), enough)
        parts[through_server].append(fixes)
    merged = np.zeros(0, _FIX)
    for part in (*parts[False], *parts[True]):
        merged = filled(merged, part)
    return Motion(merged["fixed_at_ms"] / 1000, merged["speed_km_h"], merged["lat"], merged["lon"], merged["ignition"])


def engine_motion(connection: Connection, sensor_keys: Sequence[int], from_ms: int, to_ms: int) -> Motion:
    """Speed and ignition as the engine's computer told them: it runs while its shaft turns."""
    engine = EngineReadingRow
    query = (
        select(engine.measured_at_ms, engine.speed_km_h, engine.engine_rpm)
        .where(
            engine.sensor_key.in_(sensor_keys),
            engine.measured_at_ms >= from_ms,
            engine.measured_at_ms < to_ms,
        )
        .order_by(engine.measured_at_ms)
    )
    time_ms, speed, rpm = read_columns(connection, query, (WHOLE, THOUSANDTHS, THOUSANDTHS))
    unknown = np.full(len(time_ms), np.nan)
    running = np.where(np.isnan(rpm), np.nan, (rpm > 0).astype(np.float64))
    return Motion(time_ms / 1000, speed, unknown, unknown, running)


def _fixes(connection: Connection, device_key: int, from_ms: int, to_ms: int, enough: int | None) -> NDArray[np.void]:
    position = PositionRow
    mine = (position.device_key == device_key, position.fixed_at_ms >= from_ms, position.fixed_at_ms < to_ms)
    text = cast(position.attributes, Text)
    ignition = case((text.contains('"ignition":true'), 1), (text.contains('"ignition":false'), 0), else_=None)
    columns: Sequence[ColumnElement[Any]] = (
        position.fixed_at_ms,
        position.speed_km_h,
        position.lat,
        position.lon,
        ignition,
    )
    names = _FIX.names or ()
    query = select(*(column.label(name) for name, column in zip(names, columns, strict=True)))
    query = query.where(*mine, position.marks.bitwise_and(int(NOT_IN_TOTALS)) == 0)
    if enough is not None:
        # By the index alone, before a row is looked up.
        count = connection.execute(select(func.count()).select_from(position).where(*mine)).scalar_one()
        query = query.where(position.fixed_at_ms % _WHILE_MS < _WHILE_MS * enough // max(count, enough))
    scales = (WHOLE, THOUSANDTHS, TEN_MILLIONTHS, TEN_MILLIONTHS, WHOLE)
    arrays = read_columns(connection, query.order_by(position.fixed_at_ms), scales)
    fixes = np.empty(len(arrays[0]), _FIX)
    for name, array in zip(names, arrays, strict=True):
        fixes[name] = array
    return fixes
