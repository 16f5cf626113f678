"""Found events against the truth: the same rules as the shared scorer, for signals of our own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from app.fuel.analyse import analyse
from tests.helpers.fuel_generator import Truth

TOLERANCE_S = 1_200.0
LEAST_L = 5.0


@dataclass(slots=True)
class Score:
    true: int = 0
    matched: int = 0
    false: int = 0
    errors: list[float] = field(default_factory=list)

    @property
    def precision(self) -> float:
        return self.matched / max(self.matched + self.false, 1)

    @property
    def recall(self) -> float:
        return self.matched / max(self.true, 1)

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / max(self.precision + self.recall, 1e-9)

    @property
    def median_error(self) -> float:
        return float(np.median(self.errors)) if self.errors else 0.0


@dataclass(slots=True)
class Scores:
    refuel: Score = field(default_factory=Score)
    drain: Score = field(default_factory=Score)
    days: float = 0.0
    consumption_errors: list[float] = field(default_factory=list)

    @property
    def false_drains_per_day(self) -> float:
        return self.drain.false / max(self.days, 1e-9)

    def __str__(self) -> str:
        parts = [
            f"{name}: F1 {one.f1:.3f} P {one.precision:.3f} R {one.recall:.3f} of {one.true}, by {one.median_error:.1%}"
            for name, one in (("refuel", self.refuel), ("drain", self.drain))
        ]
        used = float(np.median(self.consumption_errors)) if self.consumption_errors else 0.0
        worst = max(self.consumption_errors, default=0.0)
        parts.append(
            f"false drains {self.false_drains_per_day:.4f} a day, consumption off by {used:.2%}, worst {worst:.2%}"
        )
        return "; ".join(parts)


def score(truths: Iterable[Truth]) -> Scores:
    scores = Scores()
    for truth in truths:
        found = analyse(truth.samples, truth.table, truth.parameters)
        scores.days += truth.days
        for kind, one in (("refuel", scores.refuel), ("drain", scores.drain)):
            wanted = [event for event in truth.events if event.kind == kind and event.litres >= LEAST_L]
            left = [event for event in found.events if event.kind == kind]
            one.true += len(wanted)
            for event in wanted:
                near = [
                    other
                    for other in left
                    if other.start_s <= event.end_s + TOLERANCE_S and other.end_s >= event.start_s - TOLERANCE_S
                ]
                if near and event.how == "sips":  # each may be an event of its own
                    left = [other for other in left if other not in near]
                    one.matched += 1
                    one.errors.append(abs(sum(other.litres for other in near) - event.litres) / event.litres)
                elif near:
                    best = min(near, key=lambda other: abs(other.litres - event.litres))
                    left.remove(best)
                    one.matched += 1
                    one.errors.append(abs(best.litres - event.litres) / event.litres)
            one.false += len(left)
        if found.consumption.used_l is not None:
            scores.consumption_errors.append(abs(found.consumption.used_l - truth.used_l) / truth.used_l)
    return scores
