"""Periods and due days for any day, rhythm and month in which one begins."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reports.periods import (
    MONTHS,
    ReportPeriod,
    day_begins_ms,
    due_day,
    local_day,
    next_period,
    period_of,
    periods_between,
    previous_period,
)

days = st.dates(date(2001, 1, 1), date(2098, 12, 31))
rhythms = st.sampled_from(sorted(MONTHS))
months = st.integers(1, 12)


@given(days, rhythms, months)
def test_every_day_belongs_to_exactly_one_period_of_whole_months(day: date, rhythm: str, first: int) -> None:
    period = period_of(day, rhythm, first)
    assert period.holds(day)
    assert period.starts_on.day == 1
    assert (period.ends_on + timedelta(days=1)).day == 1
    assert period.months == MONTHS[rhythm]
    assert (period.starts_on.month - first) % MONTHS[rhythm] == 0
    for own in (period.starts_on, period.ends_on):
        assert period_of(own, rhythm, first) == period
    assert next_period(period, rhythm, first).starts_on == period.ends_on + timedelta(days=1)
    assert previous_period(next_period(period, rhythm, first), rhythm, first) == period


@given(days, st.integers(0, 900), rhythms, months)
def test_periods_between_two_days_follow_each_other_without_a_gap(first: date, span: int, rhythm: str, at: int) -> None:
    last = first + timedelta(days=span)
    found = list(periods_between(first, last, rhythm, at))
    assert all(first <= one.starts_on <= last for one in found)
    assert all(after.starts_on == before.ends_on + timedelta(days=1) for before, after in pairwise(found))
    if found:
        assert previous_period(found[0], rhythm, at).starts_on < first
        assert next_period(found[-1], rhythm, at).starts_on > last


@given(days, st.integers(0, 60), st.sets(st.integers(1, 90), max_size=12))
def test_the_due_day_leaves_exactly_so_many_working_days(ends: date, working: int, away: set[int]) -> None:
    holidays = {ends + timedelta(days=number) for number in away}
    due = due_day(ends, working, holidays)
    between = [ends + timedelta(days=number) for number in range(1, (due - ends).days + 1)]
    assert sum(day.weekday() < 5 and day not in holidays for day in between) == working
    assert due == ends if working == 0 else due.weekday() < 5 and due not in holidays


@pytest.mark.parametrize(
    ("ends", "working", "due"),
    [
        (date(2026, 10, 31), 5, date(2026, 11, 6)),  # ends on a Saturday
        (date(2026, 11, 30), 5, date(2026, 12, 7)),
        (date(2026, 12, 31), 5, date(2027, 1, 7)),
    ],
)
def test_due_days_by_the_calendar_on_the_wall(ends: date, working: int, due: date) -> None:
    assert due_day(ends, working) == due


def test_a_holiday_moves_the_due_day() -> None:
    assert due_day(date(2026, 12, 31), 5, [date(2027, 1, 1)]) == date(2027, 1, 8)


def test_names() -> None:
    assert period_of(date(2026, 10, 5), "bimonthly", 1).name == "Sep–Oct 2026"
    assert period_of(date(2026, 10, 5), "monthly", 1).name == "Oct 2026"
    assert period_of(date(2027, 1, 5), "bimonthly", 12).name == "Dec 2026–Jan 2027"
    assert ReportPeriod(date(2026, 9, 1), date(2026, 10, 31)).days == 61


@given(days)
def test_a_day_begins_within_itself(day: date) -> None:
    assert local_day(day_begins_ms(day)) == day
    assert local_day(day_begins_ms(day) - 1) == day - timedelta(days=1)
