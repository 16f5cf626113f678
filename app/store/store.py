"""Opening the store and the two ways to use it: ``read`` and ``write``."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError

from app.store.changes import TOPICS, raise_topic, topic_versions
from app.store.connect import damage_marker, parse_url, place_of, read_engine, sqlite_path, write_engine
from app.store.errors import StoreDamaged, StoreError, translate
from app.store.revision import require_current
from app.store.writer import Writer

__all__ = ["TOPICS", "Store", "StoreError", "raise_topic", "topic_versions"]

T = TypeVar("T")

_CHECKPOINT_S = 2.0  # between passive checkpoints while busy
_LONG_LOG_BYTES = 4_000_000  # a write-ahead log worth truncating when idle

_log = logging.getLogger(__name__)


class Store:
    """The store of one data folder. Thread-safe; all calls block, so call them off the event loop."""

    def __init__(self, url: URL, readers: Engine, writer: Engine, password: str | None = None) -> None:
        self.url = url
        self.password = password
        self.place = place_of(url)
        self.engine = readers
        self._write_engine = writer
        self._file = sqlite_path(url)
        self._checkpointed_s = time.monotonic()
        self._writer = Writer(
            writer, self._explained, after_commit=self._checkpoint_now_and_then, when_idle=self._truncate_log
        )

    @classmethod
    def open(cls, database_url: str, *, password: str | None = None) -> Self:
        """Open an existing, migrated store. Raises a StoreError with the next step where it cannot.

        ``password`` is a server's, from the vault; it never travels in the address.
        """
        url = parse_url(database_url)
        readers, writer = read_engine(url, password), write_engine(url, password)
        try:
            require_current(readers, url)
        except BaseException as err:
            readers.dispose()
            writer.dispose()
            raise translate(err, place_of(url)) from err
        return cls(url, readers, writer, password)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for one query page: one snapshot, no writing, and nothing of it outlives the block."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except DBAPIError as err:
            raise self._explained(err) from err

    def write(
        self, job: Callable[[Connection], T], *, on_rollback: Callable[[], None] | None = None, rows: int = 1
    ) -> Future[T]:
        """Run ``job`` on the writer thread, in a transaction that it may share with other jobs.

        The future is done after the commit. ``job`` stands in a savepoint of its own: when it raises, its work alone
        is undone and the future fails with that error; when the commit fails, the future fails with a StoreError. In
        both cases ``on_rollback`` is called first, on the writer thread. ``rows`` is about how many rows the job
        writes. A job must not wait for another write.
        """
        return self._writer.write(job, on_rollback, rows)

    @property
    def is_full(self) -> bool:
        """True while more waits to be written than is good: stop reading from peers."""
        return self._writer.is_full

    def when_room(self) -> Future[None]:
        """A future that is done as soon as the store is not full; await it with ``asyncio.wrap_future``."""
        return self._writer.when_room()

    def close(self) -> None:
        """Write what waits, then close. Later writes fail with StoreClosed."""
        self._writer.close()
        self._checkpoint("TRUNCATE")
        self.engine.dispose()
        self._write_engine.dispose()

    def _explained(self, error: BaseException) -> BaseException:
        """The error as a StoreError where it is one. Damage leaves a marker, so that the next start looks for it."""
        reason = translate(error, self.place)
        if isinstance(reason, StoreDamaged) and self._file is not None:
            with suppress(OSError):
                damage_marker(self._file).touch()
        return reason

    def _checkpoint_now_and_then(self) -> None:
        if time.monotonic() - self._checkpointed_s >= _CHECKPOINT_S:
            self._checkpoint("PASSIVE")

    def _truncate_log(self) -> None:
        if self._file is not None and _size(Path(f"{self._file}-wal")) >= _LONG_LOG_BYTES:
            self._checkpoint("TRUNCATE")

    def _checkpoint(self, mode: str) -> None:
        """Move the write-ahead log into the file, without ever waiting for anybody."""
        if self._file is None:
            return
        self._checkpointed_s = time.monotonic()
        raw = self._write_engine.raw_connection()
        try:
            cursor = raw.cursor()
            cursor.execute("PRAGMA busy_timeout=0")
            cursor.execute(f"PRAGMA wal_checkpoint({mode})")
            cursor.fetchall()
            cursor.execute("PRAGMA busy_timeout=5000")
            cursor.close()
        except Exception as err:  # noqa: BLE001 - the log only stays longer; writing is what reports a sick disk
            raw.invalidate()
            _log.debug("checkpoint of %s postponed: %s", self.place, err)
        finally:
            raw.close()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
