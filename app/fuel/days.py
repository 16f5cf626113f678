"""Daily totals of a tank: a recomputation adds a row and marks the old one, which stays for audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, select, update

from app.clock import from_ms
from app.fuel.analyse import Analysis
from app.fuel.consumption import driven_km
from app.fuel.detect.states import is_moving
from app.fuel.events import StoredEvent
from app.fuel.series import Samples
from app.fuel.tanks import TankListing
from app.store.changes import raise_topic
from app.store.tables import FuelDay

COMPARED = ("start_l", "end_l", "refuelled_l", "drained_l", "used_l", "distance_km", "engine_h", "quality")
LONGEST_GAP_S = 1_800.0


@dataclass(frozen=True, slots=True)
class DayTotal:
    """One UTC day as it stands. Used = start − end + refuelled − drained; None where an end is not known."""

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
    samples: Samples,
    found: Analysis,
    events: Sequence[StoredEvent],
    first_day: date,
    now_ms: int,
) -> int:
    """Totals from ``first_day`` on; rows that are as they were stay. Returns how many were written."""
    standing = {
        row.day: row
        for row in connection.execute(
            select(FuelDay.__table__).where(
                FuelDay.tank_id == tank.id, FuelDay.superseded_at.is_(None), FuelDay.day >= first_day.isoformat()
            )
        )
    }
    new = []
    for total in _totals(samples, found, events, first_day):
        old = standing.get(total["day"])
        if old is None or any(getattr(old, name) != total[name] for name in COMPARED):
            new.append((None if old is None else old.id, total))
    if not new:
        return 0
    version = raise_topic(connection, "fuel_days")
    replaced = [old_id for old_id, _total in new if old_id is not None]
    if replaced:
        connection.execute(
            update(FuelDay)
            .where(FuelDay.id.in_(replaced))
            .values(superseded_at=from_ms(now_ms), changed_version=version)
        )
    base = {"tank_id": tank.id, "computed_at": from_ms(now_ms), "changed_version": version}
    connection.execute(insert(FuelDay), [{**base, **total} for _old, total in new])
    return len(new)


def _totals(samples: Samples, found: Analysis, events: Sequence[StoredEvent], first_day: date) -> list[dict[str, Any]]:
    """One row per day that has samples."""
    if not len(samples):
        return []
    moving = is_moving(samples.speed_km_h)
    smooth = found.litres_smooth
    last_day = datetime.fromtimestamp(float(samples.time_s[-1]), UTC).date()
    rows = []
    day = max(first_day, datetime.fromtimestamp(float(samples.time_s[0]), UTC).date())
    while day <= last_day:
        from_s = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
        first, last = np.searchsorted(samples.time_s, (from_s, from_s + 86_400))
        if last > first:
            rows.append(_day(samples, moving, smooth, events, day, (int(first), int(last)), found.quality.score))
        day += timedelta(days=1)
    return rows


def _day(
    samples: Samples,
    moving: Any,
    smooth: Any,
    events: Sequence[StoredEvent],
    day: date,
    part: tuple[int, int],
    quality: int,
) -> dict[str, Any]:
    first, last = part
    own = samples.part(slice(first, last))
    from_ms_, to_ms_ = _bounds_ms(day)
    inside = [event for event in events if from_ms_ <= event.start_ms < to_ms_ and event.counts]
    refuelled = sum(event.litres for event in inside if event.kind == "refuel")
    drained = sum(event.litres for event in inside if event.kind == "drain")
    start, end = _level(smooth, max(first - 1, 0)), _level(smooth, last - 1)
    steps = np.diff(own.time_s)
    running = (own.ignition[:-1] == 1) & (steps <= LONGEST_GAP_S)
    engine_h = float(steps[running].sum()) / 3600 if (own.ignition >= 0).any() else None
    used = None if start is None or end is None else start - end + refuelled - drained
    return {
        "day": day.isoformat(),
        "start_l": start,
        "end_l": end,
        "refuelled_l": round(refuelled, 2),
        "drained_l": round(drained, 2),
        "used_l": None if used is None else round(used, 2),
        "distance_km": round(driven_km(own, moving[first:last]), 2),
        "engine_h": None if engine_h is None else round(engine_h, 3),
        "quality": quality,
    }


def _level(smooth: Any, at: int) -> float | None:
    """The newest known level at or before a sample, not further back than two hundred of them."""
    near = smooth[max(at - 200, 0) : at + 1]
    near = near[np.isfinite(near)]
    return round(float(near[-1]), 2) if len(near) else None


def _bounds_ms(day: date) -> tuple[int, int]:
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return int(start.timestamp() * 1000), int((start + timedelta(days=1)).timestamp() * 1000)
