"""How an integration did over the last days: runs, success, records, duration, freshness."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection, select

from app.clock import utc_now
from app.store.tables import IntegrationDay

DAYS = 30


@dataclass(frozen=True, slots=True)
class DayFigures:
    """One UTC day. Rates and means are None where nothing ran or nothing came: unknown, not zero."""

    day: date
    runs: int
    runs_failed: int
    records: int
    duration_ms: int
    delay_ms: int

    @property
    def success_rate(self) -> float | None:
        return 1 - self.runs_failed / self.runs if self.runs else None

    @property
    def mean_duration_s(self) -> float | None:
        return self.duration_ms / self.runs / 1000 if self.runs else None

    @property
    def mean_delay_s(self) -> float | None:
        """Mean age of a record when it arrived."""
        return self.delay_ms / self.records / 1000 if self.records else None


@dataclass(frozen=True, slots=True)
class Analytics:
    """The days, oldest first and without holes, their sum, and what else was counted."""

    days: tuple[DayFigures, ...]
    total: DayFigures
    counters: dict[str, int]


def analytics(connection: Connection, integration_id: str, *, days: int = DAYS, today: date | None = None) -> Analytics:
    """The figures of the last ``days`` UTC days, today included."""
    last = today or utc_now().date()
    first = last - timedelta(days=days - 1)
    query = select(IntegrationDay.__table__).where(
        IntegrationDay.integration_id == integration_id,
        IntegrationDay.day >= first.isoformat(),
        IntegrationDay.day <= last.isoformat(),
    )
    rows = {row.day: row for row in connection.execute(query)}
    found, counters = [], Counter[str]()
    for offset in range(days):
        day = first + timedelta(days=offset)
        row = rows.get(day.isoformat())
        if row is None:
            found.append(DayFigures(day, 0, 0, 0, 0, 0))
            continue
        found.append(DayFigures(day, row.runs, row.runs_failed, row.records, row.duration_ms, row.delay_ms))
        counters.update(row.counters)
    return Analytics(tuple(found), _sum(last, found), dict(counters))


def _sum(day: date, figures: list[DayFigures]) -> DayFigures:
    return DayFigures(
        day=day,
        runs=sum(item.runs for item in figures),
        runs_failed=sum(item.runs_failed for item in figures),
        records=sum(item.records for item in figures),
        duration_ms=sum(item.duration_ms for item in figures),
        delay_ms=sum(item.delay_ms for item in figures),
    )
