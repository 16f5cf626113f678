"""Drivers in numpy arrays: where their phones are, how old that is, how far from their vehicles. No widgets in here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.deliveries.whereabouts import Whereabouts
from app.fleet.freshness import SILENT_AFTER_MS, STALE_AFTER_MS
from app.fleet.queries import DISAGREE_M
from resources.i18n import tr
from widgets.map.atlas import PHONE_COLUMN
from widgets.map.fleet import CITY_KM_H, NEVER, Fleet, IntArray, moves_of, rows_of
from widgets.map.markers import Vehicles
from widgets.map.projection import EARTH_RADIUS_M, FloatArray, to_world
from widgets.map.states import VehicleState, classify, is_within

WORDS = {
    VehicleState.MOVING: "Moving",
    VehicleState.STOPPED: "Standing",
    VehicleState.POSITION_ONLY: "Position only",
    VehicleState.STALE: "Old position",
    VehicleState.SILENT: "Silent",
    VehicleState.UNKNOWN: "No position yet",
}
MEANINGS = {
    VehicleState.MOVING: "The phone told its place within the last 10 minutes, and moves",
    VehicleState.STOPPED: "The phone told its place within the last 10 minutes, and stands",
    VehicleState.POSITION_ONLY: "The phone told its place within the last 10 minutes, without a speed",
    VehicleState.STALE: "The newest place is older than 10 minutes, or its time is not known; the driver app was heard "
    "within the hour. A phone that stands tells no new place",
    VehicleState.SILENT: "Nothing was heard from the driver app for an hour or longer",
    VehicleState.UNKNOWN: "No place of this driver was ever told",
}


NO_DEVICE = -1  # stands for the key of a phone that never sent a place


class Drivers:
    """``load`` takes what the store says, ``apply`` what is new, ``tick`` lets time pass. Belongs to the UI thread.

    ``clock`` writes the time since which a driver is silent, which stands beside the name on the map.
    """

    def __init__(self, clock: Callable[[int], str]) -> None:
        self._clock = clock
        self._rows: list[Whereabouts] = []
        self._row_of: dict[str, int] = {}
        self._names: list[str] = []
        self.state = np.empty(0, np.int8)
        self._take(())

    def __len__(self) -> int:
        return len(self._rows)

    def load(self, rows: Sequence[Whereabouts], now_ms: int) -> None:
        """Replace everything; newer places that came by :meth:`apply` meanwhile stay. Then :meth:`compare` anew."""
        keys, before = self._keys, (self.lat, self.lon, self.speed_km_h, self.fixed_at_ms)
        heard_at_ms = self.heard_at_ms
        self._take(sorted(rows, key=lambda row: NO_DEVICE if row.device_key is None else row.device_key))
        if len(keys) and len(rows):
            at, is_there = rows_of(keys, self._keys)
            is_there &= self._keys != NO_DEVICE
            self.heard_at_ms[is_there] = np.maximum(self.heard_at_ms, heard_at_ms[at])[is_there]
            is_newer = is_there & (before[-1][at] > self.fixed_at_ms)
            now = self.lat, self.lon, self.speed_km_h, self.fixed_at_ms
            for column, known in zip(now, before, strict=True):
                column[is_newer] = known[at[is_newer]]
        self._place()
        if not self.tick(now_ms):
            self._write_names()

    def _take(self, rows: Sequence[Whereabouts]) -> None:
        self._rows = list(rows)
        self._row_of = {row.key: at for at, row in enumerate(rows)}
        self._keys = np.array([NO_DEVICE if row.device_key is None else row.device_key for row in rows], np.int64)
        self.lat = _floats([row.lat for row in rows])
        self.lon = _floats([row.lon for row in rows])
        self.speed_km_h = _floats([row.speed_km_h for row in rows])
        self.fixed_at_ms = np.array([row.fixed_ms or NEVER for row in rows], np.int64)
        self.heard_at_ms = np.array([row.heard_ms or NEVER for row in rows], np.int64)
        self.apart_m, self.is_far = np.full(len(rows), np.nan), np.zeros(len(rows), bool)
        self._place()

    def _place(self) -> None:
        self._is_placed = np.isfinite(self.lat) & np.isfinite(self.lon)
        self.fixed_at_ms[~self._is_placed] = NEVER
        self._world = to_world(self.lat, self.lon)

    def apply(self, positions: NDArray[np.void]) -> bool:
        """Move what moved: rows of ``queries.positions_since``; whether any of them was of a driver's phone."""
        if len(positions) == 0 or len(self._keys) == 0:
            return False
        at, is_known = rows_of(self._keys, positions["device_key"])
        np.maximum.at(self.heard_at_ms, at[is_known], positions["received_at_ms"][is_known])
        moves, at_ms = moves_of(positions, is_known, self.fixed_at_ms[at])
        moved = at[moves]
        self.fixed_at_ms[moved] = at_ms
        self.lat[moved], self.lon[moved] = positions["lat"][moves], positions["lon"][moves]
        self.speed_km_h[moved] = positions["speed_km_h"][moves]
        self._place()
        return bool(is_known.any())

    def tick(self, now_ms: int) -> bool:
        """Let time pass; True when a state changed."""
        never = np.zeros(len(self._rows), np.int64)
        states = classify(now_ms, self.fixed_at_ms, self.heard_at_ms, self.speed_km_h, never)
        # A place without a time is somewhere, and never fresh.
        is_undated = self._is_placed & (self.fixed_at_ms == NEVER)
        is_heard = now_ms - self.heard_at_ms < SILENT_AFTER_MS
        states[is_undated] = np.where(is_heard, VehicleState.STALE, VehicleState.SILENT)[is_undated]
        is_changed = not np.array_equal(states, self.state)
        self.state = states
        if is_changed:
            self._write_names()
        return is_changed

    def compare(self, fleet: Fleet, now_ms: int) -> None:
        """How far each is from the vehicle of the batch under way, NaN where that is not known now.

        Both fixes must be fresh. Far is what the faster one cannot have driven between the two.
        """
        count = len(self._rows)
        self.apart_m, self.is_far = np.full(count, np.nan), np.zeros(count, bool)
        ids = [row.errand.vehicle_id if row.errand is not None else "" for row in self._rows]
        vehicle = np.array([fleet.row_of(one) if one else -1 for one in ids], np.int64)
        at = np.flatnonzero((vehicle >= 0) & is_within(STALE_AFTER_MS, self.fixed_at_ms, now_ms))
        at = at[is_within(STALE_AFTER_MS, fleet.fixed_at_ms[vehicle[at]], now_ms)]
        if len(at) == 0:
            return
        row, drawn = vehicle[at], fleet.drawn
        on_ground = 1.0 / np.cosh(drawn.y[row] / EARTH_RADIUS_M)
        apart_m = np.hypot(self._world[0][at] - drawn.x[row], self._world[1][at] - drawn.y[row]) * on_ground
        between_s = np.abs(self.fixed_at_ms[at] - fleet.fixed_at_ms[row]) / 1000
        fastest_km_h = np.fmax(np.fmax(self.speed_km_h[at], fleet.speed_km_h[row]), CITY_KM_H)
        self.apart_m[at] = apart_m
        self.is_far[at] = apart_m > DISAGREE_M + fastest_km_h / 3.6 * between_s

    @property
    def drawn(self) -> Vehicles:
        """What the map draws, in the order of the rows."""
        return Vehicles(*self._world, np.full(len(self._rows), PHONE_COLUMN, np.int16), self.state, self._names)

    @property
    def has_places(self) -> bool:
        """Whether anybody is somewhere."""
        return bool(self._is_placed.any())

    def row_of(self, key: str) -> int:
        """The row of a driver, -1 for one who is not there."""
        return self._row_of.get(key, -1)

    def key_at(self, row: int) -> str:
        return self._rows[row].key

    def label(self, row: int) -> str:
        """The name, or what stands for it where the platform lists no such driver."""
        return self._rows[row].name or tr("Unknown driver {id}", id=self._rows[row].peer_id[:8])

    def word(self, row: int) -> str:
        if self._is_placed[row] and self.fixed_at_ms[row] == NEVER:
            return tr("Place of unknown age")
        return tr(WORDS[VehicleState(self.state[row])])

    def now(self, row: int) -> Whereabouts:
        """The row as it is now."""
        fixed_ms, heard_ms, speed = int(self.fixed_at_ms[row]), int(self.heard_at_ms[row]), float(self.speed_km_h[row])
        return replace(
            self._rows[row],
            lat=float(self.lat[row]) if self._is_placed[row] else None,
            lon=float(self.lon[row]) if self._is_placed[row] else None,
            fixed_ms=fixed_ms if fixed_ms > NEVER else None,
            heard_ms=heard_ms if heard_ms > NEVER else None,
            speed_km_h=speed if np.isfinite(speed) else None,
        )

    def find(self, text: str) -> str | None:
        """The key of the driver whose row, name, platform's id or phone's id is ``text``."""
        wanted = text.casefold()
        for row in self._rows:
            if any(name and name.casefold() == wanted for name in (row.key, row.name, row.peer_id, row.unique_id)):
                return row.key
        return None

    def matches(self, text: str) -> NDArray[np.bool_]:
        """Whose name, number, source, batch or its plate contains ``text``, which is case-folded; (n,) bool."""
        found = [text in _words_of(row, self.label(at)).casefold() for at, row in enumerate(self._rows)]
        return np.array(found, bool)

    def in_order(self, rows: IntArray) -> IntArray:
        """``rows`` by state, then by name."""
        names = np.array([self.label(int(row)).casefold() for row in rows], np.str_)
        ordered: IntArray = rows[np.lexsort((names, self.state[rows]))] if len(rows) else rows
        return ordered

    def _write_names(self) -> None:
        self._names = [self._name(at) for at in range(len(self._rows))]

    def _name(self, row: int) -> str:
        if self.state[row] == VehicleState.SILENT:
            heard_ms = int(max(self.heard_at_ms[row], self.fixed_at_ms[row]))
            if heard_ms > NEVER:
                return tr("{name}, silent since {time}", name=self.label(row), time=self._clock(heard_ms))
            return tr("{name}, age unknown", name=self.label(row))
        return self.label(row)


def _words_of(row: Whereabouts, label: str) -> str:
    errand = row.errand
    batch = "" if errand is None else f"{errand.name}\n{errand.plate}"
    return f"{label}\n{row.phone}\n{row.source}\n{batch}"


def _floats(values: Sequence[float | None]) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values], np.float64)
