"""A depot with a real engine on the test's own loop: real sockets, a real store, a real vault."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from adapters.traccar.simulator import TraccarServer
from adapters.traccar.simulator_world import World
from app.catalogue import Catalogue
from app.clock import SystemClock
from app.engine.commands import SYNC, give_command, outcome_of
from app.engine.engine import Engine
from app.engine.journal import State, load_states
from app.engine.phases import Phase
from app.fleet.telemetry import TelemetrySink
from app.integrations.changes import Desk, add
from app.security.vault import MemoryVault, Vault
from app.store.store import Store
from app.tasks import Tasks
from tests.helpers.depot import Tracker, free_port
from tests.helpers.fake_adapter import until
from tests.helpers.stores import make_store

WELL = frozenset({Phase.HEALTHY, Phase.STALE})


class Site:
    """Integrations, the engine that runs them, and trackers that prove that it serves."""

    def __init__(self, folder: Path, vault: Vault | None = None) -> None:
        self.store: Store = make_store(folder)
        self.catalogue = Catalogue.load(third_party=list)
        self.vault = vault or MemoryVault()
        self.desk = Desk(self.store, self.catalogue, self.vault)
        self.clock = SystemClock()
        self.failures: list[tuple[str, BaseException]] = []
        self._serial = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Engine]:
        """The engine, until the block ends; no task of it may fail."""
        tasks = Tasks(lambda name, error: self.failures.append((name, error)))
        sink = TelemetrySink(self.store)
        engine = Engine(self.store, self.catalogue, self.vault, clock=self.clock, sink=sink, tasks=tasks)
        running = tasks.start(engine.run(), name="engine", owner=self)
        try:
            await engine.wait_started(30)
            yield engine
        finally:
            engine.stop()
            await asyncio.wait({running})
            await tasks.close()
            self.store.close()
        assert not self.failures

    def add_traccar(self, name: str, server: TraccarServer, **values: Any) -> str:
        wanted = {"url": server.url, "answer_within_s": 1, "poll_interval_s": 10, "live": False, **values}
        return add(self.desk, "traccar", name, wanted, {"token": server.token})

    def add_trackers(self, port: int | None = None) -> tuple[str, int]:
        port = port or free_port()
        return add(self.desk, "gt02_tracker", f"Trackers {port}", {"host": "127.0.0.1", "port": port}), port

    def state(self, integration_id: str) -> State | None:
        with self.store.read() as connection:
            return load_states(connection).get(integration_id)

    def phase(self, integration_id: str) -> Phase | None:
        state = self.state(integration_id)
        return state.phase if state is not None else None

    async def sync(self, integration_id: str) -> dict[str, Any]:
        """What the operator's button answers."""
        give = partial(give_command, name=SYNC, now_ms=self.clock.now_ms(), integration_id=integration_id)
        command_id = await asyncio.wrap_future(self.store.write(give))

        def look() -> dict[str, Any] | None:
            with self.store.read() as connection:
                return outcome_of(connection, command_id)

        answer: dict[str, Any] = await until(look, 40)
        return answer

    async def is_well(self, *integration_ids: str, seconds: float = 40) -> None:
        """Wait until these work, without anybody's doing."""
        await until(lambda: all(self.phase(one) in WELL for one in integration_ids), seconds)

    async def serves_trackers(self, port: int) -> bool:
        """Whether a tracker's fix is acknowledged now."""
        self._serial += 1
        serial = self._serial

        def talk() -> bool:
            with Tracker(port, "358899051012766") as tracker:
                tracker.send(serial)
                return tracker.wait_for_answer(4)

        return await asyncio.to_thread(talk)


def small_world() -> World:
    """Two vehicles that moved within the last minutes."""
    now_ms = time.time_ns() // 1_000_000
    world = World(vehicles=2, interval_s=10, start_ms=now_ms - 300_000)
    world.advance(now_ms)
    return world
