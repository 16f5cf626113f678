"""Engines for one store: how SQLite and PostgreSQL are opened for reading, for writing and for waiting.

The writer's transactions exclude each other across processes on both databases: ``BEGIN IMMEDIATE`` on SQLite, one
advisory lock on PostgreSQL. So ids and topic versions become visible in the order in which they were given.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, DisconnectionError, OperationalError
from sqlalchemy.pool import NullPool, QueuePool

from app.platform import is_network_path
from app.store.errors import StoreRefused

BUSY_MS = 5_000
"""How long a transaction waits for another program's before it gives up."""

_POLL_S = 0.001  # SQLite's own busy handler grows to 100 ms and would miss the pauses that a busy writer leaves
_READERS = 4
_WRITER_LOCK = 0x6269_6B6F  # "biko"


def parse_url(text: str) -> URL:
    """The address of a store, checked. Raises StoreRefused with what to write instead."""
    try:
        url = make_url(text)
    except ArgumentError as err:
        raise StoreRefused(
            "The database address cannot be read. Write sqlite:///path/to/store.db or postgresql://user@host/database."
        ) from err
    if url.get_backend_name() == "sqlite":
        return _checked_sqlite(url)
    if url.get_backend_name() == "postgresql":
        return _checked_postgresql(url)
    raise StoreRefused(f"{url.get_backend_name()} cannot hold the store. Use sqlite:///… or postgresql://….")


def _checked_sqlite(url: URL) -> URL:
    if not url.database or url.database == ":memory:" or url.query:
        raise StoreRefused("The store needs a plain file: write sqlite:///path/to/store.db.")
    path = Path(url.database).absolute()
    if is_network_path(path):
        raise StoreRefused(
            f"{path} lies on a network share, where SQLite loses data. Choose a folder on a local disk, "
            "or use PostgreSQL for several workstations."
        )
    return URL.create("sqlite", database=str(path))


def _checked_postgresql(url: URL) -> URL:
    if url.password is not None or {"password", "sslpassword"} & url.query.keys():
        raise StoreRefused(
            "A password in the database address would be stored and shown in plain text. Remove it from the address "
            "and give it through the vault, the variable PGPASSWORD, or the password file named by PGPASSFILE."
        )
    return url.set(drivername="postgresql+psycopg")


def sqlite_path(url: URL) -> Path | None:
    """The file of a SQLite store, None for a server."""
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def damage_marker(path: Path) -> Path:
    """The file beside a store that says: damage was met in use, check everything at the next start."""
    return path.with_name(path.name + ".damaged")


def place_of(url: URL) -> str:
    """How messages name the store: the file, or the server's address."""
    path = sqlite_path(url)
    return f"The store {path}" if path else f"The database {url.database} at {url.host or 'the local socket'}"


def write_engine(url: URL, password: str | None = None) -> Engine:
    """An engine of one connection whose transactions begin with the store's write lock."""
    if sqlite_path(url):
        engine = _sqlite_engine(url, pool_size=1, read_only=False)
        event.listen(engine, "begin", _begin_immediate)
    else:
        engine = _postgresql_engine(url, password, pool_size=1, read_only=False)
        event.listen(engine, "begin", _begin_locked)
    return engine


def read_engine(url: URL, password: str | None = None) -> Engine:
    """A small pool whose transactions see one snapshot and cannot write."""
    if sqlite_path(url):
        engine = _sqlite_engine(url, pool_size=_READERS, read_only=True)
        event.listen(engine, "begin", _begin_deferred)
        return engine
    return _postgresql_engine(url, password, pool_size=_READERS, read_only=True)


def single_engine(url: URL, password: str | None = None) -> Engine:
    """An engine without a pool and without transactions of its own, for watching and for locks that last."""
    if sqlite_path(url):
        return _sqlite_engine(url, pool_size=0, read_only=True)
    options = {"isolation_level": "AUTOCOMMIT", "poolclass": NullPool}
    return create_engine(url, connect_args=_postgresql_arguments(password), **options)


def _sqlite_engine(url: URL, *, pool_size: int, read_only: bool) -> Engine:
    pool: dict[str, Any] = {
        "poolclass": QueuePool,
        "pool_size": pool_size,
        "max_overflow": _READERS,
        "pool_timeout": 30,
    }
    # Without Python's own transactions, so that BEGIN IMMEDIATE is ours to send.
    arguments = {"isolation_level": None, "check_same_thread": False, "timeout": BUSY_MS / 1000}
    engine = create_engine(url, connect_args=arguments, **(pool if pool_size else {"poolclass": NullPool}))
    event.listen(engine, "connect", _pragmas(read_only=read_only))
    _follow_file(engine, Path(str(url.database)))
    return engine


def file_identity(path: Path) -> tuple[int, int] | None:
    """What tells one file from another that has taken its name; None where there is none."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def has_left_file(connection: Connection) -> bool:
    """Whether the file behind this connection has lost its name: what is written there is in no store any more."""
    file = connection.info.get("file")
    return file is not None and file_identity(Path(str(connection.engine.url.database))) != file


def _follow_file(engine: Engine, path: Path) -> None:
    """Leave a file that another process has set aside: its connections are replaced by those of the recovered one."""

    def remember(_connection: sqlite3.Connection, record: Any) -> None:
        record.info["file"] = file_identity(path)

    def compare(_connection: sqlite3.Connection, record: Any, _proxy: object) -> None:
        now = file_identity(path)
        if now is not None and now != record.info["file"]:
            raise DisconnectionError("another file has taken the name of the store")

    event.listen(engine, "connect", remember)
    event.listen(engine, "checkout", compare)


def _pragmas(*, read_only: bool) -> Callable[[sqlite3.Connection, object], None]:
    def set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
        wanted = ["synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"]
        wanted += ["wal_autocheckpoint=0"]  # the writer checkpoints after it has answered, never inside a commit
        wanted += ["fullfsync=1", "checkpoint_fullfsync=1"]  # macOS: without it fsync stops at the drive's cache
        # The mode is the file's own and lasts: only the writer sets it, so that looking changes nothing.
        wanted += ["query_only=ON"] if read_only else ["journal_mode=WAL"]
        for pragma in wanted:
            connection.execute(f"PRAGMA {pragma}")

    return set_pragmas


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _begin_immediate(connection: Connection) -> None:
    """Take SQLite's write lock, asking every millisecond so that a short pause of the other process is enough."""
    deadline_s = time.monotonic() + BUSY_MS / 1000
    connection.exec_driver_sql("PRAGMA busy_timeout=0")
    try:
        while True:
            try:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                return
            except OperationalError as err:
                name = getattr(err.orig, "sqlite_errorname", "")
                if not name.startswith("SQLITE_BUSY") or time.monotonic() > deadline_s:
                    raise
            time.sleep(_POLL_S)
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_MS}")


def _begin_locked(connection: Connection) -> None:
    connection.execute(select(func.pg_advisory_xact_lock(_WRITER_LOCK)))


def _postgresql_engine(url: URL, password: str | None, *, pool_size: int, read_only: bool) -> Engine:
    arguments = _postgresql_arguments(password)
    if read_only:
        # One snapshot per block, as on SQLite.
        arguments["options"] += " -c default_transaction_read_only=on"
        arguments["options"] += r" -c default_transaction_isolation=repeatable\ read"
    # The ping finds connections that died with a restarted server before a transaction is lost with them.
    return create_engine(url, connect_args=arguments, pool_size=pool_size, max_overflow=_READERS, pool_pre_ping=True)


def _postgresql_arguments(password: str | None) -> dict[str, Any]:
    # synchronous_commit: an acknowledged row survives a power cut whatever the server's own default is.
    # search_path: the server's own begins with a schema of the user's name, where somebody else could shadow a table.
    options = f"-c lock_timeout={BUSY_MS} -c synchronous_commit=on -c timezone=UTC -c search_path=public,pg_temp"
    arguments: dict[str, Any] = {"options": options, "connect_timeout": 5, "application_name": "biko-console"}
    if password is not None:
        arguments["password"] = password
    return arguments
