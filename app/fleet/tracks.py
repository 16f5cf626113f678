"""The track of a vehicle or of one tracker over a range of time, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from app.fleet.geo import EARTH_RADIUS_M
from app.fleet.plausibility import NOT_IN_TOTALS
from app.store.tables import Device, DeviceAssignment, PositionRow

SAME_MOMENT_MS = 120_000
"""A second source fills only what is farther than this from any fix of the first one."""

_COLUMNS = (
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
_LAYOUT = np.dtype(
    [
        ("id", np.int64),
        ("device_key", np.int64),
        ("fixed_at_ms", np.int64),
        ("received_at_ms", np.int64),
        ("lat", np.float64),
        ("lon", np.float64),
        ("speed_km_h", np.float64),
        ("course_deg", np.float64),
        ("marks", np.int64),
    ]
)


@dataclass(frozen=True, slots=True)
class Track:
    """Fixes in the order of their fix times; every array is ``(n,)``. Unknown speed and course are NaN."""

    fixes: NDArray[np.void]

    def __len__(self) -> int:
        return len(self.fixes)

    def __getitem__(self, column: str) -> NDArray[Any]:
        """One column: id, device_key, fixed_at_ms, received_at_ms, lat, lon, speed_km_h, course_deg or marks."""
        return self.fixes[column]

    @property
    def counted(self) -> Track:
        """The fixes that totals are made of: those without a disqualifying mark."""
        return Track(self.fixes[(self.fixes["marks"] & NOT_IN_TOTALS) == 0])

    @property
    def left_out(self) -> int:
        """How many fixes totals leave out."""
        return int(np.count_nonzero(self.fixes["marks"] & NOT_IN_TOTALS))

    @property
    def distance_m(self) -> float:
        """Length of the way through the counted fixes, in metres."""
        counted = self.counted
        return float(leg_lengths_m(counted["lat"], counted["lon"]).sum())


def device_track(connection: Connection, device_key: int, from_ms: int, to_ms: int) -> Track:
    """Fixes of one tracker with ``from_ms <= fixed_at_ms < to_ms``."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(
            PositionRow.device_key == device_key,
            PositionRow.fixed_at_ms >= from_ms,
            PositionRow.fixed_at_ms < to_ms,
        )
        .order_by(PositionRow.fixed_at_ms)
    ).all()
    return Track(as_array(rows))


def vehicle_track(connection: Connection, vehicle_id: str, from_ms: int, to_ms: int) -> Track:
    """Fixes of whatever trackers were on the vehicle in the range, each while it was on it.

    Where two sources tell of the same time (one tracker through our listener and a server), the direct one is taken
    and the other fills its gaps, so that nothing counts twice.
    """
    parts: dict[bool, list[NDArray[np.void]]] = {False: [], True: []}
    for device_key, through_server, start_ms, end_ms in assignments_of(connection, vehicle_id, from_ms, to_ms):
        part = device_track(connection, device_key, max(from_ms, start_ms), min(to_ms, end_ms))
        parts[through_server].append(part.fixes)
    merged = as_array(())
    for part_fixes in (*parts[False], *parts[True]):
        merged = filled(merged, part_fixes)
    return Track(merged)


def as_array(rows: Sequence[Any]) -> NDArray[np.void]:
    """Rows of the columns of a track as one structured array; None becomes NaN."""
    return np.array([tuple(row) for row in rows], dtype=_LAYOUT)


def assignments_of(
    connection: Connection, vehicle_id: str, from_ms: int, to_ms: int
) -> list[tuple[int, bool, int, int]]:
    """(device key, through a server, from, to) of the assignments that touch the range."""
    assignment = DeviceAssignment
    rows = connection.execute(
        select(assignment.device_key, Device.peer_id, assignment.from_ms, assignment.to_ms)
        .join(Device, Device.key == assignment.device_key)
        .where(
            assignment.vehicle_id == vehicle_id,
            assignment.from_ms < to_ms,
            (assignment.to_ms.is_(None)) | (assignment.to_ms > from_ms),
        )
        .order_by(assignment.from_ms, assignment.id)
    )
    return [(row[0], row[1] is not None, row[2], to_ms if row[3] is None else row[3]) for row in rows]


def filled(first: NDArray[np.void], second: NDArray[np.void]) -> NDArray[np.void]:
    """``first`` with those of ``second`` that lie in its gaps, in the order of their ``fixed_at_ms``."""
    if not len(first) or not len(second):
        return first if len(first) else second
    times, others = first["fixed_at_ms"], second["fixed_at_ms"]
    after = np.searchsorted(times, others)
    to_next = np.abs(times[np.minimum(after, len(times) - 1)] - others)
    to_previous = np.abs(others - times[np.maximum(after - 1, 0)])
    merged = np.concatenate([first, second[np.minimum(to_next, to_previous) > SAME_MOMENT_MS]])
    return merged[np.argsort(merged["fixed_at_ms"], kind="stable")]


def leg_lengths_m(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lengths in metres of the legs between neighbours; ``(n,)`` degrees give ``(n - 1,)``, empty for n < 2."""
    phi, lam = np.radians(lat), np.radians(lon)
    half_lat = np.sin(np.diff(phi) / 2)
    half_lon = np.sin(np.diff(lam) / 2)
    chord = half_lat**2 + np.cos(phi[:-1]) * np.cos(phi[1:]) * half_lon**2
    legs: NDArray[np.float64] = 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(1.0, np.sqrt(chord)))
    return legs
