"""A vehicle's way through a day: what was driven, where fixes are missing, which fixes are doubtful. No Qt in here."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from app.clock import to_ms
from app.fleet.plausibility import NOT_IN_TOTALS
from app.fleet.tracks import leg_lengths_m
from widgets.map.projection import FloatArray, to_world
from widgets.map.states import STANDING_KM_H

GAP_MS = 15 * 60_000  # longer without a fix is a gap: nobody knows which way the vehicle took


@dataclass(frozen=True)
class Track:
    """Fixes in the order of their times, (n,) arrays; NaN for what is unknown."""

    id: NDArray[np.int64]
    fixed_at_ms: NDArray[np.int64]
    lat: FloatArray
    lon: FloatArray
    speed_km_h: FloatArray
    course_deg: FloatArray
    marks: NDArray[np.int64]

    @classmethod
    def of(cls, fixes: NDArray[np.void]) -> Track:
        """From the array of :mod:`app.fleet.tracks`."""
        return cls(*(np.ascontiguousarray(fixes[field.name]) for field in fields(cls)))

    def __len__(self) -> int:
        return len(self.id)

    @cached_property
    def is_counted(self) -> NDArray[np.bool_]:
        """Fixes that belong to the line and the totals; the others are only shown."""
        return np.asarray((self.marks & NOT_IN_TOTALS) == 0)

    @cached_property
    def counted(self) -> NDArray[np.int64]:
        """Indices of the counted fixes."""
        return np.flatnonzero(self.is_counted)

    @cached_property
    def world(self) -> tuple[FloatArray, FloatArray]:
        return to_world(self.lat, self.lon)

    @cached_property
    def is_gap(self) -> NDArray[np.bool_]:
        """For each leg between neighbouring counted fixes, (len(counted) - 1,): whether it spans a gap."""
        return np.diff(self.fixed_at_ms[self.counted]) > GAP_MS

    @cached_property
    def distance_km(self) -> float:
        """Driven distance: the legs between counted fixes, gaps left out."""
        legs = leg_lengths_m(self.lat[self.counted], self.lon[self.counted])
        return float(legs[~self.is_gap].sum()) / 1000

    @cached_property
    def driving_ms(self) -> int:
        """Time between neighbouring counted fixes of which the first moves, gaps left out."""
        legs = np.diff(self.fixed_at_ms[self.counted])
        moves = self.speed_km_h[self.counted][:-1] > STANDING_KM_H
        return int(legs[moves & ~self.is_gap].sum())

    @cached_property
    def speed_line(self) -> tuple[FloatArray, FloatArray]:
        """UTC seconds and km/h for a graph, with a NaN in the middle of each gap."""
        seconds = self.fixed_at_ms[self.counted] / 1000.0
        speed = self.speed_km_h[self.counted]
        at = np.flatnonzero(self.is_gap) + 1
        middle = (seconds[at - 1] + seconds[at]) / 2 if len(at) else np.empty(0)
        return np.insert(seconds, at, middle), np.insert(speed, at, np.nan)

    def moment(self, at_ms: int) -> Moment | None:
        """Where the vehicle was: between two fixes in a straight line, in a gap still at the last fix before it."""
        index = self.counted
        if len(index) == 0:
            return None
        times = self.fixed_at_ms[index]
        before = int(np.clip(np.searchsorted(times, at_ms, side="right") - 1, 0, len(index) - 1))
        fix = int(index[before])
        x, y = self.world
        speed, course = float(self.speed_km_h[fix]), float(self.course_deg[fix])
        if before == len(index) - 1 or at_ms <= times[before]:
            return Moment(fix, float(x[fix]), float(y[fix]), speed, course, is_gap=False)
        if self.is_gap[before]:
            return Moment(fix, float(x[fix]), float(y[fix]), np.nan, np.nan, is_gap=True)
        after = int(index[before + 1])
        share = (at_ms - times[before]) / (times[before + 1] - times[before])
        return Moment(
            fix,
            float(x[fix] + share * (x[after] - x[fix])),
            float(y[fix] + share * (y[after] - y[fix])),
            speed,
            course,
            is_gap=False,
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant of a replay: world metres, the fix behind it, NaN where speed or course are unknown."""

    fix: int
    x: float
    y: float
    speed_km_h: float
    course_deg: float
    is_gap: bool


def day_range_ms(day: date, zone: tzinfo) -> tuple[int, int]:
    """From the day's first midnight to the next one in ``zone``, which need not be 24 hours."""
    start = datetime.combine(day, time.min, zone)
    end = datetime.combine(day + timedelta(days=1), time.min, zone)
    return to_ms(start.astimezone(UTC)), to_ms(end.astimezone(UTC))
