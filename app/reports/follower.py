"""What follows from the supply records: the stock of each day is looked at, and the calendar kept in step."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection

from app.reports.calendar import ensure_reports
from app.reports.periods import local_day
from app.reports.programmes import list_programmes
from app.reports.spans import look_at_stock
from app.store.store import Store

LOOK_EVERY_MS = 3 * 3_600_000
"""Between two looks of one day: the last one tells how the day ended."""
CALENDAR_EVERY_MS = 600_000
"""At least so often: a day begins without anything being stored."""
REST_MS = 15_000
"""Between two rounds while facilities or settings change in quick succession."""


class ReportFollower:
    """A ``Follower`` of app/engine/followers.py. Nothing is held that the store does not have."""

    name = "reports"
    topics = frozenset({"stock", "streams", "facilities", "reports", "integrations"})

    def __init__(self) -> None:
        self._looked_ms = 0
        self._calendar_ms = 0

    def step(self, store: Store, now_ms: int) -> float | None:
        """Bring history and calendar up to now; seconds after which it wants to be called again. Blocks."""
        if _is_due(self._looked_ms, now_ms, LOOK_EVERY_MS) and self._look(store, now_ms):
            self._looked_ms = now_ms
        if not _is_due(self._calendar_ms, now_ms, REST_MS):  # what moved meanwhile is looked at after the rest
            return (self._calendar_ms + REST_MS - now_ms) / 1000
        store.write(partial(_bring_calendar, now_ms=now_ms)).result()
        self._calendar_ms = now_ms
        return CALENDAR_EVERY_MS / 1000

    @staticmethod
    def _look(store: Store, now_ms: int) -> bool:
        """Whether there was anything to look at."""
        with store.read() as connection:
            if not _has_programmes(connection):
                return False  # a depot that reports nothing keeps no history
        store.write(partial(look_at_stock, now_ms=now_ms), rows=1_000).result()
        return True


def _bring_calendar(connection: Connection, now_ms: int) -> None:
    ensure_reports(connection, local_day(now_ms))


def _has_programmes(connection: Connection) -> bool:
    return bool(list_programmes(connection, only_on=True))


def _is_due(last_ms: int, now_ms: int, every_ms: int) -> bool:
    """Also after a clock that was set back, and whenever a new day has begun."""
    return not 0 <= now_ms - last_ms < every_ms or local_day(last_ms) != local_day(now_ms)
