"""The projection is its own inverse, lengths on the ground are true, the viewport maps both ways."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fleet.geo import distance_m
from widgets.map.projection import (
    HALF_WORLD_M,
    MAX_LATITUDE,
    Viewport,
    circle_on_ground,
    ground_scale,
    nice_length,
    to_degrees,
    to_world,
)

latitudes = st.floats(-85.0, 85.0)
longitudes = st.floats(-180.0, 180.0)


@given(latitudes, longitudes)
def test_degrees_survive_the_round_trip(lat: float, lon: float) -> None:
    back_lat, back_lon = to_degrees(*to_world(lat, lon))
    assert float(back_lat) == pytest.approx(lat, abs=1e-9)
    assert float(back_lon) == pytest.approx(lon, abs=1e-9)


def test_known_points() -> None:
    x, y = to_world([0.0, MAX_LATITUDE, 9.0579], [0.0, 180.0, 7.4951])
    assert x.tolist() == pytest.approx([0.0, HALF_WORLD_M, 834_350.7], abs=1)
    # EPSG:3857 by hand: R·ln(tan(π/4 + φ/2))
    by_hand = 6_378_137 * math.log(math.tan(math.pi / 4 + math.radians(9.0579) / 2))
    assert y.tolist() == pytest.approx([0.0, HALF_WORLD_M, by_hand], abs=1e-3)


def test_the_poles_are_clipped_to_the_square_world() -> None:
    _x, y = to_world([90.0, -90.0], [0.0, 0.0])
    assert y.tolist() == pytest.approx([HALF_WORLD_M, -HALF_WORLD_M])


@given(st.floats(-60.0, 60.0), st.floats(-170.0, 170.0), st.floats(10.0, 200_000.0))
def test_a_circle_has_its_radius_on_the_ground(lat: float, lon: float, radius_m: float) -> None:
    ring_lat, ring_lon = circle_on_ground(lat, lon, radius_m)
    far = [distance_m(lat, lon, float(a), float(b)) for a, b in zip(ring_lat, ring_lon, strict=True)]
    assert far == pytest.approx([radius_m] * len(far), rel=1e-6, abs=0.01)


@given(st.floats(-70.0, 70.0))
def test_ground_scale_is_the_cosine_of_the_latitude(lat: float) -> None:
    _x, y = to_world(lat, 0.0)
    assert ground_scale(float(y)) == pytest.approx(math.cos(math.radians(lat)), rel=1e-9)


@given(st.floats(1e-5, 5.0), st.floats(-1e7, 1e7), st.floats(-1e7, 1e7), st.floats(0, 2000), st.floats(0, 2000))
def test_pixels_and_world_are_inverse(scale: float, left: float, top: float, px: float, py: float) -> None:
    viewport = Viewport(scale, left, top, 1280, 800)
    back_x, back_y = viewport.to_px(*viewport.to_world(px, py))
    assert float(back_x) == pytest.approx(px, abs=1e-3)
    assert float(back_y) == pytest.approx(py, abs=1e-3)


@given(st.floats(1e-4, 1.0), st.floats(0.01, 1.0))
def test_a_widened_viewport_contains_the_one_it_came_from(scale: float, share: float) -> None:
    viewport = Viewport(scale, 300_000.0, 1_400_000.0, 801, 600)
    wide = viewport.widened(share)
    assert wide.contains(viewport)
    assert not viewport.contains(wide)
    shift_x, shift_y = viewport.to_px(wide.left, wide.top)
    assert float(shift_x) == pytest.approx(round(float(shift_x)), abs=1e-6)
    assert float(shift_y) == pytest.approx(round(float(shift_y)), abs=1e-6)


@given(st.floats(0.01, 1e7))
def test_the_scale_bar_shows_a_round_length_that_fits(most: float) -> None:
    length = nice_length(most)
    assert most / 2.5000001 <= length <= most * (1 + 1e-9)
    digit = length / 10 ** math.floor(math.log10(length) + 1e-9)
    assert np.isclose(digit, [1, 2, 5]).any()
