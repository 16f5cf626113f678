"""Long series at growing coarseness."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.charts.long_line import runs
from widgets.charts.pyramid import Pyramid


@given(st.integers(1, 60_000), st.integers(10, 2_000), st.integers(0, 2**32 - 1))
def test_no_more_than_two_points_per_pixel_and_no_peak_is_lost(points: int, pixels: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    x, y = np.arange(points, dtype=float), draw.normal(0, 1, points)
    y[draw.integers(0, points)] = 1e6
    shown_x, shown_y = Pyramid(x, y).between(0, points, pixels)
    assert len(shown_x) <= max(2 * pixels, 512 * 4 * 2) + 8
    assert np.all(np.diff(shown_x) >= 0)
    assert shown_y.max() == 1e6
    assert shown_y.min() == y.min()


def test_a_close_look_shows_every_point_and_the_two_beside_the_span() -> None:
    x = np.arange(100_000, dtype=float)
    shown, values = Pyramid(x, x * 2).between(500.5, 600.5, 1_000)
    assert shown[0] <= 500
    assert shown[-1] >= 601
    assert np.array_equal(values, shown * 2)


def test_gaps_stay_gaps_when_everything_is_shown() -> None:
    x, y = np.arange(200_000, dtype=float), np.ones(200_000)
    y[50_000:120_000] = np.nan
    shown, values = Pyramid(x, y).between(0, 200_000, 300)
    inside = (shown > 51_000) & (shown < 119_000)
    assert inside.any()
    assert np.isnan(values[inside]).all()
    assert np.isfinite(values[shown < 49_000]).all()


def test_nothing_has_no_extent() -> None:
    empty = np.zeros(0)
    assert Pyramid(empty, empty).extent(0, 10) is None
    assert Pyramid(np.array([1.0]), np.array([np.nan])).extent(0, 10) is None
    with pytest.raises(ValueError, match="as many"):
        Pyramid(np.zeros(2), np.zeros(3))


@given(st.lists(st.booleans(), max_size=300))
def test_runs_are_those_of_the_states(states: list[bool]) -> None:
    is_on = np.array(states, dtype=bool)
    x = np.arange(len(states), dtype=float)
    begins, ends = runs(x, is_on, 0.0)
    painted = np.zeros(len(states), dtype=bool)
    for begin, end in zip(begins, ends, strict=True):
        painted[int(begin) : int(end) + (1 if end == len(states) - 1 and states[-1] else 0)] = True
    assert np.array_equal(painted, is_on)


def test_runs_nearer_than_a_pixel_are_one() -> None:
    x = np.arange(9, dtype=float)
    is_on = np.array([1, 0, 1, 0, 0, 0, 0, 1, 0], dtype=bool)
    begins, ends = runs(x, is_on, 2.0)
    assert begins.tolist() == [0.0, 7.0]
    assert ends.tolist() == [3.0, 8.0]
