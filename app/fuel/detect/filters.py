"""Medians and spikes: filters that leave steps sharp."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from app.fuel.arrays import Floats

SIDE = 5
"""Samples on each side of a spike: their median holds when two of them belong to it, so it may last three."""
SPIKE_WINDOW = 7
LONGEST_SPIKE = 3
SPIKE_DEVIATIONS = 3 * 1.4826
SPIKE_FLOOR = 0.007
"""As a share of the tank: what quantisation and temperature do is no spike."""
SLOSH_FLOOR = 0.05
_CHUNK = 100_000
_NORMAL_35 = 0.4538
"""Below it lie 35 % of the sizes of a normal variable, in standard deviations."""


def sliding_median(values: Floats, window: int) -> Floats:
    """The median of ``window`` samples around each; at the ends the end values are repeated."""
    window |= 1
    if window <= 1 or len(values) < 2:
        return values.copy()
    half = window // 2
    view = sliding_window_view(np.pad(values, half, mode="edge"), window)
    medians = np.empty(len(values))
    for at in range(0, len(values), _CHUNK):
        medians[at : at + _CHUNK] = np.partition(view[at : at + _CHUNK], half, axis=1)[:, half]
    return medians


def is_spike(litres: Floats, capacity_l: float, moving: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """Which samples depart, one to three in a row, to one side of what stands before and of what stands behind them,
    by more than their neighbours scatter (Hampel). A step is none: its samples agree with one of both sides.

    What fuel that sloshes may do, while moving and beside it, is no spike.
    """
    count = len(litres)
    if count < SPIKE_WINDOW:
        return np.zeros(count, dtype=bool)
    around = sliding_median(litres, SIDE)
    scatter = sliding_median(np.abs(litres - around), SPIKE_WINDOW)
    before, behind = _shifted(around)
    scatter = np.maximum(scatter, np.maximum(*_shifted(scatter)))  # beside fuel that sloshes, calm is no spike
    floor = SPIKE_FLOOR if moving is None else np.where(beside(moving, SIDE), SLOSH_FLOOR, SPIKE_FLOOR)
    limit = np.maximum(SPIKE_DEVIATIONS * scatter, floor * capacity_l)
    above = litres - np.maximum(before, behind) > limit
    below = np.minimum(before, behind) - litres > limit
    spikes: NDArray[np.bool_] = above | below
    near = np.abs(litres[1:] - litres[:-1]) <= limit[1:]
    for _sample in range(LONGEST_SPIKE - 1):  # the middle of four or five in a row, which are a level
        alike = near & (spikes[1:] != spikes[:-1])
        spikes[1:] &= ~alike
        spikes[:-1] &= ~alike
    return spikes


def beside(flags: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Which samples are flagged or lie at most ``reach`` samples from one that is."""
    sums = np.append(0, np.cumsum(flags))
    at = np.arange(len(flags))
    near: NDArray[np.bool_] = sums[np.minimum(at + reach + 1, len(flags))] > sums[np.maximum(at - reach, 0)]
    return near


def _shifted(values: Floats) -> tuple[Floats, Floats]:
    """What stands on both sides of each sample, just beyond it; at the ends the end values are repeated."""
    shift = SIDE // 2 + 1
    before = np.concatenate((np.full(shift, values[0]), values[:-shift]))
    return before, np.concatenate((values[shift:], np.full(shift, values[-1])))


def middle(values: Floats) -> float:
    """The median of a few values; numpy's own takes ten times as long for so few."""
    ordered = np.sort(values)
    count = len(ordered)
    return float(ordered[(count - 1) // 2] + ordered[count // 2]) / 2


def scatter_of(litres: Floats) -> float:
    """The standard deviation of the noise, from the smaller third of the steps, so that changes do not count."""
    if len(litres) < 4:
        return 0.0
    steps = np.sort(np.abs(litres[1:] - litres[:-1]))
    return float(steps[int(0.35 * (len(steps) - 1))] / (_NORMAL_35 * np.sqrt(2)))
