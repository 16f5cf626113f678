"""The parts that an engine stands on, put together for unit tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select

from app.engine.coordinator import Coordinator
from app.engine.journal import State, load_integrations, load_states
from app.engine.ports import Ports
from app.engine.scribe import Scribe
from app.fleet.telemetry import TelemetrySink
from app.integrations.changes import Desk, add
from app.security.vault import MemoryVault
from app.store.store import Store
from app.store.tables import IntegrationLog, Problem
from app.sync.seal import OutboxSeal
from app.tasks import Tasks
from tests.helpers.fake_adapter import FakeAdapter, Kits, LentClock, Script, fake_catalogue, fake_kind
from tests.helpers.stores import make_store


@dataclass
class Rig:
    """The parts that an engine stands on, with one kind of fake integration."""

    store: Store
    kind: type[FakeAdapter]
    script: Script
    clock: LentClock
    kits: Kits
    tasks: Tasks
    ports: Ports
    failures: list[tuple[str, BaseException]]

    @property
    def desk(self) -> Desk:
        return Desk(self.store, self.ports.catalogue, self.ports.vault)

    def add(self, name: str = "Depot server", **options: Any) -> str:
        values = options.pop("values", {})
        return add(self.desk, self.kind.manifest.key, name, values, **options)

    def coordinator(self, integration_id: str, last: State | None = None) -> Coordinator:
        with self.store.read() as connection:
            configured = load_integrations(connection)[integration_id]
        return Coordinator(configured, last, self.ports)

    def state(self, integration_id: str) -> State:
        with self.store.read() as connection:
            return load_states(connection)[integration_id]

    def logs(self, event_type: str | None = None) -> list[Any]:
        query = select(IntegrationLog.event_type, IntegrationLog.text, IntegrationLog.payload)
        if event_type is not None:
            query = query.where(IntegrationLog.event_type == event_type)
        with self.store.read() as connection:
            return list(connection.execute(query.order_by(IntegrationLog.id)))

    def open_problems(self) -> list[Any]:
        query = select(Problem.problem_key, Problem.title, Problem.detail, Problem.fix)
        with self.store.read() as connection:
            return list(connection.execute(query.where(Problem.cleared_at.is_(None))))

    async def written(self) -> None:
        assert await self.ports.scribe.flush(5)


@pytest.fixture
def modes() -> frozenset[str]:
    """Override by parametrisation: how the fake integration works."""
    return frozenset({"pull"})


@pytest_asyncio.fixture
async def rig(tmp_path: Path, modes: frozenset[str]) -> AsyncIterator[Rig]:
    store = make_store(tmp_path / "store")
    kind, script = fake_kind(modes=modes)
    failures: list[tuple[str, BaseException]] = []
    tasks = Tasks(lambda name, failure: failures.append((name, failure)))
    clock, kits, scribe = LentClock(), Kits(), Scribe(store)
    ports = Ports(
        store,
        fake_catalogue(kind),
        MemoryVault(),
        clock,
        TelemetrySink(store),
        tasks,
        scribe,
        kits,
        Random(1),
        OutboxSeal(store),
    )
    yield Rig(store, kind, script, clock, kits, tasks, ports, failures)
    await tasks.close()
    scribe.close()
    store.close()
    assert not failures
    assert all(client.closed for client in kits.clients)
