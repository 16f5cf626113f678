"""When a tracker counts as online, stale or silent: from the age of what it said, never from a socket."""

from __future__ import annotations

from enum import StrEnum

STALE_AFTER_MS = 10 * 60_000  # two heartbeat periods (3 to 5 min) and a fix were missed
SILENT_AFTER_MS = 60 * 60_000
CLOCKS_APART_MS = 5 * 60_000
"""What was heard later than this from now was heard by a clock that has been set back since."""

CLOCK_STEP_S = 15 * 60  # zones differ by multiples of a quarter of an hour
CLOCK_TOLERANCE_S = 120
WIDEST_ZONE_QUARTERS = 14 * 4


class Freshness(StrEnum):
    """The word shown for a tracker or a vehicle."""

    ONLINE = "online"
    STALE = "stale"
    SILENT = "silent"
    NEVER = "never"


def freshness(last_seen_ms: int | None, now_ms: int) -> Freshness:
    """The word for something that was last heard at ``last_seen_ms`` (None: never)."""
    if last_seen_ms is None:
        return Freshness.NEVER
    age_ms = now_ms - last_seen_ms
    if -CLOCKS_APART_MS <= age_ms < STALE_AFTER_MS:
        return Freshness.ONLINE
    return Freshness.STALE if age_ms < SILENT_AFTER_MS else Freshness.SILENT


def smoothed_lag_s(before_s: int | None, lag_s: int) -> int:
    """The next value of the running lag, corrected device time minus arrival, in seconds: an eighth of the way."""
    if before_s is None:
        return lag_s
    step = round((lag_s - before_s) / 8)
    return before_s + (step or (lag_s > before_s) - (lag_s < before_s))


def clock_warning(clock_lag_s: int | None, clock_offset_s: int = 0) -> str:
    """A sentence when a tracker's clock seems to run in another zone, else "".

    ``clock_lag_s`` is the smoothed device time, corrected by ``clock_offset_s``, minus arrival. Near a multiple of
    a quarter of an hour other than zero it is a zone, not a delay (gps-protocols.md, 2.3).
    """
    offset_s = suggested_offset_s(clock_lag_s, clock_offset_s)
    if offset_s is None:
        return ""
    lag_s = offset_s - clock_offset_s
    hours, minutes = divmod(abs(lag_s) // 60, 60)
    return (
        f"Fixes of this tracker are {hours}:{minutes:02d} h {'ahead of' if lag_s > 0 else 'behind'} their arrival. "
        f"If its clock keeps another zone than UTC, set its clock offset to {offset_s} s."
    )


def suggested_offset_s(clock_lag_s: int | None, clock_offset_s: int = 0) -> int | None:
    """The clock offset in seconds that :func:`clock_warning` names; None where there is nothing to warn of."""
    if clock_lag_s is None:
        return None
    quarters = round(clock_lag_s / CLOCK_STEP_S)
    if not 0 < abs(quarters) <= WIDEST_ZONE_QUARTERS or abs(clock_lag_s - quarters * CLOCK_STEP_S) > CLOCK_TOLERANCE_S:
        return None
    return clock_offset_s + quarters * CLOCK_STEP_S
