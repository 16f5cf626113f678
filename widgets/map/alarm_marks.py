"""Which vehicles the map marks with an alarm: what stands as long as it does, what a tracker cried for a while."""

from __future__ import annotations

from collections.abc import Iterable

from app.fleet.listing import DeviceListing
from widgets.map.events import Alarm
from widgets.map.fleet import Fleet

SAID_AGAIN_MS = 60_000
"""How often what stands is told to the fleet as being of now."""


class AlarmMarks:
    """``cries`` and ``standing`` are alarms by the tracker's key; call :meth:`show` after setting either."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._shown_ms = 0
        self.cries: dict[int, Alarm] = {}
        self.standing: dict[int, Alarm] = {}

    def show(self, now_ms: int) -> None:
        self._shown_ms = now_ms
        cried = {key: alarm.at_ms for key, alarm in self.cries.items()}
        self._fleet.set_alarms({**cried, **dict.fromkeys(self.standing, now_ms)})

    def tick(self, now_ms: int) -> None:
        """Let time pass: what stands does not grow old."""
        if self.standing and not 0 <= now_ms - self._shown_ms < SAID_AGAIN_MS:
            self.show(now_ms)

    def of(self, trackers: Iterable[DeviceListing]) -> Alarm | None:
        """The newest alarm of a vehicle's trackers; what stands comes before what was cried."""
        keys = [tracker.key for tracker in trackers]
        for known in (self.standing, self.cries):
            found = [known[key] for key in keys if key in known]
            if found:
                return max(found, key=lambda alarm: alarm.at_ms)
        return None
