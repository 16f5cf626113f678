"""Between two stops: what a trip cannot have used, and what it cannot have gained."""

from __future__ import annotations

import numpy as np

from app.fuel.detect.events import Evidence, FuelEvent, confidence_of
from app.fuel.detect.filters import sliding_median
from app.fuel.detect.states import Stop
from app.fuel.detect.stops import Track
from app.fuel.distance import distance_km
from app.fuel.parameters import Parameters

UNCERTAINTY = 0.4
"""How far a trip's consumption may lie from the norm, as a share of it."""
SHARE = 0.05
"""Of the tank: parking on a slope shifts a level by up to 4 %."""
STEP_WINDOW = 5


def event_between(
    track: Track, before: Stop, after: Stop, out_l: float, in_l: float, parameters: Parameters
) -> FuelEvent | None:
    """A refuel or drain between two stops, from the level out of the one and the level in of the other, or None."""
    trip = slice(before.last, after.first + 1)
    km = distance_km(track.lat[trip], track.lon[trip])
    hours = (after.start_s - before.end_s) / 3600
    expected_l = km * parameters.norm_l_100_km / 100 + hours * parameters.idle_l_h * 0.3
    change = in_l - out_l
    limit = SHARE * track.capacity_l + 3 * UNCERTAINTY * expected_l
    if change > 0:
        least, kind, litres = parameters.minimum_refuel(track.capacity_l), "refuel", change + expected_l
        is_event = change >= max(least, SHARE * track.capacity_l)
    else:
        least, kind, litres = parameters.minimum_drain(track.capacity_l), "drain", -change - expected_l
        is_event = parameters.drains_in_motion and litres >= max(least, limit)
    if not is_event:
        return None
    at = _step_at(track, trip, rises=change > 0)
    if at is None:
        return None
    evidence = (
        Evidence("trip", "for", f"{abs(change):.1f} L between two stops, {expected_l:.1f} L expected for {km:.0f} km"),
        Evidence("motion", "open", "it lies outside a stop, where fuel sloshes"),
    )
    place = np.isfinite(track.lat[at])
    return FuelEvent(
        kind="refuel" if kind == "refuel" else "drain",
        start_s=float(track.time_s[at]),
        end_s=float(track.time_s[at + 1]),
        litres=round(litres, 2),
        level_before_l=round(out_l, 2),
        level_after_l=round(in_l, 2),
        confidence=confidence_of(litres, 2 * least, evidence),
        lat=float(track.lat[at]) if place else None,
        lon=float(track.lon[at]) if place else None,
        in_motion=True,
        evidence=evidence,
    )


def _step_at(track: Track, trip: slice, *, rises: bool) -> int | None:
    """The sample before the trip's largest step; None when no step makes up half of the change."""
    litres = track.litres[trip]
    if len(litres) < 2:
        return None
    window = min(STEP_WINDOW, len(litres) | 1)
    smooth = sliding_median(litres, window if len(litres) > 4 else 1)
    reach = min(3, len(smooth) - 1)
    steps = smooth[reach:] - smooth[:-reach]
    best = int(np.argmax(steps) if rises else np.argmin(steps))
    whole = litres[-1] - litres[0]
    if abs(steps[best]) < 0.5 * abs(whole) or steps[best] * whole <= 0:
        return None
    return int(trip.start) + best + reach // 2
