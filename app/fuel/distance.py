"""Distance along a track."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
EARTH_KM = 6371.0088


def steps_km(lat: Floats, lon: Floats) -> Floats:
    """Kilometres from each point to the next, 0 where one of both is not known.

    On the plane that touches the globe between them: right within 0.1 % up to 300 km, and many times faster than
    on the sphere.
    """
    phi, lam = np.radians(lat), np.radians(lon)
    east = lam[1:] - lam[:-1]
    east -= 2 * np.pi * np.round(east / (2 * np.pi))
    east *= np.cos((phi[1:] + phi[:-1]) / 2)
    steps: Floats = np.nan_to_num(EARTH_KM * np.hypot(phi[1:] - phi[:-1], east))
    return steps


def steps_to_km(lat: Floats, lon: Floats) -> Floats:
    """Kilometres to each point from the last one before it that is known; 0 for those that are not."""
    known = np.isfinite(lat) & np.isfinite(lon)
    steps = np.zeros(len(lat))
    if known.all():
        steps[1:] = steps_km(lat, lon)
    elif known.any():
        steps[np.flatnonzero(known)[1:]] = steps_km(lat[known], lon[known])
    return steps
