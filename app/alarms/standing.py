"""The alarms that stand now, as far as judging needs to know them."""

from __future__ import annotations

from sqlalchemy import Connection, select

from app.alarms.words import Kind
from app.store.tables import Alarm


def standing_keys(connection: Connection, kind: Kind) -> frozenset[str]:
    """The keys of the alarms of a kind that are not over."""
    query = select(Alarm.alarm_key).where(Alarm.cleared_at_ms.is_(None), Alarm.kind == kind.value)
    return frozenset(connection.execute(query).scalars())
