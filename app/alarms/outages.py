"""Integrations that are down: an engine that tries again, or waits for a person, for longer than a rule allows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from app.alarms.findings import Clear, Finding, Raise
from app.alarms.rules import IntegrationRule, Rule
from app.alarms.standing import standing_since
from app.alarms.words import Kind
from app.clock import to_ms
from app.engine.phases import Phase
from app.store.tables import Integration, IntegrationState

DOWN = frozenset({Phase.RETRYING, Phase.NEEDS_SIGN_IN, Phase.MISCONFIGURED, Phase.ERROR})
"""Stale is not down: the peer answers, and who is silent behind it has an alarm of its own."""


def judge_outages(connection: Connection, rules: Sequence[Rule], now_ms: int) -> list[Finding]:
    """Alarms that begin and end with the phases as they stand."""
    of_kind = [rule for rule in rules if rule.is_enabled and rule.kind is Kind.INTEGRATION_DOWN]
    standing = standing_since(connection, Kind.INTEGRATION_DOWN)
    if not of_kind and not standing:
        return []
    query = (
        select(
            Integration.id, Integration.name, IntegrationState.phase, IntegrationState.reason, IntegrationState.since
        )
        .join(IntegrationState, IntegrationState.integration_id == Integration.id)
        .where(Integration.enabled, Integration.removed_at.is_(None), IntegrationState.phase.in_(sorted(DOWN)))
    )
    found: list[Finding] = []
    down: set[str] = set()
    for integration_id, name, phase, reason, since in connection.execute(query):
        key = f"{Kind.INTEGRATION_DOWN.value}:{integration_id}"
        since_ms = to_ms(since)
        broken = [rule for rule in of_kind if now_ms - since_ms >= rule.said(IntegrationRule).after_min * 60_000]
        if of_kind:
            down.add(key)
        if not broken or key in standing:
            continue
        rule = min(broken, key=lambda one: one.said(IntegrationRule).after_min)
        found.append(
            Raise(
                key=key,
                kind=Kind.INTEGRATION_DOWN,
                priority=rule.priority,
                rule_id=rule.id,
                at_ms=since_ms + rule.said(IntegrationRule).after_min * 60_000,
                title=f"{name} is down",
                detail=reason or f"{name} has not worked for {rule.said(IntegrationRule).after_min} min.",
                evidence=[
                    ("Down since", since_ms, "at"),
                    ("State", phase.replace("_", " "), ""),
                    ("Rule", rule.name, ""),
                ],
                integration_id=integration_id,
                is_state=True,
            )
        )
    return [*(Clear(key, now_ms) for key in sorted(standing.keys() - down)), *found]
