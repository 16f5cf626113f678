"""A desk on a real store with a small integration that has a real peer, for tests of the operations."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from app.catalogue import BUILT_IN, Catalogue
from app.integrations import Desk
from app.security.vault import MemoryVault, Vault
from tests.helpers.stores import make_store

COLD_ROOM = "tests.helpers.plugin_package.biko_cold_room"
GOOD = {"host": "127.0.0.1", "port": "7070"}
"""Settings of a cold room as a form or the command line enters them."""


def make_catalogue() -> Catalogue:
    """Ours and the cold room of the test package, without installing it."""
    return Catalogue.load({**BUILT_IN, "cold_room": f"{COLD_ROOM}:ColdRoomAdapter"}, list)


def make_desk(folder: Path, vault: Vault | None = None) -> Desk:
    """The caller closes its store."""
    return Desk(make_store(folder), make_catalogue(), vault or MemoryVault())


@asynccontextmanager
async def cold_room() -> AsyncIterator[Mapping[str, Any]]:
    """A thermometer on loopback; gives its settings, the token among them."""
    found: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
    simulate = import_module(f"{COLD_ROOM}.simulator").simulate
    task = asyncio.get_running_loop().create_task(simulate({}, found.set_result))
    try:
        yield await found
    finally:
        task.cancel()
        await asyncio.wait([task])
