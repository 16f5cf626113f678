"""Geofence text: every shape, every mistake named, nothing guessed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import RecordRejected
from adapters.traccar import mapping
from adapters.traccar.areas import parse_area

lats = st.floats(min_value=-90, max_value=90)
lons = st.floats(min_value=-180, max_value=180)
points = st.lists(st.tuples(lats, lons), min_size=3, max_size=30, unique=True)


@settings(deadline=None)
@given(lats, lons, st.floats(min_value=0.001, max_value=1e6))
def test_circles_are_read_exactly(lat: float, lon: float, radius: float) -> None:
    area = parse_area(f"CIRCLE ({lat!r} {lon!r}, {radius!r})", "x")
    assert (area.shape, area.points, area.radius_m) == ("circle", ((lat, lon),), radius)


@settings(deadline=None)
@given(points, st.booleans())
def test_polygons_lose_only_the_repeated_end(ring: list[tuple[float, float]], closed: bool) -> None:
    text = ", ".join(f"{lat!r} {lon!r}" for lat, lon in [*ring, *(ring[:1] if closed else [])])
    assert parse_area(f"POLYGON (({text}))", "x").points == tuple(ring)


@settings(deadline=None)
@given(points)
def test_lines_are_corridors(line: list[tuple[float, float]]) -> None:
    text = ", ".join(f"{lat!r} {lon!r}" for lat, lon in line)
    area = parse_area(f"LINESTRING ({text})", "x")
    assert (area.shape, area.points) == ("corridor", tuple(line))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "neither CIRCLE"),
        ("MULTIPOLYGON (((1 2, 3 4, 5 6)))", "neither CIRCLE"),
        ("CIRCLE (6.5 3.3)", "no radius"),
        ("CIRCLE (6.5 3.3, 0)", "not above zero"),
        ("CIRCLE (6.5 3.3, -5)", "not above zero"),
        ("CIRCLE (6.5 3.3, 1e999)", "not a number"),
        ("CIRCLE (6.5 3.3, nan)", "not a number"),
        ("CIRCLE (6.5 3.3, 1 2, 50)", "more than 1 point"),
        ("CIRCLE (6.5, 100)", "not a pair"),
        ("POLYGON (6.5 3.3, 6.6 3.3, 6.6 3.4)", "exactly one ring"),
        ("POLYGON ((6 3, 7 3, 7 4), (1 1, 2 2, 3 1))", "exactly one ring"),
        ("POLYGON ((6 3, 7 3, 6 3))", "three different points"),
        ("LINESTRING (6 3)", "two different points"),
        ("LINESTRING (6 3, 6 3)", "two different points"),
        ("LINESTRING (6 3 9, 6 4)", "not a pair"),
        ("CIRCLE (103.8 1.35, 100)", "swapped"),
        ("POLYGON ((103.8 1.35, 103.9 1.35, 103.9 1.4))", "swapped"),
        ("CIRCLE (200 300, 100)", "outside the ranges"),
        ("CIRCLE (95 120, 100)", "outside the ranges"),
    ],
)
def test_mistakes_are_named(text: str, why: str) -> None:
    with pytest.raises(RecordRejected, match=why):
        parse_area(text, "x")


@settings(deadline=None)
@given(st.text(alphabet="CIRCLEPOYGNLSTcircle() ,.-+eE0123456789\n", max_size=80) | st.text(max_size=80))
def test_no_text_crashes(text: str) -> None:
    try:
        area = parse_area(text, "x")
    except RecordRejected:
        return
    assert all(abs(lat) <= 90 and abs(lon) <= 180 for lat, lon in area.points)


def test_huge_texts_are_refused_at_once() -> None:
    with pytest.raises(RecordRejected, match="longer than"):
        parse_area("POLYGON ((" + "1 1, " * 300_000 + "))", "x")


def test_corridor_width_and_speed_limit_come_from_the_attributes() -> None:
    raw = {"id": 4, "name": "Road", "area": "LINESTRING (6 3, 7 4)", "attributes": {}}
    assert mapping.geofence(raw).radius_m == 25
    fence = mapping.geofence({**raw, "attributes": {"polylineDistance": 80, "speedLimit": 27.0}})
    assert fence.radius_m == 80
    assert fence.speed_limit_km_h == pytest.approx(50.004)
