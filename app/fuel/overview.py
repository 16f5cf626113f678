"""Each vehicle's fuel at a glance: levels, ages, the last refuel, consumption, what asks for attention."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from app.clock import from_ms
from app.fuel.calibrations import list_calibrations
from app.fuel.days import DayTotal, list_days
from app.fuel.events import StoredEvent, list_events
from app.fuel.readings import LEAST_CAPACITY_L, known_capacity_l, tells_litres
from app.fuel.tanks import SensorListing, TankListing, list_sensors, list_tanks
from app.fuel.vehicle_days import span_of
from app.store.tables import FuelReadingRow

DAY_MS = 86_400_000
FRESH_MS = 30 * 60_000
STALE_MS = 24 * 3_600_000
MONTH_DAYS = 30


@dataclass(frozen=True, slots=True)
class TankLevel:
    """``litres`` is the newest level that is known; None while nothing gives litres. ``at_ms``: when it was told."""

    tank_id: str
    name: str
    litres: float | None
    capacity_l: float | None
    at_ms: int | None
    has_sensor: bool
    is_calibrated: bool


@dataclass(frozen=True, slots=True)
class VehicleFuel:
    """One line of the vehicles' table. ``state``: fresh, stale, silent, uncalibrated, no_sensor."""

    vehicle_id: str
    plate: str
    tanks: tuple[TankLevel, ...]
    litres: float | None
    capacity_l: float | None
    at_ms: int | None
    state: str
    last_refuel_ms: int | None
    last_refuel_l: float | None
    drains_7d: int
    used_7d_l: float | None
    per_100_km: float | None
    quality: int | None

    @property
    def share(self) -> float | None:
        """0 to 1."""
        if self.litres is None or not self.capacity_l:
            return None
        return max(min(self.litres / self.capacity_l, 1.0), 0.0)


@dataclass(frozen=True, slots=True)
class Overview:
    vehicles: tuple[VehicleFuel, ...]
    waiting: tuple[SensorListing, ...]


def vehicle_fuel(connection: Connection, vehicle_id: str, now_ms: int) -> VehicleFuel | None:
    """The line of one vehicle, None for one without a tank."""
    return next(iter(fuel_overview(connection, now_ms, vehicle_id).vehicles), None)


def fuel_overview(connection: Connection, now_ms: int, vehicle_id: str | None = None) -> Overview:
    """Every vehicle that has a tank, by plate, and the sensors that wait to be put into one; or one vehicle alone."""
    sensors = list_sensors(connection)
    tanks = list_tanks(connection, vehicle_id)
    events = list_events(connection, vehicle_id=vehicle_id, since_ms=now_ms - 60 * DAY_MS)
    week_ago, month_ago = (from_ms(now_ms - days * DAY_MS).date().isoformat() for days in (7, MONTH_DAYS))
    today = from_ms(now_ms).date().isoformat()
    days = list_days(connection, [tank.id for tank in tanks], month_ago, today) if tanks else []
    by_vehicle: dict[str, list[TankListing]] = {}
    for tank in tanks:
        by_vehicle.setdefault(tank.vehicle_id, []).append(tank)
    vehicles = [
        _vehicle(connection, own, sensors, events, days, week_ago, now_ms)
        for own in sorted(by_vehicle.values(), key=lambda own: own[0].plate)
    ]
    return Overview(tuple(vehicles), tuple(one for one in sensors if one.tank_id is None))


def _vehicle(
    connection: Connection,
    tanks: list[TankListing],
    sensors: list[SensorListing],
    events: list[StoredEvent],
    days: list[DayTotal],
    week_ago: str,
    now_ms: int,
) -> VehicleFuel:
    vehicle_id = tanks[0].vehicle_id
    levels = tuple(_level(connection, tank, sensors, days, now_ms) for tank in tanks)
    own = [event for event in events if event.vehicle_id == vehicle_id]
    refuel = next((event for event in own if event.kind == "refuel" and event.counts), None)
    mine = [day for day in days if day.tank_id in {tank.id for tank in tanks}]
    capacity_l = sum(level.capacity_l or LEAST_CAPACITY_L for level in levels)
    month = span_of(mine, len(tanks), capacity_l)
    week = span_of([day for day in mine if day.day > week_ago], len(tanks), capacity_l)
    is_known = all(level.litres is not None for level in levels)
    told = [level.at_ms for level in levels if level.at_ms is not None]
    at_ms = min(told) if len(told) == len(levels) else None
    since_ms = now_ms - 7 * DAY_MS
    return VehicleFuel(
        vehicle_id=vehicle_id,
        plate=tanks[0].plate,
        tanks=levels,
        litres=sum(level.litres or 0.0 for level in levels) if is_known else None,
        capacity_l=sum(level.capacity_l or 0.0 for level in levels) or None,
        at_ms=at_ms,
        state=_state(levels, at_ms, now_ms),
        last_refuel_ms=None if refuel is None else refuel.end_ms,
        last_refuel_l=None if refuel is None else refuel.litres,
        drains_7d=sum(event.kind == "drain" and event.counts and event.start_ms >= since_ms for event in own),
        used_7d_l=week.totals.used_l,
        per_100_km=week.per_100_km(week.totals.used_l, week.totals.used_km),
        quality=month.days[-1].quality if month.days else None,
    )


def _level(
    connection: Connection, tank: TankListing, sensors: list[SensorListing], days: list[DayTotal], now_ms: int
) -> TankLevel:
    own = [sensor for sensor in sensors if sensor.tank_id == tank.id]
    known = [day for day in days if day.tank_id == tank.id and day.end_l is not None]
    calibrations = list_calibrations(connection, tank.id)
    told = [_last_told_ms(connection, sensor, now_ms) for sensor in own]
    is_known = [
        any(one.sensor_id in (None, sensor.id) and one.unit == sensor.unit for one in calibrations)
        or tells_litres(sensor.unit, tank.capacity_l)
        for sensor in own
    ]
    return TankLevel(
        tank.id,
        tank.name,
        known[-1].end_l if known else None,
        known_capacity_l(tank, calibrations),
        _told_ms(told, tank.combine),
        bool(own),
        all(is_known) if tank.combine == "sum" else any(is_known),
    )


def _told_ms(told: list[int | None], how: str) -> int | None:
    """A sum is as old as the oldest of its parts, an average as old as its newest."""
    known = [at_ms for at_ms in told if at_ms is not None]
    if how == "sum":
        return min(known, default=None) if len(known) == len(told) else None
    return max(known, default=None)


def _last_told_ms(connection: Connection, sensor: SensorListing, now_ms: int) -> int | None:
    """When a sensor last told a value: one that answers with errors is as old as what it told before."""
    if sensor.last_value is not None and sensor.last_status == "ok":
        return sensor.last_ms
    row = FuelReadingRow
    query = (
        select(row.measured_at_ms)
        .where(
            row.sensor_key == sensor.key,
            row.measured_at_ms > now_ms - MONTH_DAYS * DAY_MS,
            row.value.is_not(None),
            row.status == "ok",
        )
        .order_by(row.measured_at_ms.desc())
        .limit(1)
    )
    return connection.execute(query).scalar_one_or_none()


def _state(levels: tuple[TankLevel, ...], at_ms: int | None, now_ms: int) -> str:
    if not all(level.has_sensor for level in levels):
        return "no_sensor"
    if not all(level.is_calibrated for level in levels):
        return "uncalibrated"
    if at_ms is None or now_ms - at_ms > STALE_MS:
        return "silent"
    return "fresh" if now_ms - at_ms <= FRESH_MS else "stale"
