"""What can be said against a fix. Marked fixes are kept and shown; totals leave most of them out.

Two parts: :func:`static_marks` looks at one fix alone, :class:`FixHistory` compares it with the device's plausible
fix before it *by fix time*, and with the one after it where that came first, so that buffered fixes that arrive late
are compared with their real neighbours.
Both run once per stored position, at flood rate, and therefore work on plain integers instead of :class:`Mark`.
Limits: gps-protocols.md, section 6; decisions in docs/decisions/0021.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from enum import IntFlag
from operator import itemgetter

from app.fleet.geo import METRES_PER_DEGREE, distance_m


class Mark(IntFlag):
    """One doubt per bit, as stored in ``positions.marks``."""

    NO_DEVICE_TIME = 1
    """The device sent no valid time; the arrival stands in for it."""
    AHEAD = 2
    """The fix claims to be more than five minutes later than its arrival."""
    OLD = 4
    """The fix arrived more than a day after it was made."""
    ZERO_POSITION = 8
    """Latitude and longitude are both zero."""
    JUMP = 16
    """Reaching it from the plausible fix before it needs more than 250 km/h."""
    COURSE_RANGE = 32
    """The course is not between 0 and 360 degrees."""
    NOT_LOCATED = 64
    """The device had no fix and repeats an old place, or none."""
    ABSURD_DATE = 128
    """The fix time lies before 2000 or after 2099."""
    SPEED_RANGE = 256
    """The device's own speed is negative or above 250 km/h."""


NO_MARKS = Mark(0)

AHEAD_AFTER_MS = 5 * 60_000
OLD_AFTER_MS = 24 * 3_600_000
EARLIEST_MS = 946_684_800_000  # 2000-01-01T00:00:00Z
LATEST_MS = 4_102_444_800_000  # 2100-01-01T00:00:00Z, exclusive
FASTEST_KM_H = 250.0

NOT_A_REFERENCE = (
    Mark.NO_DEVICE_TIME | Mark.AHEAD | Mark.ABSURD_DATE | Mark.ZERO_POSITION | Mark.JUMP | Mark.NOT_LOCATED
).value
"""Fixes with one of these say nothing about the place of the next one."""

NOT_LIVE = (Mark.ABSURD_DATE | Mark.ZERO_POSITION | Mark.JUMP | Mark.NOT_LOCATED).value
"""Fixes with one of these never move a vehicle on the map."""

NOT_IN_TOTALS = (~(Mark.OLD | Mark.COURSE_RANGE)).value
"""Fixes with one of these are left out of distances. A late arrival alone, or a bad course, spoils no distance."""

_NAMES = tuple((mark.value, mark.name.lower()) for mark in Mark if mark.name)

_NO_DEVICE_TIME = Mark.NO_DEVICE_TIME.value
_AHEAD = Mark.AHEAD.value
_OLD = Mark.OLD.value
_ZERO_POSITION = Mark.ZERO_POSITION.value
_COURSE_RANGE = Mark.COURSE_RANGE.value
_NOT_LOCATED = Mark.NOT_LOCATED.value
_ABSURD_DATE = Mark.ABSURD_DATE.value
_SPEED_RANGE = Mark.SPEED_RANGE.value


def mark_names(marks: int) -> list[str]:
    """The names of the set bits, in the order of their values; bits of a newer program are left out."""
    return [name for value, name in _NAMES if marks & value] if marks else []


def is_place(lat: float, lon: float) -> bool:
    """Whether there is such a place; NaN is none. What is none is refused, not marked: no map could show it."""
    return -90.0 <= lat <= 90.0 and -180.0 <= lon <= 180.0


def static_marks(
    fixed_at_ms: int | None,
    received_at_ms: int,
    lat: float,
    lon: float,
    speed_km_h: float | None,
    course_deg: float | None,
    located: bool,
) -> int:
    """The marks that a fix earns by itself. ``fixed_at_ms`` is already corrected by the clock offset."""
    marks = 0
    if fixed_at_ms is None:
        marks = _NO_DEVICE_TIME
    elif not EARLIEST_MS <= fixed_at_ms < LATEST_MS:
        marks = _ABSURD_DATE
    else:
        lag = received_at_ms - fixed_at_ms
        if lag > OLD_AFTER_MS:
            marks = _OLD
        elif lag < -AHEAD_AFTER_MS:
            marks = _AHEAD
    if not located:
        marks |= _NOT_LOCATED
    if lat == 0 and lon == 0:
        marks |= _ZERO_POSITION
    if speed_km_h is not None and not 0 <= speed_km_h <= FASTEST_KM_H:
        marks |= _SPEED_RANGE
    if course_deg is not None and not 0 <= course_deg <= 360:
        marks |= _COURSE_RANGE
    return marks


Fix = tuple[int, float, float]
"""Fix time in ms, latitude, longitude in degrees."""

Neighbours = tuple[Fix | None, Fix | None]
"""The plausible stored fixes around a time: the last at or before it, the first after it."""

LookUp = Callable[[int, int], Neighbours]
"""The neighbours of a device's key and a time in ms."""

_FASTEST_M_PER_MS = FASTEST_KM_H / 3_600
_time_of = itemgetter(0)
_RESOLUTION_MS = 1_000  # trackers tell whole seconds


def is_reachable(one: Fix, other: Fix) -> bool:
    """Whether 250 km/h suffice between two fixes, in whichever order. Fixes of one second get one second."""
    apart_ms = abs(other[0] - one[0])
    if apart_ms < _RESOLUTION_MS:  # noqa: PLR1730 - max() costs a call per fix
        apart_ms = _RESOLUTION_MS
    allowed_m = apart_ms * _FASTEST_M_PER_MS
    d_lat, d_lon = abs(other[1] - one[1]), abs(other[2] - one[2])
    if d_lon > 180:
        d_lon = 360 - d_lon
    # The way along meridian and parallel is never shorter than the straight one, and needs no trigonometry.
    if (d_lat + d_lon) * METRES_PER_DEGREE <= allowed_m:
        return True
    return distance_m(one[1], one[2], other[1], other[2]) <= allowed_m


def _fits(before: Fix | None, fix: Fix, after: Fix | None) -> bool:
    return (before is None or is_reachable(before, fix)) and (after is None or is_reachable(fix, after))


class FixHistory:
    """The newest plausible fixes of one device, enough to judge the next one.

    Fixes older than the memory are compared with their neighbours in the store through ``look_up``; a run of
    buffered fixes that falls into one gap of the store asks only once.

    A first fix in a wrong place would condemn every right one after it. Therefore :data:`AGREEING` jumps in a row
    that can be reached from each other are believed: the last of them is not marked and becomes the reference.
    """

    __slots__ = ("_agreeing", "_complete_from", "_device_key", "_doubtful", "_fixes", "_gap")

    AGREEING = 3
    KEPT = 16

    def __init__(self, device_key: int, newest: Sequence[Fix] = (), *, is_complete: bool = True) -> None:
        """``newest``: plausible fixes in the order of their times; ``is_complete``: there are no older ones."""
        self._device_key = device_key
        self._fixes = list(newest)
        self._complete_from = -(2**63) if is_complete or not newest else newest[0][0]
        self._gap: Neighbours = (None, None)
        self._doubtful: Fix | None = None
        self._agreeing = 0

    def is_jump(self, fix: Fix, look_up: LookUp) -> bool:
        """Judge ``fix`` and remember it if it is plausible. Only for fixes without NOT_A_REFERENCE marks."""
        fixes = self._fixes
        if fixes and fix[0] > fixes[-1][0] and is_reachable(fixes[-1], fix):  # nearly always
            self._doubtful = None
            fixes.append(fix)
            if len(fixes) > self.KEPT:
                self._forget_oldest()
            return False
        if fix[0] < self._complete_from:
            return self._is_jump_in_gap(fix, look_up)
        index = bisect_right(fixes, fix[0], key=_time_of)
        if self._is_kept(index, fix):
            return False  # believed before, if only because others agreed: its neighbours may be the wrong ones
        before = fixes[index - 1] if index else None
        after = fixes[index] if index < len(fixes) else None
        if not _fits(before, fix, after) and not self._is_confirmed(fix):
            return True
        self._remember(index, fix)
        return False

    def _is_kept(self, index: int, fix: Fix) -> bool:
        """Whether this very fix is among those of its time, which end before ``index``."""
        while index and self._fixes[index - 1][0] == fix[0]:
            index -= 1
            if self._fixes[index] == fix:
                return True
        return False

    def _remember(self, index: int, fix: Fix) -> None:
        self._doubtful = None
        self._fixes.insert(index, fix)
        if len(self._fixes) > self.KEPT:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        del self._fixes[: self.KEPT // 2]
        self._complete_from = self._fixes[0][0]

    def _is_jump_in_gap(self, fix: Fix, look_up: LookUp) -> bool:
        before, after = self._gap
        if before is None or after is None or not before[0] <= fix[0] < after[0]:
            before, after = look_up(self._device_key, fix[0])
            after = after or self._fixes[0]
        if before != fix and not _fits(before, fix, after) and not self._is_confirmed(fix):
            self._gap = (before, after)
            return True
        self._gap = (fix, after)
        self._doubtful = None
        return False

    def _is_confirmed(self, fix: Fix) -> bool:
        doubtful = self._doubtful
        agrees = doubtful is not None and doubtful[0] < fix[0] and is_reachable(doubtful, fix)
        self._agreeing = self._agreeing + 1 if agrees else 1
        self._doubtful = fix
        return self._agreeing >= self.AGREEING
