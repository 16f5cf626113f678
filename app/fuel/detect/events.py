"""An event with its evidence, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

EventKind = Literal["refuel", "drain"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One test and what it said, in words and figures for the dispatcher."""

    test: str
    outcome: Literal["for", "against", "open"]
    text: str


@dataclass(frozen=True, slots=True)
class FuelEvent:
    """A refuel or a drain. Times are Unix seconds of the last sample before and the first behind; litres are positive.

    ``at_least``: it ended where the sensor sees no more. ``provisional``: what follows it is not known yet.
    """

    kind: EventKind
    start_s: float
    end_s: float
    litres: float
    level_before_l: float
    level_after_l: float
    confidence: float
    lat: float | None = None
    lon: float | None = None
    at_least: bool = False
    in_motion: bool = False
    provisional: bool = False
    evidence: tuple[Evidence, ...] = field(default=(), compare=False)


def confidence_of(litres: float, least_l: float, evidence: tuple[Evidence, ...]) -> float:
    """0 to 1: how far above the limit it is, and what the tests said."""
    size = min(litres / least_l, 4.0) / 4.0
    score = 0.45 + 0.35 * size
    for one in evidence:
        score += {"for": 0.06, "open": -0.03, "against": -0.2}[one.outcome]
    return round(min(max(score, 0.05), 0.99), 2)


def overlaps(first: FuelEvent, second: FuelEvent) -> bool:
    """Whether two findings are one event: of one kind, and their times overlap."""
    return first.kind == second.kind and first.start_s <= second.end_s and second.start_s <= first.end_s


def matched(
    before: Sequence[FuelEvent], after: Sequence[FuelEvent]
) -> tuple[list[tuple[FuelEvent, FuelEvent]], tuple[FuelEvent, ...], tuple[FuelEvent, ...]]:
    """Pairs that are one event, those of ``after`` that are new, and those of ``before`` that are gone."""
    left = list(after)
    pairs, gone = [], []
    for event in before:
        same = next((one for one in left if one == event), None)
        same = same or next((one for one in left if overlaps(event, one)), None)
        if same is None:
            gone.append(event)
            continue
        left.remove(same)
        pairs.append((event, same))
    return pairs, tuple(left), tuple(gone)
