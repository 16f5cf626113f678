"""Working hours in the depot's zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from app.alarms.hours import counts, is_working
from app.alarms.rules import WorkingHours
from app.clock import to_ms

LAGOS = ZoneInfo("Africa/Lagos")
DAY = WorkingHours()
NIGHT = WorkingHours(work_from="20:00", work_to="04:00", work_days="mon-fri")


def at(day: int, hour: int, minute: int = 0) -> int:
    """A moment of November 2026 in Lagos; the 23rd is a Monday."""
    return to_ms(datetime(2026, 11, day, hour, minute, tzinfo=LAGOS))


@pytest.mark.parametrize(
    ("hours", "moment", "expected"),
    [
        (DAY, at(23, 5, 59), False),
        (DAY, at(23, 6), True),
        (DAY, at(23, 19, 59), True),
        (DAY, at(23, 20), False),
        (DAY, at(28, 12), True),  # Saturday
        (DAY, at(29, 12), False),  # Sunday
        (NIGHT, at(23, 21), True),
        (NIGHT, at(24, 3), True),
        (NIGHT, at(23, 3), False),  # the night of Sunday
        (NIGHT, at(28, 3), True),  # the night of Friday, on Saturday
        (NIGHT, at(28, 21), False),
    ],
)
def test_hours_of_a_day_and_over_midnight(hours: WorkingHours, moment: int, expected: bool) -> None:
    assert is_working(hours, moment) is expected


def test_what_a_rule_counts() -> None:
    assert counts("always", DAY, at(29, 3))
    assert counts("outside", DAY, at(29, 3))
    assert not counts("inside", DAY, at(29, 3))
    assert counts("inside", DAY, at(23, 9))
