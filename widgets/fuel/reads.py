"""What the fuel page reads, off the UI thread: the chart of one vehicle with everything it needs to be drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from app.fuel.analyse import smoothed
from app.fuel.detect.filters import is_spike
from app.fuel.detect.states import is_moving
from app.fuel.events import StoredEvent, list_events
from app.fuel.motion import ENOUGH_FIXES, vehicle_motion
from app.fuel.readings import tank_readings, vehicle_samples
from app.fuel.settings import parameters_of
from app.fuel.tanks import list_tanks
from widgets.charts.pyramid import Floats, Pyramid

MOTION_BEFORE_MS = 600_000
GAP_S = 3 * 3_600.0
"""Between two readings farther apart than this the line breaks."""


@dataclass(frozen=True, slots=True)
class ChartData:
    """Series by the chart's line keys; ``versions`` are (Unix seconds, label) of calibrations on the time axis."""

    vehicle_id: str
    series: dict[str, Pyramid]
    events: tuple[StoredEvent, ...]
    versions: tuple[tuple[float, str], ...]
    from_s: float
    to_s: float
    uncalibrated: tuple[str, ...]
    readings: int


def read_chart(connection: Connection, vehicle_id: str, from_ms: int, to_ms: int) -> ChartData:
    """Readings as litres raw and smoothed, speed and ignition, events, calibration versions."""
    motion = vehicle_motion(connection, vehicle_id, from_ms - MOTION_BEFORE_MS, to_ms, enough=ENOUGH_FIXES)
    tanks = list_tanks(connection, vehicle_id)
    parts = [tank_readings(connection, tank, from_ms, to_ms, motion=motion) for tank in tanks]
    parameters = parameters_of(connection, vehicle_id)
    samples = vehicle_samples(connection, vehicle_id, parts, motion)
    time_s, litres, ignition = samples.time_s, samples.raw, samples.ignition
    moving = is_moving(samples.speed_km_h, ignition)
    used = np.isfinite(litres)
    used[used] = ~is_spike(litres[used], sum(part.capacity_l for part in parts), moving[used])
    smooth = smoothed(litres, used, moving, parameters)
    versions = sorted(
        {
            (one.valid_from_ms / 1000, f"{part.tank.name} v{one.version}".strip())
            for part in parts
            for one in part.calibrations
            if from_ms <= one.valid_from_ms < to_ms
        }
    )
    return ChartData(
        vehicle_id=vehicle_id,
        series={
            "raw": Pyramid(*_broken(time_s, litres)),
            "smooth": Pyramid(*_broken(time_s, smooth)),
            "speed": Pyramid(*_broken(motion.time_s, motion.speed_km_h)),
            "ignition": Pyramid(time_s, np.where(ignition < 0, 0, ignition).astype(np.float64)),
        },
        events=tuple(list_events(connection, vehicle_id=vehicle_id, since_ms=from_ms, until_ms=to_ms)),
        versions=tuple(versions),
        from_s=from_ms / 1000,
        to_s=to_ms / 1000,
        uncalibrated=tuple(label for part in parts for label in part.uncalibrated),
        readings=len(time_s),
    )


def _broken(time_s: Floats, values: Floats) -> tuple[Floats, Floats]:
    """The series with a NaN in each long gap."""
    gaps = np.flatnonzero(np.diff(time_s) > GAP_S)
    if not len(gaps):
        return time_s, values
    return np.insert(time_s, gaps + 1, time_s[gaps] + 1), np.insert(values, gaps + 1, np.nan)
