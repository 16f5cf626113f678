"""Web Mercator (EPSG:3857) in numpy, and the window through which the map is seen.

World coordinates are metres east and north of 0/0, as float64; they stretch with latitude, so a length on the ground
is a world length times ``ground_scale``. Formulas: Snyder, "Map Projections: A Working Manual", USGS 1395, section 7.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

EARTH_RADIUS_M = 6_378_137.0  # of the projection's sphere, as in app.fleet.geo
MAX_LATITUDE = 85.051128779806604  # where the projected world is square
HALF_WORLD_M = math.pi * EARTH_RADIUS_M
TILE_SIZE_PX = 256


def to_world(lat: ArrayLike, lon: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """World x and y, (n,) float64 metres, of degrees WGS 84; latitudes beyond the square world are clipped to it."""
    phi = np.radians(np.clip(np.asarray(lat, np.float64), -MAX_LATITUDE, MAX_LATITUDE))
    x = np.radians(np.asarray(lon, np.float64)) * EARTH_RADIUS_M
    return x, np.arctanh(np.sin(phi)) * EARTH_RADIUS_M


def to_degrees(x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Latitude and longitude in degrees of world metres."""
    lat = np.degrees(np.arcsin(np.tanh(np.asarray(y, np.float64) / EARTH_RADIUS_M)))
    return lat, np.degrees(np.asarray(x, np.float64) / EARTH_RADIUS_M)


def ground_scale(y: float) -> float:
    """Metres on the ground of one world metre at the world height ``y``."""
    return 1.0 / math.cosh(y / EARTH_RADIUS_M)


def circle_on_ground(lat: float, lon: float, radius_m: float, corners: int = 96) -> tuple[FloatArray, FloatArray]:
    """A closed ring of latitudes and longitudes at ``radius_m`` on the ground around a point."""
    bearing = np.linspace(0.0, 2 * math.pi, corners + 1)
    angle = radius_m / EARTH_RADIUS_M
    phi = math.radians(lat)
    sin_lat = math.sin(phi) * math.cos(angle) + math.cos(phi) * math.sin(angle) * np.cos(bearing)
    ring_lat = np.degrees(np.arcsin(np.clip(sin_lat, -1.0, 1.0)))
    turn = np.arctan2(np.sin(bearing) * math.sin(angle) * math.cos(phi), math.cos(angle) - math.sin(phi) * sin_lat)
    return ring_lat, lon + np.degrees(turn)


@dataclass(frozen=True, slots=True)
class Viewport:
    """What part of the world lies under which pixels: ``scale`` pixels per world metre, (left, top) at pixel 0, 0."""

    scale: float
    left: float
    top: float
    width: int
    height: int

    @property
    def metres_per_px(self) -> float:
        """World metres of one pixel."""
        return 1.0 / self.scale

    @property
    def right(self) -> float:
        return self.left + self.width / self.scale

    @property
    def bottom(self) -> float:
        return self.top - self.height / self.scale

    @property
    def center(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def to_px(self, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Pixels right and down of world points."""
        return (np.asarray(x, np.float64) - self.left) * self.scale, (self.top - np.asarray(y, np.float64)) * self.scale

    def to_world(self, px: float, py: float) -> tuple[float, float]:
        return self.left + px / self.scale, self.top - py / self.scale

    def widened(self, share: float) -> Viewport:
        """The same map with ``share`` of its size more on each side, in whole pixels."""
        dx, dy = round(self.width * share), round(self.height * share)
        return Viewport(
            self.scale,
            self.left - dx / self.scale,
            self.top + dy / self.scale,
            self.width + 2 * dx,
            self.height + 2 * dy,
        )

    def contains(self, other: Viewport) -> bool:
        """Whether all of ``other``'s world lies in this one (to a hundredth of a pixel)."""
        slack = 0.01 / self.scale
        return (
            self.left <= other.left + slack
            and self.top >= other.top - slack
            and self.right >= other.right - slack
            and self.bottom <= other.bottom + slack
        )


def nice_length(at_most_m: float) -> float:
    """The largest of 1, 2, 5 × 10ⁿ that is not above ``at_most_m``: what a scale bar shows."""
    power = 10.0 ** math.floor(math.log10(at_most_m))
    return max(step * power for step in (1, 2, 5) if step * power <= at_most_m * (1 + 1e-9))
