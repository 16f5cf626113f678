"""Trying other parameters on stored data before they are saved: which events appear, vanish, change."""

from __future__ import annotations

from dataclasses import dataclass

from app.fuel.analyse import Analysis, analyse
from app.fuel.detect.events import FuelEvent
from app.fuel.parameters import Parameters
from app.fuel.series import Samples
from app.fuel.table import TankTable


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
    left = list(then.events)
    vanish, changed, stay = [], [], 0
    for event in now.events:
        same = next((one for one in left if overlaps(event, one)), None)
        if same is None:
            vanish.append(event)
            continue
        left.remove(same)
        if abs(same.litres - event.litres) > 0.05:
            changed.append((event, same))
        else:
            stay += 1
    return Rehearsal(tuple(left), tuple(vanish), tuple(changed), stay, now.consumption.used_l, then.consumption.used_l)


def overlaps(first: FuelEvent, second: FuelEvent) -> bool:
    """Whether two findings are one event: of one kind, and their times overlap."""
    return first.kind == second.kind and first.start_s <= second.end_s and second.start_s <= first.end_s
