"""Which revision a store has and which one this program needs, without loading the migration tools."""

from __future__ import annotations

from sqlalchemy import URL, Column, Connection, Engine, MetaData, String, Table, inspect, select

from app.store.connect import place_of, sqlite_path
from app.store.errors import StoreNotMigrated, StoreTooNew
from app.store.head import HEAD

__all__ = ["HEAD", "current_revision", "require_current"]

alembic_version = Table("alembic_version", MetaData(), Column("version_num", String(32)))
"""Where the migration tools keep the revision."""


def current_revision(connection: Connection) -> str | None:
    """The store's revision; None for a store without tables."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(select(alembic_version.c.version_num)).scalar()


def require_current(engine: Engine, url: URL) -> None:
    """Raises StoreNotMigrated or StoreTooNew unless the store is exactly at :data:`HEAD`."""
    path = sqlite_path(url)
    if path is not None and not path.is_file():
        raise StoreNotMigrated(
            f"{place_of(url)} does not exist yet. Start the console or the gateway, or run “store upgrade”."
        )
    with engine.connect() as connection:
        revision = current_revision(connection)
    if revision is None:
        raise StoreNotMigrated(f"{place_of(url)} is empty. Start the gateway, or run “store upgrade”.")
    if revision > HEAD:
        raise StoreTooNew(
            f"{place_of(url)} was written by a newer program (revision {revision}, this one knows {HEAD}). "
            "Install the newer version here; nothing was changed."
        )
    if revision < HEAD:
        raise StoreNotMigrated(
            f"{place_of(url)} comes from an older program (revision {revision}, needed {HEAD}). "
            "Run 'store upgrade' where the engine runs; it copies the store first."
        )
