"""An engine that sends to the small peer, as a process of its own.

``python -m tests.helpers.supply_engine URL FOLDER``.

For tests that kill it. It prints ``sending`` once it runs, and runs until it is ended.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from app.clock import SystemClock
from app.engine.engine import Engine
from app.fleet.telemetry import TelemetrySink
from app.security.vault import MemoryVault
from app.store.store import Store
from app.tasks import Tasks
from tests.helpers.supply_peer import PeerKits, peer_catalogue


async def serve(url: str, folder: Path, *, max_in_flight: int = 4) -> None:
    """Run the engine on a store until the process ends."""
    store = Store.open(url)
    engine = Engine(
        store,
        peer_catalogue(max_in_flight=max_in_flight),
        MemoryVault(),
        clock=SystemClock(),
        sink=TelemetrySink(store),
        tasks=Tasks(lambda _name, _failure: None),
        make_kit=PeerKits(),
        data_dir=folder,
        followers=(),
    )
    print("sending", flush=True)
    await engine.run()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Path(sys.argv[2])))
