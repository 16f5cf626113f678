"""Opening the store for a window: a new one is made, an older one upgraded, a damaged one set aside and recovered."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app import platform
from app.clock import SystemClock
from app.engine.facts import EngineFacts, EngineHeld, end_engine
from app.paths import Paths
from app.store.connect import parse_url, sqlite_path
from app.store.errors import StoreDamaged, StoreError, StoreNotMigrated
from app.store.store import Store

if TYPE_CHECKING:
    from app.store.recovery import Recovery

GIVE_WAY_S = 8.0


class UpgradeElsewhere(StoreError):
    """The store needs an upgrade that this program must not make: whoever serves it makes it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """``recovered`` tells of a damaged file that was set aside just now; None where the file was sound."""

    store: Store
    recovered: Recovery | None = None


def open_for_window(paths: Paths, database_url: str, clock: SystemClock, *, password: str | None = None) -> Opened:
    """The store, brought to this program's revision where that is needed and allowed. Blocks.

    Only the holder of the engine lock upgrades or recovers, so a console's engine of an older program is asked to
    give way; a service's is not, and neither is a database server that others use, too: the error says which side
    must be upgraded. Raises StoreError, OSError.
    """
    try:
        return Opened(Store.open(database_url, password=password))
    except (StoreNotMigrated, StoreDamaged) as err:
        if sqlite_path(parse_url(database_url)) is None:
            raise _for_server(err) from err
        try:
            recovered = _take_once(paths, database_url, clock)
        except EngineHeld as held:
            raise _for_service(err, held.holder) from err
    return Opened(Store.open(database_url, password=password), recovered)


def _for_server(err: StoreError) -> StoreError:
    if not isinstance(err, StoreNotMigrated):
        return err
    return UpgradeElsewhere(
        f"{err.why} Other computers may use it too, so no window changes it by itself: when everybody's program is "
        "up to date, run the command “store upgrade” once."
    )


def _for_service(err: StoreError, holder: EngineFacts | None) -> StoreError:
    who = holder.spoken() if holder is not None else "another process"
    if isinstance(err, StoreNotMigrated):
        return UpgradeElsewhere(
            f"This window is newer than the engine that serves the store ({who}). Upgrade that program and start it "
            "again, or stop it and open this window, which then upgrades the store."
        )
    return UpgradeElsewhere(f"{err.why} The engine that uses it is {who}: stop it first, then open this window again.")


def _take_once(paths: Paths, database_url: str, clock: SystemClock) -> Recovery | None:
    """Hold the engine lock for a moment: taking it upgrades and recovers. Raises EngineHeld, StoreError, OSError."""
    # Only a first start, an upgrade or a damaged file pays for the migration tools.
    from app.engine.held import HeldStore

    def take() -> Recovery | None:
        held = HeldStore.take(paths, clock, started_by="console", database_url=database_url)
        held.close()
        return held.prepared.recovered

    try:
        return take()
    except EngineHeld as err:
        if err.holder is None or err.holder.started_by != "console":
            raise
        if not end_engine(err.holder):
            raise
        ends = time.monotonic() + GIVE_WAY_S
        while platform.is_process_alive(err.holder.pid) and time.monotonic() < ends:
            time.sleep(0.05)
        return take()
