"""How many trackers speak: the figures above the list of integrations."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, not_, select

from app.fleet.freshness import CLOCKS_APART_MS, SILENT_AFTER_MS, STALE_AFTER_MS
from app.fleet.phones import is_phone
from app.fleet.registry import BLOCKED, KNOWN, WAITING
from app.store.tables import Device, DeviceState


@dataclass(frozen=True, slots=True)
class FleetStatistics:
    """How many known trackers speak, by the age of what they said; drivers' phones are none."""

    known: int
    reporting: int
    stale: int
    silent: int
    never: int
    waiting: int
    blocked: int


def fleet_statistics(connection: Connection, now_ms: int) -> FleetStatistics:
    """Counted in the store, so that ten thousand trackers cost no objects."""
    by_state = connection.execute(select(Device.state, func.count()).where(not_(is_phone())).group_by(Device.state))
    counts: dict[str, int] = {state: int(count) for state, count in by_state}
    seen = func.nullif(DeviceState.last_seen_ms, 0)
    is_fresh = and_(seen > now_ms - STALE_AFTER_MS, seen <= now_ms + CLOCKS_APART_MS)
    fresh, stale, silent = connection.execute(
        select(
            func.count().filter(is_fresh),
            func.count().filter(not_(is_fresh), seen > now_ms - SILENT_AFTER_MS),
            func.count().filter(seen <= now_ms - SILENT_AFTER_MS),
        )
        .join_from(DeviceState, Device, Device.key == DeviceState.device_key)
        .where(Device.state == KNOWN, not_(is_phone()))
    ).one()
    known = counts.get(KNOWN, 0)
    never = known - fresh - stale - silent
    return FleetStatistics(known, fresh, stale, silent, never, counts.get(WAITING, 0), counts.get(BLOCKED, 0))
