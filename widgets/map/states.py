"""What a vehicle on the map is doing, each state with its word, its colour and (in the atlas) its shape."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from app.fleet.freshness import CLOCKS_APART_MS, SILENT_AFTER_MS, STALE_AFTER_MS
from widgets.map.palette import MapPalette
from widgets.map.projection import FloatArray
from widgets.theme import Level

ALARM_MS = 30 * 60_000  # how long a device's own alarm marks its vehicle
STANDING_KM_H = 3.0  # receivers report up to this while standing


class VehicleState(IntEnum):
    """In the order of urgency, which is the order of the list; ``UNKNOWN`` has no position and no place on the map."""

    ALARM = 0
    MOVING = 1
    STOPPED = 2
    POSITION_ONLY = 3  # fresh, but the source gives no speed
    STALE = 4
    SILENT = 5
    UNKNOWN = 6


WORDS = {
    VehicleState.ALARM: "Alarm",
    VehicleState.MOVING: "Moving",
    VehicleState.STOPPED: "Stopped",
    VehicleState.POSITION_ONLY: "Position only",
    VehicleState.STALE: "Old position",
    VehicleState.SILENT: "Silent",
    VehicleState.UNKNOWN: "No position yet",
}

MEANINGS = {
    VehicleState.ALARM: "An alarm stands for it, or its tracker raised one within the last 30 minutes",
    VehicleState.MOVING: "A position of the last 10 minutes with speed",
    VehicleState.STOPPED: "A position of the last 10 minutes, standing",
    VehicleState.POSITION_ONLY: "A position of the last 10 minutes; its source gives no speed",
    VehicleState.STALE: "The newest position is older than 10 minutes; the tracker was heard within the hour",
    VehicleState.SILENT: "Not heard at all for an hour or longer",
    VehicleState.UNKNOWN: "Never sent a position with a fix",
}


LEVELS: Mapping[VehicleState, Level] = {
    VehicleState.ALARM: "error",
    VehicleState.MOVING: "ok",
    VehicleState.STOPPED: "info",
    VehicleState.POSITION_ONLY: "info",
    VehicleState.STALE: "warn",
    VehicleState.SILENT: "neutral",
    VehicleState.UNKNOWN: "neutral",
}
"""The console's levels, whose text colours are readable at small sizes."""


def color_of(state: VehicleState, palette: MapPalette) -> str:
    colors = (palette.alarm, palette.moving, palette.stopped, palette.position_only, palette.stale)
    return colors[state] if state < len(colors) else palette.silent


def is_within(length_ms: int, at_ms: NDArray[np.int64], now_ms: int) -> NDArray[np.bool_]:
    """Whether each time is younger than ``length_ms`` as ``app.fleet.freshness`` judges it, (n,) bool."""
    age_ms = now_ms - at_ms
    fresh: NDArray[np.bool_] = (age_ms >= -CLOCKS_APART_MS) & (age_ms < length_ms)
    return fresh


def classify(
    now_ms: int,
    fixed_at_ms: NDArray[np.int64],
    heard_at_ms: NDArray[np.int64],
    speed_km_h: FloatArray,
    alarm_at_ms: NDArray[np.int64],
) -> NDArray[np.int8]:
    """The state of each vehicle, (n,) int8; ``fixed_at_ms`` 0 means no position, NaN speed an unknown one.

    What lies ahead of now was dated by a clock that has been set back since: it is no proof of freshness.
    """
    states = np.full(len(fixed_at_ms), VehicleState.POSITION_ONLY, np.int8)
    states[speed_km_h > STANDING_KM_H] = VehicleState.MOVING
    states[speed_km_h <= STANDING_KM_H] = VehicleState.STOPPED
    states[~is_within(STALE_AFTER_MS, fixed_at_ms, now_ms)] = VehicleState.STALE
    states[now_ms - np.maximum(heard_at_ms, fixed_at_ms) >= SILENT_AFTER_MS] = VehicleState.SILENT
    states[is_within(ALARM_MS, alarm_at_ms, now_ms)] = VehicleState.ALARM
    states[fixed_at_ms <= 0] = VehicleState.UNKNOWN
    return states
