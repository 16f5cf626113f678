"""Fences as arrays can ask them: which of many points lie inside, and which no farther outside than a margin.

Each fence is looked at in a plane of its own, in metres around its middle: exact enough for areas of some hundred
kilometres. Longitudes are taken the short way round, so that a fence may lie across the 180th meridian.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.fleet.geo import METRES_PER_DEGREE

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_PIECE = 2_000_000
"""Points times edges that are computed at once: 16 MB per array."""


@dataclass(frozen=True, slots=True)
class Shape:
    """One fence in its plane; ``x`` and ``y`` are its corners, ``reach_m`` how far they are from the middle."""

    id: str
    name: str
    kind: str  # circle, polygon, corridor
    speed_limit_km_h: float | None
    lat0: float
    lon0: float
    x: Floats
    y: Floats
    radius_m: float
    reach_m: float

    def contains(self, lat: Floats, lon: Floats, margin_m: float = 0.0) -> Bools:
        """Which points ``(n,)`` in degrees lie inside, or no farther than ``margin_m`` outside."""
        x, y = self._plane(lat, lon)
        found = np.hypot(x, y) <= self.reach_m + margin_m
        near = np.flatnonzero(found)
        if len(near):
            found[near] = self._contains_near(x[near], y[near], margin_m)
        return found

    def _contains_near(self, x: Floats, y: Floats, margin_m: float) -> Bools:
        if self.kind == "circle":
            return np.hypot(x, y) <= self.radius_m + margin_m
        if self.kind == "corridor":
            return self._distance(x, y, closed=False) <= self.radius_m + margin_m
        inside = self._in_ring(x, y)
        if margin_m > 0:
            out = np.flatnonzero(~inside)
            inside[out] = self._distance(x[out], y[out], closed=True) <= margin_m
        return inside

    def _plane(self, lat: Floats, lon: Floats) -> tuple[Floats, Floats]:
        east = (lon - self.lon0 + 180.0) % 360.0 - 180.0
        return east * (METRES_PER_DEGREE * math.cos(math.radians(self.lat0))), (lat - self.lat0) * METRES_PER_DEGREE

    def _in_ring(self, x: Floats, y: Floats) -> Bools:
        """By the number of edges that a line to the east crosses."""
        inside = np.zeros(len(x), np.bool_)
        x2, y2 = np.roll(self.x, -1), np.roll(self.y, -1)
        for piece in _pieces(len(x), len(self.x)):
            py, px = y[piece, None], x[piece, None]
            spans = (self.y > py) != (y2 > py)
            with np.errstate(divide="ignore", invalid="ignore"):
                at = self.x + (py - self.y) * (x2 - self.x) / (y2 - self.y)
            inside[piece] = np.count_nonzero(spans & (px < at), axis=1) % 2 == 1
        return inside

    def _distance(self, x: Floats, y: Floats, *, closed: bool) -> Floats:
        """Metres from each point to the nearest edge."""
        nearest = np.full(len(x), np.inf)
        x1, y1 = (self.x, self.y) if closed else (self.x[:-1], self.y[:-1])
        dx = (np.roll(self.x, -1) if closed else self.x[1:]) - x1
        dy = (np.roll(self.y, -1) if closed else self.y[1:]) - y1
        squared = np.maximum(dx * dx + dy * dy, 1e-12)
        for piece in _pieces(len(x), len(x1)):
            px, py = x[piece, None] - x1, y[piece, None] - y1
            along = np.clip((px * dx + py * dy) / squared, 0.0, 1.0)
            nearest[piece] = np.hypot(px - along * dx, py - along * dy).min(axis=1)
        return nearest


def make_shape(
    fence_id: str,
    name: str,
    kind: str,
    points: Sequence[tuple[float, float]],
    radius_m: float | None,
    speed_limit_km_h: float | None = None,
) -> Shape | None:
    """A fence from its (lat, lon) points; None for one that encloses nothing, however it came into the store."""
    least = {"circle": 1, "corridor": 2, "polygon": 3}.get(kind)
    pairs = np.array([(float(lat), float(lon)) for lat, lon in points], np.float64).reshape(-1, 2)
    if least is None or len(pairs) < least or not np.isfinite(pairs).all():
        return None
    radius = float(radius_m or 0.0)
    if kind != "polygon" and not (math.isfinite(radius) and radius > 0):
        return None
    lat0 = float((pairs[:, 0].min() + pairs[:, 0].max()) / 2)
    east = (pairs[:, 1] - pairs[0, 1] + 180.0) % 360.0 - 180.0
    middle = float((east.min() + east.max()) / 2)
    x = (east - middle) * (METRES_PER_DEGREE * math.cos(math.radians(lat0)))
    y = (pairs[:, 0] - lat0) * METRES_PER_DEGREE
    reach = float(np.hypot(x, y).max()) + radius
    return Shape(fence_id, name, kind, speed_limit_km_h, lat0, float(pairs[0, 1]) + middle, x, y, radius, reach)


def _pieces(points: int, edges: int) -> Sequence[slice]:
    step = max(1, _PIECE // max(1, edges))
    return [slice(start, start + step) for start in range(0, points, step)]
