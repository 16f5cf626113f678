from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import Clock
from app.clock import SystemClock, from_ms, to_ms, utc_now


@given(st.integers(min_value=-62_135_596_800_000, max_value=253_402_300_799_999))
def test_milliseconds_come_back_exactly(ms: int) -> None:
    assert to_ms(from_ms(ms)) == ms


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_is_rounded_down_to_its_millisecond(moment: datetime) -> None:
    assert timedelta(0) <= moment - from_ms(to_ms(moment)) < timedelta(milliseconds=1)


def test_the_zone_of_a_time_does_not_matter_but_it_must_have_one() -> None:
    lagos = datetime(2026, 1, 1, 13, 0, tzinfo=timezone(timedelta(hours=1)))
    assert to_ms(lagos) == to_ms(datetime(2026, 1, 1, 12, 0, tzinfo=UTC))
    with pytest.raises(ValueError, match="without zone"):
        to_ms(datetime(2026, 1, 1))  # noqa: DTZ001


async def test_the_system_clock_is_the_clock_that_adapters_are_lent() -> None:
    clock: Clock = SystemClock()
    before = to_ms(utc_now())
    started_s = clock.monotonic()
    await clock.sleep(0)
    assert before <= clock.now_ms() <= to_ms(utc_now()) + 1
    assert clock.monotonic() >= started_s
