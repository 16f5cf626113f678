"""Events inside a stop, tested for what else a change of the level can be."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.fuel.detect.events import Evidence, FuelEvent, confidence_of
from app.fuel.detect.levels import SLOSH_SHARE, Level, Track, gathered, level_of, minima, moving_levels, place_at
from app.fuel.detect.states import Stop
from app.fuel.detect.swings import Swing, find_swings, plateau, split
from app.fuel.parameters import Parameters

RETURN_S = 20 * 60.0
RETURN_SHARE = 0.3
RETURN_SAMPLES = 3
LEAST_TURN = 0.006
THERMAL_L_H = 1.0
MOVED_SHARE = 0.03
"""Of the tank: what another slope does to the level when a standing vehicle is moved a few metres."""
IDLE_DOUBT = 0.5
"""How far the consumption of an idling engine may lie from its parameter, as a share of it."""


def events_in(track: Track, stop: Stop, calm: NDArray[np.intp], parameters: Parameters) -> list[FuelEvent]:
    """Refuels and drains of one stop with some calm samples, in the order of their times."""
    litres = track.litres[stop.samples]
    least = min(minima(track, parameters))
    if len(calm) > 1 and litres.max() - litres.min() < least:
        return []
    level = level_of(track, stop, calm, parameters)
    turn = max(0.5 * least, 5 * level.noise_l, LEAST_TURN * track.capacity_l)
    swings = find_swings(level.smooth, turn, level.noise_l)
    swings = _without_returns(swings, level)
    swings = _joined(swings, level, parameters, track.capacity_l)
    pause_s = max(parameters.join_min, parameters.steady_min) * 60
    parts: list[Swing] = []
    for swing in swings:
        minimum = _minimum(swing, track, parameters)
        parts += split(level.smooth, level.time_s, swing, pause_s, minimum, level.noise_l)
    found = []
    for number, part in enumerate(parts):
        first = parts[number - 1].after if number else 0
        last = parts[number + 1].before if number + 1 < len(parts) else len(level.raw) - 1
        event = _judged(track, stop, level, part, (min(first, part.before), max(last, part.after)), parameters)
        if event is not None:
            found.append(event)
    return found


def _minimum(swing: Swing, track: Track, parameters: Parameters) -> float:
    refuel, drain = minima(track, parameters)
    return refuel if swing.delta_l > 0 else drain


def _without_returns(swings: list[Swing], level: Level) -> list[Swing]:
    """A change that is undone within 20 minutes, or within three samples, by an equal one was noise: both go.

    The pair that fits best goes first: between a refuel and a dead reading, the reading is the one that returns.
    """
    kept = list(swings)
    while True:
        pairs = [(_left_of(*pair), at) for at, pair in enumerate(pairwise(kept)) if _is_undone(*pair, level)]
        if not pairs:
            return kept
        at = min(pairs)[1]
        del kept[at : at + 2]


def _left_of(before: Swing, swing: Swing) -> float:
    """The share of a change that the next one leaves."""
    return abs(before.delta_l + swing.delta_l) / abs(before.delta_l)


def _is_undone(before: Swing, swing: Swing, level: Level) -> bool:
    left = _left_of(before, swing)
    if before.delta_l * swing.delta_l >= 0:
        return False
    if swing.start - before.end < RETURN_SAMPLES and left <= RETURN_SHARE / 3:
        return True
    return bool(level.time_s[swing.end] - level.time_s[before.start] <= RETURN_S and left <= RETURN_SHARE)


def _joined(swings: list[Swing], level: Level, parameters: Parameters, capacity_l: float) -> list[Swing]:
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
    track: Track, stop: Stop, level: Level, swing: Swing, between: tuple[int, int], parameters: Parameters
) -> FuelEvent | None:
    """The event behind a swing, or None when the tests speak against it."""
    first, last = between
    if level.is_arrival and first == 0 and swing.before > 0:
        first = 1
    if level.is_departure and last == len(level.raw) - 1 and swing.after < last:
        last -= 1
    litres_of = level.raw if parameters.volume_from_raw else level.smooth
    before, samples_before = plateau(litres_of, first, swing.before, at_end=True)
    after, samples_after = plateau(litres_of, swing.after, last, at_end=False)
    change = after - before
    is_refuel = swing.delta_l > 0
    litres = change if is_refuel else -change
    least = _minimum(swing, track, parameters)
    start_s, end_s = float(level.time_s[swing.start]), float(level.time_s[swing.end])
    moved = bool(track.creeping[level.at[swing.before] : level.at[swing.after] + 1].any())
    idled = float(level.used_l[swing.after] - level.used_l[swing.before])
    limit = least + IDLE_DOUBT * idled + (MOVED_SHARE * track.capacity_l if moved else 0.0)
    if litres < limit:
        return None
    expansion = 0.0 if is_refuel else _contraction(track, level, swing, before, parameters)
    hours = max(end_s - start_s, 1.0) / 3600
    if not is_refuel and litres / hours < THERMAL_L_H * max(1.0, track.capacity_l / 300) and litres - expansion < least:
        return None
    evidence = _evidence(track, level, swing, (samples_before, samples_after), litres, parameters)
    if moved:
        evidence += (Evidence("moved", "open", "the vehicle was moved a little within it"),)
    if any(one.outcome == "against" and one.test == "rate" for one in evidence):
        return None
    if min(samples_before, samples_after) < 2 and not _context_agrees(track, stop, change, litres >= 2 * least):
        return None
    at = int(level.at[swing.start])
    return FuelEvent(
        kind="refuel" if is_refuel else "drain",
        start_s=start_s,
        end_s=end_s,
        litres=round(litres, 2),
        level_before_l=round(before - float(level.used_l[swing.before]), 2),
        level_after_l=round(after - float(level.used_l[swing.after]), 2),
        confidence=confidence_of(litres, least, evidence),
        lat=place_at(track.lat, at),
        lon=place_at(track.lon, at),
        at_least=is_refuel and after >= 0.985 * track.capacity_l,
        provisional=stop.is_open and samples_after < 2,
        evidence=evidence,
    )


def _contraction(track: Track, level: Level, swing: Swing, before_l: float, parameters: Parameters) -> float:
    """Litres that the fuel lost by cooling between the two plateaus, 0 without a temperature."""
    fall = track.temperature_c[level.at[swing.start]] - track.temperature_c[level.at[swing.end]]
    return float(parameters.beta_per_c * before_l * fall) if np.isfinite(fall) and fall > 0 else 0.0


def _context_agrees(track: Track, stop: Stop, change: float, alone: bool) -> bool:
    """Whether the levels while moving before and after the stop differ by about as much; ``alone`` without them.

    A change that a slope explains must differ by more than those levels may be wrong.
    """
    before, after = moving_levels(track, stop.first - 1, -1), moving_levels(track, stop.last + 1, 1)
    if not len(before) or not len(after):
        return alone
    (level_before, doubt_before), (level_after, doubt_after) = gathered(before), gathered(after)
    seen = (level_after - level_before) * np.sign(change)
    is_slope = abs(change) < SLOSH_SHARE * track.capacity_l
    return bool(seen >= max(0.5 * abs(change), np.hypot(doubt_before, doubt_after) if is_slope else 0.0))


def _evidence(
    track: Track,
    level: Level,
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
    ignition = track.ignition[level.at[swing.start] : level.at[swing.end] + 1]
    if (ignition == 0).all():
        found.append(Evidence("ignition", "for", "the ignition was off"))
    seen = litres / max(level.noise_l, 1e-9)
    found.append(
        Evidence("noise", "for" if seen >= 8 else "open", f"{seen:.0f} times the noise of {level.noise_l:.2f} L")
    )
    return tuple(found)
