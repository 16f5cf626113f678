"""Sendings that wait for the line: of which nothing went out, and which the engine tries again."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from app.clock import to_ms
from app.fleet.text import storable
from app.reports.runs import DELAYED, RunListing, change_run
from app.security.redaction import redact_text
from app.store.tables import ReportRun

_FIRST_DELAY = timedelta(minutes=1)
_LONGEST_DELAY = timedelta(minutes=10)


def delay_run(connection: Connection, run: RunListing, detail: str, *, now: datetime) -> datetime:
    """Nothing could be sent now; returns when it is tried again."""
    tries = int(run.progress.get("tries", 0)) + 1
    delay = _LONGEST_DELAY if tries > 5 else min(_FIRST_DELAY * 2 ** (tries - 1), _LONGEST_DELAY)
    progress = {"tries": tries, "next_try_ms": to_ms(now + delay)}
    change_run(connection, run.id, state=DELAYED, detail=redact_text(storable(detail, 4_000)), progress=progress)
    return now + delay


def delayed_runs(connection: Connection, now: datetime) -> list[str]:
    """Those whose time has come, the oldest first."""
    table = ReportRun
    query = select(table.id, table.progress).where(table.state == DELAYED, table.is_dry.is_(False))
    rows = connection.execute(query.order_by(table.created_at, table.id))
    return [row.id for row in rows if int((row.progress or {}).get("next_try_ms", 0)) <= to_ms(now)]
