"""The fleet in numpy arrays: what the map draws and the list shows, kept current without reading it all again.

Trackers are the rows of the arrays; a *subject* is what one marker stands for: a vehicle with all its trackers, or a
tracker that its server names and no vehicle carries. No widgets in here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.fleet.freshness import CLOCKS_APART_MS, STALE_AFTER_MS
from app.fleet.geo import METRES_PER_DEGREE, distance_m
from app.fleet.listing import DeviceListing
from app.fleet.plausibility import NOT_LIVE
from app.fleet.queries import DISAGREE_M, DISAGREE_WITHIN_MS
from widgets.map.atlas import NO_HEADING, heading_column
from widgets.map.markers import Vehicles
from widgets.map.projection import FloatArray, to_world
from widgets.map.states import STANDING_KM_H, VehicleState, classify, is_within

IntArray = NDArray[np.int64]

NEVER = 0
CITY_KM_H = 60.0  # a vehicle may have driven at least this fast between two fixes that are compared


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two trackers of one vehicle that say different things at the same time."""

    one: DeviceListing
    other: DeviceListing
    apart_m: float


def subject_key(tracker: DeviceListing) -> str:
    """What a tracker belongs to: its vehicle, or itself where no vehicle carries it."""
    return tracker.vehicle_id or tracker.id


class Fleet:
    """``load`` takes a whole snapshot, ``apply`` what is new, ``tick`` lets time pass. Belongs to the UI thread."""

    def __init__(self) -> None:
        self.trackers: list[DeviceListing] = []
        self.subjects: list[str] = []  # keys, in the order of the arrays below
        self.labels: list[str] = []
        self.state = np.empty(0, np.int8)
        self.fixed_at_ms = np.empty(0, np.int64)
        self.heard_at_ms = np.empty(0, np.int64)
        self.speed_km_h = np.empty(0)
        self.lead = np.empty(0, np.int64)  # subject to the tracker that says where it is
        self.newest_id = 0
        self._now_ms = 0
        self._row_of: dict[str, int] = {}
        self._alarm_at: dict[int, int] = {}
        self._load_columns()

    def load(self, trackers: Sequence[DeviceListing], newest_id: int, now_ms: int) -> None:
        """Replace everything by a snapshot that was true up to position ``newest_id``."""
        self._now_ms = now_ms
        ordered = sorted(trackers, key=lambda tracker: tracker.key)
        self.trackers = list(ordered)
        self.newest_id = newest_id
        members: dict[str, str] = {}
        for tracker in ordered:
            members.setdefault(subject_key(tracker), tracker.label)
        self.subjects, self.labels = list(members), list(members.values())
        self._row_of = {key: row for row, key in enumerate(self.subjects)}
        self._load_columns()

    def _load_columns(self) -> None:
        trackers = self.trackers
        self._keys = np.array([tracker.key for tracker in trackers], np.int64)
        self._subject_of = np.array([self._row_of[subject_key(tracker)] for tracker in trackers], np.int64)
        self._fixed = np.array([tracker.fixed_at_ms or NEVER for tracker in trackers], np.int64)
        self._heard = np.array([tracker.last_seen_ms or NEVER for tracker in trackers], np.int64)
        self._position_id = np.array([tracker.position_id or 0 for tracker in trackers], np.int64)
        self._marks = np.array([tracker.marks for tracker in trackers], np.int64)
        self._lat = _floats([tracker.lat for tracker in trackers])
        self._lon = _floats([tracker.lon for tracker in trackers])
        self._speed = _floats([tracker.speed_km_h for tracker in trackers])
        self._course = _floats([tracker.course_deg for tracker in trackers])
        self._fixed[~np.isfinite(self._lat) | ~np.isfinite(self._lon)] = NEVER
        self._is_direct = np.array([not tracker.is_from_server for tracker in trackers], bool)
        self._alarms = np.array([self._alarm_at.get(tracker.key, NEVER) for tracker in trackers], np.int64)
        self._choose_leads()

    def apply(self, positions: NDArray[np.void]) -> None:
        """Move what moved: rows of ``queries.positions_since``. Trackers that are not here are passed over."""
        if len(positions) == 0:
            return
        self.newest_id = max(self.newest_id, int(positions["id"][-1]))
        if len(self._keys) == 0:
            return
        row, is_known = rows_of(self._keys, positions["device_key"])
        np.maximum.at(self._heard, row[is_known], positions["received_at_ms"][is_known])
        moves, at_ms = moves_of(positions, is_known, self._fixed[row])
        rows = row[moves]
        self._fixed[rows] = at_ms
        self._position_id[rows] = positions["id"][moves]
        self._marks[rows] = positions["marks"][moves]
        self._lat[rows], self._lon[rows] = positions["lat"][moves], positions["lon"][moves]
        self._speed[rows], self._course[rows] = positions["speed_km_h"][moves], positions["course_deg"][moves]
        self._choose_leads()

    def hear(self, device_keys: IntArray, heard_at_ms: IntArray) -> None:
        """When devices were last heard, positions or not; keys in ascending order."""
        if len(device_keys) == 0 or len(self._keys) == 0:
            return
        at, is_there = rows_of(device_keys, self._keys)
        is_newer = (heard_at_ms[at] > self._heard) | (self._heard > self._now_ms + CLOCKS_APART_MS)
        self._heard = np.where(is_there & is_newer, heard_at_ms[at], self._heard)
        self._choose_leads()

    def refresh_trackers(self, trackers: Sequence[DeviceListing]) -> None:
        """Take over what a few trackers said besides positions."""
        for tracker in trackers:
            at = int(np.searchsorted(self._keys, tracker.key))
            if at < len(self._keys) and self._keys[at] == tracker.key:
                self.trackers[at] = tracker

    def set_alarms(self, alarm_at_ms: dict[int, int]) -> None:
        """When each device last raised an alarm."""
        self._alarm_at = alarm_at_ms
        self._alarms = np.array([alarm_at_ms.get(int(key), NEVER) for key in self._keys], np.int64)
        self._choose_leads()

    def tick(self, now_ms: int) -> bool:
        """Let time pass; True when a state changed."""
        self._now_ms = now_ms
        states = classify(now_ms, self.fixed_at_ms, self.heard_at_ms, self.speed_km_h, self._alarm_of)
        is_changed = not np.array_equal(states, self.state)
        self.state = states
        return is_changed

    def _choose_leads(self) -> None:
        count = len(self.subjects)
        # As app.fleet.queries chooses: a direct source with a fresh fix, then any fresh one, then the freshest.
        is_fresh = is_within(STALE_AFTER_MS, self._fixed, self._now_ms)
        order = np.lexsort((self._fixed, is_fresh & self._is_direct, is_fresh, self._subject_of))
        self.lead = np.zeros(count, np.int64)
        self.lead[self._subject_of[order]] = order  # the best of each subject is written last
        self.fixed_at_ms = self._fixed[self.lead]
        self.speed_km_h = self._speed[self.lead]
        self.heard_at_ms = np.zeros(count, np.int64)
        np.maximum.at(self.heard_at_ms, self._subject_of, self._heard)
        self._world = to_world(self._lat[self.lead], self._lon[self.lead])
        self._column = heading_column(self._course[self.lead])
        self._column[~(self.speed_km_h > STANDING_KM_H)] = NO_HEADING  # an arrow only where the course means something
        self._alarm_of = np.zeros(count, np.int64)
        np.maximum.at(self._alarm_of, self._subject_of, self._alarms)
        if len(self.state) != count:
            self.state = np.full(count, VehicleState.UNKNOWN, np.int8)

    @property
    def drawn(self) -> Vehicles:
        """What the map draws, in the order of ``subjects``."""
        return Vehicles(*self._world, self._column, self.state, self.labels)

    def row_of(self, key: str) -> int:
        """The row of a subject, -1 for one that is not there."""
        return self._row_of.get(key, -1)

    def find(self, text: str) -> str | None:
        """The key of the subject whose vehicle id, plate, name, IMEI or tracker id is ``text``."""
        wanted = text.casefold()
        for tracker in self.trackers:
            names = (tracker.vehicle_id, tracker.vehicle, tracker.name, tracker.unique_id, tracker.id)
            if any(name and name.casefold() == wanted for name in names):
                return subject_key(tracker)
        return None

    def trackers_of(self, key: str) -> list[DeviceListing]:
        """The trackers of a subject as they are now, the one that says where it is first."""
        row = self.row_of(key)
        members = np.flatnonzero(self._subject_of == row) if row >= 0 else np.empty(0, np.int64)
        if row < 0:
            return []
        ordered = members[np.lexsort((-self._fixed[members], members != self.lead[row]))]
        return [self._now(int(at)) for at in ordered]

    def _now(self, at: int) -> DeviceListing:
        has_fix = self._fixed[at] > NEVER
        return replace(
            self.trackers[at],
            fixed_at_ms=int(self._fixed[at]) if has_fix else None,
            last_seen_ms=int(self._heard[at]) or None,
            position_id=int(self._position_id[at]) or None,
            lat=float(self._lat[at]) if has_fix else None,
            lon=float(self._lon[at]) if has_fix else None,
            speed_km_h=_number(self._speed[at]),
            course_deg=_number(self._course[at]),
            marks=int(self._marks[at]),
        )

    def disagreement(self, key: str) -> Disagreement | None:
        """Two trackers of one vehicle whose fixes of about one time lie further apart than it can have driven."""
        trackers = [tracker for tracker in self.trackers_of(key) if tracker.fixed_at_ms]
        for at, one in enumerate(trackers):
            for other in trackers[at + 1 :]:
                between_ms = abs((one.fixed_at_ms or 0) - (other.fixed_at_ms or 0))
                if between_ms > DISAGREE_WITHIN_MS:
                    continue
                apart_m = distance_m(one.lat or 0.0, one.lon or 0.0, other.lat or 0.0, other.lon or 0.0)
                fastest_km_h = max(one.speed_km_h or 0.0, other.speed_km_h or 0.0, CITY_KM_H)
                if apart_m > DISAGREE_M + fastest_km_h / 3600 * between_ms:
                    return Disagreement(one, other, apart_m)
        return None

    def disagreeing(self) -> set[str]:
        """All vehicles with more than one tracker whose trackers disagree now."""
        lead = self.lead[self._subject_of]  # most trackers are their vehicle's only one and differ from it in nothing
        apart = np.maximum(np.abs(self._lat - self._lat[lead]), np.abs(self._lon - self._lon[lead]))
        together = (self._fixed > NEVER) & (self._fixed[lead] - self._fixed <= DISAGREE_WITHIN_MS)
        suspects = np.unique(self._subject_of[together & (apart * METRES_PER_DEGREE > DISAGREE_M / 2)])
        return {self.subjects[row] for row in suspects if self.disagreement(self.subjects[row])}

    def counts(self) -> dict[VehicleState, int]:
        """How many subjects are in each state; the sum is the number of subjects."""
        number = np.bincount(self.state, minlength=len(VehicleState))
        return {state: int(number[state]) for state in VehicleState}


def rows_of(keys: IntArray, wanted: IntArray) -> tuple[IntArray, NDArray[np.bool_]]:
    """The places of ``wanted`` among ``keys``, which ascend and are not empty, and whether each is there."""
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return at, keys[at] == wanted


def moves_of(
    positions: NDArray[np.void], is_known: NDArray[np.bool_], fixed_at_ms: IntArray
) -> tuple[IntArray, IntArray]:
    """Which of ``positions`` (of ``queries.positions_since``) move what they are of, and the times they count from.

    ``fixed_at_ms`` is what is known for each of them now. They come in the order of their times, the newest last.
    """
    # A fix that claims to come from the future counts from its arrival, as in app.fleet.states.
    at_ms = np.minimum(positions["fixed_at_ms"], positions["received_at_ms"])
    moves = np.flatnonzero(is_known & ((positions["marks"] & NOT_LIVE) == 0) & (at_ms > fixed_at_ms))
    moves = moves[np.argsort(at_ms[moves], kind="stable")]
    return moves, at_ms[moves]


def _floats(values: Sequence[float | None]) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _number(value: np.float64) -> float | None:
    return float(value) if np.isfinite(value) else None
