"""Stores for tests: real SQLite files, and real databases of an embedded PostgreSQL server."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path

from app.store import migrate
from app.store.store import Store


@cache
def _template() -> Path:
    """An empty, migrated store file, made once per test process."""
    folder = Path(tempfile.mkdtemp(prefix="biko-store-template-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    migrate.upgrade(f"sqlite:///{folder / 'store.db'}", folder)
    return folder / "store.db"


def make_store_url(folder: Path) -> str:
    """The address of a fresh, migrated SQLite store in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_template(), folder / "store.db")
    return f"sqlite:///{folder / 'store.db'}"


def make_store(folder: Path) -> Store:
    """A fresh, migrated and open SQLite store in ``folder``; the caller closes it."""
    return Store.open(make_store_url(folder))
