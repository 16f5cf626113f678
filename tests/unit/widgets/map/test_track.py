"""A day's track: what is counted, where the gaps are, where the vehicle was at any moment."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fleet.plausibility import Mark
from app.fleet.tracks import as_array
from widgets.map.projection import Viewport
from widgets.map.track import Track, day_range_ms
from widgets.map.track_item import thin

T0 = 1_767_225_600_000
MINUTE = 60_000


def a_track(*fixes: tuple[int, float, float, float | None, int]) -> Track:
    """(minute, lat, lon, speed, marks) of each fix."""
    rows = [
        (number, 1, T0 + minute * MINUTE, T0 + minute * MINUTE, lat, lon, speed, 90.0, marks)
        for number, (minute, lat, lon, speed, marks) in enumerate(fixes, start=1)
    ]
    return Track.of(as_array(rows))


DAY = a_track(
    (0, 9.0, 7.0, 60.0, 0),
    (1, 9.01, 7.0, 60.0, 0),
    (2, 12.0, 3.0, 60.0, int(Mark.JUMP)),
    (3, 9.02, 7.0, 0.0, 0),
    (63, 9.5, 7.0, 50.0, 0),
    (64, 9.51, 7.0, None, 0),
)


def test_doubtful_fixes_and_gaps_are_left_out_of_the_totals() -> None:
    assert DAY.counted.tolist() == [0, 1, 3, 4, 5]
    assert DAY.is_gap.tolist() == [False, False, True, False]
    assert DAY.distance_km == pytest.approx(3 * 1.1132, rel=1e-3)
    assert DAY.driving_ms == (1 + 2 + 1) * MINUTE


def test_the_speed_line_breaks_at_a_gap() -> None:
    seconds, speed = DAY.speed_line
    assert np.isnan(speed).tolist() == [False, False, False, True, False, True]
    assert (np.diff(seconds) > 0).all()


def test_moments_lie_between_fixes_and_stand_still_in_a_gap() -> None:
    _x, y = DAY.world
    half = DAY.moment(T0 + MINUTE // 2)
    assert half is not None
    assert half.y == pytest.approx((y[0] + y[1]) / 2)
    assert not half.is_gap
    in_gap = DAY.moment(T0 + 30 * MINUTE)
    assert in_gap is not None
    assert (in_gap.is_gap, in_gap.fix, in_gap.y) == (True, 3, y[3])
    before, after = DAY.moment(T0 - 1), DAY.moment(T0 + 900 * MINUTE)
    assert before is not None
    assert after is not None
    assert (before.fix, after.fix) == (0, 5)


def test_an_empty_track_and_one_of_doubts_only_are_harmless() -> None:
    nothing = Track.of(as_array([]))
    assert (len(nothing), nothing.distance_km, nothing.driving_ms, nothing.moment(T0)) == (0, 0.0, 0, None)
    doubts = a_track((0, 0.0, 0.0, None, int(Mark.ZERO_POSITION)))
    assert (doubts.distance_km, doubts.moment(T0)) == (0.0, None)


@given(st.lists(st.tuples(st.integers(0, 1440), st.floats(4, 14), st.floats(3, 14)), min_size=1, max_size=200))
def test_thinning_keeps_the_ends_and_the_shape(points: list[tuple[int, float, float]]) -> None:
    track = a_track(*[(minute, lat, lon, 10.0, 0) for minute, lat, lon in sorted(points)])
    viewport = Viewport(1 / 1500, 300_000.0, 1_600_000.0, 1280, 800)
    lines, gaps = thin(track, viewport)
    assert len(lines) == len(gaps) + 1
    x, y = viewport.to_px(*track.world)
    kept = np.array([(point.x(), point.y()) for line in lines for point in line.toList()])
    assert kept[0].tolist() == pytest.approx([x[0], y[0]])
    assert kept[-1].tolist() == pytest.approx([x[-1], y[-1]])
    for px, py in zip(x, y, strict=True):
        assert np.hypot(kept[:, 0] - px, kept[:, 1] - py).min() <= 1.5 * 2**0.5 + 1e-6


def test_a_day_is_that_of_the_zone_and_need_not_have_24_hours() -> None:
    start, end = day_range_ms(date(2026, 11, 25), ZoneInfo("Africa/Lagos"))
    assert end - start == 24 * 3_600_000
    assert start == 1_795_561_200_000  # 2026-11-24T23:00:00Z
    spring, summer = day_range_ms(date(2026, 3, 29), ZoneInfo("Europe/Berlin"))
    assert summer - spring == 23 * 3_600_000
