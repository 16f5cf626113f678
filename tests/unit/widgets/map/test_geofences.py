"""Fences on the map have their true size on the ground."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF

from app.fleet.geo import distance_m
from widgets.map.geofences import Fence, fence_path
from widgets.map.projection import to_degrees, to_world


def at(lat: float, lon: float) -> QPointF:
    x, y = to_world(lat, lon)
    return QPointF(float(x), float(y))


def test_a_circle_contains_what_is_nearer_than_its_radius() -> None:
    path = fence_path(Fence("1", "Kano", "circle", [(12.0, 8.5)], 5_000.0))
    for d_lat, d_lon in ((0.0447, 0), (-0.0447, 0), (0, 0.0457), (0, -0.0457), (0.0317, 0.0317)):
        far = distance_m(12.0, 8.5, 12.0 + d_lat, 8.5 + d_lon)
        assert far == pytest.approx(4_930, abs=90)
        assert path.contains(at(12.0 + d_lat, 8.5 + d_lon))
        assert not path.contains(at(12.0 + d_lat * 1.04, 8.5 + d_lon * 1.04))


def test_a_polygon_is_closed_and_a_corridor_has_its_width() -> None:
    square = fence_path(Fence("2", "", "polygon", [(9, 7), (10, 7), (10, 8), (9, 8)]))
    assert square.contains(at(9.5, 7.01))
    assert not square.contains(at(9.5, 8.01))
    corridor = fence_path(Fence("3", "", "corridor", [(9.0, 7.0), (9.0, 8.0), (10.0, 8.0)], 3_000.0))
    assert corridor.contains(at(9.026, 7.5))
    assert not corridor.contains(at(9.028, 7.5))
    assert corridor.contains(at(9.5, 8.0 + 0.026))
    assert not corridor.contains(at(9.5, 7.5))
    box = corridor.boundingRect()
    south, west = to_degrees(box.left(), box.top())
    assert distance_m(9.0, 7.0, 9.0, float(west)) == pytest.approx(3_000, rel=0.02)
    assert float(south) == pytest.approx(9.0 - 3_000 / 111_320, abs=0.002)


@pytest.mark.parametrize(
    "fence",
    [
        Fence("4", "", "circle", []),
        Fence("5", "", "circle", [(9, 7)], None),
        Fence("6", "", "polygon", [(9, 7), (9, 8)]),
        Fence("7", "", "corridor", [(9, 7)], 100.0),
    ],
)
def test_fences_without_enough_points_are_nothing(fence: Fence) -> None:
    assert fence_path(fence).isEmpty()
