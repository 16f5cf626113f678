"""Stored readings of a tank as litres, by the table valid at each moment, with the vehicle's motion beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from app.fleet.tracks import vehicle_track
from app.fuel.calibrations import CalibrationVersion, list_calibrations
from app.fuel.errors import FuelError
from app.fuel.series import Samples, make_samples
from app.fuel.table import TankTable, identity_table, percent_table
from app.fuel.tanks import SensorListing, TankListing, list_sensors, list_tanks
from app.store.tables import EngineReadingRow, FuelReadingRow

Floats = NDArray[np.float64]
TOGETHER_S = 900.0
"""A sensor's reading stands for so long when several sensors or tanks are taken together."""
MOTION_WITHIN_S = 600.0


@dataclass(frozen=True, slots=True, eq=False)
class TankReadings:
    """``samples.raw`` are litres already; ``capacity_l`` is the top of the scale they are judged by."""

    tank: TankListing
    samples: Samples
    capacity_l: float
    calibrations: tuple[CalibrationVersion, ...]
    uncalibrated: tuple[str, ...]  # labels of sensors that give no litres yet

    @property
    def table(self) -> TankTable:
        return identity_table(self.capacity_l)


def tank_readings(connection: Connection, tank: TankListing, from_ms: int, to_ms: int) -> TankReadings:
    """The readings of one tank with ``from_ms <= measured_at_ms < to_ms``, its sensors combined."""
    calibrations = list_calibrations(connection, tank.id)
    sensors = [sensor for sensor in list_sensors(connection) if sensor.tank_id == tank.id]
    parts, uncalibrated = [], []
    for sensor in sensors:
        own = [one for one in calibrations if one.sensor_id in (None, sensor.id)]
        time_s, values, temperature = _values(connection, sensor.key, from_ms, to_ms)
        litres = _litres(sensor, own, tank.capacity_l, time_s, values)
        if litres is None:
            uncalibrated.append(sensor.label)
            continue
        parts.append((time_s, litres, temperature))
    time_s, litres, temperature = _combined(parts, tank.combine)
    samples = _with_motion(connection, tank.vehicle_id, [s.key for s in sensors], time_s, litres, temperature)
    tops = [one.table.capacity_l for one in calibrations if one.valid_to_ms is None]
    capacity = tank.capacity_l or (sum(tops) if tank.combine == "sum" else max(tops, default=0.0)) or 100.0
    return TankReadings(tank, samples, capacity, tuple(calibrations), tuple(uncalibrated))


def vehicle_readings(connection: Connection, vehicle_id: str, from_ms: int, to_ms: int) -> list[TankReadings]:
    """One entry per tank."""
    return [tank_readings(connection, tank, from_ms, to_ms) for tank in list_tanks(connection, vehicle_id)]


def together(parts: list[TankReadings]) -> tuple[Floats, Floats]:
    """Times and litres of all tanks of a vehicle; while one of them is missing the sum is not known (NaN)."""
    series = [(part.samples.time_s, part.samples.raw, part.samples.temperature_c) for part in parts]
    if len(series) == 1:
        return series[0][0], series[0][1]
    time_s, litres, _temperature = _combined(series, "sum")
    return time_s, litres


def _values(connection: Connection, sensor_key: int, from_ms: int, to_ms: int) -> tuple[Floats, Floats, Floats]:
    query = (
        select(FuelReadingRow.measured_at_ms, FuelReadingRow.value, FuelReadingRow.temperature_c)
        .where(
            FuelReadingRow.sensor_key == sensor_key,
            FuelReadingRow.measured_at_ms >= from_ms,
            FuelReadingRow.measured_at_ms < to_ms,
        )
        .order_by(FuelReadingRow.measured_at_ms)
    )
    rows = connection.execute(query).all()
    if not rows:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    columns = np.array([tuple(row) for row in rows], dtype=np.float64)
    return columns[:, 0] / 1000, columns[:, 1], columns[:, 2]


def _litres(
    sensor: SensorListing,
    calibrations: list[CalibrationVersion],
    capacity_l: float | None,
    time_s: Floats,
    values: Floats,
) -> Floats | None:
    """Litres by the version valid at each time; None for a sensor that nothing turns into litres."""
    if calibrations:
        litres = np.full(len(values), np.nan)
        first = min(calibrations, key=lambda one: one.valid_from_ms)
        for one in calibrations:
            from_s = -np.inf if one is first else one.valid_from_ms / 1000
            to_s = np.inf if one.valid_to_ms is None else one.valid_to_ms / 1000
            within = (time_s >= from_s) & (time_s < to_s)
            litres[within] = one.table.litres_of(_without_dead(values[within]))
        return litres
    try:
        if sensor.unit == "percent" and capacity_l:
            return percent_table(capacity_l).litres_of(values)
    except FuelError:
        return None
    return values if sensor.unit == "litres" else None


def _without_dead(values: Floats) -> Floats:
    """65535 is no reading of any table; 0 is judged with its neighbours later."""
    return np.where(values == 65_535, np.nan, values)


def _combined(parts: list[tuple[Floats, Floats, Floats]], how: str) -> tuple[Floats, Floats, Floats]:
    """Several series as one: at every moment of any of them, the newest value of each that is not too old."""
    if not parts:
        return np.zeros(0), np.zeros(0), np.zeros(0)
    if len(parts) == 1:
        return parts[0]
    moments = np.unique(np.concatenate([time_s for time_s, _litres, _warm in parts]))
    held = np.stack([_held(moments, time_s, litres) for time_s, litres, _warm in parts])
    warm = np.stack([_held(moments, time_s, warm) for time_s, _litres, warm in parts])
    with np.errstate(invalid="ignore"):
        known = np.isfinite(held)
        mean = np.where(known.any(axis=0), np.nansum(held, axis=0) / np.maximum(known.sum(axis=0), 1), np.nan)
        litres = held.sum(axis=0) if how == "sum" else mean
        warm_known = np.isfinite(warm)
        temperature = np.where(
            warm_known.any(axis=0), np.nansum(warm, axis=0) / np.maximum(warm_known.sum(axis=0), 1), np.nan
        )
    return moments, litres, temperature


def _held(moments: Floats, time_s: Floats, values: Floats) -> Floats:
    at = np.searchsorted(time_s, moments, side="right") - 1
    found = np.where(at >= 0, values[np.maximum(at, 0)], np.nan) if len(values) else np.full(len(moments), np.nan)
    if len(time_s):
        found[(at < 0) | (moments - time_s[np.maximum(at, 0)] > TOGETHER_S)] = np.nan
    return found


def _with_motion(
    connection: Connection, vehicle_id: str, sensor_keys: list[int], time_s: Floats, litres: Floats, warm: Floats
) -> Samples:
    """Speed, place and ignition from the vehicle's trackers and its engine, the newest of each before a reading."""
    if not len(time_s):
        return make_samples(time_s, litres)
    from_ms, to_ms = int(time_s[0] * 1000) - 600_000, int(time_s[-1] * 1000) + 1
    track = vehicle_track(connection, vehicle_id, from_ms, to_ms).counted
    at_s = track["fixed_at_ms"] / 1000
    engine_s, rpm = _engine(connection, sensor_keys, from_ms, to_ms)
    running = _nearest(time_s, engine_s, rpm)
    ignition = np.where(np.isnan(running), -1, running > 0).astype(np.int8)
    return make_samples(
        time_s,
        litres,
        _nearest(time_s, at_s, track["speed_km_h"]),
        ignition,
        _nearest(time_s, at_s, track["lat"]),
        _nearest(time_s, at_s, track["lon"]),
        warm,
    )


def _nearest(moments: Floats, at_s: Floats, values: Floats) -> Floats:
    if not len(at_s):
        return np.full(len(moments), np.nan)
    at = np.maximum(np.searchsorted(at_s, moments, side="right") - 1, 0)
    return np.where(np.abs(moments - at_s[at]) <= MOTION_WITHIN_S, values[at], np.nan)


def _engine(connection: Connection, sensor_keys: list[int], from_ms: int, to_ms: int) -> tuple[Floats, Floats]:
    query = (
        select(EngineReadingRow.measured_at_ms, EngineReadingRow.engine_rpm)
        .where(
            EngineReadingRow.sensor_key.in_(sensor_keys),
            EngineReadingRow.measured_at_ms >= from_ms,
            EngineReadingRow.measured_at_ms < to_ms,
            EngineReadingRow.engine_rpm.is_not(None),
        )
        .order_by(EngineReadingRow.measured_at_ms)
    )
    rows = connection.execute(query).all()
    if not rows:
        return np.zeros(0), np.zeros(0)
    columns = np.array([tuple(row) for row in rows], dtype=np.float64)
    return columns[:, 0] / 1000, columns[:, 1]
