"""The level of a tank at rest: which samples of a stop are calm, and how far a level may be wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.fuel.arrays import Floats
from app.fuel.detect.events import FuelEvent
from app.fuel.detect.filters import middle, scatter_of, sliding_median
from app.fuel.detect.states import Stop
from app.fuel.detect.swings import PLATEAU_SAMPLES, plateau
from app.fuel.parameters import Parameters

SLOSH_SHARE = 0.05
"""Of the tank: how far the level of an arrival or a departure may lie from that at rest, by slosh and by slope."""
CALM_SAMPLES = 3
CALM_SHARE = 0.006
NOISE_SAMPLES = 10
LEAST_NOISE, ORDINARY_NOISE = 0.001, 0.003
"""Of the tank; in fewer samples than ten a change cannot be told from noise."""
SLEPT_S = 600.0
"""Without a sample for so long a standing vehicle's bus was asleep, and what follows is from the engine's start."""
CONTEXT_S = 600.0
CONTEXT_SAMPLES = 60


@dataclass(frozen=True, slots=True)
class Track:
    """What the detection works on: valid samples only, litres without spikes. ``step_km`` lead to each of them."""

    time_s: Floats
    litres: Floats
    moving: NDArray[np.bool_]
    since_s: Floats  # since when it stands, or moves
    creeping: NDArray[np.bool_]
    ignition: NDArray[np.int8]
    lat: Floats
    lon: Floats
    temperature_c: Floats
    step_km: Floats
    capacity_l: float

    def __len__(self) -> int:
        return len(self.time_s)


@dataclass(frozen=True, slots=True)
class Level:
    """One stop's levels at rest, smoothed, with what idling used put back. ``at``: their indices in the track."""

    at: NDArray[np.intp]
    time_s: Floats
    raw: Floats
    smooth: Floats
    used_l: Floats
    noise_l: float
    is_arrival: bool  # entry 0 is the level of the arrival, gathered from samples that slosh
    is_departure: bool  # and the last one that of the departure


@dataclass(frozen=True, slots=True)
class Rest:
    """A stop long enough for the fuel to calm down: its levels in and out. All indices are those of the track.

    Up to ``trip_to`` its samples count to the trip in front of it, from ``trip_from`` on to the trip behind.
    """

    level_in: float
    level_out: float
    calm: NDArray[np.intp]
    trip_to: int
    trip_from: int


def rest_of(track: Track, calm: NDArray[np.intp], events: Sequence[FuelEvent]) -> Rest:
    """Level in and level out of a stop with these calm samples and these events."""
    time_s, litres = track.time_s[calm], track.litres[calm]
    last_in, first_out = len(calm) - 1, 0
    if events:
        last_in = int(np.searchsorted(time_s, events[0].start_s, side="right")) - 1
        first_out = int(np.searchsorted(time_s, events[-1].end_s))
    # An event that was on at the arrival, or until the departure, has no calm sample on that side.
    if last_in < 0:
        level_in, trip_to = events[0].level_before_l, int(calm[0])
    else:
        level_in, trip_to = plateau(litres, 0, last_in, at_end=False)[0], int(calm[min(last_in, PLATEAU_SAMPLES - 1)])
    if first_out == len(calm):
        level_out, trip_from = events[-1].level_after_l, int(calm[-1]) + 1
    else:
        level_out = plateau(litres, first_out, len(litres) - 1, at_end=True)[0]
        trip_from = int(calm[max(first_out, len(calm) - PLATEAU_SAMPLES)])
    return Rest(level_in, level_out, calm, trip_to, trip_from)


def level_of(track: Track, stop: Stop, at: NDArray[np.intp], parameters: Parameters) -> Level:
    """Levels of a stop with calm samples ``at``, those that slosh at both ends gathered to one entry each."""
    used_l = _idled(track, stop, parameters)
    first, last = int(at[0]), int(at[-1])
    corrected = track.litres[at] + used_l[at - stop.first]
    smooth = sliding_median(corrected, 3) if len(corrected) > 4 else corrected
    noise = noise_of(corrected, track.capacity_l)
    is_arrival = is_departure = False
    longest_s = parameters.longest_gap_min * 60
    head = track.litres[stop.first : first]
    if stop.first and track.time_s[stop.first] - track.time_s[stop.first - 1] <= longest_s:  # else it drove on unseen
        head = np.append(head, moving_levels(track, stop.first - 1, -1))
    if stop.first and len(head):
        arrival, doubt = gathered(head)
        is_arrival = _tells_more(arrival, doubt, corrected[:2], noise, track, parameters)
    tail = track.litres[last + 1 : stop.last + 1]
    if not stop.is_open:
        onward = moving_levels(track, stop.last + 1, 1)
        # What was driven unseen lowers a level; one sample alone says nothing of what came in.
        is_higher = len(at) == 1 and len(onward) > 0 and middle(onward) > corrected[-1]
        if is_higher or track.time_s[stop.last + 1] - track.time_s[stop.last] <= longest_s:
            tail = np.append(tail, onward)
    if not stop.is_open and len(tail):
        departure, doubt = gathered(tail)
        departure += used_l[-1]
        is_departure = _tells_more(departure, doubt, corrected[:-3:-1], noise, track, parameters)
    if is_arrival:
        at = np.append(first - 1, at)
        corrected, smooth = np.append(arrival, corrected), np.append(arrival, smooth)
    if is_departure:
        at = np.append(at, last + 1)
        corrected, smooth = np.append(corrected, departure), np.append(smooth, departure)
    used = used_l[np.clip(at - stop.first, 0, len(used_l) - 1)]
    return Level(at, track.time_s[at], corrected, smooth, used, noise, is_arrival, is_departure)


def calm_samples(track: Track, stop: Stop, parameters: Parameters) -> NDArray[np.intp]:
    """Indices in the track of the samples whose fuel is calm: some time after arriving and after manoeuvres, and not
    just before leaving."""
    time_s, ignition = track.time_s[stop.samples], track.ignition[stop.samples]
    first, leaves = 0, len(time_s)
    if stop.first:
        first = int(np.searchsorted(time_s, track.since_s[stop.first] + parameters.settle_s))
        first -= _already_calm(track, stop, first)
    if not stop.is_open:
        leaves = int(np.searchsorted(time_s, track.time_s[stop.last + 1] - parameters.departure_s))
    calm = np.ones(len(time_s), dtype=bool)
    calm[:first] = False
    for at in range(max(first, leaves), len(time_s)):
        # What is sent when the engine is started is calm still; a bus that sleeps without ignition tells of no other.
        calm[at] = ignition[at] == 0 or (at > 0 and (ignition[at - 1] == 0 or time_s[at] - time_s[at - 1] >= SLEPT_S))
    if track.creeping[stop.samples].any():
        calm &= ~_after_creeping(time_s, track.creeping[stop.samples], parameters.settle_s)
    found = np.flatnonzero(calm) + stop.first
    if len(found) > 1 or not stop.first or stop.is_open:
        return found
    if len(found) and (has_slept(track, int(found[0])) or (track.ignition[found[0] - 1 : found[0] + 1] == 0).any()):
        return found
    # A halt at a junction, unless the levels of the motion on both sides tell of more.
    return np.array([stop.last]) if _differs(track, stop, parameters) else found[:0]


def has_slept(track: Track, at: int) -> bool:
    """Whether there was no sample for long before this one."""
    return bool(track.time_s[at] - track.time_s[at - 1] >= SLEPT_S)


def _differs(track: Track, stop: Stop, parameters: Parameters) -> bool:
    """Whether the levels of the motion before and after a stop differ by more than sloshing and slopes explain."""
    before, after = moving_levels(track, stop.first - 1, -1), moving_levels(track, stop.last + 1, 1)
    if not len(before) or not len(after):
        return False
    (level_before, doubt_before), (level_after, doubt_after) = gathered(before), gathered(after)
    explained = SLOSH_SHARE * track.capacity_l + min(minima(track, parameters))
    return abs(level_after - level_before) > max(explained, float(np.hypot(doubt_before, doubt_after)))


def _after_creeping(time_s: Floats, creeping: NDArray[np.bool_], settle_s: float) -> NDArray[np.bool_]:
    moved = np.flatnonzero(creeping)
    last = np.searchsorted(moved, np.arange(len(time_s)), side="right") - 1
    unsettled: NDArray[np.bool_] = (last >= 0) & (time_s - time_s[moved[np.maximum(last, 0)]] <= settle_s)
    return unsettled


def _already_calm(track: Track, stop: Stop, first: int) -> int:
    """How many samples before the end of settling agree with each other and with the level of the trip."""
    calm = track.litres[stop.samples][max(first - CALM_SAMPLES, 0) : first]
    if len(calm) < CALM_SAMPLES or np.ptp(calm) > CALM_SHARE * track.capacity_l:
        return 0
    before = moving_levels(track, stop.first - 1, -1)
    is_same = not len(before) or abs(middle(before) - middle(calm)) <= SLOSH_SHARE * track.capacity_l
    return CALM_SAMPLES if is_same else 0


def _tells_more(
    gathered: float, doubt: float, calm: Floats, noise_l: float, track: Track, parameters: Parameters
) -> bool:
    """Whether the level of an arrival or a departure tells of more than sloshing and the slope of a place explain.

    ``calm`` are the samples next to it, the nearest first. Where they go on in its direction, a change was under way.
    """
    apart = float(calm[0]) - gathered
    goes_on = len(calm) > 1 and (calm[1] - calm[0]) * np.sign(apart) > max(3 * noise_l, CALM_SHARE * track.capacity_l)
    explained = 0.0 if goes_on else SLOSH_SHARE * track.capacity_l + min(minima(track, parameters))
    return abs(apart) > max(explained, doubt)


def gathered(levels: Floats) -> tuple[float, float]:
    """The median of levels that slosh, and three times how far it may be wrong."""
    level = middle(levels)
    scatter = 1.4826 * middle(np.abs(levels - level))
    return level, 3 * 1.2533 * scatter / float(np.sqrt(max(len(levels) / 4, 1)))  # neighbours are not independent


def _idled(track: Track, stop: Stop, parameters: Parameters) -> Floats:
    """Litres that idling has used since the stop began."""
    time_s = track.time_s[stop.samples]
    steps = np.append(0.0, time_s[1:] - time_s[:-1])
    idling = (track.ignition[stop.samples] == 1) & (steps <= parameters.longest_gap_min * 60)
    used: Floats = np.cumsum(steps * idling) * parameters.idle_l_h / 3600
    return used


def noise_of(litres: Floats, capacity_l: float) -> float:
    """The standard deviation of calm levels, as far as they are enough to tell."""
    noise = scatter_of(litres) if len(litres) >= NOISE_SAMPLES else ORDINARY_NOISE * capacity_l
    return max(noise, LEAST_NOISE * capacity_l)


def minima(track: Track, parameters: Parameters) -> tuple[float, float]:
    """The smallest refuel and the smallest drain, in litres."""
    return parameters.minimum_refuel(track.capacity_l), parameters.minimum_drain(track.capacity_l)


def moving_levels(track: Track, start: int, step: int) -> Floats:
    """Levels of up to ten minutes of the motion that begins (step 1) or ends (step -1) at ``start``."""
    if step > 0:
        if start >= len(track):
            return track.litres[:0]
        part = slice(start, start + CONTEXT_SAMPLES)
        counts = track.moving[part] & (track.time_s[part] - track.time_s[start] <= CONTEXT_S)
        return track.litres[start : start + _run(counts)]
    if start < 0:
        return track.litres[:0]
    first = max(start + 1 - CONTEXT_SAMPLES, 0)
    part = slice(first, start + 1)
    counts = (track.moving[part] & (track.time_s[start] - track.time_s[part] <= CONTEXT_S))[::-1]
    return track.litres[start + 1 - _run(counts) : start + 1]


def _run(counts: NDArray[np.bool_]) -> int:
    """How many are true at the beginning."""
    return len(counts) if counts.all() else int(np.argmin(counts))


def place_at(values: Floats, at: int) -> float | None:
    near = values[max(at - 2, 0) : at + 3]
    near = near[np.isfinite(near)]
    return float(np.median(near)) if len(near) else None
