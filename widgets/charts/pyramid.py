"""A long series at growing coarseness, so that a chart never draws more points than it has pixels for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FACTOR = 4
COARSEST = 512
"""Groups below which no coarser level is built."""
POINTS_PER_PIXEL = 2

Floats = NDArray[np.float64]


class Pyramid:
    """The least and greatest values of groups of 1, 4, 16 … points of a series.

    ``x`` rises (Unix seconds), ``y`` may hold NaN for gaps. A peak stays visible at every level, because a group is
    drawn as its two extremes in the order in which they came.
    """

    def __init__(self, x: Floats, y: Floats) -> None:
        if x.shape != y.shape or x.ndim != 1:
            raise ValueError("a series has as many times as values")
        self._levels: list[tuple[Floats, Floats]] = [(x, y)]
        while len(self._levels[-1][0]) // (2 if len(self._levels) > 1 else 1) > COARSEST * FACTOR:
            self._levels.append(_coarser(*self._levels[-1], is_first=len(self._levels) == 1))

    @property
    def x(self) -> Floats:
        return self._levels[0][0]

    @property
    def y(self) -> Floats:
        return self._levels[0][1]

    def __len__(self) -> int:
        return len(self.x)

    def between(self, start: float, end: float, pixels: int) -> tuple[Floats, Floats]:
        """What to draw from ``start`` to ``end``: two points per pixel at most, and those just outside."""
        room = max(pixels, 1) * POINTS_PER_PIXEL
        found = self._levels[0]
        first, last = 0, 0
        for found in self._levels:
            first, last = np.searchsorted(found[0], (start, end))
            first, last = max(int(first) - 2, 0), min(int(last) + 2, len(found[0]))
            if last - first <= room:
                break
        return found[0][first:last], found[1][first:last]

    def extent(self, start: float, end: float) -> tuple[float, float] | None:
        """The least and greatest value between two times, None where there is none."""
        _x, y = self.between(start, end, 2_000)
        finite = y[np.isfinite(y)]
        return (float(finite.min()), float(finite.max())) if len(finite) else None


def _coarser(x: Floats, y: Floats, *, is_first: bool) -> tuple[Floats, Floats]:
    """Two points for every four of a series, or for every four groups of a coarser one."""
    size = FACTOR if is_first else FACTOR * 2
    whole = len(x) // size * size
    grouped = y[:whole].reshape(-1, size)
    is_gap = np.isnan(grouped)
    low = np.argmin(np.where(is_gap, np.inf, grouped), axis=1)
    high = np.argmax(np.where(is_gap, -np.inf, grouped), axis=1)
    rows = np.arange(len(grouped))
    pair = np.sort(np.stack((low, high), axis=1), axis=1)
    times = x[:whole].reshape(-1, size)
    new_x = np.stack((times[rows, pair[:, 0]], times[rows, pair[:, 1]]), axis=1).reshape(-1)
    new_y = np.stack((grouped[rows, pair[:, 0]], grouped[rows, pair[:, 1]]), axis=1).reshape(-1)
    return np.concatenate((new_x, x[whole:])), np.concatenate((new_y, y[whole:]))
