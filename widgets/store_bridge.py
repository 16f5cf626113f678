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

from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot
from sqlalchemy import Connection

from app.store.store import Store
from app.store.watch import ChangeWatcher

T = TypeVar("T")
READ_THREADS = 3
LOOK_AGAIN_MS = 20
log = logging.getLogger(__name__)


class StoreBridge(QObject):
    """``changed`` carries a frozenset of topic names; always emitted on the UI thread, with the loop running."""

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
        self._due: set[str] = set()

    def start(self) -> None:
        """Begin to watch for changes, those of other processes included."""
        self._is_watching = True
        self._watcher.start()

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
        self._due |= topics
        self._deliver()

    def _deliver(self) -> None:
        if not self._due or not self._is_watching:
            return
        if not _loop_is_running():  # Qt works off events without it before the start, and between tests
            QTimer.singleShot(LOOK_AGAIN_MS, self, self._deliver)
            return
        topics, self._due = frozenset(self._due), set()
        self.changed.emit(topics)


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _log_failure(future: object) -> None:
    error = future.exception()  # type: ignore[attr-defined]
    if error is not None:
        log.error("A change that nobody waited for any more could not be saved: %s", error, exc_info=error)
