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
    """One fence in its plane; ``x`` and ``y`` are its corners, ``x2`` and ``y2`` the corner after each.

    ``reach_m`` is how far the fence reaches from its middle.
    """

    id: str
    name: str
    kind: str  # circle, polygon, corridor
    speed_limit_km_h: float | None
    lat0: float
    lon0: float
    x: Floats
    y: Floats
    x2: Floats
    y2: Floats
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
        x2, y2 = self.x2, self.y2
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
        edges = slice(None) if closed else slice(None, -1)
        x1, y1 = self.x[edges], self.y[edges]
        dx, dy = self.x2[edges] - x1, self.y2[edges] - y1
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
    lon0 = float(pairs[0, 1]) + middle
    corners = (x, y, np.roll(x, -1), np.roll(y, -1))
    return Shape(fence_id, name, kind, speed_limit_km_h, lat0, lon0, *corners, radius, reach)


class Neighbourhoods:
    """Which points may lie in which of many fences: a coarse look at all of them at once."""

    def __init__(self, shapes: Sequence[Shape]) -> None:
        self._ids = [shape.id for shape in shapes]
        self._lat0 = np.array([shape.lat0 for shape in shapes])[:, None]
        self._lon0 = np.array([shape.lon0 for shape in shapes])[:, None]
        self._reach_m = np.array([shape.reach_m for shape in shapes])[:, None]
        self._metres_per_lon = METRES_PER_DEGREE * np.cos(np.radians(self._lat0))

    def near(self, lat: Floats, lon: Floats, margin_m: float) -> dict[str, NDArray[np.intp]]:
        """Which of the points ``(n,)`` lie in the square around each fence; fences without any are left out."""
        if not self._ids or not len(lat):
            return {}
        reach = self._reach_m + margin_m
        found = np.abs(lat - self._lat0) * METRES_PER_DEGREE <= reach
        rows = np.flatnonzero(found.any(axis=1))
        near: dict[str, NDArray[np.intp]] = {}
        for row in rows.tolist():
            at = np.flatnonzero(found[row])
            east = np.abs((lon[at] - self._lon0[row] + 180.0) % 360.0 - 180.0) * self._metres_per_lon[row]
            at = at[east <= reach[row]]
            if len(at):
                near[self._ids[row]] = at
        return near


def _pieces(points: int, edges: int) -> Sequence[slice]:
    step = max(1, _PIECE // max(1, edges))
    return [slice(start, start + step) for start in range(0, points, step)]
