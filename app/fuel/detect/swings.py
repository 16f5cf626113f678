"""Rises and falls within one stop: the turning points of the level, and the plateaus on both sides.

A fall counts as one however slowly it goes and however often it pauses, as long as the level does not turn: that finds
siphoning over hours and repeated small sips as well as a pump.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PLATEAU_SAMPLES = 5


@dataclass(frozen=True, slots=True)
class Swing:
    """Indices into the stop: the last sample of the plateau before, the first of the one behind."""

    start: int
    end: int
    delta_l: float


def find_swings(litres: Floats, turn_l: float, noise_l: float) -> list[Swing]:
    """Every rise and fall between turning points that are at least ``turn_l`` apart."""
    pivots = _turning_points(litres, turn_l)
    swings = []
    for before, after in pairwise(pivots):
        start, end = _trimmed(litres, before, after, noise_l)
        swings.append(Swing(start, end, float(litres[after] - litres[before])))
    return swings


def _turning_points(litres: Floats, turn_l: float) -> list[int]:
    """Indices of alternating highs and lows, the first and last included."""
    values = litres.tolist()
    low = high = 0
    pivots: list[int] = []
    direction = 0
    for at, value in enumerate(values):
        if value > values[high]:
            high = at
        if value < values[low]:
            low = at
        if direction >= 0 and values[high] - value >= turn_l:
            pivots.append(high)
            direction, low, high = -1, at, at
        elif direction <= 0 and value - values[low] >= turn_l:
            pivots.append(low)
            direction, low, high = 1, at, at
    if not pivots:
        return []
    pivots.append(high if direction > 0 else low)
    return pivots


def _trimmed(litres: Floats, before: int, after: int, noise_l: float) -> tuple[int, int]:
    """Cut the flat parts off both ends."""
    part = litres[before : after + 1]
    delta = part[-1] - part[0]
    tolerance = max(2 * noise_l, 0.08 * abs(delta))
    sign = 1.0 if delta > 0 else -1.0
    moved = sign * (part - part[0])
    start = int(np.flatnonzero(moved <= tolerance)[-1])
    beyond = np.flatnonzero(moved[start:] >= abs(delta) - tolerance)
    return before + start, before + start + int(beyond[0])


def split(litres: Floats, time_s: Floats, swing: Swing, pause_s: float, least_l: float, noise_l: float) -> list[Swing]:
    """Parts of a swing with a pause between them, when each is an event of its own; else the swing as it is."""
    if time_s[swing.end] - time_s[swing.start] <= pause_s:
        return [swing]
    part = litres[swing.start : swing.end + 1]
    sign = 1.0 if swing.delta_l > 0 else -1.0
    active = sign * np.diff(part) > max(3 * noise_l, 0.02 * abs(swing.delta_l))
    at = np.flatnonzero(active)
    if not len(at):
        return [swing]
    breaks = [
        index
        for index in range(len(at) - 1)
        if at[index + 1] - at[index] >= 2
        and time_s[swing.start + at[index + 1]] - time_s[swing.start + at[index] + 1] >= pause_s
    ]
    bounds = [0, *(index + 1 for index in breaks), len(at)]
    parts = [
        Swing(
            swing.start + int(at[a]),
            swing.start + int(at[b - 1]) + 1,
            float(part[at[b - 1] + 1] - part[at[a]]),
        )
        for a, b in pairwise(bounds)
    ]
    is_each_one = len(parts) > 1 and all(abs(one.delta_l) >= least_l for one in parts)
    return parts if is_each_one else [swing]


def plateau(litres: Floats, first: int, last: int, *, at_end: bool) -> tuple[float, int]:
    """The median of up to five samples at one end of ``first`` to ``last``, and how many they were."""
    part = litres[first : last + 1]
    part = part[-PLATEAU_SAMPLES:] if at_end else part[:PLATEAU_SAMPLES]
    return float(np.median(part)), len(part)
