"""The suite of proofs' files runs on a SQLite file and on a real PostgreSQL database, against a real HTTP server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from adapters.mod4.simulator.photos import Photos
from app.store.store import Store
from tests.helpers.photo_site import PhotoSite, storage
from tests.helpers.stores import database, postgresql_server, sqlite_store, store

__all__ = ["database", "postgresql_server", "sqlite_store", "store"]


@pytest_asyncio.fixture
async def photos() -> Photos:
    return Photos()


@pytest_asyncio.fixture
async def site(sqlite_store: Store, tmp_path: Path, photos: Photos) -> AsyncIterator[PhotoSite]:
    async with storage(photos) as port:
        made = PhotoSite(sqlite_store, tmp_path, port)
        yield made
        await made.close()


@pytest_asyncio.fixture
async def any_site(store: Store, tmp_path: Path, photos: Photos) -> AsyncIterator[PhotoSite]:
    """On both databases."""
    async with storage(photos) as port:
        made = PhotoSite(store, tmp_path, port)
        yield made
        await made.close()
