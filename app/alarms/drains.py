"""Drains that somebody must look at: found in the readings, large and sure enough, not decided yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from app.alarms.findings import Clear, Fact, Finding, Raise
from app.alarms.hours import is_working
from app.alarms.rules import DrainRule, Rule
from app.alarms.words import Kind, Priority
from app.store.tables import FuelEventRow, Tank, Vehicle

PAGE = 500
SETTLED_MS = 10 * 60_000
"""A drain behind which no data came for so long is told although it may still change: a thief may cut the power."""

OLDEST_MS = 7 * 24 * 3_600_000
"""What is found later than a week after it happened (a new calibration, an old file) stays an event."""


def judge_drains(
    connection: Connection, rules: Sequence[Rule], after_version: int, now_ms: int
) -> tuple[list[Finding], int]:
    """What the events changed after a version tell, and up to which version that is."""
    version = FuelEventRow.changed_version
    rows = list(connection.execute(_events().where(version > after_version).order_by(version).limit(PAGE)))
    if len(rows) == PAGE:  # rows of one version belong together
        last = rows[-1].changed_version
        rows = [row for row in rows if row.changed_version < last]
        rows = rows or list(connection.execute(_events().where(version == last)))
    found = [finding for row in rows for finding in _of_event(row, rules, now_ms)]
    return found, max((row.changed_version for row in rows), default=after_version)


def judge_unsettled(connection: Connection, rules: Sequence[Rule], now_ms: int) -> list[Finding]:
    """Drains that are still provisional, though nothing came after them for a while."""
    query = _events().where(
        FuelEventRow.provisional,
        FuelEventRow.end_ms.between(now_ms - OLDEST_MS, now_ms - SETTLED_MS),
    )
    return [finding for row in connection.execute(query) for finding in _of_event(row, rules, now_ms)]


def _events() -> Any:
    return (
        select(FuelEventRow.__table__, Vehicle.plate, Tank.name.label("tank"))
        .join(Vehicle, Vehicle.id == FuelEventRow.vehicle_id)
        .join(Tank, Tank.id == FuelEventRow.tank_id)
        .where(FuelEventRow.kind == "drain")
    )


def _of_event(row: Any, rules: Sequence[Rule], now_ms: int) -> list[Finding]:
    key = f"{Kind.DRAIN.value}:{row.id}"
    if row.withdrawn_at is not None:
        return [Clear(key, now_ms, [("Taken back", "Later data show no drain.", "")])]
    if row.decision:
        return [Clear(key, now_ms, [("Decided", "a drain" if row.decision == "confirmed" else "not a drain", "")])]
    is_settled = not row.provisional or now_ms - row.end_ms >= SETTLED_MS
    if not is_settled or now_ms - row.end_ms > OLDEST_MS:
        return []
    broken = [rule for rule in rules if rule.is_enabled and rule.kind is Kind.DRAIN and _breaks(rule, row)]
    if not broken:
        return []
    rule = broken[0]
    at_work = is_working(rule.said(DrainRule), row.start_ms)
    is_high = rule.said(DrainRule).high_outside and not at_work
    amount = f"{'at least ' if row.at_least else ''}{row.litres:.0f} L"
    where = "while it was moving" if row.in_motion else "while it stood"
    hours = "within" if at_work else "outside"
    return [
        Raise(
            key=key,
            kind=Kind.DRAIN,
            priority=Priority.HIGH if is_high else rule.priority,
            rule_id=rule.id,
            at_ms=row.end_ms,
            title=f"{row.plate}: {amount} drained{f' from {row.tank}' if row.tank else ''}",
            detail=f"{amount} left the tank of {row.plate} {where}, {hours} working hours.",
            evidence=_evidence(row, rule),
            vehicle_id=row.vehicle_id,
            fuel_event_id=row.id,
            lat=row.lat,
            lon=row.lon,
            is_once=True,
        )
    ]


def _breaks(rule: Rule, row: Any) -> bool:
    said = rule.said(DrainRule)
    sure = row.confidence * 100 >= said.least_confidence
    return bool(row.litres >= said.least_l and sure and rule.covers(row.vehicle_id))


def _evidence(row: Any, rule: Rule) -> list[Fact]:
    facts: list[Fact] = [
        ("Began", row.start_ms, "at"),
        ("Ended", row.end_ms, "at"),
        ("Level before", round(row.level_before_l, 1), "L"),
        ("Level after", round(row.level_after_l, 1), "L"),
        ("Sure by", round(row.confidence * 100), "%"),
    ]
    if row.driver:
        facts.append(("Driver", row.driver, ""))
    if row.tank:
        facts.append(("Tank", row.tank, ""))
    return [*facts, ("Rule", rule.name, "")]
