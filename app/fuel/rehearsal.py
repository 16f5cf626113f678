"""Trying other parameters on stored data before they are saved: which events appear, vanish, change."""

from __future__ import annotations

from dataclasses import dataclass

from app.fuel.analyse import Analysis, analyse
from app.fuel.detect.events import FuelEvent, matched
from app.fuel.parameters import Parameters
from app.fuel.series import Samples
from app.fuel.table import TankTable

LEAST_CHANGE_L = 0.05


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """``changed`` pairs the event as it is with the event as it would be."""

    appear: tuple[FuelEvent, ...]
    vanish: tuple[FuelEvent, ...]
    changed: tuple[tuple[FuelEvent, FuelEvent], ...]
    stay: int
    used_now_l: float | None
    used_then_l: float | None


def rehearse(samples: Samples, table: TankTable, now: Parameters, then: Parameters) -> Rehearsal:
    """Compare both sets of parameters over the same samples."""
    return compare_analyses(analyse(samples, table, now), analyse(samples, table, then))


def compare_analyses(now: Analysis, then: Analysis) -> Rehearsal:
    pairs, appear, vanish = matched(now.events, then.events)
    changed = tuple((one, other) for one, other in pairs if abs(one.litres - other.litres) > LEAST_CHANGE_L)
    stay = len(pairs) - len(changed)
    return Rehearsal(appear, vanish, changed, stay, now.consumption.used_l, then.consumption.used_l)
