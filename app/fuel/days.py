"""Daily totals of a tank. A day that was over when it was computed is never changed: a new row follows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, insert, select, update

from app.clock import from_ms, to_ms
from app.fuel.analyse import Analysis
from app.fuel.arrays import Floats
from app.fuel.consumption import by_counter, driven_km
from app.fuel.detect.states import is_moving
from app.fuel.events import StoredEvent
from app.fuel.motion import Motion
from app.fuel.parameters import Parameters
from app.fuel.quality import quality_of
from app.fuel.readings import TankReadings
from app.fuel.series import make_samples
from app.fuel.tanks import TankListing
from app.store.changes import raise_topic
from app.store.tables import FuelDay, FuelEventRow, Tank

COMPARED = (
    "start_l", "end_l", "refuelled_l", "drained_l", "used_l", "distance_km", "engine_h", "norm_l", "counter_l",
    "quality",
)  # fmt: skip
LONGEST_GAP_S = 1_800.0
DAY_S = 86_400
NEAR_SAMPLES = 200
"""A level counts as that of midnight when so many samples at most lie between."""


@dataclass(frozen=True, slots=True)
class DayTotal:
    """One UTC day as it stands. Used = start − end + refuelled − drained; None where an end is not known.

    ``norm_l`` is what the vehicle's norm expects, ``counter_l`` what the engine's own counter says.
    """

    tank_id: str
    day: str
    start_l: float | None
    end_l: float | None
    refuelled_l: float
    drained_l: float
    used_l: float | None
    distance_km: float
    engine_h: float | None
    quality: int
    norm_l: float | None = None
    counter_l: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Computed:
    """What was computed of a tank. ``counter`` are Unix seconds and litres of the engine's total."""

    readings: TankReadings
    found: Analysis
    motion: Motion
    counter: tuple[Floats, Floats]
    parameters: Parameters


def list_days(connection: Connection, tank_ids: Sequence[str], from_day: str, to_day: str) -> list[DayTotal]:
    """Days that stand, from one to another inclusive, in their order."""
    query = (
        select(FuelDay.__table__)
        .where(
            FuelDay.tank_id.in_(tank_ids),
            FuelDay.superseded_at.is_(None),
            FuelDay.day >= from_day,
            FuelDay.day <= to_day,
        )
        .order_by(FuelDay.day, FuelDay.tank_id)
    )
    names = DayTotal.__dataclass_fields__
    return [DayTotal(**{name: getattr(row, name) for name in names}) for row in connection.execute(query)]


def write_days(
    connection: Connection,
    tank: TankListing,
    computed: Computed,
    events: Sequence[StoredEvent],
    first_day: date,
    until_ms: int,
    now_ms: int,
    why: str,
) -> None:
    """Totals from ``first_day`` on, up to ``until_ms``; rows that are as they were stay.

    A row of a day that still ran when it was computed is written over: nobody took it for the day's total. A day that
    has no readings any more, because its sensor was in another tank, is marked like one that was computed anew.
    """
    totals = _totals(computed, events, first_day)
    standing = _standing(connection, tank.id, first_day)
    base = {"computed_at": from_ms(now_ms), "why": why}
    new, renewed = [], []
    told = {total["day"] for total in totals}
    replaced = [row.id for day, row in standing.items() if day not in told and _end_of(day) <= from_ms(until_ms)]
    for total in totals:
        old = standing.get(total["day"])
        if old is not None:
            was_running = old.computed_at < _end_of(old.day)
            is_same = all(getattr(old, name) == total[name] for name in COMPARED)
            if is_same and not (was_running and from_ms(now_ms) >= _end_of(old.day)):
                continue
            if was_running:
                renewed.append((old.id, {**base, **total}))
                continue
            replaced.append(old.id)
        new.append({"tank_id": tank.id, **base, **total})
    if not (new or renewed or replaced):
        return
    version = raise_topic(connection, "fuel_days")
    superseded = {"superseded_at": from_ms(now_ms), "changed_version": version}
    connection.execute(update(FuelDay).where(FuelDay.id.in_(replaced)).values(**superseded))
    for row_id, values in renewed:
        connection.execute(update(FuelDay).where(FuelDay.id == row_id).values(**values, changed_version=version))
    if new:
        connection.execute(insert(FuelDay), [{**row, "changed_version": version} for row in new])


def first_standing_ms(connection: Connection, tank_id: str, from_ms_: int = 0) -> int | None:
    """When the first day or event of a tank that stands begins, of those that reach beyond a time."""
    day, event = FuelDay, FuelEventRow
    first_day = from_ms(from_ms_).date().isoformat()
    days = select(func.min(day.day)).where(day.tank_id == tank_id, day.superseded_at.is_(None), day.day >= first_day)
    vehicle_id = select(Tank.vehicle_id).where(Tank.id == tank_id).scalar_subquery()  # the index begins with it
    events = select(func.min(event.start_ms)).where(
        event.vehicle_id == vehicle_id,
        event.tank_id == tank_id,
        event.withdrawn_at.is_(None),
        event.start_ms >= from_ms_,
    )
    begins: str | None = connection.execute(days).scalar()
    starts_ms: int | None = connection.execute(events).scalar()
    day_ms = None if begins is None else max(to_ms(_end_of(begins) - timedelta(days=1)), from_ms_)
    return min((at_ms for at_ms in (day_ms, starts_ms) if at_ms is not None), default=None)


def _standing(connection: Connection, tank_id: str, first_day: date) -> dict[str, Any]:
    query = select(FuelDay.__table__).where(
        FuelDay.tank_id == tank_id, FuelDay.superseded_at.is_(None), FuelDay.day >= first_day.isoformat()
    )
    return {row.day: row for row in connection.execute(query)}


def _end_of(day: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC) + timedelta(days=1)


def _totals(computed: Computed, events: Sequence[StoredEvent], first_day: date) -> list[dict[str, Any]]:
    """One row per day that has samples."""
    time_s = computed.readings.samples.time_s
    if not len(time_s):
        return []
    moving = is_moving(computed.readings.samples.speed_km_h)
    last_day = datetime.fromtimestamp(float(time_s[-1]), UTC).date()
    rows = []
    day = max(first_day, datetime.fromtimestamp(float(time_s[0]), UTC).date())
    while day <= last_day:
        from_s = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        first, last = np.searchsorted(time_s, (from_s, from_s + DAY_S)).tolist()
        if last > first:
            rows.append({"day": day.isoformat(), **_day(computed, moving, events, from_s, slice(first, last))})
        day += timedelta(days=1)
    return rows


def _day(
    computed: Computed, moving: NDArray[np.bool_], events: Sequence[StoredEvent], from_s: float, part: slice
) -> dict[str, Any]:
    smooth = computed.found.litres_smooth
    start, end = _level(smooth, max(part.start - 1, 0)), _level(smooth, part.stop - 1)
    parts = [(event, _litres_within(event, from_s, start, end)) for event in events if event.counts]
    refuelled = sum(litres for event, litres in parts if event.kind == "refuel")
    drained = sum(litres for event, litres in parts if event.kind == "drain")
    used = None if start is None or end is None else start - end + refuelled - drained
    km = _distance_km(computed.motion, from_s) or _by_speed_km(computed.readings, part)
    engine_h, moving_h = _hours(computed.readings, moving, part)
    parameters = computed.parameters
    norm = parameters.expected_l(km, max((engine_h or 0.0) - moving_h, 0.0))
    return {
        "start_l": start,
        "end_l": end,
        "refuelled_l": round(refuelled, 2),
        "drained_l": round(drained, 2),
        "used_l": None if used is None else round(used, 2),
        "distance_km": round(km, 2),
        "engine_h": None if engine_h is None else round(engine_h, 3),
        "norm_l": round(norm, 2) if km or engine_h is not None else None,
        "counter_l": _counted(computed.counter, from_s),
        "quality": _quality(computed, moving, part),
    }


def _litres_within(event: StoredEvent, from_s: float, start: float | None, end: float | None) -> float:
    """What of an event falls into a day: all of it, or by the levels at midnight the part before or behind."""
    first_s, last_s = event.start_ms / 1000, event.end_ms / 1000
    if last_s <= from_s or first_s >= from_s + DAY_S:
        # An event without length belongs to the day of its moment.
        return event.litres if first_s == last_s == from_s else 0.0
    before = _done(event, start, (from_s - first_s) / (last_s - first_s)) if first_s < from_s else 0.0
    until = _done(event, end, (from_s + DAY_S - first_s) / (last_s - first_s)) if last_s > from_s + DAY_S else None
    return max((event.litres if until is None else until) - before, 0.0)


def _done(event: StoredEvent, level: float | None, share: float) -> float:
    """Litres of an event at a moment within it."""
    if level is None:
        return event.litres * share
    return min(abs(level - event.level_before_l), event.litres)


def _level(smooth: Floats, at: int) -> float | None:
    """The newest known level at or before a sample."""
    near = smooth[max(at - NEAR_SAMPLES, 0) : at + 1]
    near = near[np.isfinite(near)]
    return round(float(near[-1]), 2) if len(near) else None


def _distance_km(motion: Motion, from_s: float) -> float:
    first, last = np.searchsorted(motion.time_s, (from_s, from_s + DAY_S))
    own = slice(max(int(first) - 1, 0), int(last))
    track = make_samples(
        motion.time_s[own], motion.speed_km_h[own], motion.speed_km_h[own], None, motion.lat[own], motion.lon[own]
    )
    return driven_km(track, is_moving(track.speed_km_h)) if last > first else 0.0


def _by_speed_km(readings: TankReadings, part: slice) -> float:
    """Of a vehicle without a tracker, whose engine tells its speed."""
    own = readings.samples.part(part)
    steps = np.diff(own.time_s)
    return float(np.nansum(np.where(steps <= LONGEST_GAP_S, own.speed_km_h[:-1] * steps, 0.0))) / 3600


def _hours(readings: TankReadings, moving: NDArray[np.bool_], part: slice) -> tuple[float | None, float]:
    """Hours with the ignition on, None where nothing tells it, and hours in motion."""
    own = readings.samples.part(part)
    steps = np.diff(own.time_s)
    close = steps <= LONGEST_GAP_S
    moving_h = float(steps[close & moving[part][:-1]].sum()) / 3600
    if not (own.ignition >= 0).any():
        return None, moving_h
    return float(steps[close & (own.ignition[:-1] == 1)].sum()) / 3600, moving_h


def _counted(counter: tuple[Floats, Floats], from_s: float) -> float | None:
    time_s, total_l = counter
    first, last = np.searchsorted(time_s, (from_s, from_s + DAY_S))
    counted = by_counter(total_l[max(int(first) - 1, 0) : int(last)]) if last > first else None
    return None if counted is None else round(counted, 2)


def _quality(computed: Computed, moving: NDArray[np.bool_], part: slice) -> int:
    own, raw = computed.readings.samples.part(part), computed.found.litres_raw[part]
    spikes = np.isfinite(raw) & np.isnan(computed.found.litres_smooth[part])
    return quality_of(own.time_s, own.raw, raw, moving[part], spikes, computed.readings.table).score
