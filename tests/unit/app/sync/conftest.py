from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from app.store.store import Store
from tests.helpers.stores import database, make_store, postgresql_server, store
from tests.helpers.supply_desk import SupplyDesk, make_desk

__all__ = ["database", "make_store", "postgresql_server", "store"]


@pytest_asyncio.fixture
async def desk(store: Store, tmp_path: Path) -> AsyncIterator[SupplyDesk]:
    """On both databases."""
    made = make_desk(store, tmp_path)
    yield made
    await made.close()
