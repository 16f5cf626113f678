"""Stored readings of a tank as litres, by the table valid at each moment, with the vehicle's motion beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from app.fuel.arrays import Floats
from app.fuel.calibrations import CalibrationVersion, list_calibrations
from app.fuel.columns import MILLIONTHS, THOUSANDTHS, WHOLE, read_columns
from app.fuel.motion import Motion, engine_motion, vehicle_motion
from app.fuel.series import Samples, make_samples
from app.fuel.spells import Spell, sensor_keys_of, spells_of
from app.fuel.table import TankTable, identity_table, percent_table
from app.fuel.tanks import TankListing, list_tanks
from app.store.tables import FuelReadingRow

TOGETHER_S = 900.0
"""A sensor's reading stands for so long when several sensors or tanks are taken together."""
MOST_READINGS = 700_000
"""More of one sensor than this are averaged over short whiles; no chart and no analysis sees the difference."""
FEW = 15
LEAST_CAPACITY_L = 100.0
DEAD_AT_TOP = 65_535
"""No reading of any table: a probe or a line that is dead tells it, or 0."""
_NOTHING = (np.zeros(0), np.zeros(0), np.zeros(0))


class _Series(NamedTuple):
    """One sensor while it was in the tank, or one tank. ``from_s`` to ``to_s`` is when it has to tell."""

    time_s: Floats
    litres: Floats
    temperature_c: Floats
    from_s: float = -np.inf
    to_s: float = np.inf


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


def tank_readings(
    connection: Connection,
    tank: TankListing,
    from_ms: int,
    to_ms: int,
    *,
    motion: Motion | None = None,
    every_ms: int | None = None,
) -> TankReadings:
    """The readings of one tank with ``from_ms <= measured_at_ms < to_ms``, its sensors combined.

    ``motion`` is that of the vehicle where it was read already. ``every_ms`` averages readings that lie closer.
    """
    calibrations = list_calibrations(connection, tank.id)
    spells = spells_of(connection, tank.id)
    parts: list[_Series] = []
    uncalibrated: dict[str, None] = {}
    for spell in spells:
        start_ms = max(from_ms, spell.from_ms)
        end_ms = to_ms if spell.to_ms is None else min(to_ms, spell.to_ms)
        if start_ms >= end_ms:
            continue
        tables = [one for one in calibrations if one.sensor_id in (None, spell.sensor_id) and one.unit == spell.unit]
        if not tables and not tells_litres(spell.unit, tank.capacity_l):
            uncalibrated[spell.label] = None
            parts.append(_Series(*_NOTHING, start_ms / 1000, end_ms / 1000))
            continue
        time_s, values, warm = _values(connection, spell.sensor_key, start_ms, end_ms, every_ms)
        litres = _litres(spell, tables, tank.capacity_l, time_s, values)
        parts.append(_Series(time_s, litres, warm, start_ms / 1000, end_ms / 1000))
    time_s, litres, warm = _combined(parts, tank.combine)
    if motion is None:
        motion = vehicle_motion(connection, tank.vehicle_id, from_ms - 600_000, to_ms)
    samples = _with_motion(connection, tank.vehicle_id, motion, time_s, litres, warm)
    return TankReadings(tank, samples, capacity_of(tank, calibrations), tuple(calibrations), tuple(uncalibrated))


def vehicle_readings(connection: Connection, vehicle_id: str, from_ms: int, to_ms: int) -> list[TankReadings]:
    """One entry per tank."""
    tanks = list_tanks(connection, vehicle_id)
    motion = vehicle_motion(connection, vehicle_id, from_ms - 600_000, to_ms) if tanks else None
    return [tank_readings(connection, tank, from_ms, to_ms, motion=motion) for tank in tanks]


def together(parts: list[TankReadings]) -> tuple[Floats, Floats]:
    """Times and litres of all tanks of a vehicle; while one of them is missing the sum is not known (NaN)."""
    series = [_Series(part.samples.time_s, part.samples.raw, part.samples.temperature_c) for part in parts]
    time_s, litres, _temperature = _combined(series, "sum")
    return time_s, litres


def vehicle_samples(connection: Connection, vehicle_id: str, parts: list[TankReadings], motion: Motion) -> Samples:
    """All tanks of a vehicle as one series, with its motion."""
    if len(parts) == 1:
        return parts[0].samples
    time_s, litres = together(parts)
    return _with_motion(connection, vehicle_id, motion, time_s, litres, np.full(len(time_s), np.nan))


def capacity_of(tank: TankListing, calibrations: Sequence[CalibrationVersion]) -> float:
    """Litres of a full tank by which readings are judged."""
    return known_capacity_l(tank, calibrations) or LEAST_CAPACITY_L


def known_capacity_l(tank: TankListing, calibrations: Sequence[CalibrationVersion]) -> float | None:
    """Litres of a full tank: as it was told, else by its tables; None where nothing tells."""
    if tank.capacity_l:
        return tank.capacity_l
    standing = [one for one in calibrations if one.valid_to_ms is None]
    # Tables of sensors that were replaced stand for their past.
    present = [one for one in standing if one.sensor_id is None or one.sensor_id in tank.sensors]
    tops = [one.table.capacity_l for one in present or standing]
    return sum(tops) if tops and tank.combine == "sum" else max(tops, default=None)


def _values(
    connection: Connection, sensor_key: int, from_ms: int, to_ms: int, every_ms: int | None
) -> tuple[Floats, Floats, Floats]:
    row = FuelReadingRow
    mine = (row.sensor_key == sensor_key, row.measured_at_ms >= from_ms, row.measured_at_ms < to_ms)
    if every_ms is None:
        count = connection.execute(select(func.count()).select_from(row).where(*mine)).scalar_one()
        every_ms = (to_ms - from_ms) // MOST_READINGS + 1 if count > MOST_READINGS else None
    query = select(row.measured_at_ms, row.value, row.temperature_c).where(*mine).order_by(row.measured_at_ms)
    if every_ms is not None:
        first_ms = func.min(row.measured_at_ms).label("first_ms")
        query = (
            select(first_ms, _average(row.value).label("value"), func.avg(row.temperature_c).label("warm"))
            .where(*mine)
            .group_by(row.measured_at_ms.op("/")(every_ms))
            .order_by(first_ms)
        )
    time_ms, values, warm = read_columns(connection, query, (WHOLE, MILLIONTHS, THOUSANDTHS))
    return time_ms / 1000, values, warm


def _average(value: Any) -> Any:
    """Of readings that lie close together: a dead one among them is left out, nothing but 0 stays to be judged."""
    told = func.nullif(value, DEAD_AT_TOP)
    return func.coalesce(func.avg(func.nullif(told, 0)), func.min(told))


def tells_litres(unit: str, capacity_l: float | None) -> bool:
    """Whether a sensor of that unit needs no table in a tank of that capacity."""
    return unit == "litres" or (unit == "percent" and capacity_l is not None)


def _litres(
    spell: Spell, tables: Sequence[CalibrationVersion], capacity_l: float | None, time_s: Floats, values: Floats
) -> Floats:
    """Litres by the version valid at each time; the first version holds for everything before it as well."""
    if not tables:
        return percent_table(capacity_l).litres_of(values) if spell.unit == "percent" and capacity_l else values
    litres = np.full(len(values), np.nan)
    first = min(tables, key=lambda one: one.valid_from_ms)
    for one in tables:
        begin = 0 if one is first else np.searchsorted(time_s, one.valid_from_ms / 1000)
        end = len(time_s) if one.valid_to_ms is None else np.searchsorted(time_s, one.valid_to_ms / 1000)
        litres[begin:end] = one.table.litres_of(_without_dead(values[begin:end]))
    return litres


def _without_dead(values: Floats) -> Floats:
    """0 is judged with its neighbours later."""
    return np.where(values == DEAD_AT_TOP, np.nan, values)


def _combined(parts: list[_Series], how: str) -> tuple[Floats, Floats, Floats]:
    """Several series as one: at every moment of any of them, the newest value of each that is not too old."""
    if not parts:
        return _NOTHING
    if len(parts) == 1:
        return parts[0][:3]
    moments = np.unique(np.concatenate([part.time_s for part in parts]))
    wanted = np.stack([(moments >= part.from_s) & (moments < part.to_s) for part in parts])
    litres = np.where(wanted, np.stack([_held(moments, part.time_s, part.litres) for part in parts]), np.nan)
    warm = np.where(wanted, np.stack([_held(moments, part.time_s, part.temperature_c) for part in parts]), np.nan)
    is_whole = (np.isfinite(litres) == wanted).all(axis=0)
    if how == "average":
        return moments, _average_of(litres, is_whole), _mean(warm)
    return moments, np.where(is_whole, np.nansum(litres, axis=0), np.nan), _mean(warm)


def _average_of(litres: Floats, is_whole: NDArray[np.bool_]) -> Floats:
    """The average of several sensors. One that falls silent takes no step out of it: while some are missing, the others
    count less how far they stood from the average when all told, over the last few moments."""
    average = _mean(litres)
    apart = np.nan_to_num(litres - average)[:, is_whole]
    if apart.shape[1] in (0, len(average)):
        return average
    sums = np.cumsum(apart, axis=1)
    sums[:, FEW:] -= sums[:, :-FEW]
    usual = sums / np.minimum(np.arange(1, apart.shape[1] + 1), FEW)
    newest = np.cumsum(is_whole) - 1
    without = litres - np.where(newest >= 0, usual[:, np.maximum(newest, 0)], 0.0)
    return np.where(is_whole, average, _mean(without))


def _mean(held: Floats) -> Floats:
    known = np.isfinite(held)
    count = known.sum(axis=0)
    total = np.where(known, held, 0.0).sum(axis=0)
    mean: Floats = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return mean


def _held(moments: Floats, time_s: Floats, values: Floats) -> Floats:
    if not len(time_s):
        return np.full(len(moments), np.nan)
    at = np.searchsorted(time_s, moments, side="right") - 1
    known = (at >= 0) & (moments - time_s[at] <= TOGETHER_S)
    held: Floats = np.where(known, values[at], np.nan)
    return held


def _with_motion(
    connection: Connection, vehicle_id: str, motion: Motion, time_s: Floats, litres: Floats, warm: Floats
) -> Samples:
    """Speed, place and ignition from the vehicle's trackers, and from its engine where they say nothing."""
    if not len(time_s):
        return make_samples(time_s, litres)
    beside = motion.at(time_s)
    keys = sensor_keys_of(connection, vehicle_id)
    engine = engine_motion(connection, keys, int(time_s[0] * 1000) - 600_000, int(time_s[-1] * 1000) + 1)
    if len(engine.time_s):
        beside = beside.or_else(engine.at(time_s))
    ignition = np.where(np.isnan(beside.ignition), -1, beside.ignition).astype(np.int8)
    return make_samples(time_s, litres, beside.speed_km_h, ignition, beside.lat, beside.lon, warm)
