"""Working hours: whether a moment lies within them, in the zone of the depot."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from app.alarms.rules import Hours, WorkingHours
from app.clock import from_ms

_LAST_DAY = {"mon-fri": 4, "mon-sat": 5, "every": 6}


def is_working(hours: WorkingHours, at_ms: int) -> bool:
    """Whether ``at_ms`` is in working hours. Hours over midnight belong to the day on which they begin.

    Begin and end at the same minute are a whole day.
    """
    local = from_ms(at_ms).astimezone(_zone(hours.zone))
    begin, end = _minute(hours.work_from), _minute(hours.work_to)
    minute = local.hour * 60 + local.minute
    if begin < end:
        return begin <= minute < end and local.weekday() <= _LAST_DAY[hours.work_days]
    if minute >= begin:
        return local.weekday() <= _LAST_DAY[hours.work_days]
    yesterday = (local - timedelta(days=1)).weekday()
    return minute < end and yesterday <= _LAST_DAY[hours.work_days]


def counts(when: Hours, hours: WorkingHours, at_ms: int) -> bool:
    """Whether a rule that counts ``when`` counts at a moment."""
    return when == "always" or is_working(hours, at_ms) == (when == "inside")


def _minute(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)


@lru_cache(maxsize=32)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
