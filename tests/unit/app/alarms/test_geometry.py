"""Fences as arrays ask them, against reckoning of another kind."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.alarms.geometry import Neighbourhoods, Shape, make_shape
from app.fleet.geo import METRES_PER_DEGREE, distance_m

SQUARE = [(9.0, 7.0), (9.0, 7.01), (9.01, 7.01), (9.01, 7.0)]
NOTCHED = [(9.0, 7.0), (9.0, 7.02), (9.02, 7.02), (9.02, 7.0), (9.01, 7.01)]


def shape(kind: str, points: list[tuple[float, float]], radius_m: float | None = None) -> Shape:
    made = make_shape("f", "Fence", kind, points, radius_m)
    assert made is not None
    return made


def contains(fence: Shape, lat: float, lon: float, margin_m: float = 0.0) -> bool:
    return bool(fence.contains(np.array([lat]), np.array([lon]), margin_m)[0])


@given(lat=st.floats(-70, 70), lon=st.floats(-180, 180), bearing=st.floats(0, 6.28), share=st.floats(0.0, 2.0))
def test_a_circle_agrees_with_the_great_circle(lat: float, lon: float, bearing: float, share: float) -> None:
    radius = 2_000.0
    there_lat = lat + share * radius * math.cos(bearing) / METRES_PER_DEGREE
    there_lon = lon + share * radius * math.sin(bearing) / METRES_PER_DEGREE / math.cos(math.radians(lat))
    away = distance_m(lat, lon, there_lat, there_lon)
    if abs(away - radius) > 10:
        there_lon = (there_lon + 180) % 360 - 180
        assert contains(shape("circle", [(lat, lon)], radius), there_lat, there_lon) == (away < radius)


def test_a_polygon_knows_its_inside_and_its_notch() -> None:
    notched = shape("polygon", NOTCHED)
    assert contains(notched, 9.005, 7.015)
    assert not contains(notched, 9.01, 7.002), "the notch reaches in from the west"
    assert not contains(notched, 9.03, 7.01)


def test_a_margin_reaches_as_far_as_it_says() -> None:
    square = shape("polygon", SQUARE)
    beside = 7.0 - 100 / METRES_PER_DEGREE / math.cos(math.radians(9.005))
    assert not contains(square, 9.005, beside)
    assert not contains(square, 9.005, beside, 95)
    assert contains(square, 9.005, beside, 105)


def test_a_fence_across_the_180th_meridian_is_one_area() -> None:
    fence = shape("polygon", [(-17.0, 179.9), (-17.0, -179.9), (-16.9, -179.9), (-16.9, 179.9)])
    assert contains(fence, -16.95, 179.99)
    assert contains(fence, -16.95, -179.99)
    assert not contains(fence, -16.95, 179.5)
    assert not contains(fence, -16.95, 0.0)


def test_a_corridor_is_as_wide_as_twice_its_radius() -> None:
    road = shape("corridor", [(9.0, 7.0), (9.0, 7.1)], 50.0)
    assert contains(road, 9.0 + 45 / METRES_PER_DEGREE, 7.05)
    assert not contains(road, 9.0 + 55 / METRES_PER_DEGREE, 7.05)
    assert not contains(road, 9.0, 7.101)


@pytest.mark.parametrize(
    ("kind", "points", "radius"),
    [
        ("polygon", SQUARE[:2], None),
        ("circle", [(9.0, 7.0)], None),
        ("circle", [(9.0, 7.0)], 0.0),
        ("circle", [(9.0, 7.0)], float("nan")),
        ("circle", [(float("inf"), 7.0)], 10.0),
        ("corridor", SQUARE[:1], 10.0),
        ("ellipse", SQUARE, 10.0),
    ],
)
def test_what_encloses_nothing_is_no_fence(kind: str, points: list[tuple[float, float]], radius: float | None) -> None:
    assert make_shape("f", "Fence", kind, points, radius) is None


@given(st.lists(st.tuples(st.floats(8.9, 9.1), st.floats(6.9, 7.1)), min_size=1, max_size=40))
def test_many_points_at_once_are_as_each_alone(points: list[tuple[float, float]]) -> None:
    fence = shape("polygon", NOTCHED)
    lat, lon = np.array([point[0] for point in points]), np.array([point[1] for point in points])
    for margin in (0.0, 500.0):
        together = fence.contains(lat, lon, margin).tolist()
        assert together == [contains(fence, *point, margin) for point in points]


@given(st.lists(st.tuples(st.floats(8.5, 9.5), st.floats(6.5, 7.5)), min_size=1, max_size=40), st.floats(0, 2_000))
def test_the_coarse_look_misses_nobody(points: list[tuple[float, float]], margin: float) -> None:
    shapes = [
        replace(shape("polygon", NOTCHED), id="notched"),
        replace(shape("circle", [(9.2, 7.2)], 900.0), id="circle"),
        replace(shape("corridor", [(9.0, 7.0), (9.3, 7.1)], 120.0), id="road"),
    ]
    lat, lon = np.array([point[0] for point in points]), np.array([point[1] for point in points])
    near = Neighbourhoods(shapes).near(lat, lon, margin)
    for one in shapes:
        inside = np.flatnonzero(one.contains(lat, lon, margin)).tolist()
        assert set(inside) <= set(near.get(one.id, np.empty(0)).tolist())
