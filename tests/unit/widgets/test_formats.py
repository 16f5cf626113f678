"""Times with their zone, ages that tell the truth, units by choice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import to_ms
from tests.helpers.qt import Console
from widgets.formats import Formats

NOW = datetime(2026, 11, 25, 7, 14, 5, tzinfo=UTC)


@pytest.fixture
async def formats(console: Console) -> Formats:
    await console.context.preferences.change(time_zone="Africa/Lagos")
    return console.context.formats


async def test_times_are_in_the_chosen_zone_which_is_named(console: Console, formats: Formats) -> None:
    assert formats.time(NOW) == "2026-11-25 08:14:05 WAT"
    assert formats.time(to_ms(NOW)) == "2026-11-25 08:14:05 WAT"
    await console.context.preferences.change(time_zone="America/Sao_Paulo")
    assert formats.time(NOW) == "2026-11-25 04:14:05 UTC-03:00"
    assert formats.time(None) == "–"


async def test_a_date_beyond_the_calendar_is_no_crash(formats: Formats) -> None:
    assert formats.time(2**62) == "–"
    assert formats.ago(-(2**62)) == "never"
    assert formats.time(datetime.max.replace(tzinfo=UTC)).startswith("9999-12-31")


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(), "just now"),
        (timedelta(seconds=20), "20 s ago"),
        (timedelta(seconds=119), "1 min ago"),
        (timedelta(hours=3, minutes=5), "3 h 5 min ago"),
        (timedelta(hours=30), "30 h ago"),
        (timedelta(days=4, hours=3), "4 days ago"),
        (timedelta(seconds=-40), "in 40 s"),
    ],
)
async def test_ages(formats: Formats, age: timedelta, text: str) -> None:
    assert formats.ago(NOW - age, now=NOW) == text


async def test_units_follow_the_choice_and_those_who_show_them_are_told(console: Console, formats: Formats) -> None:
    told: list[bool] = []
    formats.changed.connect(lambda: told.append(True))
    assert (formats.speed(54.4), formats.distance(12.44), formats.distance(0.4)) == ("54 km/h", "12.4 km", "400 m")
    await console.context.preferences.change(units="imperial")
    assert told
    assert (formats.speed(54.4), formats.distance(12.44)) == ("34 mph", "7.7 mi")
    assert formats.speed(None) == formats.distance(float("nan")) == "–"


async def test_numbers_courses_and_sizes(formats: Formats) -> None:
    assert formats.number(-1234.5, 1) == "−1,234.5"
    assert formats.number(-0.01) == "0"
    assert formats.course(47.0) == "NE 47°"
    assert formats.course(359.9).startswith("N ")
    assert formats.size(3_565_158) == "3.4 MB"
    assert formats.size(12) == "12 B"


@given(st.floats(0, 1e9))
def test_a_span_never_claims_more_time_than_has_passed(seconds: float) -> None:
    text = Formats.span(Formats.__new__(Formats), seconds) if seconds < 48 * 3600 else ""
    units = {"s": 1, "min": 60, "h": 3600}
    words = text.split()
    claimed = sum(int(words[n]) * units[words[n + 1]] for n in range(0, len(words), 2))
    assert claimed <= seconds
