"""What the engine stands on, handed down to each coordinator, and small helpers around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from sqlalchemy import Connection

from adapters.base import Clock, Kit, Manifest, Settings
from app.catalogue import Catalogue
from app.engine.inlet import Sink
from app.engine.loans import Loans
from app.engine.scribe import Scribe
from app.security.vault import Vault
from app.store.store import Store
from app.sync.seal import OutboxSeal
from app.tasks import Tasks

T = TypeVar("T")

KitMaker = Callable[[str, Manifest, Settings, Clock], Kit]


@dataclass(frozen=True, slots=True)
class Ports:
    store: Store
    catalogue: Catalogue
    vault: Vault
    clock: Clock
    sink: Sink
    tasks: Tasks
    scribe: Scribe
    make_kit: KitMaker
    rng: Random
    seal: OutboxSeal
    loans: Loans = field(default_factory=Loans)


async def read(store: Store, query: Callable[[Connection], T]) -> T:
    """The answer of a query, off the loop."""

    def ask() -> T:
        with store.read() as connection:
            return query(connection)

    return await asyncio.to_thread(ask)


async def rings_within(event: asyncio.Event, seconds: float, clock: Clock) -> bool:
    """Whether ``event`` was set before ``seconds`` of the lent clock passed."""
    async with asyncio.TaskGroup() as group:
        asleep = group.create_task(clock.sleep(seconds))
        waiting = group.create_task(event.wait())
        await asyncio.wait({asleep, waiting}, return_when=asyncio.FIRST_COMPLETED)
        asleep.cancel()
        waiting.cancel()
    return event.is_set()
