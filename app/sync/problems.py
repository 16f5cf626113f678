"""What in the outbox only a person can end, as problems: refusals and conflicts, and a store that may not send."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select

from app.clock import to_ms
from app.problems import Issue, clear_problems, raise_problem
from app.store.tables import Integration, OutboxItem
from app.sync.words import STUCK, State, counted

DECISIONS = "outbox"
"""Kind of the problem that counts what waits for a decision, one per integration."""


def judge_decisions(connection: Connection, integration_id: str, now: datetime) -> None:
    """Raise, renew or clear the problem about refused and conflicting changes of one integration."""
    mine = (OutboxItem.integration_id == integration_id) & OutboxItem.state.in_(STUCK)
    query = select(OutboxItem.state, func.count()).where(mine).group_by(OutboxItem.state)
    counts = dict(connection.execute(query).all())
    if not counts:
        clear_problems(connection, integration_id, frozenset({DECISIONS}), to_ms(now))
        return
    name = connection.execute(select(Integration.name).where(Integration.id == integration_id)).scalar_one_or_none()
    refused, conflicts = counts.get(State.REFUSED, 0), counts.get(State.CONFLICT, 0)
    parts = [counted(refused, "change was refused", "changes were refused")] if refused else []
    if conflicts:
        parts.append(counted(conflicts, "was changed on both sides", "were changed on both sides"))
    title = f"Changes for {name or 'a removed integration'} wait for a decision"
    told = ", ".join(parts)
    detail = (
        f"{told[:1].upper()}{told[1:]}. Later changes of the same papers wait behind them; everything else "
        "goes on. Open Sync and decide."
    )
    raise_problem(connection, integration_id, Issue(DECISIONS, title, detail, "outbox"), to_ms(now))
