"""Moving or standing, and the stops (fuel-analytics.md 5)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.fuel.arrays import Floats

Flags = NDArray[np.int8]
MOVES_KM_H = 5.0
STANDS_KM_H = 3.0
CREEPS_KM_H = 1.0
DRIFTS_KM_H = 15.0
"""What the receiver of a parked vehicle tells at most."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Samples ``first`` to ``last`` (inclusive) while standing; times in Unix seconds.

    ``is_open``: the samples end here, so that nobody knows yet how long it lasts.
    """

    first: int
    last: int
    start_s: float
    end_s: float
    is_open: bool

    @property
    def samples(self) -> slice:
        return slice(self.first, self.last + 1)


def is_moving(speed_km_h: Floats, ignition: Flags | None = None) -> NDArray[np.bool_]:
    """With hysteresis: two samples above 5 km/h begin a motion, or one that no parked receiver drifts to; one below
    3 km/h ends it; unknown changes nothing. With the ignition off only the latter begins it."""
    if not len(speed_km_h):
        return np.zeros(0, dtype=bool)
    with np.errstate(invalid="ignore"):
        fast, slow = speed_km_h > MOVES_KM_H, speed_km_h < STANDS_KM_H
        begins = fast & np.append(fast[1:], fast[-1:])
        if ignition is not None:
            begins &= ignition != 0
        begins |= speed_km_h > DRIFTS_KM_H
    last_told = np.maximum.accumulate(np.where(begins | slow, np.arange(len(fast)), -1))
    return np.where(last_told >= 0, begins[np.maximum(last_told, 0)], False)


def stands_since(time_s: Floats, moving: NDArray[np.bool_]) -> Floats:
    """For each sample the time of the first one of its motion or standstill."""
    begins = np.append(True, moving[1:] != moving[:-1]) if len(moving) else moving
    since: Floats = time_s[np.maximum.accumulate(np.where(begins, np.arange(len(begins)), 0))]
    return since


def is_creeping(speed_km_h: Floats, ignition: Flags, moving: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a vehicle that counts as standing is moved with its engine on: its fuel sloshes, the slope is new."""
    with np.errstate(invalid="ignore"):
        creeping: NDArray[np.bool_] = (speed_km_h > CREEPS_KM_H) & (ignition == 1) & ~moving
    return creeping


def find_stops(time_s: Floats, moving: NDArray[np.bool_], minimum_s: float) -> list[Stop]:
    """The stops that last from one motion to the next for at least ``minimum_s``."""
    count = len(time_s)
    edges = np.flatnonzero(np.diff(np.concatenate(([True], moving, [True])).astype(np.int8)))
    stops = []
    for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        last = end - 1
        from_s = float(time_s[first - 1] if first else time_s[first])
        to_s = float(time_s[end] if end < count else time_s[last])
        is_open = end == count or first == 0
        if to_s - from_s >= minimum_s or is_open:
            stops.append(Stop(first, last, float(time_s[first]), float(time_s[last]), end == count))
    return stops
