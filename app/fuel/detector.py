"""The same detection while samples come in: what is new, what changed, what was taken back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from app.fuel.analyse import find_events, track_from
from app.fuel.detect.events import FuelEvent
from app.fuel.detect.states import MOVES_KM_H, find_stops
from app.fuel.detect.stops import Track
from app.fuel.parameters import Parameters
from app.fuel.series import Samples
from app.fuel.table import TankTable

KEPT_BEFORE = 24
"""Samples of motion that are kept in front of the last stop but one: filters and contexts look that far."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a piece of data changed. ``late``: it lies before what is kept; analyse that stretch anew."""

    found: tuple[FuelEvent, ...] = ()
    withdrawn: tuple[FuelEvent, ...] = ()
    late: bool = False


class Detector:
    """Feed samples in any pieces; :attr:`events` are always those of one analysis of everything that was fed.

    Only the last two stops and the trip before them are kept: nothing that comes later can change what lies before.
    """

    def __init__(self, table: TankTable, parameters: Parameters) -> None:
        self._table = table
        self._parameters = parameters
        self._samples: Samples | None = None
        self._final: list[FuelEvent] = []
        self._open: list[FuelEvent] = []
        self._is_cut = False

    @property
    def events(self) -> tuple[FuelEvent, ...]:
        return (*self._final, *self._open)

    @property
    def kept(self) -> int:
        """Samples that are held."""
        return 0 if self._samples is None else len(self._samples)

    def feed(self, samples: Samples) -> Changes:
        """Take samples in; out of order is fine as far back as what is kept."""
        if not len(samples):
            return Changes()
        if self._is_cut and self._samples is not None and samples.time_s[0] < self._samples.time_s[0]:
            return Changes(late=True)
        self._samples = samples if self._samples is None else self._samples.followed_by(samples)
        track = track_from(self._samples, self._table, self._parameters)
        events = [event for event in find_events(track, self._parameters)[0] if not self._is_known(event)]
        before = self._open
        self._open = events
        known, now = {_identity(event) for event in before}, {_identity(event) for event in events}
        changes = Changes(
            tuple(event for event in events if _identity(event) not in known),
            tuple(event for event in before if _identity(event) not in now),
        )
        self._samples = self._cut(self._samples, track)
        return changes

    def _is_known(self, event: FuelEvent) -> bool:
        return any(event.kind == one.kind and event.start_s <= one.start_s for one in self._final[-4:])

    def _cut(self, samples: Samples, track: Track) -> Samples:
        """Forget what lies before the last stop but one."""
        stops = find_stops(track.time_s, track.moving, self._parameters.minimum_stop_min * 60)
        if len(stops) < 4:
            return samples
        keep_from_s = stops[-3].start_s
        times = samples.time_s
        at = int(np.searchsorted(times, keep_from_s)) - KEPT_BEFORE
        with np.errstate(invalid="ignore"):
            fast = samples.speed_km_h > MOVES_KM_H
        while at > 0 and not (fast[at] and fast[at + 1]):
            at -= 1
        if at <= 0 or times[at] <= stops[-4].end_s:
            return samples
        final = [event for event in self._open if event.end_s <= keep_from_s]
        self._final += [replace(event, provisional=False) for event in final]
        self._open = self._open[len(final) :]
        self._is_cut = True
        return samples.part(slice(at, None))


def _identity(event: FuelEvent) -> tuple[str, float, float, float]:
    return event.kind, event.start_s, event.end_s, event.litres
