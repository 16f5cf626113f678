"""A vehicle's fuel day by day and over a span of days: its tanks taken together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from app.clock import from_ms
from app.fuel.calibrations import list_calibrations
from app.fuel.consumption import LEAST_KM, LEAST_SHARE
from app.fuel.days import DayTotal, list_days
from app.fuel.readings import capacity_of
from app.fuel.tanks import list_tanks


@dataclass(frozen=True, slots=True)
class VehicleDay:
    """One UTC day. Levels and used litres are None while one of the tanks is missing; ``quality`` is the worst tank's.

    ``norm_l`` is what the vehicle's norm expects of this day's distance and hours.
    """

    day: str
    start_l: float | None
    end_l: float | None
    refuelled_l: float
    drained_l: float
    used_l: float | None
    distance_km: float
    engine_h: float | None
    norm_l: float | None
    quality: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Over several days. Used litres, their kilometres, hours and norm are of the days whose use is known."""

    days: int
    unknown_days: int
    start_l: float | None
    end_l: float | None
    refuelled_l: float
    drained_l: float
    used_l: float | None
    distance_km: float
    used_km: float
    engine_h: float | None
    norm_l: float | None
    quality: int | None


@dataclass(frozen=True, slots=True)
class VehicleSpan:
    days: tuple[VehicleDay, ...]
    totals: Totals
    capacity_l: float

    def per_100_km(self, used_l: float | None, distance_km: float) -> float | None:
        """None below 50 km and below 5 % of the tanks, where it would be a guess (fuel-analytics.md 6)."""
        if used_l is None or distance_km < LEAST_KM or used_l < LEAST_SHARE * self.capacity_l:
            return None
        return used_l * 100 / distance_km


def vehicle_span(connection: Connection, vehicle_id: str, from_ms_: int, to_ms: int) -> VehicleSpan:
    """The UTC days from one moment to another, both included."""
    tanks = list_tanks(connection, vehicle_id)
    first, last = (from_ms(moment).date().isoformat() for moment in (from_ms_, to_ms))
    rows = list_days(connection, [tank.id for tank in tanks], first, last)
    capacity_l = sum(capacity_of(tank, list_calibrations(connection, tank.id)) for tank in tanks)
    return span_of(rows, len(tanks), capacity_l)


def span_of(rows: Sequence[DayTotal], tanks: int, capacity_l: float) -> VehicleSpan:
    """The days of all of a vehicle's tanks, which are ``tanks`` in number and hold ``capacity_l`` together."""
    by_day: dict[str, list[DayTotal]] = {}
    for row in rows:
        by_day.setdefault(row.day, []).append(row)
    days = tuple(_together(day, own, tanks) for day, own in sorted(by_day.items()))
    return VehicleSpan(days, _totals(days), capacity_l)


def _together(day: str, rows: Sequence[DayTotal], tanks: int) -> VehicleDay:
    """Litres add up; way, hours and norm are the vehicle's own and stand in every tank's row."""
    is_whole = len(rows) == tanks
    return VehicleDay(
        day,
        _sum([row.start_l for row in rows]) if is_whole else None,
        _sum([row.end_l for row in rows]) if is_whole else None,
        sum(row.refuelled_l for row in rows),
        sum(row.drained_l for row in rows),
        _sum([row.used_l for row in rows]) if is_whole else None,
        max(row.distance_km for row in rows),
        max((row.engine_h for row in rows if row.engine_h is not None), default=None),
        max((row.norm_l for row in rows if row.norm_l is not None), default=None),
        min(row.quality for row in rows),
    )


def _totals(days: Sequence[VehicleDay]) -> Totals:
    known = [day for day in days if day.used_l is not None]
    return Totals(
        days=len(days),
        unknown_days=len(days) - len(known),
        start_l=days[0].start_l if days else None,
        end_l=days[-1].end_l if days else None,
        refuelled_l=sum(day.refuelled_l for day in days),
        drained_l=sum(day.drained_l for day in days),
        used_l=_sum([day.used_l for day in known]),
        distance_km=sum(day.distance_km for day in days),
        used_km=sum(day.distance_km for day in known),
        engine_h=_sum([day.engine_h for day in known if day.engine_h is not None]),
        norm_l=_sum([day.norm_l for day in known if day.norm_l is not None]),
        quality=round(sum(day.quality for day in days) / len(days)) if days else None,
    )


def _sum(parts: list[float | None] | list[float]) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None
