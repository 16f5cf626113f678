"""Power that is back: trackers cry that they were cut from it, few say that it returned, but their states show it."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from app.alarms.findings import Clear, Finding
from app.alarms.words import Kind
from app.store.tables import Alarm, DeviceState

POWERED_V = 8.0
"""A vehicle's battery, also an empty one, gives more than this; a tracker on its own battery sees less."""


@dataclass
class PowerWatch:
    """Ends a power cut when its tracker, seen without power while the cut stood, has power again.

    A state may be older than the cut, so power alone proves nothing: it must have been seen to go first.
    """

    _without: set[str] = field(default_factory=set)

    def judge(self, connection: Connection) -> list[Finding]:
        """The cuts that are over."""
        query = (
            select(Alarm.alarm_key, DeviceState.charging, DeviceState.external_v, DeviceState.last_seen_ms)
            .join(DeviceState, DeviceState.device_key == Alarm.device_key)
            .where(Alarm.kind == Kind.POWER_CUT.value, Alarm.cleared_at_ms.is_(None))
        )
        found: list[Finding] = []
        standing: set[str] = set()
        for key, charging, external_v, last_ms in connection.execute(query):
            standing.add(key)
            has_power = _has_power(charging, external_v)
            if has_power is False:
                self._without.add(key)
            elif has_power and key in self._without:
                found.append(Clear(key, last_ms, [("Power back", last_ms, "at")]))
        self._without &= standing
        return found


def _has_power(charging: bool | None, external_v: float | None) -> bool | None:
    """None where the tracker tells neither."""
    if charging is not None:
        return charging
    return None if external_v is None else external_v >= POWERED_V
