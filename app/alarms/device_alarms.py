"""What trackers cry for themselves: SOS, cut power, tampering. Everything else that they tell is only an event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from app.alarms.findings import Clear, Finding, Raise
from app.alarms.rules import Rule
from app.alarms.subjects import Subject, Subjects
from app.alarms.words import Kind
from app.fleet.alarms import ALARM_KINDS
from app.fleet.plausibility import AHEAD_AFTER_MS, OLD_AFTER_MS
from app.store.tables import DeviceEventRow

PAGE = 2_000
_KIND_OF = {"sos": Kind.SOS, "power_cut": Kind.POWER_CUT, "power_off": Kind.POWER_CUT}
_RESTORED = frozenset({"power_on", "power_restored"})
_WORDS = {Kind.SOS: "SOS", Kind.POWER_CUT: "power cut"}


def newest_event_id(connection: Connection) -> int:
    return connection.execute(select(func.coalesce(func.max(DeviceEventRow.id), 0))).scalar_one()


def judge_events(
    connection: Connection, rules: Sequence[Rule], subjects: Subjects, after_id: int
) -> tuple[list[Finding], int]:
    """What the events stored after ``after_id`` tell, and up to which id that is."""
    upto = min(newest_event_id(connection), after_id + PAGE)
    if upto <= after_id:
        return [], after_id
    event = DeviceEventRow
    query = (
        select(event.__table__)
        .where(event.id > after_id, event.id <= upto, event.kind.in_([*sorted(ALARM_KINDS), *sorted(_RESTORED)]))
        .order_by(event.id)
    )
    found: list[Finding] = []
    for row in connection.execute(query):
        subject = subjects.of_device(row.device_key)
        if subject is not None and row.received_at_ms - row.occurred_at_ms <= OLD_AFTER_MS:
            found += _of_event(row, subject, rules)
    return found, upto


def _of_event(row: Any, subject: Subject, rules: Sequence[Rule]) -> list[Finding]:
    # A device whose clock runs ahead tells of now; its own time would put the alarm into the future.
    at_ms = row.occurred_at_ms if row.occurred_at_ms - row.received_at_ms <= AHEAD_AFTER_MS else row.received_at_ms
    if row.kind in _RESTORED:
        return [Clear(f"{Kind.POWER_CUT.value}:{subject.id}", at_ms, [("Power back", at_ms, "at")])]
    kind = _KIND_OF.get(row.kind, Kind.DEVICE_ALARM)
    of_kind = [rule for rule in rules if rule.is_enabled and rule.kind is kind and rule.covers(subject.vehicle_id)]
    if not of_kind:
        return []
    rule = of_kind[0]
    said = row.text or row.kind.replace("_", " ")
    what = f"{kind.value}:{row.kind}" if kind is Kind.DEVICE_ALARM else kind.value
    return [
        Raise(
            key=f"{what}:{subject.id}",
            kind=kind,
            priority=rule.priority,
            rule_id=rule.id,
            at_ms=at_ms,
            title=f"{subject.label}: {_WORDS.get(kind, said)}",
            detail=f"The tracker of {subject.label} reported: {said}.",
            evidence=[("Told by", row.source, ""), ("Arrived", row.received_at_ms, "at"), ("Rule", rule.name, "")],
            vehicle_id=subject.vehicle_id,
            device_key=row.device_key,
            event_id=row.id,
            lat=row.lat,
            lon=row.lon,
        )
    ]
