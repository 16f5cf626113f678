"""Trackers and fuel sensors that are not heard any more. A vehicle is silent when all its trackers are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from app.alarms.findings import Clear, Fact, Finding, Raise
from app.alarms.rules import Rule, SilentRule
from app.alarms.standing import standing_since
from app.alarms.subjects import Subject, Subjects
from app.alarms.words import Kind
from app.store.tables import Device, DeviceState, FuelSensor, Tank, Vehicle

MOVING_KM_H = 3.0
_IN_TIME = "it was heard within the time that the rules allow"
LEFT_BEHIND_MS = 10 * 60_000
"""A vehicle that moves so long after the last word of its sensor has left it behind: it is not just parked."""


@dataclass(frozen=True, slots=True)
class Heard:
    """When something was last heard, and whether its vehicle was on the way then (a tracker) or is now (a sensor)."""

    key: str
    kind: Kind
    label: str
    last_ms: int
    is_driving: bool
    vehicle_id: str | None
    device_key: int | None
    integration_id: str | None
    evidence: Sequence[Fact] = ()


def judge_silence(connection: Connection, rules: Sequence[Rule], subjects: Subjects, now_ms: int) -> list[Finding]:
    """Alarms that begin and end with what is and is not heard now."""
    found: list[Finding] = []
    for kind, read in ((Kind.TRACKER_SILENT, _trackers), (Kind.SENSOR_SILENT, _sensors)):
        of_kind = [rule for rule in rules if rule.is_enabled and rule.kind is kind]
        standing = standing_since(connection, kind)
        if of_kind or standing:
            found += silences(of_kind, list(read(connection, subjects)), standing, now_ms)
    return found


def silences(rules: Sequence[Rule], heard: Sequence[Heard], standing: Mapping[str, int], now_ms: int) -> list[Finding]:
    """Pure: what begins, and what of ``standing`` (begun at) is over: heard again, gone, or no rule's business."""
    found: list[Finding] = []
    by_key = {one.key: one for one in heard}
    for key, began_ms in sorted(standing.items()):
        known = by_key.get(key)
        if known is not None and known.last_ms > began_ms:
            found.append(Clear(key, known.last_ms, [("Heard again", known.last_ms, "at")]))
        elif known is None or not any(rule.covers(known.vehicle_id) for rule in rules):
            found.append(Clear(key, now_ms, [("Ended by", "no rule is about it any more", "")]))
        elif not any(_is_silent(rule, known, now_ms) for rule in rules):
            found.append(Clear(key, now_ms, [("Last heard", known.last_ms, "at"), ("Ended by", _IN_TIME, "")]))
    for one in heard:
        broken = [rule for rule in rules if _breaks(rule, one, now_ms)] if one.key not in standing else []
        if broken:
            found.append(_silent(min(broken, key=lambda rule: rule.said(SilentRule).after_min), one))
    return found


def _is_silent(rule: Rule, one: Heard, now_ms: int) -> bool:
    """Whether it is meant by the rule, and silent for as long as that asks for."""
    return rule.covers(one.vehicle_id) and now_ms - one.last_ms >= rule.said(SilentRule).after_min * 60_000


def _breaks(rule: Rule, one: Heard, now_ms: int) -> bool:
    return _is_silent(rule, one, now_ms) and (rule.said(SilentRule).when == "always" or one.is_driving)


def _silent(rule: Rule, one: Heard) -> Raise:
    said = rule.said(SilentRule)
    what = "tracker" if one.kind is Kind.TRACKER_SILENT else "fuel sensor"
    way = " It was on the way then." if one.kind is Kind.TRACKER_SILENT and one.is_driving else ""
    return Raise(
        key=one.key,
        kind=one.kind,
        priority=rule.priority,
        rule_id=rule.id,
        at_ms=one.last_ms + said.after_min * 60_000,
        title=f"{one.label}: {what} silent",
        detail=f"Nothing was heard from the {what} of {one.label} for {_span(said.after_min)}.{way}",
        evidence=(("Last heard", one.last_ms, "at"), *one.evidence, ("Rule", rule.name, "")),
        vehicle_id=one.vehicle_id,
        device_key=one.device_key,
        integration_id=one.integration_id,
        is_state=True,
    )


def _span(minutes: int) -> str:
    if minutes >= 1_440 and minutes % 1_440 == 0:
        return "a day" if minutes == 1_440 else f"{minutes // 1_440} days"
    if minutes >= 60 and minutes % 60 == 0:
        return "an hour" if minutes == 60 else f"{minutes // 60} hours"
    return f"{minutes} min"


def _trackers(connection: Connection, subjects: Subjects) -> Iterable[Heard]:
    state = DeviceState
    rows = connection.execute(select(state.device_key, state.last_seen_ms, state.speed_km_h, state.ignition))
    newest: dict[str, tuple[int, int, bool]] = {}
    by_id: dict[str, Subject] = {}
    for device_key, last_ms, speed, ignition in rows:
        subject = subjects.of_device(device_key)
        if subject is None or not last_ms:
            continue
        by_id[subject.id] = subject
        if subject.id not in newest or newest[subject.id][0] < last_ms:
            is_driving = (speed or 0.0) > MOVING_KM_H or bool(ignition)
            newest[subject.id] = (last_ms, device_key, is_driving)
    for subject_id, (last_ms, device_key, is_driving) in newest.items():
        subject = by_id[subject_id]
        yield Heard(
            f"{Kind.TRACKER_SILENT.value}:{subject_id}",
            Kind.TRACKER_SILENT,
            subject.label,
            last_ms,
            is_driving,
            subject.vehicle_id,
            device_key,
            subjects.integration_of.get(device_key),
        )


def _sensors(connection: Connection, _subjects: Subjects) -> Iterable[Heard]:
    moving = (
        select(Device.vehicle_id, func.max(DeviceState.fixed_at_ms))
        .join(DeviceState, DeviceState.device_key == Device.key)
        .where(Device.vehicle_id.is_not(None), DeviceState.speed_km_h > MOVING_KM_H)
        .group_by(Device.vehicle_id)
    )
    moved = {row[0]: row[1] for row in connection.execute(moving)}
    query = (
        select(FuelSensor.__table__, Tank.name.label("tank"), Vehicle.id.label("vehicle_id"), Vehicle.plate)
        .join(Tank, Tank.id == FuelSensor.tank_id)
        .join(Vehicle, Vehicle.id == Tank.vehicle_id)
        .where(FuelSensor.removed_at.is_(None), Tank.removed_at.is_(None), Vehicle.removed_at.is_(None))
    )
    for row in connection.execute(query):
        last_ms = row.last_ms or row.first_seen_ms
        yield Heard(
            f"{Kind.SENSOR_SILENT.value}:{row.key}",
            Kind.SENSOR_SILENT,
            row.plate,
            last_ms,
            (moved.get(row.vehicle_id) or 0) - last_ms > LEFT_BEHIND_MS,
            row.vehicle_id,
            None,
            row.integration_id,
            [("Sensor", row.name or row.unique_id, ""), ("Tank", row.tank or "the only one", "")],
        )
