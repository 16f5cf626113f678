"""What the holder of the engine lock does before it opens the store: recover, create, upgrade."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from app.store import migrate, recovery
from app.store.connect import parse_url, sqlite_path
from app.store.errors import StoreDamaged


@dataclass(frozen=True, slots=True)
class Prepared:
    """What was done. ``recovered`` is None where the file was sound."""

    recovered: recovery.Recovery | None
    upgraded: migrate.Upgraded


def prepare_store(database_url: str, copies: Path, *, password: str | None = None) -> Prepared:
    """Make the store ready for :meth:`app.store.store.Store.open`. Only the holder of the engine lock may call this.

    A damaged file is set aside and recovered; a missing store is created; an older one is copied into the folder
    ``copies`` and upgraded. Raises a StoreError with the next step.
    """
    path = sqlite_path(parse_url(database_url))
    recovered = None
    if path is not None:
        recovery.finish_swap(path)
        if recovery.is_damaged(path):
            recovered = recovery.recover(path)
    try:
        upgraded = migrate.upgrade(database_url, copies, password=password)
    except StoreDamaged:
        if path is None or recovered is not None:
            raise
        recovered = recovery.recover(path)
        upgraded = migrate.upgrade(database_url, copies, password=password)
    return Prepared(recovered, upgraded)
