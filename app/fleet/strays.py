"""Frames that belong to no device that we know: enough of them to learn what comes, never so many as to fill a disk.

Scanners, foreign protocols and broken links send them to an open port for ever (docs/decisions/0022).
"""

from __future__ import annotations

KEPT_PER_HOUR = 2_000
"""Of one integration. What comes beyond is counted; the next hour begins anew."""

_HOUR_MS = 3_600_000


class StrayFrames:
    """How many were kept in the hour of arrival at hand; touched on the writer thread only."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[int, int]] = {}

    def is_kept(self, integration_key: int, received_at_ms: int) -> bool:
        """Whether one more is to be stored; it is then counted."""
        hour = received_at_ms // _HOUR_MS
        known_hour, kept = self._kept.get(integration_key, (hour, 0))
        if known_hour != hour:
            kept = 0
        if kept >= KEPT_PER_HOUR:
            return False
        self._kept[integration_key] = (hour, kept + 1)
        return True
