"""Each vehicle's fuel at a glance: levels, ages, the last refuel, consumption, what asks for attention."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from app.clock import from_ms
from app.fuel.calibrations import list_calibrations
from app.fuel.days import DayTotal, list_days
from app.fuel.events import StoredEvent, list_events
from app.fuel.tanks import SensorListing, TankListing, list_sensors, list_tanks

DAY_MS = 86_400_000
FRESH_MS = 30 * 60_000
STALE_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class TankLevel:
    """``litres`` is the newest level that is known, of ``at_ms``; None while nothing gives litres."""

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


def fuel_overview(connection: Connection, now_ms: int) -> Overview:
    """Every vehicle that has a tank, by plate, and the sensors that wait to be put into one."""
    sensors = list_sensors(connection)
    tanks = list_tanks(connection)
    events = list_events(connection, since_ms=now_ms - 60 * DAY_MS)
    week_ago, month_ago = (from_ms(now_ms - days * DAY_MS).date().isoformat() for days in (7, 30))
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
    levels = tuple(_level(connection, tank, sensors, days) for tank in tanks)
    own = [event for event in events if event.vehicle_id == vehicle_id]
    refuel = next((event for event in own if event.kind == "refuel" and event.counts), None)
    mine = [day for day in days if day.tank_id in {tank.id for tank in tanks}]
    week = [day for day in mine if day.day > week_ago]
    used = [day.used_l for day in week if day.used_l is not None]
    # Each tank tells the whole way of the vehicle.
    km = sum(max(one.distance_km for one in week if one.day == day) for day in {one.day for one in week})
    is_known = all(level.litres is not None for level in levels)
    newest = [level.at_ms for level in levels if level.at_ms is not None]
    since_ms = now_ms - 7 * DAY_MS
    return VehicleFuel(
        vehicle_id=vehicle_id,
        plate=tanks[0].plate,
        tanks=levels,
        litres=sum(level.litres or 0.0 for level in levels) if is_known else None,
        capacity_l=sum(level.capacity_l or 0.0 for level in levels) or None,
        at_ms=min(newest) if len(newest) == len(levels) else None,
        state=_state(levels, newest, now_ms),
        last_refuel_ms=None if refuel is None else refuel.end_ms,
        last_refuel_l=None if refuel is None else refuel.litres,
        drains_7d=sum(event.kind == "drain" and event.counts and event.start_ms >= since_ms for event in own),
        used_7d_l=sum(used) if used else None,
        per_100_km=sum(used) * 100 / km if used and km >= 50 else None,
        quality=mine[-1].quality if mine else None,
    )


def _level(connection: Connection, tank: TankListing, sensors: list[SensorListing], days: list[DayTotal]) -> TankLevel:
    own = [sensor for sensor in sensors if sensor.tank_id == tank.id]
    known = [day for day in days if day.tank_id == tank.id and day.end_l is not None]
    calibrations = [one for one in list_calibrations(connection, tank.id) if one.valid_to_ms is None]
    tops = [one.table.capacity_l for one in calibrations]
    capacity = tank.capacity_l or (sum(tops) if tank.combine == "sum" else max(tops, default=0.0)) or None
    newest = [sensor.last_ms for sensor in own if sensor.last_ms is not None]
    return TankLevel(
        tank.id,
        tank.name,
        known[-1].end_l if known else None,
        capacity,
        max(newest, default=None),
        bool(own),
        bool(calibrations) or any(sensor.unit in ("litres", "percent") for sensor in own),
    )


def _state(levels: tuple[TankLevel, ...], newest: list[int], now_ms: int) -> str:
    if not all(level.has_sensor for level in levels):
        return "no_sensor"
    if not all(level.is_calibrated for level in levels):
        return "uncalibrated"
    if not newest or now_ms - min(newest) > STALE_MS:
        return "silent"
    return "fresh" if now_ms - min(newest) <= FRESH_MS else "stale"
