"""Two sources of one vehicle that disagree: how far, since when, and which cause is likely.

Each pair of sources is compared where both tell of the same moment. A source that is merely behind, a clock that runs
in another zone, and a single wild fix look alike on a map; here they are told apart by what explains the distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.deliveries.times import MINUTE_MS, distance_words, span_words
from app.deliveries.verdict import Sightings
from app.fleet.tracks import leg_lengths_m

APART_M = 500.0
"""More than two receivers with a bad view of the sky differ by, and more than a truck drives between two fixes."""
SAME_MOMENT_MS = 60_000
LEAST_PAIRS = 2
"""One wild pair is a jump; a gap begins with the second."""
END_AFTER_PAIRS = 3
FASTEST_M_S = 45.0
"""Within this a fix of another moment may explain a distance (162 km/h)."""
STUCK_M = 50.0
OFFSETS_MS = tuple(quarter * 15 * MINUTE_MS for quarter in range(-56, 57) if quarter)

STALE, CLOCK, JUMP, OTHER_VEHICLE = "stale", "clock", "jump", "other_vehicle"


@dataclass(frozen=True, slots=True)
class Gap:
    """A disagreement. ``until_ms`` None: it lasted at the last common moment, ``last_ms``. ``cause``: see above."""

    since_ms: int
    until_ms: int | None
    last_ms: int
    worst_m: float
    cause: str
    explanation: str


def compare(one: Sightings, other: Sightings, names: tuple[str, str]) -> list[Gap]:
    """The disagreements of two sources, in the order of time; ``names`` are those of the sources."""
    at_ms, metres, slack = _pairs(one, other)
    if not len(at_ms):
        return []
    apart = metres - slack > APART_M
    return [_gap(one, other, names, at_ms, metres, run) for run in _runs(apart)]


def _pairs(one: Sightings, other: Sightings) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Moments of ``one`` with a fix of ``other`` near in time: time, distance, and what the time between explains."""
    if not len(one) or not len(other):
        return np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
    after = np.searchsorted(other.at_ms, one.at_ms)
    right, left = np.minimum(after, len(other) - 1), np.maximum(after - 1, 0)
    nearer = np.abs(other.at_ms[right] - one.at_ms) < np.abs(one.at_ms - other.at_ms[left])
    index = np.where(nearer, right, left)
    between_ms = np.abs(other.at_ms[index] - one.at_ms)
    close = between_ms <= SAME_MOMENT_MS
    metres = _apart(one.lat[close], one.lon[close], other.lat[index[close]], other.lon[index[close]])
    return one.at_ms[close], metres, between_ms[close] / 1000 * FASTEST_M_S


def _runs(apart: NDArray[np.bool_]) -> list[tuple[int, int, bool]]:
    """(first, last, is it over) of the pairs that disagree; so many that agree in a row end one."""
    found: list[tuple[int, int, bool]] = []
    first, last, agreeing = -1, -1, 0
    for index, is_apart in enumerate(apart.tolist()):
        if is_apart:
            first = index if first < 0 else first
            last, agreeing = index, 0
        elif first >= 0:
            agreeing += 1
            if agreeing == END_AFTER_PAIRS:
                found.append((first, last, True))
                first = -1
    if first >= 0:
        found.append((first, last, False))
    return found


def _gap(
    one: Sightings,
    other: Sightings,
    names: tuple[str, str],
    at_ms: NDArray[np.int64],
    metres: NDArray[np.float64],
    run: tuple[int, int, bool],
) -> Gap:
    first, last, is_over = run
    since_ms, last_ms = int(at_ms[first]), int(at_ms[last])
    worst_m = float(metres[first : last + 1].max())
    wide = (since_ms - 2 * SAME_MOMENT_MS, last_ms + 2 * SAME_MOMENT_MS)
    cause, why = _cause(one, other, names, wide, pairs=last - first + 1, is_over=is_over)
    told = f"{names[0]} and {names[1]} were up to {distance_words(worst_m)} apart for {span_words(last_ms - since_ms)}."
    ends = int(at_ms[min(last + 1, len(at_ms) - 1)]) if is_over else None
    return Gap(since_ms, ends, last_ms, worst_m, cause, f"{told} {why}")


def _cause(
    one: Sightings, other: Sightings, names: tuple[str, str], wide: tuple[int, int], *, pairs: int, is_over: bool
) -> tuple[str, str]:
    if pairs < LEAST_PAIRS and is_over:
        return JUMP, "It was a single fix; one of the two receivers jumped."
    parts = (one.between(*wide), other.between(*wide))
    still = [_is_still(part) for part in parts]
    if still[0] != still[1]:
        stuck, moving = (0, 1) if still[0] else (1, 0)
        return STALE, (
            f"{names[stuck]} repeats one place while {names[moving]} moves: it is stale, or lies somewhere. Look at "
            "its age and at its mounting."
        )
    if (offset_ms := _offset(parts[0], other)) is not None:
        word = "ahead of" if offset_ms > 0 else "behind"
        return CLOCK, (
            f"The tracks agree when the times of {names[1]} are taken as {span_words(offset_ms)} {word} those of "
            f"{names[0]}: one of the two clocks runs in another zone. Set its clock offset."
        )
    return OTHER_VEHICLE, (
        "Both move, on different ways, and no clock offset explains it: one of them is probably on another vehicle. "
        "Look at which tracker is mounted where."
    )


def _is_still(part: Sightings) -> bool:
    if len(part) < LEAST_PAIRS:
        return False
    reach = _apart(part.lat, part.lon, np.full(len(part), part.lat[0]), np.full(len(part), part.lon[0]))
    return float(reach.max()) <= STUCK_M


def _offset(part: Sightings, other: Sightings) -> int | None:
    """The smallest multiple of a quarter of an hour by which the other's clock must be off, None where none fits."""
    if len(part) < LEAST_PAIRS or _is_still(part):
        return None
    for offset_ms in sorted(OFFSETS_MS, key=abs):
        moved = Sightings(other.at_ms - offset_ms, other.lat, other.lon)
        at_ms, metres, slack = _pairs(part, moved)
        if len(at_ms) >= max(LEAST_PAIRS, len(part) // 2) and bool((metres - slack <= APART_M).all()):
            return offset_ms
    return None


def _apart(
    lat1: NDArray[np.float64], lon1: NDArray[np.float64], lat2: NDArray[np.float64], lon2: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Metres between points ``(n,)`` pair by pair."""
    if not len(lat1):
        return np.zeros(0)
    lat = np.column_stack([lat1, lat2]).ravel()
    lon = np.column_stack([lon1, lon2]).ravel()
    return leg_lengths_m(lat, lon)[::2]
