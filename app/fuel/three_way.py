"""The three-way check: receipts beside the refuels that sensors found, and used litres beside the norm."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import Connection

from app.fuel.consumption import Compared, Receipt, compare
from app.fuel.detect.events import FuelEvent
from app.fuel.events import StoredEvent, list_events
from app.fuel.parameters import Parameters
from app.fuel.receipts import StoredReceipt, list_receipts
from app.fuel.settings import parameters_of
from app.fuel.vehicle_days import VehicleSpan, vehicle_span

CheckVerdict = Literal["agrees", "differs", "at_least", "no_receipt", "no_refuel"]


@dataclass(frozen=True, slots=True)
class CheckedRefuel:
    """Receipts beside what the sensors found, or one of both alone. ``difference_l``: receipt minus sensor.

    Verdict ``at_least``: the tank was filled into the part that its sensor does not see, the receipt may be right.
    """

    verdict: CheckVerdict
    at_ms: int
    receipts: tuple[StoredReceipt, ...]
    events: tuple[StoredEvent, ...]
    receipt_l: float | None
    sensor_l: float | None
    difference_l: float

    @property
    def key(self) -> str:
        return " ".join([*(one.id for one in self.receipts), *(one.id for one in self.events)])

    @property
    def reference(self) -> str:
        return ", ".join(one.reference for one in self.receipts if one.reference)


@dataclass(frozen=True, slots=True)
class ThreeWayCheck:
    """Refuels, the newest first, and the days of the span with what their norm expects."""

    refuels: tuple[CheckedRefuel, ...]
    span: VehicleSpan

    @property
    def receipts_l(self) -> float:
        return sum(one.receipt_l or 0.0 for one in self.refuels)

    @property
    def sensor_l(self) -> float:
        return sum(one.sensor_l or 0.0 for one in self.refuels)


def three_way_check(connection: Connection, vehicle_id: str, since_ms: int, until_ms: int) -> ThreeWayCheck:
    """What lies in ``since_ms <= time < until_ms``; events that somebody marked false do not count."""
    parameters = parameters_of(connection, vehicle_id)
    span = vehicle_span(connection, vehicle_id, since_ms, until_ms - 1)
    # A partner of what lies at the edge may lie beyond it.
    beyond_ms = round(parameters.receipt_window_min * 60_000)
    first_ms, end_ms = since_ms - beyond_ms, until_ms + beyond_ms
    receipts = list_receipts(connection, vehicle_id=vehicle_id, since_ms=first_ms, until_ms=end_ms)
    events = list_events(connection, vehicle_id=vehicle_id, since_ms=first_ms, until_ms=end_ms)
    refuels = [event for event in events if event.kind == "refuel" and event.counts]
    found = pair(refuels, receipts, span.capacity_l, parameters)
    inside = [one for one in found if since_ms <= one.at_ms < until_ms]
    return ThreeWayCheck(tuple(sorted(inside, key=lambda one: -one.at_ms)), span)


def pair(
    refuels: Sequence[StoredEvent], receipts: Sequence[StoredReceipt], capacity_l: float, parameters: Parameters
) -> list[CheckedRefuel]:
    """Tanks that are filled at one stop are one refuel, and one refuel may have several receipts."""
    groups = {_as_event(group): group for group in _at_one_stop(refuels, parameters.join_min * 60_000)}
    by_id = {one.id: one for one in receipts}
    singles = [Receipt(one.at_ms / 1000, one.litres, one.id) for one in receipts]
    joined = _joined(list(groups), singles, parameters)
    return [
        _checked(one, groups, [by_id[key] for key in (one.receipt.key.split() if one.receipt else ())])
        for one in compare(list(groups), joined, capacity_l, parameters)
    ]


def _at_one_stop(refuels: Sequence[StoredEvent], within_ms: float) -> list[tuple[StoredEvent, ...]]:
    """Refuels of different tanks that overlap or lie close together."""
    groups: list[list[StoredEvent]] = []
    for event in sorted(refuels, key=lambda one: one.start_ms):
        last = groups[-1] if groups else []
        is_near = bool(last) and event.start_ms <= max(one.end_ms for one in last) + within_ms
        if is_near and event.tank_id not in {one.tank_id for one in last}:
            last.append(event)
        else:
            groups.append([event])
    return [tuple(group) for group in groups]


def _as_event(group: Sequence[StoredEvent]) -> FuelEvent:
    return FuelEvent(
        kind="refuel",
        start_s=min(one.start_ms for one in group) / 1000,
        end_s=max(one.end_ms for one in group) / 1000,
        litres=sum(one.litres for one in group),
        level_before_l=sum(one.level_before_l for one in group),
        level_after_l=sum(one.level_after_l for one in group),
        confidence=min(one.confidence for one in group),
        at_least=any(one.at_least for one in group),
    )


def _joined(events: Sequence[FuelEvent], receipts: Sequence[Receipt], parameters: Parameters) -> list[Receipt]:
    """Receipts with those of one refuel made one where together they come closer to it than any of them alone."""
    left = list(receipts)
    window_s = parameters.receipt_window_min * 60
    for event in events:
        near = [one for one in left if event.start_s - window_s <= one.at_s <= event.end_s + window_s]
        total = sum(one.litres for one in near)
        closest = min((abs(one.litres - event.litres) for one in near), default=0.0)
        if len(near) > 1 and abs(total - event.litres) < closest:
            whole = replace(near[0], litres=total, key=" ".join(one.key for one in near))
            left = [one for one in left if one not in near] + [whole]
    return left


def _checked(
    found: Compared, groups: dict[FuelEvent, tuple[StoredEvent, ...]], receipts: Sequence[StoredReceipt]
) -> CheckedRefuel:
    event, receipt = found.event, found.receipt
    verdict: CheckVerdict = found.verdict
    if verdict == "differs" and event is not None and event.at_least and found.difference_l > 0:
        verdict = "at_least"
    at_s = event.start_s if event is not None else receipt.at_s if receipt is not None else 0.0
    return CheckedRefuel(
        verdict,
        round(at_s * 1000),
        tuple(receipts),
        groups[event] if event is not None else (),
        None if receipt is None else receipt.litres,
        None if event is None else event.litres,
        found.difference_l,
    )
