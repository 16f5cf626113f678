"""Rises and falls within one stop: the turning points of the level, and the plateaus on both sides.

A fall counts as one however slowly it goes and however often it pauses, as long as the level does not turn: that finds
siphoning over hours and repeated small sips as well as a pump.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from app.fuel.arrays import Floats
from app.fuel.detect.filters import middle

PLATEAU_SAMPLES = 5


@dataclass(frozen=True, slots=True)
class Swing:
    """Indices into the stop. ``start`` and ``end`` are when most of it happened; ``before`` and ``after`` are the last
    sample of the plateau before it and the first of the one behind, where a slow change is measured whole."""

    start: int
    end: int
    before: int
    after: int
    delta_l: float


def find_swings(litres: Floats, turn_l: float, noise_l: float) -> list[Swing]:
    """Every rise and fall between turning points that are at least ``turn_l`` apart."""
    pivots = _turning_points(litres, turn_l)
    swings = []
    for before, after in pairwise(pivots):
        delta = float(litres[after] - litres[before])
        start, end = _trimmed(litres, before, after, max(2 * noise_l, 0.08 * abs(delta)))
        level_at = _trimmed(litres, before, after, min(2 * noise_l, 0.25 * abs(delta)))
        swings.append(Swing(start, end, min(start, level_at[0]), max(end, level_at[1]), delta))
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


def _trimmed(litres: Floats, before: int, after: int, tolerance: float) -> tuple[int, int]:
    """Cut the parts off both ends that are flat within ``tolerance``."""
    part = litres[before : after + 1]
    delta = part[-1] - part[0]
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
    parts = []
    for a, b in pairwise(bounds):
        start, end = swing.start + int(at[a]), swing.start + int(at[b - 1]) + 1
        before, after = swing.before if a == 0 else start, swing.after if b == len(at) else end
        parts.append(Swing(start, end, before, after, float(litres[end] - litres[start])))
    is_each_one = len(parts) > 1 and all(abs(one.delta_l) >= least_l for one in parts)
    return parts if is_each_one else [swing]


def plateau(litres: Floats, first: int, last: int, *, at_end: bool) -> tuple[float, int]:
    """The median of up to five samples at one end of ``first`` to ``last``, and how many they were."""
    part = litres[first : last + 1]
    part = part[-PLATEAU_SAMPLES:] if at_end else part[:PLATEAU_SAMPLES]
    return middle(part), len(part)
