"""Bringing a store to this program's revision. Only the holder of the engine lock may call :func:`upgrade`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, inspect

from app.store.connect import parse_url, place_of, read_engine, sqlite_path, write_engine
from app.store.errors import StoreError, StoreRefused, StoreTooNew, translate
from app.store.revision import HEAD, current_revision

_MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What :func:`upgrade` did. ``copy`` is the verified copy of the store as it was; None for a new store."""

    before: str | None
    after: str
    copy: Path | None


def upgrade(database_url: str, copies: Path, *, password: str | None = None) -> Upgraded:
    """Create the store, or copy it into the folder ``copies`` and bring it to :data:`HEAD`.

    All steps are one transaction: a failed upgrade leaves the store as it was. Raises a StoreError; StoreTooNew where
    a newer program has written the store.
    """
    url = parse_url(database_url)
    path = sqlite_path(url)
    engine = write_engine(url, password)
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        before = None if path is not None and not path.exists() else _revision(url, password)
        if before == HEAD:
            return Upgraded(before, HEAD, None)
        if before is not None and before > HEAD:
            raise StoreTooNew(
                f"{place_of(url)} was written by a newer program (revision {before}, this one knows {HEAD}). "
                "Install the newer version here; nothing was changed."
            )
        copy = None if before is None else _verified_copy(url, password, copies, before)
        _run(engine, HEAD)
        return Upgraded(before, HEAD, copy)
    except StoreError:
        raise
    except Exception as err:
        raise translate(err, place_of(url)) from err
    finally:
        engine.dispose()


def stored_revision(database_url: str, *, password: str | None = None) -> str | None:
    """The revision a store is at; None for one that has no tables yet. Raises a StoreError."""
    url = parse_url(database_url)
    path = sqlite_path(url)
    if path is not None and not path.exists():
        return None
    try:
        return _revision(url, password)
    except Exception as err:
        raise translate(err, place_of(url)) from err


def create_at(engine: Engine, revision: str) -> None:
    """Bring an empty or older store to ``revision``; for backups, recovery and tests."""
    _run(engine, revision)


def _revision(url: URL, password: str | None) -> str | None:
    engine = read_engine(url, password)
    try:
        with engine.connect() as connection:
            revision = current_revision(connection)
            if revision is None and inspect(connection).get_table_names():
                raise StoreRefused(f"{place_of(url)} belongs to another program. Choose another file or database.")
            return revision
    finally:
        engine.dispose()


def _verified_copy(url: URL, password: str | None, copies: Path, revision: str) -> Path:
    from app.store.backup import create_backup

    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    file = copies / f"before-upgrade-from-{revision}-{stamp}.backup"
    create_backup(url.render_as_string(), file, password=password)
    return file


def _run(engine: Engine, revision: str) -> None:
    with engine.begin() as connection:
        _apply(connection, revision)


def _apply(connection: Connection, revision: str) -> None:
    """The steps up to ``revision``. Alembic is imported here: a current store never needs it."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
