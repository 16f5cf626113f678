"""The same detection while samples come in: what is new, what changed, what was taken back."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from app.fuel.analyse import find_events, track_from
from app.fuel.detect.events import FuelEvent, matched
from app.fuel.detect.filters import SPIKE_WINDOW
from app.fuel.detect.levels import CONTEXT_S, CONTEXT_SAMPLES, Track, calm_samples
from app.fuel.detect.states import Stop, find_stops
from app.fuel.parameters import Parameters
from app.fuel.series import Samples
from app.fuel.table import TankTable
from app.fuel.warmth import STEADY_S

LOOKBACK_S = 86_400.0
_KEPT_BEFORE = CONTEXT_SAMPLES + 4 * SPIKE_WINDOW
"""Samples that are kept in front of the first stop: so far back look the filters, and what a trip's levels say."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a piece of data changed. ``changed`` pairs an event as it was told with the event as it is now.

    ``late_s``: the time of the oldest sample that came too late; what lies from there on has to be analysed anew.
    """

    found: tuple[FuelEvent, ...] = ()
    changed: tuple[tuple[FuelEvent, FuelEvent], ...] = ()
    withdrawn: tuple[FuelEvent, ...] = ()
    late_s: float | None = None


class Detector:
    """Feed samples in any pieces; :attr:`events` are always those of one analysis of everything that was fed.

    Samples may come out of order and up to ``lookback_s`` late. What is kept begins in front of the last rest that
    was over so long ago: nothing that comes later can change what lies before it.
    """

    def __init__(self, table: TankTable, parameters: Parameters, *, lookback_s: float = LOOKBACK_S) -> None:
        self.lookback_s = lookback_s
        self._table = table
        self._parameters = parameters
        self._samples: Samples | None = None
        self._final: tuple[FuelEvent, ...] = ()
        self._open: tuple[FuelEvent, ...] = ()
        self._final_until_s = -np.inf

    @property
    def events(self) -> tuple[FuelEvent, ...]:
        """All that were found so far, in the order of their times."""
        return (*self._final, *self._open)

    @property
    def kept(self) -> int:
        """Samples that are held."""
        return 0 if self._samples is None else len(self._samples)

    def feed(self, samples: Samples) -> Changes:
        """Take samples in, and tell what they changed."""
        late = samples.time_s < self._final_until_s
        late_s = float(samples.time_s[late].min()) if late.any() else None
        samples = samples.part(~late)
        if not len(samples):
            return Changes(late_s=late_s)
        self._samples = samples if self._samples is None else self._samples.followed_by(samples)
        track = track_from(self._samples, self._table, self._parameters)
        before, self._open = self._open, tuple(find_events(track, self._parameters)[0])
        pairs, found, withdrawn = matched(before, self._open)
        self._forget(track)
        return Changes(found, tuple((old, new) for old, new in pairs if old != new), withdrawn, late_s)

    def finish(self) -> Changes:
        """Nothing more will come: what was provisional stands."""
        before = self._open
        self._final += tuple(replace(event, provisional=False) for event in before)
        self._open, self._samples, self._final_until_s = (), None, np.inf
        return Changes(
            changed=tuple((event, replace(event, provisional=False)) for event in before if event.provisional)
        )

    def _forget(self, track: Track) -> None:
        """Let go of what lies before a rest that is over for long, if the remainder says the same without it."""
        rest = self._settled_rest(track)
        if rest is None or self._samples is None or rest.first <= _KEPT_BEFORE:
            return
        from_s = min(float(track.time_s[rest.first - _KEPT_BEFORE]), rest.start_s - CONTEXT_S - STEADY_S)
        first = int(np.searchsorted(self._samples.time_s, from_s))
        if first == 0:
            return
        remainder = self._samples.part(slice(first, None))
        events = tuple(find_events(track_from(remainder, self._table, self._parameters), self._parameters)[0])
        gone = len(self._open) - len(events)
        if gone < 0 or self._open[gone:] != events:
            return
        self._final += self._open[:gone]
        self._open, self._samples = events, remainder
        self._final_until_s = rest.end_s + CONTEXT_S

    def _settled_rest(self, track: Track) -> Stop | None:
        """The last rest that no sample within :attr:`lookback_s` can change any more."""
        if not len(track):
            return None
        until_s = float(track.time_s[-1]) - self.lookback_s - CONTEXT_S
        stops = find_stops(track.time_s, track.moving, self._parameters.minimum_stop_min * 60)
        over = [stop for stop in stops if stop.end_s < until_s and not stop.is_open]
        return next((stop for stop in reversed(over) if len(calm_samples(track, stop, self._parameters))), None)
