"""What an alarm of motion says, and what it rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.alarms.findings import Clear, Fact, Raise
from app.alarms.fixes import Fixes
from app.alarms.geometry import Shape
from app.alarms.rules import Rule, SpeedRule, StayRule
from app.alarms.spells import Spell
from app.alarms.subjects import Subject
from app.alarms.words import Kind


@dataclass(frozen=True, slots=True)
class Told:
    """One turn of one spell: the rule, where, who, the fix that decided it, and the limit of a speed."""

    rule: Rule
    shape: Shape | None
    subject: Subject
    fixes: Fixes
    row: int
    spell: Spell | None
    limit_km_h: float = math.nan


def key_of(rule: Rule, subject: Subject, shape: Shape | None) -> str:
    """The alarm's key: one rule, one fence and one vehicle have one alarm at a time."""
    fence = "" if shape is None else f":{shape.id}"
    return f"{rule.kind.value}:{rule.id}{fence}:{subject.id}"


def begun(told: Told) -> Raise:
    rule, fixes, row = told.rule, told.fixes, told.row
    title, detail, evidence = _SAID[rule.kind](told)
    return Raise(
        key=key_of(rule, told.subject, told.shape),
        kind=rule.kind,
        priority=rule.priority,
        rule_id=rule.id,
        at_ms=int(fixes.at_ms[row]),
        title=title,
        detail=detail,
        evidence=(*evidence, ("Rule", rule.name, "")),
        vehicle_id=told.subject.vehicle_id,
        device_key=int(fixes.device_key[row]),
        position_id=int(fixes.id[row]),
        lat=float(fixes.lat[row]),
        lon=float(fixes.lon[row]),
    )


def over(told: Told, at_ms: int) -> Clear:
    evidence: list[Fact] = []
    if told.spell is not None:
        if math.isfinite(told.spell.peak):
            evidence.append(("Highest speed", round(told.spell.peak, 1), "km/h"))
        evidence.append(("Lasted", at_ms - told.spell.since_ms, "span"))
    return Clear(key_of(told.rule, told.subject, told.shape), at_ms, evidence)


def _speed(told: Told) -> tuple[str, str, list[Fact]]:
    speed = float(told.fixes.speed_km_h[told.row])
    if told.spell is not None and math.isfinite(told.spell.peak):
        speed = max(speed, told.spell.peak)  # the fix that confirms it may be at the limit again already
    said = told.rule.said(SpeedRule)
    limit = told.limit_km_h
    title = f"{told.subject.label}: {speed:.0f} km/h, limit {limit:.0f}"
    detail = (
        f"{told.subject.label} has driven faster than {limit:.0f} km/h, with a tolerance of "
        f"{said.tolerance_km_h:.0f} km/h, for at least {said.hold_s} s."
    )
    evidence: list[Fact] = [("Speed", round(speed, 1), "km/h"), ("Limit", round(limit, 1), "km/h")]
    if told.spell is not None:
        evidence.append(("Since", told.spell.since_ms, "at"))
    return title, detail, evidence


def _enter(told: Told) -> tuple[str, str, list[Fact]]:
    fence, evidence = _fence(told)
    return f"{told.subject.label} entered {fence}", f"{told.subject.label} is inside the fence {fence}.", evidence


def _leave(told: Told) -> tuple[str, str, list[Fact]]:
    fence, evidence = _fence(told)
    return f"{told.subject.label} left {fence}", f"{told.subject.label} is outside the fence {fence}.", evidence


def _stay(told: Told) -> tuple[str, str, list[Fact]]:
    fence, evidence = _fence(told)
    minutes = told.rule.said(StayRule).longer_min
    title = f"{told.subject.label} stays in {fence}"
    return title, f"{told.subject.label} has been inside the fence {fence} for more than {minutes} min.", evidence


def _fence(told: Told) -> tuple[str, list[Fact]]:
    name = (told.shape.name if told.shape is not None else "") or "a fence without a name"
    evidence: list[Fact] = [("Fence", name, "")]
    if told.spell is not None:
        evidence.append(("Inside since", told.spell.since_ms, "at"))
    return name, evidence


_SAID = {Kind.SPEED: _speed, Kind.FENCE_ENTER: _enter, Kind.FENCE_LEAVE: _leave, Kind.FENCE_STAY: _stay}
