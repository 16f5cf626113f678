"""Opening the store for a window: a new one is made, an older one upgraded, a damaged one set aside and recovered."""

from __future__ import annotations

import time

from app import platform
from app.clock import SystemClock
from app.engine.facts import EngineHeld
from app.engine.held import HeldStore
from app.paths import Paths
from app.store.errors import StoreDamaged, StoreNotMigrated
from app.store.store import Store

GIVE_WAY_S = 8.0


def open_for_window(paths: Paths, database_url: str, clock: SystemClock) -> Store:
    """The store, brought to this program's revision where that is needed and allowed. Blocks.

    Only the holder of the engine lock migrates or recovers, so a console's engine of an older program is asked to
    give way; a service's is not: the error says which side must be upgraded. Raises StoreError, EngineHeld, OSError.
    """
    try:
        return Store.open(database_url)
    except (StoreNotMigrated, StoreDamaged):
        _take_once(paths, database_url, clock)
    return Store.open(database_url)


def _take_once(paths: Paths, database_url: str, clock: SystemClock) -> None:
    """Hold the engine lock for a moment: taking it migrates and recovers."""
    try:
        HeldStore.take(paths, clock, started_by="console", database_url=database_url).close()
    except EngineHeld as err:
        if err.holder is None or err.holder.started_by != "console":
            raise
        platform.end_process(err.holder.pid)
        ends = time.monotonic() + GIVE_WAY_S
        while platform.is_process_alive(err.holder.pid) and time.monotonic() < ends:
            time.sleep(0.05)
        HeldStore.take(paths, clock, started_by="console", database_url=database_url).close()
