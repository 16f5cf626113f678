"""Distances on the sphere that Traccar uses too (radius 6 378 137 m), for scalars and for arrays."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

EARTH_RADIUS_M = 6_378_137.0
METRES_PER_DEGREE = EARTH_RADIUS_M * math.pi / 180


def distance_m(lat1: float, lon1: float, lat2: float, lon2: float) -> float:
    """Great-circle distance in metres between two points in degrees (haversine)."""
    phi1, phi2 = math.radians(lat1), math.radians(lat2)
    half_lat = math.sin((phi2 - phi1) / 2)
    half_lon = math.sin(math.radians(lon2 - lon1) / 2)
    chord = half_lat * half_lat + math.cos(phi1) * math.cos(phi2) * half_lon * half_lon
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(chord)))


def leg_lengths_m(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lengths in metres of the legs between neighbours; ``(n,)`` degrees give ``(n - 1,)``, empty for n < 2."""
    phi, lam = np.radians(lat), np.radians(lon)
    half_lat = np.sin(np.diff(phi) / 2)
    half_lon = np.sin(np.diff(lam) / 2)
    chord = half_lat**2 + np.cos(phi[:-1]) * np.cos(phi[1:]) * half_lon**2
    legs: NDArray[np.float64] = 2 * EARTH_RADIUS_M * np.arcsin(np.minimum(1.0, np.sqrt(chord)))
    return legs
