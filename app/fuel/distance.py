"""Distance along a track."""

from __future__ import annotations

import numpy as np

from app.fuel.arrays import Floats

EARTH_KM = 6371.0088
FASTEST_KM_H = 160.0
DRIFT_KM = 0.1
TOLD_S = 300.0
"""In a longer gap the speeds at its ends say nothing."""


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


def driven_steps_km(time_s: Floats, speed_km_h: Floats, lat: Floats, lon: Floats) -> Floats:
    """Kilometres to each point from the last one before it that is known; 0 for those that are not.

    What could not be driven at the speeds that were told is a jump of the receiver, and counts as those speeds say.
    """
    driven = np.zeros(len(lat))
    known = np.flatnonzero(np.isfinite(lat) & np.isfinite(lon))
    if len(known) < 2:
        return driven
    if len(known) < len(lat):
        time_s, speed_km_h, lat, lon = time_s[known], speed_km_h[known], lat[known], lon[known]
    seconds = time_s[1:] - time_s[:-1]
    fastest = np.fmax(np.fmax(speed_km_h[1:], speed_km_h[:-1]), 0.0)
    is_told = (fastest >= 0) & (seconds <= TOLD_S)
    possible = np.where(is_told, fastest * 1.3 + 5, FASTEST_KM_H) * seconds / 3600 + DRIFT_KM
    steps = steps_km(lat, lon)
    told = np.where(is_told, fastest, 0.0) * seconds / 3600
    driven[known[1:]] = np.where(steps <= possible, steps, told)
    return driven
