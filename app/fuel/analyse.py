"""From the samples of one tank to litres, events, consumption and quality."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.fuel.arrays import Floats
from app.fuel.consumption import Consumption, by_level
from app.fuel.detect.events import FuelEvent
from app.fuel.detect.filters import is_spike, sliding_median
from app.fuel.detect.levels import Rest, Track, calm_samples, rest_of
from app.fuel.detect.states import find_stops, is_creeping, is_moving, stands_since
from app.fuel.detect.stops import events_in
from app.fuel.detect.swings import PLATEAU_SAMPLES
from app.fuel.detect.trips import event_between
from app.fuel.distance import driven_steps_km
from app.fuel.parameters import Parameters
from app.fuel.quality import Quality, quality_of
from app.fuel.series import Samples
from app.fuel.table import TankTable
from app.fuel.warmth import at_15_c, steady_temperature

DEAD_SHARE = 0.15
CALM_ROUGHNESS, USUAL_ROUGHNESS = 0.003, 0.015
"""Of the highest level: up to the first the adaptive filter takes the parked window, beyond the second a threefold."""


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """``litres_raw`` and ``litres_smooth`` have the samples' length, NaN where there is no valid reading."""

    litres_raw: Floats
    litres_smooth: Floats
    events: tuple[FuelEvent, ...]
    consumption: Consumption
    quality: Quality


def analyse(samples: Samples, table: TankTable, parameters: Parameters) -> Analysis:
    """Everything that can be said about a stretch of samples. Pure: the same samples always say the same."""
    prepared = _prepare(samples, table, parameters)
    track = _track(samples, prepared, table)
    events, ends = find_events(track, parameters)
    litres, moving, used = prepared.litres, prepared.moving, prepared.used
    consumption = by_level(samples, moving, ends, events, table.capacity_l, parameters)
    quality = quality_of(samples.time_s, samples.raw, litres, moving, prepared.spikes, table)
    return Analysis(litres, smoothed(litres, used, moving, parameters), tuple(events), consumption, quality)


def litres_of(samples: Samples, table: TankTable, parameters: Parameters) -> Floats:
    """Readings as litres, before anything is filtered: litres per count differ along the tank."""
    litres = table.litres_of(without_dead_readings(samples.raw, table))
    if parameters.temperature_correction == "off":
        return litres
    return at_15_c(litres, steady_temperature(samples.time_s, samples.temperature_c), parameters)


def without_dead_readings(raw: Floats, table: TankTable) -> Floats:
    """0 and 65535 far from what stood before are a probe or a line that is dead, not an empty or a full tank."""
    dead = (raw == 0) | (raw == 65_535)
    if not dead.any():
        return raw
    told = np.where(np.isfinite(raw) & ~dead, np.arange(len(raw)), -1)
    before = np.maximum.accumulate(told)
    litres = table.litres_of(np.clip(raw, table.raw[0], table.raw[-1]))
    jump = np.where(before >= 0, np.abs(litres - litres[np.maximum(before, 0)]), 0.0)
    return np.where(dead & (jump > DEAD_SHARE * table.capacity_l), np.nan, raw)


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    litres: Floats
    moving: NDArray[np.bool_]
    used: NDArray[np.bool_]
    spikes: NDArray[np.bool_]


def _prepare(samples: Samples, table: TankTable, parameters: Parameters) -> _Prepared:
    litres = litres_of(samples, table, parameters)
    moving = is_moving(samples.speed_km_h, samples.ignition)
    spikes = np.zeros(len(samples), dtype=bool)
    valid = np.isfinite(litres)
    spikes[valid] = is_spike(litres[valid], table.capacity_l, moving[valid])
    return _Prepared(litres, moving, valid & ~spikes, spikes)


def track_from(samples: Samples, table: TankTable, parameters: Parameters) -> Track:
    """The samples that take part in the detection."""
    return _track(samples, _prepare(samples, table, parameters), table)


def _track(samples: Samples, prepared: _Prepared, table: TankTable) -> Track:
    used = prepared.used
    creeping = is_creeping(samples.speed_km_h, samples.ignition, prepared.moving)
    driven_km = driven_steps_km(samples.time_s, samples.speed_km_h, samples.lat, samples.lon)
    return Track(
        samples.time_s[used],
        prepared.litres[used],
        prepared.moving[used],
        stands_since(samples.time_s, prepared.moving)[used],
        _since_before(creeping.astype(np.float64), used) > 0,
        samples.ignition[used],
        samples.lat[used],
        samples.lon[used],
        samples.temperature_c[used],
        _since_before(driven_km, used),
        table.capacity_l,
    )


def _since_before(amounts: Floats, used: NDArray[np.bool_]) -> Floats:
    """For each used sample the sum of what stands at it and at those that are left out in front of it."""
    at = np.flatnonzero(used)
    if not len(at):
        return np.zeros(0)
    sums: Floats = np.add.reduceat(amounts[: at[-1] + 1], np.append(0, at[:-1] + 1))
    return sums


def smoothed(litres: Floats, used: NDArray[np.bool_], moving: NDArray[np.bool_], parameters: Parameters) -> Floats:
    """The line for the eye: medians over more samples while moving than while parked, or by how rough the line is."""
    smooth = np.full(len(litres), np.nan)
    values = litres[used]
    if parameters.filter == "off" or not len(values):
        smooth[used] = values
        return smooth
    parked = sliding_median(values, parameters.window_parked)
    driving = sliding_median(values, parameters.window_moving)
    if parameters.filter == "median":
        smooth[used] = np.where(moving[used], driving, parked)
        return smooth
    rough = sliding_median(np.abs(values - driving), parameters.window_moving) / max(float(values.max()), 1.0)
    roughest = sliding_median(values, 3 * parameters.window_moving)
    smooth[used] = np.select([rough <= CALM_ROUGHNESS, rough <= USUAL_ROUGHNESS], [parked, driving], roughest)
    return smooth


def find_events(track: Track, parameters: Parameters) -> tuple[list[FuelEvent], tuple[float | None, float | None]]:
    """Events in the order of their times, and the levels at both ends."""
    if not len(track):
        return [], (None, None)
    events: list[FuelEvent] = []
    previous: Rest | None = None
    start = float(np.median(track.litres[:PLATEAU_SAMPLES]))
    end = float(np.median(track.litres[-PLATEAU_SAMPLES:]))
    for stop in find_stops(track.time_s, track.moving, parameters.minimum_stop_min * 60):
        calm = calm_samples(track, stop, parameters)
        if not len(calm):
            continue
        inside = events_in(track, stop, calm, parameters)
        events += inside
        rest = rest_of(track, calm, inside)
        between = None if previous is None else event_between(track, previous, rest, parameters)
        events += [] if between is None else [between]
        if stop.first == 0:
            start = rest.level_in
        if stop.is_open:
            end = rest.level_out
        previous = rest
    return sorted(events, key=lambda event: (event.start_s, event.end_s)), (start, end)
