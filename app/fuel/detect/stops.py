"""Events inside a stop, tested for what else a change of the level can be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.fuel.detect.events import Evidence, FuelEvent, confidence_of
from app.fuel.detect.filters import scatter_of, sliding_median
from app.fuel.detect.states import Stop
from app.fuel.detect.swings import Swing, find_swings, plateau, split
from app.fuel.parameters import Parameters

Floats = NDArray[np.float64]
RETURN_S = 20 * 60.0
RETURN_SHARE = 0.3
RETURN_SAMPLES = 3
SLOSH_SHARE = 0.05
"""Of the tank: how far the level of an arrival or a departure may lie from that at rest, by slosh and by slope."""
DEPARTURE_S = 60.0
CALM_SAMPLES = 3
NOISE_SAMPLES = 10
LEAST_NOISE, ORDINARY_NOISE = 0.001, 0.003
"""Of the tank; in fewer samples than ten a change cannot be told from noise."""
LEAST_TURN = 0.006
THERMAL_L_H = 1.0
CONTEXT_S = 600.0
CONTEXT_SAMPLES = 7


@dataclass(frozen=True, slots=True)
class Track:
    """What the detection works on: valid samples only, litres without spikes."""

    time_s: Floats
    litres: Floats
    moving: NDArray[np.bool_]
    ignition: NDArray[np.int8]
    lat: Floats
    lon: Floats
    temperature_c: Floats
    capacity_l: float

    def __len__(self) -> int:
        return len(self.time_s)


@dataclass(frozen=True, slots=True)
class _Level:
    """One stop's levels, corrected by what idling used, and smoothed."""

    time_s: Floats
    raw: Floats
    smooth: Floats
    noise_l: float
    first: int  # index in the track of its first entry
    is_arrival: bool  # entry 0 is the level of the arrival, gathered from samples that slosh
    is_departure: bool  # and the last one that of the departure


def levels_at(track: Track, stop: Stop, events: list[FuelEvent], settle_s: float) -> tuple[float, float]:
    """Level in and level out of a stop with these events."""
    time_s, litres = track.time_s[stop.samples], track.litres[stop.samples]
    first = _settled(time_s, settle_s)
    level_in = plateau(litres, first, len(litres) - 1, at_end=False)[0]
    level_out = plateau(litres, 0, len(litres) - 1, at_end=True)[0]
    if events:
        level_in = events[0].level_before_l
        last = np.searchsorted(time_s, events[-1].end_s)
        level_out = plateau(litres, min(int(last), len(litres) - 1), len(litres) - 1, at_end=True)[0]
    return level_in, level_out


def events_in(track: Track, stop: Stop, parameters: Parameters) -> list[FuelEvent]:
    """Refuels and drains of one stop, in the order of their times."""
    litres = track.litres[stop.samples]
    least = min(_minima(track, parameters))
    if len(litres) < 2 or litres.max() - litres.min() < least:
        return []
    level = _level_of(track, stop, parameters)
    turn = max(0.5 * least, 5 * level.noise_l, LEAST_TURN * track.capacity_l)
    swings = find_swings(level.smooth, turn, level.noise_l)
    swings = _without_returns(swings, level)
    swings = _joined(swings, level, parameters, track.capacity_l)
    parts: list[Swing] = []
    for swing in swings:
        minimum = _minimum(swing, track, parameters)
        parts += split(level.smooth, level.time_s, swing, parameters.join_min * 60, minimum, level.noise_l)
    found = []
    for number, part in enumerate(parts):
        first = parts[number - 1].after if number else 0
        last = parts[number + 1].before if number + 1 < len(parts) else len(level.raw) - 1
        event = _judged(track, stop, level, part, (min(first, part.before), max(last, part.after)), parameters)
        if event is not None:
            found.append(event)
    return found


def _level_of(track: Track, stop: Stop, parameters: Parameters) -> _Level:
    """Corrected levels, the samples that slosh at both ends gathered to one entry each."""
    time_s, litres = track.time_s[stop.samples], track.litres[stop.samples]
    steps = np.diff(time_s, prepend=time_s[0])
    idling = (track.ignition[stop.samples] == 1) & (steps <= parameters.longest_gap_min * 60)
    corrected = litres + np.cumsum(steps * idling) * parameters.idle_l_h / 3600
    first, last = 0, len(corrected)
    if stop.first:
        first = int(np.searchsorted(time_s, time_s[0] + parameters.settle_s))
        calm = corrected[max(first - CALM_SAMPLES, 0) : first]
        if len(calm) == CALM_SAMPLES and np.ptp(calm) <= LEAST_TURN * track.capacity_l:
            first -= CALM_SAMPLES  # it has calmed down already
    if not stop.is_open:  # with the engine off it stands still until the end
        near = int(np.searchsorted(time_s, track.time_s[stop.last + 1] - DEPARTURE_S))
        awake = np.flatnonzero(track.ignition[stop.samples][near:] != 0)
        last = max(near + int(awake[0]), 1) if len(awake) else last
    first, last = min(first, last), max(first, last) if first < len(corrected) else last
    head, tail = corrected[:first], corrected[last:]
    body, body_s = corrected[first:last], time_s[first:last]
    noise = scatter_of(body) if len(body) >= NOISE_SAMPLES else ORDINARY_NOISE * track.capacity_l
    noise = max(noise, LEAST_NOISE * track.capacity_l)
    smooth = sliding_median(body, 3) if len(body) > 4 else body
    # What sloshing and the slope of a place explain is left out: an end counts only where it tells of more.
    apart = SLOSH_SHARE * track.capacity_l + min(_minima(track, parameters))
    is_arrival = is_departure = False
    if len(head):
        arrival = np.median(np.append(head, _moving_levels(track, stop.first - 1, -1)))
        is_arrival = not len(body) or abs(arrival - body[0]) > apart
    if is_arrival:
        body, smooth = np.append(arrival, body), np.append(arrival, smooth)
        body_s = np.append(time_s[first - 1], body_s)
    if len(tail):
        used_l = (corrected - litres)[-1]
        departure = np.median(np.append(tail, _moving_levels(track, stop.last + 1, 1) + used_l))
        is_departure = abs(departure - body[-1]) > apart
    if is_departure:
        body, smooth = np.append(body, departure), np.append(smooth, departure)
        body_s = np.append(body_s, time_s[last])
    return _Level(body_s, body, smooth, noise, stop.first + first - is_arrival, is_arrival, is_departure)


def _minima(track: Track, parameters: Parameters) -> tuple[float, float]:
    return parameters.minimum_refuel(track.capacity_l), parameters.minimum_drain(track.capacity_l)


def _settled(time_s: Floats, settle_s: float) -> int:
    """The first sample after the fuel has calmed down, as long as two are left."""
    first = int(np.searchsorted(time_s, time_s[0] + settle_s))
    return first if len(time_s) - first >= 2 else 0


def _minimum(swing: Swing, track: Track, parameters: Parameters) -> float:
    refuel, drain = _minima(track, parameters)
    return refuel if swing.delta_l > 0 else drain


def _without_returns(swings: list[Swing], level: _Level) -> list[Swing]:
    """A change that is undone within 20 minutes, or within three samples, by an equal one was noise: both go."""
    kept: list[Swing] = []
    for swing in swings:
        before = kept[-1] if kept else None
        if before is not None and before.delta_l * swing.delta_l < 0 and _is_undone(before, swing, level):
            kept.pop()
            continue
        kept.append(swing)
    return kept


def _is_undone(before: Swing, swing: Swing, level: _Level) -> bool:
    left = abs(before.delta_l + swing.delta_l) / abs(before.delta_l)
    if swing.start - before.end < RETURN_SAMPLES and left <= RETURN_SHARE / 3:
        return True
    return bool(level.time_s[swing.end] - level.time_s[before.start] <= RETURN_S and left <= RETURN_SHARE)


def _joined(swings: list[Swing], level: _Level, parameters: Parameters, capacity_l: float) -> list[Swing]:
    """Two of one kind that lie close together, with hardly any change between them, are one."""
    kept: list[Swing] = []
    for swing in swings:
        before = kept[-1] if kept else None
        if (
            before is not None
            and before.delta_l * swing.delta_l > 0
            and level.time_s[swing.start] - level.time_s[before.end] <= parameters.join_min * 60
            and abs(level.smooth[swing.start] - level.smooth[before.end]) <= 0.01 * capacity_l
        ):
            change = float(level.smooth[swing.after] - level.smooth[before.before])
            kept[-1] = Swing(before.start, swing.end, before.before, swing.after, change)
            continue
        kept.append(swing)
    return kept


def _judged(
    track: Track, stop: Stop, level: _Level, swing: Swing, between: tuple[int, int], parameters: Parameters
) -> FuelEvent | None:
    """The event behind a swing, or None when the tests speak against it."""
    first, last = between
    if level.is_arrival and first == 0 and swing.before > 0:
        first = 1
    if level.is_departure and last == len(level.raw) - 1 and swing.after < last:
        last -= 1
    before, samples_before = plateau(level.raw, first, swing.before, at_end=True)
    after, samples_after = plateau(level.raw, swing.after, last, at_end=False)
    change = after - before
    is_refuel = swing.delta_l > 0
    litres = change if is_refuel else -change
    least = _minimum(swing, track, parameters)
    start_s, end_s = float(level.time_s[swing.start]), float(level.time_s[swing.end])
    if litres < least:
        return None
    expansion = 0.0 if is_refuel else _contraction(track, level, swing, before, parameters)
    hours = max(end_s - start_s, 1.0) / 3600
    if not is_refuel and litres / hours < THERMAL_L_H * max(1.0, track.capacity_l / 300) and litres - expansion < least:
        return None
    evidence = _evidence(track, level, swing, (samples_before, samples_after), litres, parameters)
    if any(one.outcome == "against" and one.test == "rate" for one in evidence):
        return None
    if min(samples_before, samples_after) < 2 and not _context_agrees(track, stop, change) and litres < 2 * least:
        return None
    at = level.first + swing.start
    return FuelEvent(
        kind="refuel" if is_refuel else "drain",
        start_s=start_s,
        end_s=end_s,
        litres=round(litres, 2),
        level_before_l=round(before, 2),
        level_after_l=round(before + change, 2),
        confidence=confidence_of(litres, least, evidence),
        lat=_place(track.lat, at),
        lon=_place(track.lon, at),
        at_least=is_refuel and after >= 0.985 * track.capacity_l,
        provisional=stop.is_open and samples_after < 2,
        evidence=evidence,
    )


def _contraction(track: Track, level: _Level, swing: Swing, before_l: float, parameters: Parameters) -> float:
    """Litres that the fuel lost by cooling between the two plateaus, 0 without a temperature."""
    fall = track.temperature_c[level.first + swing.start] - track.temperature_c[level.first + swing.end]
    return float(parameters.beta_per_c * before_l * fall) if np.isfinite(fall) and fall > 0 else 0.0


def _context_agrees(track: Track, stop: Stop, change: float) -> bool:
    """Whether the levels while moving before and after the stop differ by about as much."""
    before, after = _moving_levels(track, stop.first - 1, -1), _moving_levels(track, stop.last + 1, 1)
    if not len(before) or not len(after):
        return False
    seen = float(np.median(after) - np.median(before))
    return seen * change > 0 and abs(seen) >= 0.5 * abs(change)


def _moving_levels(track: Track, start: int, step: int) -> Floats:
    """Levels of up to seven samples of the motion that begins or ends at ``start``."""
    end = start
    while (
        0 <= end < len(track)
        and abs(end - start) < CONTEXT_SAMPLES
        and track.moving[end]
        and abs(track.time_s[end] - track.time_s[start]) <= CONTEXT_S
    ):
        end += step
    return track.litres[start:end] if step > 0 else track.litres[end + 1 : start + 1]


def _evidence(
    track: Track,
    level: _Level,
    swing: Swing,
    plateaus: tuple[int, int],
    litres: float,
    parameters: Parameters,
) -> tuple[Evidence, ...]:
    minutes = max(level.time_s[swing.end] - level.time_s[swing.start], 1.0) / 60
    found = [
        Evidence(
            "plateaus",
            "for" if min(plateaus) >= 2 else "open",
            f"{plateaus[0]} samples before and {plateaus[1]} after it",
        )
    ]
    fastest = parameters.fastest_fill_l_min if swing.delta_l > 0 else parameters.fastest_drain_l_min
    # The samples on both sides lie outside it, so this is the least that it can have been.
    is_possible = litres / minutes <= fastest * 1.5
    found.append(Evidence("rate", "for" if is_possible else "against", f"at least {litres / minutes:.1f} L/min"))
    longest = float(np.diff(level.time_s[swing.start : swing.end + 1]).max()) / 60
    if longest > parameters.longest_gap_min:
        found.append(Evidence("gap", "open", f"there is no data for {longest:.0f} min within it"))
    ignition = track.ignition[level.first + swing.start : level.first + swing.end + 1]
    if (ignition == 0).all():
        found.append(Evidence("ignition", "for", "the ignition was off"))
    seen = litres / max(level.noise_l, 1e-9)
    found.append(
        Evidence("noise", "for" if seen >= 8 else "open", f"{seen:.0f} times the noise of {level.noise_l:.2f} L")
    )
    return tuple(found)


def _place(values: Floats, at: int) -> float | None:
    near = values[max(at - 2, 0) : at + 3]
    near = near[np.isfinite(near)]
    return float(np.median(near)) if len(near) else None
