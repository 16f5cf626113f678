"""The engine lock: one engine per store, and only its holder migrates, recovers or restores."""

from __future__ import annotations

import logging
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from app.store.connect import parse_url, place_of, single_engine, sqlite_path
from app.store.errors import StoreReadOnly, translate

_ENGINE_LOCK = 0x6269_6B65  # "bike"

_log = logging.getLogger(__name__)


class EngineLock:
    """Held by at most one process per store; the system releases it when the process dies, however it dies.

    SQLite: an exclusive lock on the file ``lock_file``. PostgreSQL: an advisory lock on a connection of its own.
    """

    def __init__(self, database_url: str, lock_file: Path, *, password: str | None = None) -> None:
        url = parse_url(database_url)
        self._place = place_of(url)
        self._file = FileLock(lock_file, thread_local=False) if sqlite_path(url) else None
        self._engine = None if self._file else single_engine(url, password)
        self._connection: Connection | None = None

    def acquire(self) -> bool:
        """Take the lock at once; False where another process (or another lock object) holds it.

        Raises StoreUnreachable where the server does not answer, StoreReadOnly where the file cannot be made.
        """
        if self._file is not None:
            return self._acquire_file(self._file)
        if self._connection is not None:
            return True
        try:
            return self._acquire_on_server()
        except DBAPIError as err:
            raise translate(err, self._place) from err

    @property
    def is_held(self) -> bool:
        """Whether the lock is still ours. PostgreSQL: asks the server, whose restart ends every lock."""
        if self._file is not None:
            return self._file.is_locked
        if self._connection is None:
            return False
        try:
            self._connection.execute(select(1))
        except DBAPIError as err:
            _log.warning("the engine lock of %s was lost: %s", self._place, err.orig)
            self._drop_connection()
            return False
        return True

    def release(self) -> None:
        """Give the lock back; nothing happens where it is not held."""
        if self._file is not None:
            self._file.release()
        elif self._connection is not None:
            self._drop_connection()

    @staticmethod
    def _acquire_file(lock: FileLock) -> bool:
        if lock.is_locked:
            return True
        try:
            Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            return False
        except OSError as err:
            raise StoreReadOnly(
                f"The lock file {lock.lock_file} cannot be written: {err.strerror or err}. Give this user the right to "
                "write the data folder, or name another one with --data-dir."
            ) from err
        return True

    def _acquire_on_server(self) -> bool:
        if self._engine is None:
            raise TypeError("a file store is locked by its file")
        connection = self._engine.connect()
        try:
            taken = connection.execute(select(func.pg_try_advisory_lock(_ENGINE_LOCK))).scalar_one()
        except BaseException:
            connection.close()
            raise
        if taken:
            self._connection = connection
        else:
            connection.close()
        return bool(taken)

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()  # without a pool this ends the session, and with it the lock
