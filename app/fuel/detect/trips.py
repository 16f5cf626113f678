"""Between two rests: what a trip cannot have used, and what it cannot have gained (fuel-analytics.md 5, across stops).

Two things must agree: the balance of the levels at rest, and a step among the sloshing levels of the trip that is as
large. Where the trip has hardly a sample there is no step to see, and the balance must say more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.fuel.arrays import Floats
from app.fuel.detect.events import Evidence, FuelEvent, confidence_of
from app.fuel.detect.filters import middle, sliding_median
from app.fuel.detect.levels import Rest, Track, minima, noise_of, place_at
from app.fuel.parameters import Parameters

UNCERTAINTY = 0.4
"""How far a trip's consumption may lie from the norm, as a share of it."""
SHARE = 0.05
"""Of the tank: parking on a slope shifts a level by up to 4 %."""
IDLING_SHARE = 0.3
"""Of a trip's hours: what it stands at junctions."""
FEW_SAMPLES = 9
SMOOTH_S = 300.0
LONGEST_S = 900.0
"""What is taken in motion is taken within this time."""
STEP_SHARE = 0.5
STEP_DEVIATIONS = 4.0


@dataclass(frozen=True, slots=True)
class _Step:
    """The largest change within :data:`LONGEST_S`: indices into the trip, litres beside what was used, its noise."""

    start: int
    end: int
    change_l: float
    noise_l: float


def event_between(track: Track, before: Rest, after: Rest, parameters: Parameters) -> FuelEvent | None:
    """A refuel or a drain between two rests, or None."""
    trip = slice(before.trip_from, after.trip_to + 1)
    change = after.level_in - before.level_out
    used = _used(track, trip, parameters)
    expected = float(used[-1])
    total, doubt = change + expected, UNCERTAINTY * expected
    refuel, drain = minima(track, parameters)
    least, is_wanted = (refuel, parameters.refuels_in_motion) if total > 0 else (drain, parameters.drains_in_motion)
    limit = max(least, SHARE * track.capacity_l)
    litres = abs(total)
    if not is_wanted or litres < limit + doubt:
        return None
    limit += 3 * sum(noise_of(track.litres[rest.calm], track.capacity_l) for rest in (before, after))
    if litres < limit + doubt:
        return None
    step = _step_in(track, trip, used)
    if step is None:  # the balance alone
        start, end = 0, len(used) - 1
        is_event = litres >= limit + 3 * doubt
    else:
        start, end = step.start, step.end
        is_large = abs(step.change_l) >= max(limit, STEP_DEVIATIONS * step.noise_l)
        is_one = step.change_l * total > 0 and abs(step.change_l) >= STEP_SHARE * (litres - doubt)
        is_kept = max(-change, litres + doubt) >= abs(step.change_l) - STEP_DEVIATIONS * step.noise_l
        is_event = is_large and is_one and is_kept
        if step.noise_l < doubt:
            litres = abs(step.change_l)
    if not is_event:
        return None
    at = trip.start + start, trip.start + end
    return _event(track, (before, after), at, float(np.copysign(litres, total)), least, expected)


def _event(
    track: Track,
    rests: tuple[Rest, Rest],
    at: tuple[int, int],
    added_l: float,
    least: float,
    expected: float,
) -> FuelEvent:
    change = rests[1].level_in - rests[0].level_out
    litres = abs(added_l)
    evidence = (
        Evidence("trip", "for", f"{change:+.1f} L between two rests, where {expected:.1f} L were to be used"),
        Evidence("motion", "open", "it lies outside a rest, where fuel sloshes"),
    )
    return FuelEvent(
        kind="refuel" if added_l > 0 else "drain",
        start_s=float(track.time_s[at[0]]),
        end_s=float(track.time_s[at[1]]),
        litres=round(litres, 2),
        level_before_l=round(rests[0].level_out, 2),
        level_after_l=round(rests[1].level_in, 2),
        confidence=confidence_of(litres, 2 * least, evidence),
        lat=place_at(track.lat, at[0]),
        lon=place_at(track.lon, at[0]),
        at_least=added_l > 0 and rests[1].level_in >= 0.985 * track.capacity_l,
        in_motion=bool(track.moving[at[0] : at[1] + 1].any()),
        evidence=evidence,
    )


def _used(track: Track, trip: slice, parameters: Parameters) -> Floats:
    """Litres that the trip is expected to have used until each of its samples."""
    km = np.cumsum(track.step_km[trip])
    hours = (track.time_s[trip] - track.time_s[trip.start]) / 3600
    used: Floats = (km - km[0]) * parameters.driven_l(1.0) + hours * parameters.idle_l_h * IDLING_SHARE
    return used


def _step_in(track: Track, trip: slice, used: Floats) -> _Step | None:
    """The trip's largest step; None when there are too few samples to see one."""
    time_s, levels = track.time_s[trip], track.litres[trip] + used
    if len(levels) < FEW_SAMPLES:
        return None
    period = middle(time_s[1:] - time_s[:-1])
    window = min(max(int(SMOOTH_S / period) | 1, 5), FEW_SAMPLES * 7, len(levels) // 2 | 1)
    smooth = sliding_median(levels, window)
    noise = middle(np.abs(levels - smooth)) * 1.4826 * 1.2533 / np.sqrt(window / 2)
    starts = np.arange(len(levels) - 1)
    ends = np.maximum(np.searchsorted(time_s, time_s[:-1] + LONGEST_S, side="right") - 1, starts + 1)
    changes = smooth[ends] - smooth[starts]
    best = int(np.argmax(np.abs(changes)))
    start, end = best, int(ends[best])
    moved = (smooth[start : end + 1] - smooth[start]) / changes[best] if changes[best] else np.zeros(end - start + 1)
    first = start + int(np.flatnonzero(moved <= 0.15)[-1])
    last = start + int(np.flatnonzero(moved >= 0.85)[0]) if (moved >= 0.85).any() else end
    first, last = (first, last) if first < last else (start, end)
    return _Step(first, last, float(changes[best]), max(noise, 0.001 * track.capacity_l))
