"""What the map asks of the store, when, and how it reaches the fleet: no widgets in here."""

from __future__ import annotations

import time
from functools import partial

from app.deliveries.whereabouts import list_whereabouts
from app.fleet import queries
from app.fleet.listing import list_devices
from widgets.map import live
from widgets.map.drivers import Drivers
from widgets.map.fleet import Fleet
from widgets.store_bridge import StoreBridge

STATES_EVERY_S = 5.0  # battery, signal and heartbeats; positions come at once


class FleetReader:
    """Keeps a :class:`Fleet` and its :class:`Drivers` current. Reading happens off the UI thread, applying on it."""

    def __init__(self, bridge: StoreBridge, fleet: Fleet, drivers: Drivers) -> None:
        self._bridge = bridge
        self._fleet = fleet
        self._drivers = drivers
        self._states_read_at = 0.0
        self.integrations: dict[str, str] = {}  # names by id

    async def load(self, now_ms: int) -> None:
        """Everything anew, up to the newest position known then; :meth:`read_positions` brings the rest."""
        snapshot = await self._bridge.read(partial(live.read_snapshot, now_ms=now_ms))
        self.integrations = snapshot.integrations
        self._fleet.load(snapshot.trackers, snapshot.newest_id, now_ms)
        self._fleet.tick(now_ms)

    async def load_drivers(self, now_ms: int) -> None:
        """Every driver anew: who, where, driving what."""
        self._drivers.load(await self._bridge.read(partial(list_whereabouts, now_ms=now_ms)), now_ms)

    async def read_positions(self) -> bool:
        """Everything since the newest position that is shown; whether there was any.

        More than a page takes more than one question. Those of devices that are not shown are passed over.
        """
        is_any = False
        while True:
            new = await self._bridge.read(partial(queries.positions_since, after_id=self._fleet.newest_id))
            self._fleet.apply(new)
            self._drivers.apply(new)
            is_any |= len(new) > 0
            if len(new) < queries.PAGE_ROWS:
                return is_any

    async def read_heard(self) -> bool:
        """What comes without positions, now and then; whether it was time for it."""
        if time.monotonic() - self._states_read_at < STATES_EVERY_S:
            return False
        self._states_read_at = time.monotonic()
        self._fleet.hear(*await self._bridge.read(live.read_heard))
        return True

    async def read_subject(self, key: str, now_ms: int) -> None:
        """A subject's battery, signal and the like, which come without a position."""
        for tracker in self._fleet.trackers_of(key):
            query = partial(list_devices, now_ms=now_ms, wanted=tracker.id)
            self._fleet.refresh_trackers(await self._bridge.read(query))
