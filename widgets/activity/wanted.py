"""What the operator looks for on the activity page, as every view is asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from resources.i18n import tr

RANGES = (
    ("any", tr("Any time")),
    ("hour", tr("Last hour")),
    ("today", tr("Today")),
    ("day", tr("Last 24 hours")),
    ("week", tr("Last 7 days")),
    ("month", tr("Last 30 days")),
    ("days", tr("Choose days…")),
)
_SPANS = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """``words`` must all be found; ``since`` is inclusive, ``until`` exclusive, both aware.

    ``integration_id`` "" means the console itself; ``kind`` is a group of the view's own, "" every one; ``number`` is
    one entry's own id. ``last_only``: of runs the last of each integration. ``who`` did it, "" anybody.
    """

    words: tuple[str, ...] = ()
    number: int | None = None
    integration_id: str | None = None
    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None
    last_only: bool = False
    who: str = ""

    @property
    def is_everything(self) -> bool:
        return self == Wanted()


def read_search(text: str) -> tuple[tuple[str, ...], int | None]:
    """Words and, for ``#123``, an entry's number."""
    words = text.replace("\x00", "").split()
    numbers = [word[1:] for word in words if word[0] == "#" and word[1:].isascii() and word[1:].isdigit()]
    if numbers and len(numbers[0]) <= 18:
        return tuple(word for word in words if word[1:] not in numbers), int(numbers[0])
    return tuple(words), None


def range_of(
    choice: str, now: datetime, zone: tzinfo, days: tuple[date, date]
) -> tuple[datetime | None, datetime | None]:
    """(since, until) of a choice of :data:`RANGES`; ``days`` are the first and the last day chosen, both included."""
    if choice == "today":
        return _midnight(now.astimezone(zone).date(), zone), None
    if choice == "days":
        first, last = min(days), max(days)
        return _midnight(first, zone), _midnight(last + timedelta(days=1), zone)
    return (now - _SPANS[choice] if choice in _SPANS else None), None


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone)
