"""Putting a backup in the place of the store, on either database. The store as it was is kept as a copy."""

from __future__ import annotations

import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, Table, delete, insert, select, update

from app.clock import utc_now
from app.store import migrate, rawfile
from app.store.backup import Backup, create_backup, unpack
from app.store.changes import TOPICS, raise_topic, topic_versions
from app.store.columns import Base
from app.store.connect import parse_url, place_of, read_engine, sqlite_path, write_engine
from app.store.errors import StoreDamaged, StoreError, StoreLocked, StoreTooNew, StoreUnreachable, translate
from app.store.facts import set_fact
from app.store.locks import EngineLock
from app.store.portable import copy_rows, follow_keys
from app.store.recovery import set_aside
from app.store.revision import HEAD, current_revision
from app.store.tables import Change, Integration, Problem

FACT = "restored"
"""The fact that a restore leaves: ``at``, ``created_at`` of the backup, ``sign_in``: ids that need their secrets."""


@dataclass(frozen=True, slots=True)
class Restored:
    """``replaced`` is where the store as it was is kept; None where there was none."""

    backup: Backup
    replaced: Path | None


def restore_backup(
    file: Path, database_url: str, *, lock_file: Path, copies: Path, password: str | None = None
) -> Restored:
    """Verify ``file``, keep the present store in the folder ``copies``, and put the backup in its place.

    All or nothing. Raises StoreLocked while an engine runs, StoreRefused for a file that is no good backup,
    StoreTooNew for one of a newer program, StoreError for the rest.
    """
    url = parse_url(database_url)
    lock = EngineLock(database_url, lock_file, password=password)
    if not lock.acquire():
        raise StoreLocked("An engine is running on this store. Stop the gateway and every console, then restore again.")
    try:
        copies.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="restore-", dir=copies) as folder:
            return _restore(file, url, Path(folder) / "store.db", copies, password)
    except StoreError:
        raise
    except OSError as err:
        raise StoreUnreachable(f"The backup cannot be restored ({err}). The store is as it was.") from err
    except Exception as err:
        raise translate(err, place_of(url)) from err
    finally:
        lock.release()


def _restore(file: Path, url: URL, unpacked: Path, copies: Path, password: str | None) -> Restored:
    backup = unpack(file, unpacked)
    if backup.revision > HEAD:
        raise StoreTooNew(
            f"{file} was written by a newer program (revision {backup.revision}, this one knows {HEAD}). "
            "Install the newer version to restore it."
        )
    unpacked_url = URL.create("sqlite", database=str(unpacked))
    migrate.upgrade(unpacked_url.render_as_string(), copies)
    versions, replaced = _keep_present(url, copies, password)
    _mark(unpacked_url, backup, versions, replaced)
    path = sqlite_path(url)
    if path is not None:
        _replace_file(unpacked, path)
    else:
        _replace_rows(unpacked_url, url, password)
    return Restored(backup, replaced)


def _keep_present(url: URL, copies: Path, password: str | None) -> tuple[dict[str, int], Path | None]:
    """The topic versions of the store as it is, and where a copy of it is kept."""
    path = sqlite_path(url)
    if path is not None and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        return {}, None
    engine = read_engine(url, password)
    try:
        with engine.connect() as connection:
            revision = current_revision(connection)
            versions = topic_versions(connection) if revision else {}
        if revision is None:
            return {}, None
        kept = copies / f"before-restore-{utc_now():%Y%m%dT%H%M%S%fZ}.backup"
        create_backup(url.render_as_string(), kept, password=password)
        return versions, kept
    except Exception as err:
        if path is not None and isinstance(translate(err, place_of(url)), StoreDamaged):
            return {}, set_aside(path)
        raise
    finally:
        engine.dispose()


def _mark(unpacked: URL, backup: Backup, versions: dict[str, int], replaced: Path | None) -> None:
    """Say in the restored store that it is one, and move every topic on, so that open windows read it anew."""
    engine = write_engine(unpacked)
    try:
        with engine.begin() as connection:
            for topic in sorted(TOPICS):
                version = raise_topic(connection, topic)
                newer = max(version, versions.get(topic, 0) + 1)
                connection.execute(update(Change).where(Change.topic == topic).values(version=newer))
            wanted = select(Integration.id, Integration.name).where(Integration.removed_at.is_(None))
            configured = connection.execute(wanted.order_by(Integration.key)).all()
            at = utc_now()
            fact = {
                "at": at.isoformat(timespec="seconds"),
                "created_at": backup.created_at,
                "sign_in": [row.id for row in configured],
            }
            set_fact(connection, FACT, fact)
            connection.execute(
                insert(Problem).values(
                    problem_key=f"store_restored:{at:%Y%m%dT%H%M%SZ}",
                    title="The store was restored from a backup",
                    detail=describe(backup, replaced, [row.name for row in configured]),
                    fix="noted",
                    since=at,
                    changed_version=topic_versions(connection)["problems"],
                )
            )
    finally:
        engine.dispose()


def describe(backup: Backup, replaced: Path | None, names: list[str]) -> str:
    """What a restore means for the operator, and what is left to do, in a few sentences."""
    kept = f" The store as it was is kept as {replaced}." if replaced is not None else ""
    sign_in = (
        f" Backups hold no secrets: sign in again to each of these that asks for it: {', '.join(names)}."
        if names
        else ""
    )
    return f"It holds what was known at {backup.created_at}; what was received later is not in it.{kept}{sign_in}"


def _replace_file(unpacked: Path, path: Path) -> None:
    """One transaction of SQLite's own copying, so that other programs that have the file open go on with the new."""
    with rawfile.opened(unpacked) as source, rawfile.opened(path) as target:
        target.execute("PRAGMA busy_timeout=5000")
        target.execute("PRAGMA synchronous=FULL")
        source.execute("PRAGMA journal_mode=DELETE")
        if target.execute("PRAGMA journal_mode=WAL").fetchone()[0] != "wal":
            raise sqlite3.OperationalError("the file takes no write-ahead log")
        source.backup(target)
        target.execute("PRAGMA journal_mode=WAL")
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    rawfile.make_durable(path)


def _replace_rows(unpacked: URL, url: URL, password: str | None) -> None:
    """Every row of every table, in one transaction."""
    migrate.upgrade(url.render_as_string(), Path(str(unpacked.database)).parent, password=password)
    tables = list(Base.metadata.sorted_tables)
    source_engine, target_engine = read_engine(unpacked), write_engine(url, password)
    try:
        with source_engine.connect() as source, target_engine.begin() as target:
            _empty(target, tables)
            copy_rows(source, target, tables)
            follow_keys(target, tables)
    finally:
        source_engine.dispose()
        target_engine.dispose()


def _empty(connection: Connection, tables: list[Table]) -> None:
    for table in reversed(tables):
        connection.execute(delete(table))
