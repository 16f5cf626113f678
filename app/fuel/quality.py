"""How well a sensor measures, and what to do about it (fuel-analytics.md 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.fuel.arrays import Floats
from app.fuel.detect.filters import beside, scatter_of
from app.fuel.table import TankTable

Flags = NDArray[np.bool_]
STUCK_S = 3_600.0
NOISY_SHARE = 0.015
BESIDE = 3
"""Samples next to a motion in which fuel still sloshes."""
SPIKES_SHARE = 0.01
MISSED_PERIODS = 3
SHORTEST_PERIOD_S = 60.0
SILENT_SHARE = 0.03


@dataclass(frozen=True, slots=True)
class Quality:
    """``score`` is 0 to 100; ``advice`` are sentences, the weightiest first."""

    score: int
    advice: tuple[str, ...]


def quality_of(time_s: Floats, raw: Floats, litres: Floats, moving: Flags, spikes: Flags, table: TankTable) -> Quality:
    """Judge a stretch of readings. ``raw`` holds NaN where there was none; ``spikes`` tells which were filtered out.

    Spikes and noise are judged at rest: fuel that sloshes is no fault of a sensor.
    """
    count = len(raw)
    if not count:
        return Quality(0, ("There is no reading. Look at the cable, the address and the speed of the line.",))
    score, advice = 100.0, []
    missing = float(np.isnan(raw).mean())
    outside = float((np.isnan(litres) & ~np.isnan(raw)).mean())
    if missing > 0.02:
        score -= min(40, 100 * missing)
        advice.append(f"{missing:.0%} of the messages carry no reading. Look at the cable and the supply.")
    if outside > 0.005:
        score -= min(40, 200 * outside)
        advice.append(
            f"{outside:.1%} of the readings lie outside the tank's table. Calibrate again, or the probe is faulty."
        )
    stuck_h = _stuck_hours(time_s, raw, moving)
    if stuck_h > 0:
        score -= min(60, 20 + 5 * stuck_h)
        advice.append(f"The reading did not change in {stuck_h:.1f} h of motion. The float or the sensor is stuck.")
    silent_h, driven_h = _silent_hours(time_s, raw, moving)
    if silent_h > SILENT_SHARE * driven_h:
        score -= min(30, 100 * silent_h / driven_h)
        advice.append(f"For {silent_h:.1f} h of motion there is no reading. Look at the tracker's supply and network.")
    still = ~beside(moving, BESIDE)
    parked = litres[still & np.isfinite(litres)]
    noise = scatter_of(parked)
    if noise > NOISY_SHARE * table.capacity_l:
        score -= 25
        advice.append(f"Parked readings scatter by {noise:.1f} L. Raise the sensor's filter, look at its ground.")
    wild = float((spikes & still).sum() / max(int(still.sum()), 1))
    if wild > SPIKES_SHARE:
        score -= min(20, 500 * wild)
        advice.append(f"{wild:.1%} of the readings at rest are spikes. Look at the cable's shield and the plug.")
    if spread_of_steps(raw, table) > 0.01 * table.capacity_l:
        score -= 10
        advice.append("One count is over 1 % of the tank. Use more of the sensor's scale.")
    for finding in table.check()[:1]:
        score -= 5
        advice.append(f"The tank's table: {finding.text}")
    return Quality(int(max(score, 0)), tuple(advice))


def spread_of_steps(raw: Floats, table: TankTable) -> float:
    """Litres of the smallest step that the readings make."""
    values = np.unique(raw[np.isfinite(raw)][:50_000])
    if len(values) < 3:
        return 0.0
    per_count = (table.litres[-1] - table.litres[0]) / (table.raw[-1] - table.raw[0])
    return float(np.diff(values).min() * per_count)


def _silent_hours(time_s: Floats, raw: Floats, moving: Flags) -> tuple[float, float]:
    """Hours of gaps that begin in motion and are longer than three of its usual periods, and all hours of motion."""
    known = np.isfinite(raw)
    at, drives = time_s[known], moving[known]
    steps = (at[1:] - at[:-1])[drives[:-1]]
    if not len(steps):
        return 0.0, 0.0
    longest = MISSED_PERIODS * max(float(np.median(steps)), SHORTEST_PERIOD_S)
    return float(steps[steps > longest].sum()) / 3600, float(steps.sum()) / 3600


def _stuck_hours(time_s: Floats, raw: Floats, moving: Flags) -> float:
    """Hours of motion in stretches of over an hour with one and the same reading."""
    known = np.isfinite(raw)
    at, values, drives = time_s[known], raw[known], moving[known]
    if len(at) < 2:
        return 0.0
    steps = np.diff(at) * (drives[1:] & drives[:-1]) * (np.diff(at) < STUCK_S)
    runs = np.concatenate(([0], np.cumsum(np.diff(values) != 0)))
    hours = np.bincount(runs[1:], weights=steps * (np.diff(values) == 0), minlength=1)
    return float(hours[hours >= STUCK_S].sum()) / 3600
