"""Two sensors with one address: told by levels that jump between two places (fuel-sensors.md 9)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

ENOUGH: Final = 6
_LEAST_SWITCHES: Final = 3
_LEAST_GAP: Final = 20.0
"""In units of the scale: two full tanks cannot be told apart, and fuel that sloshes moves less between two readings."""


def look_like_two(levels: Sequence[float]) -> bool:
    """Whether readings in a row belong to two sensors: two tight groups far apart, and many changes between them."""
    if len(levels) < ENOUGH:
        return False
    ordered = sorted(levels)
    gap, at = max((ordered[at + 1] - ordered[at], at) for at in range(len(ordered) - 1))
    low, high = ordered[: at + 1], ordered[at + 1 :]
    spread = max(low[-1] - low[0], high[-1] - high[0])
    if gap < _LEAST_GAP or gap < 8 * spread or min(len(low), len(high)) < 2:
        return False
    is_high = [level > low[-1] for level in levels]
    return sum(before != after for before, after in pairwise(is_high)) >= _LEAST_SWITCHES
