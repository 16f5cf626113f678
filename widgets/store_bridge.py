"""From the store to Qt: a change becomes one signal, reads and writes become awaitables; the UI thread never waits.

Reads run in a small thread pool, writes one after another in a thread of their own, so that the order of an
operator's acts is kept. A cancelled read is dropped; a cancelled write that has begun is finished all the same, and
its failure is logged, because a half-known act is worse than a late one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from PySide6.QtCore import QObject, Qt, Signal, Slot
from sqlalchemy import Connection

from app.store.store import Store
from app.store.watch import ChangeWatcher

T = TypeVar("T")
READ_THREADS = 3
log = logging.getLogger(__name__)


class StoreBridge(QObject):
    """``changed`` carries a frozenset of topic names and is always emitted on the UI thread."""

    changed = Signal(object)
    _arrived = Signal(object)

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.store = store
        self._readers = ThreadPoolExecutor(READ_THREADS, thread_name_prefix="store-read")
        self._writers = ThreadPoolExecutor(1, thread_name_prefix="store-write")
        self._watcher = ChangeWatcher(store, self._arrived.emit)
        self._arrived.connect(self._on_arrived, Qt.ConnectionType.QueuedConnection)
        self._is_watching = False

    def start(self) -> None:
        """Begin to watch for changes, those of other processes included."""
        self._watcher.start()
        self._is_watching = True

    async def read(self, query: Callable[[Connection], T]) -> T:
        """The answer of ``query``, run off the UI thread in a read transaction of its own."""
        return await asyncio.wrap_future(self._readers.submit(self._read, query))

    async def write(self, job: Callable[[Connection], T]) -> T:
        """The answer of ``job`` once it is committed; raises what the job or the commit raised."""
        future = self._writers.submit(self._write, job)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if not future.cancelled():
                future.add_done_callback(_log_failure)
            raise

    def close(self) -> None:
        """Stop watching and wait for what is under way. The store itself stays open. Blocks: call it at the end."""
        if self._is_watching:
            self._watcher.stop()
            self._is_watching = False
        self._readers.shutdown(wait=True, cancel_futures=True)
        self._writers.shutdown(wait=True)

    def _read(self, query: Callable[[Connection], T]) -> T:
        with self.store.read() as connection:
            return query(connection)

    def _write(self, job: Callable[[Connection], T]) -> T:
        return self.store.write(job).result()

    @Slot(object)
    def _on_arrived(self, topics: frozenset[str]) -> None:
        self.changed.emit(topics)


def _log_failure(future: object) -> None:
    error = future.exception()  # type: ignore[attr-defined]
    if error is not None:
        log.error("A change that nobody waited for any more could not be saved: %s", error, exc_info=error)
