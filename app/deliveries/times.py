"""Spans and ages of deliveries in words."""

from __future__ import annotations

from app.clock import from_ms

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def span_words(ms: float) -> str:
    """``40 s``, ``12 min``, ``3 h 20 min``, ``4 days``; without a sign."""
    ms = abs(ms)
    if ms < MINUTE_MS:
        return f"{ms / 1000:.0f} s"
    if ms < HOUR_MS:
        return f"{ms // MINUTE_MS:.0f} min"
    if ms < 2 * DAY_MS:
        hours, minutes = divmod(int(ms // MINUTE_MS), 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{ms // DAY_MS:.0f} days"


def moment_words(ms: int | None) -> str:
    """``2026-11-25 14:03 UTC``; “at an unknown time” for None and for what no calendar holds."""
    if ms is None:
        return "at an unknown time"
    try:
        return f"{from_ms(ms):%Y-%m-%d %H:%M} UTC"
    except OverflowError:
        return "at an unknown time"


def distance_words(metres: float) -> str:
    """``80 m``, ``1.4 km``, ``212 km``."""
    if metres < 1_000:
        return f"{metres:.0f} m"
    return f"{metres / 1_000:.1f} km" if metres < 100_000 else f"{metres / 1_000:,.0f} km"
