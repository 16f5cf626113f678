"""The alarms that stand now, as far as judging needs to know them."""

from __future__ import annotations

from sqlalchemy import Connection, select

from app.alarms.words import Kind
from app.store.tables import Alarm


def standing_since(connection: Connection, kind: Kind) -> dict[str, int]:
    """The keys of the alarms of a kind that are not over, each with the ms when it last began."""
    query = select(Alarm.alarm_key, Alarm.last_at_ms).where(Alarm.cleared_at_ms.is_(None), Alarm.kind == kind.value)
    return {row.alarm_key: row.last_at_ms for row in connection.execute(query)}
