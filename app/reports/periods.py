"""Reporting periods and their due days: whole months, counted from a month in which one begins (nhlmis.md, B1, B3)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from app.clock import from_ms

Rhythm = Literal["monthly", "bimonthly", "quarterly"]
MONTHS: dict[str, int] = {"monthly": 1, "bimonthly": 2, "quarterly": 3}
MOST_DUE_DAYS = 60
SATURDAY = 5


@dataclass(frozen=True, slots=True, order=True)
class ReportPeriod:
    """Both days belong to it."""

    starts_on: date
    ends_on: date

    @property
    def days(self) -> int:
        return (self.ends_on - self.starts_on).days + 1

    @property
    def months(self) -> int:
        """Whole months."""
        return (self.ends_on.year - self.starts_on.year) * 12 + self.ends_on.month - self.starts_on.month + 1

    @property
    def name(self) -> str:
        """``Sep–Oct 2026``, ``Nov 2026``, ``Dec 2026–Jan 2027``."""
        first, last = self.starts_on, self.ends_on
        if (first.year, first.month) == (last.year, last.month):
            return f"{first:%b %Y}"
        if first.year == last.year:
            return f"{first:%b}–{last:%b %Y}"
        return f"{first:%b %Y}–{last:%b %Y}"

    def holds(self, day: date) -> bool:
        return self.starts_on <= day <= self.ends_on

    def overlaps(self, other: ReportPeriod) -> bool:
        return self.starts_on <= other.ends_on and other.starts_on <= self.ends_on


def period_of(day: date, rhythm: str, first_month: int) -> ReportPeriod:
    """The period to which a day belongs. ``first_month`` (1 to 12) is a month in which one begins."""
    length = MONTHS[rhythm]
    number = day.year * 12 + day.month - 1
    begins = number - (number - (first_month - 1)) % length
    return ReportPeriod(_first_of(begins), _first_of(begins + length) - timedelta(days=1))


def next_period(period: ReportPeriod, rhythm: str, first_month: int) -> ReportPeriod:
    return period_of(period.ends_on + timedelta(days=1), rhythm, first_month)


def previous_period(period: ReportPeriod, rhythm: str, first_month: int) -> ReportPeriod:
    return period_of(period.starts_on - timedelta(days=1), rhythm, first_month)


def periods_between(first: date, last: date, rhythm: str, first_month: int) -> Iterator[ReportPeriod]:
    """Every period that begins on or after ``first`` and not after ``last``, the oldest first."""
    period = period_of(first, rhythm, first_month)
    if period.starts_on < first:
        period = next_period(period, rhythm, first_month)
    while period.starts_on <= last:
        yield period
        period = next_period(period, rhythm, first_month)


def due_day(ends_on: date, working_days: int, holidays: Collection[date] = ()) -> date:
    """The last day on which a report is in time: so many working days (Monday to Friday) after its period's end."""
    day, left = ends_on, working_days
    while left > 0:
        day += timedelta(days=1)
        if day.weekday() < SATURDAY and day not in holidays:
            left -= 1
    return day


def local_day(ms: int) -> date:
    """The day of a moment where this computer stands: a depot counts its stock by its own calendar."""
    return from_ms(ms).astimezone().date()


def day_begins_ms(day: date) -> int:
    """The first millisecond of a day where this computer stands."""
    return round(datetime(day.year, day.month, day.day).astimezone().timestamp() * 1000)


def _first_of(month: int) -> date:
    """The first day of a month that is counted from the year 0."""
    return date(month // 12, month % 12 + 1, 1)
