"""Distance along a track."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
EARTH_KM = 6371.0088


def steps_km(lat: Floats, lon: Floats) -> Floats:
    """Kilometres from each point to the next, 0 where one of both is not known."""
    phi, lam = np.radians(lat), np.radians(lon)
    half = np.sin(np.diff(phi) / 2) ** 2 + np.cos(phi[1:]) * np.cos(phi[:-1]) * np.sin(np.diff(lam) / 2) ** 2
    steps: Floats = np.nan_to_num(2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1))))
    return steps


def distance_km(lat: Floats, lon: Floats) -> float:
    """Kilometres along all points that are known."""
    known = np.isfinite(lat) & np.isfinite(lon)
    return float(steps_km(lat[known], lon[known]).sum()) if known.sum() > 1 else 0.0
