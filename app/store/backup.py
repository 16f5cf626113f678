"""Backups: one file, a SQLite store with a manifest in it, from and to either database.

The manifest holds the revision and, per table, the number of rows and a SHA-256 over them, so that a single wrong bit
is found. Secrets are in no table, therefore in no backup: after a restore every integration needs sign-in.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from app.clock import utc_now
from app.store import rawfile
from app.store.connect import parse_url, place_of, read_engine, sqlite_path, write_engine
from app.store.errors import StoreError, StoreNotMigrated, StoreRefused, StoreUnreachable, translate
from app.store.migrate import create_at
from app.store.portable import copy_rows, portable_tables
from app.store.rawfile import TableSum
from app.store.revision import current_revision

FORMAT = "biko-console backup 1"
_MANIFEST = "backup_manifest"


@dataclass(frozen=True, slots=True)
class Backup:
    """The manifest of a backup. ``created_at`` is ISO 8601 UTC, ``source`` the kind of database it came from."""

    revision: str
    created_at: str
    source: str
    tables: Mapping[str, TableSum]

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "revision": self.revision,
            "created_at": self.created_at,
            "source": self.source,
            "tables": {name: {"rows": table.rows, "sha256": table.sha256} for name, table in self.tables.items()},
        }


def create_backup(database_url: str, file: Path, *, password: str | None = None) -> Backup:
    """Write a backup of the store, also while it is in use, and verify it before it takes its name.

    Raises StoreRefused where ``file`` exists, another StoreError where the store cannot be read or the file not be
    written. Nothing is left behind by a failure.
    """
    url = parse_url(database_url)
    if file.exists():
        raise StoreRefused(f"{file} exists already. Choose another name; a backup never replaces a file.")
    part = file.with_name(file.name + ".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        if sqlite_path(url):
            _copy_file(url, part)
        else:
            _copy_server(url, password, part)
        manifest = _seal(part, url.get_backend_name())
        verify_backup(part)
        rawfile.make_durable(part)
        part.rename(file)
        rawfile.make_durable(file)
    except StoreError:
        raise
    except OSError as err:
        raise StoreUnreachable(f"The backup {file} cannot be written ({err}). Choose another place.") from err
    except Exception as err:
        raise translate(err, place_of(url)) from err
    finally:
        part.unlink(missing_ok=True)
    return manifest


def verify_backup(file: Path) -> Backup:
    """Read the whole backup and compare it with its manifest. Raises StoreRefused saying what does not agree."""
    if not file.is_file():
        raise StoreRefused(f"{file} does not exist. Name the file that 'backup create' has written.")
    try:
        with rawfile.opened(file, read_only=True) as connection:
            manifest = _read_manifest(connection, file)
            if not rawfile.is_sound(connection):
                raise StoreRefused(f"{file} is damaged: its structure does not hold together. Use another backup.")
            found = {name: rawfile.sum_of(connection, name) for name in _content_tables(connection)}
    except (sqlite3.Error, UnicodeError) as err:
        raise StoreRefused(f"{file} is no readable backup ({err}). Use another one.") from err
    wrong = sorted(name for name in {*manifest.tables, *found} if manifest.tables.get(name) != found.get(name))
    if wrong:
        raise StoreRefused(
            f"{file} is damaged: {', '.join(wrong)} {'does' if len(wrong) == 1 else 'do'} not agree with the "
            "manifest. Use another backup."
        )
    return manifest


def unpack(file: Path, target: Path) -> Backup:
    """A verified copy of the backup at ``target``, without the manifest, as a store at the backup's revision."""
    manifest = verify_backup(file)
    with rawfile.opened(file, read_only=True) as source, rawfile.opened(target) as copy:
        source.backup(copy)
        copy.execute(f"DROP TABLE {_MANIFEST}")
    return manifest


def _copy_file(url: URL, part: Path) -> None:
    """SQLite's online copy: one snapshot, while others go on writing."""
    engine = read_engine(url)
    try:
        with closing(engine.raw_connection()) as source, rawfile.opened(part) as copy:
            driver = source.driver_connection
            if not isinstance(driver, sqlite3.Connection):
                raise TypeError("SQLite is reached through sqlite3")
            driver.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
    finally:
        engine.dispose()


def _copy_server(url: URL, password: str | None, part: Path) -> None:
    """Row by row, in one snapshot, into a SQLite store of the same revision."""
    target_url = URL.create("sqlite", database=str(part.absolute()))
    source_engine, target_engine = read_engine(url, password), write_engine(target_url)
    try:
        with source_engine.connect() as source:
            revision = current_revision(source)
            if revision is None:
                raise StoreNotMigrated(f"{place_of(url)} is empty: there is nothing to back up.")
            create_at(target_engine, revision)
            with target_engine.begin() as target:
                copy_rows(source, target, portable_tables(source))
    finally:
        source_engine.dispose()
        target_engine.dispose()
    with rawfile.opened(part) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")


def _seal(part: Path, source: str) -> Backup:
    with rawfile.opened(part) as connection:
        names = _content_tables(connection)
        if "alembic_version" not in names:
            raise StoreNotMigrated("The store is empty: there is nothing to back up.")
        revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()[0]
        sums = {name: rawfile.sum_of(connection, name) for name in names}
        manifest = Backup(revision, f"{utc_now():%Y-%m-%dT%H:%M:%SZ}", source, sums)
        connection.execute(f"CREATE TABLE {_MANIFEST} (content TEXT NOT NULL)")
        connection.execute(f"INSERT INTO {_MANIFEST} VALUES (?)", [json.dumps(manifest.as_json())])  # noqa: S608
    return manifest


def _content_tables(connection: sqlite3.Connection) -> list[str]:
    return [name for name in rawfile.table_names(connection) if name != _MANIFEST]


def _read_manifest(connection: sqlite3.Connection, file: Path) -> Backup:
    if _MANIFEST not in rawfile.table_names(connection):
        raise StoreRefused(f"{file} is no backup of this console. Name a file that 'backup create' has written.")
    try:
        content = json.loads(connection.execute(f"SELECT content FROM {_MANIFEST}").fetchone()[0])  # noqa: S608
        if content["format"] != FORMAT:
            raise StoreRefused(f"{file} was written by a newer program. Install the newer version to read it.")
        tables = {name: TableSum(int(table["rows"]), str(table["sha256"])) for name, table in content["tables"].items()}
        return Backup(str(content["revision"]), str(content["created_at"]), str(content["source"]), tables)
    except (KeyError, TypeError, ValueError, AttributeError) as err:
        raise StoreRefused(f"{file} is damaged: its manifest cannot be read. Use another backup.") from err
