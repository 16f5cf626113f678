"""Consumption: by level, by the engine's own counters, by norm, and the three-way check (fuel-analytics.md 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.fuel.arrays import Floats
from app.fuel.detect.events import FuelEvent
from app.fuel.distance import driven_steps_km
from app.fuel.parameters import Parameters
from app.fuel.series import Samples

LEAST_KM = 50.0
LEAST_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Consumption:
    """``used_l`` = start − end + refuelled − drained; None where a figure would be a guess."""

    start_l: float | None
    end_l: float | None
    refuelled_l: float
    drained_l: float
    used_l: float | None
    distance_km: float
    engine_h: float | None
    moving_h: float
    l_per_100_km: float | None
    l_per_engine_hour: float | None
    expected_l: float


def by_level(
    samples: Samples,
    moving: NDArray[np.bool_],
    ends: tuple[float | None, float | None],
    events: Sequence[FuelEvent],
    capacity_l: float,
    parameters: Parameters,
) -> Consumption:
    """The balance of a stretch of time whose ends are at rest."""
    refuelled = sum(event.litres for event in events if event.kind == "refuel")
    drained = sum(event.litres for event in events if event.kind == "drain")
    start, end = ends
    used = None if start is None or end is None else start - end + refuelled - drained
    time_s, ignition = samples.time_s, samples.ignition
    km = driven_km(samples, moving)
    steps = np.diff(time_s, append=time_s[-1:]) if len(time_s) else time_s
    close = steps <= parameters.longest_gap_min * 60
    moving_h = float(steps[moving & close].sum()) / 3600
    engine_h = float(steps[(ignition == 1) & close].sum()) / 3600 if (ignition >= 0).any() else None
    idle_h = max((engine_h or moving_h) - moving_h, 0.0)
    is_enough = used is not None and used >= LEAST_SHARE * capacity_l
    return Consumption(
        start_l=start,
        end_l=end,
        refuelled_l=refuelled,
        drained_l=drained,
        used_l=used,
        distance_km=km,
        engine_h=engine_h,
        moving_h=moving_h,
        l_per_100_km=used * 100 / km if used is not None and is_enough and km >= LEAST_KM else None,
        l_per_engine_hour=used / engine_h if used is not None and is_enough and engine_h else None,
        expected_l=parameters.expected_l(km, idle_h),
    )


def driven_km(samples: Samples, moving: NDArray[np.bool_]) -> float:
    """Kilometres while moving. What a parked receiver drifts does not count, nor a point that none could reach."""
    steps = driven_steps_km(samples.time_s, samples.speed_km_h, samples.lat, samples.lon)
    return float(steps[1:][moving[1:] | moving[:-1]].sum())


def by_counter(total_l: Floats) -> float | None:
    """Litres that a counter of the engine went on by; a fall is a reset and starts anew. None without two values."""
    known = total_l[np.isfinite(total_l)]
    if len(known) < 2:
        return None
    steps = np.diff(known)
    return float(steps[steps > 0].sum())


Verdict = Literal["agrees", "differs", "no_receipt", "no_refuel"]


@dataclass(frozen=True, slots=True)
class Receipt:
    at_s: float
    litres: float
    key: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """One refuel beside its receipt, or one of both alone. ``difference_l``: receipt minus sensor."""

    verdict: Verdict
    event: FuelEvent | None
    receipt: Receipt | None
    difference_l: float


def compare(
    events: Sequence[FuelEvent], receipts: Sequence[Receipt], capacity_l: float, p: Parameters
) -> list[Compared]:
    """Pair refuels with receipts by time; litres may differ by the larger of both tolerances."""
    left = sorted(receipts, key=lambda receipt: receipt.at_s)
    found: list[Compared] = []
    for event in (event for event in events if event.kind == "refuel"):
        window = p.receipt_window_min * 60
        near = [one for one in left if event.start_s - window <= one.at_s <= event.end_s + window]
        if not near:
            found.append(Compared("no_receipt", event, None, -event.litres))
            continue
        receipt = min(near, key=lambda one: abs(one.litres - event.litres))
        left.remove(receipt)
        difference = receipt.litres - event.litres
        tolerance = max(p.receipt_share * receipt.litres, 0.01 * capacity_l)
        found.append(Compared("agrees" if abs(difference) <= tolerance else "differs", event, receipt, difference))
    found += [Compared("no_refuel", None, receipt, receipt.litres) for receipt in left]
    return found
