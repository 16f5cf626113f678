"""The one writer thread of a process: jobs from everywhere, few transactions.

Jobs that arrive while a transaction runs share the next one, so that a flood pays for one fsync instead of
thousands, and a single job is committed at once. A job's future is done after the COMMIT, never before.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from app.store.connect import has_left_file
from app.store.errors import StoreClosed, StoreError, StoreLocked, StoreOverloaded

T = TypeVar("T")
Job = Callable[[Connection], T]

MAX_ROWS = 5_000
"""Rows after which a transaction is committed."""
MAX_SECONDS = 0.05
"""Seconds after which a transaction is committed."""
ROOM_ROWS = 20_000
"""Rows waiting above which the store calls itself full: stop reading from peers."""
HARD_ROWS = 10 * ROOM_ROWS
"""Rows waiting above which further jobs are refused."""

_PAUSE_S = 0.003  # three chances for the other process, which asks for the lock every millisecond
_IDLE_S = 1.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Waiting:
    run: Job[Any]
    future: Future[Any]
    on_rollback: Callable[[], None] | None
    rows: int


class _TransactionLostError(Exception):
    """The database rolled the whole transaction back under a job; ``__cause__`` is why."""


class Writer:
    """Runs jobs in the order in which they were given. ``explain`` turns a driver's error into the store's.

    ``after_commit`` and ``when_idle`` run on its thread."""

    def __init__(
        self,
        engine: Engine,
        explain: Callable[[BaseException], BaseException],
        *,
        after_commit: Callable[[], None],
        when_idle: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._explain = explain
        self._after_commit = after_commit
        self._when_idle = when_idle
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._rows = 0
        self._room: list[Future[None]] = []
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def write(self, job: Job[T], on_rollback: Callable[[], None] | None, rows: int) -> Future[T]:
        future: Future[T] = Future()
        waiting = _Waiting(job, future, on_rollback, max(rows, 1))
        with self._lock:
            refusal = self._refusal(waiting.rows)
            if refusal is None:
                self._rows += waiting.rows
                self._queue.put(waiting)
        if refusal is not None:
            future.set_exception(refusal)
        return future

    @property
    def is_full(self) -> bool:
        return self._rows >= ROOM_ROWS

    def when_room(self) -> Future[None]:
        future: Future[None] = Future()
        with self._lock:
            if self.is_full and not self._closed:
                self._room.append(future)
                return future
        future.set_result(None)
        return future

    def close(self) -> None:
        """Write what waits, then end the thread."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self._thread.join()

    def _refusal(self, rows: int) -> StoreError | None:
        if self._closed:
            return StoreClosed("The store is closed because the program is ending. Start it again to go on.")
        if self._rows + rows > HARD_ROWS and self._rows:
            return StoreOverloaded(
                f"The store cannot keep up: {self._rows} rows wait to be written. "
                "Check the disk, and what sends so much; then retry."
            )
        return None

    def _run(self) -> None:
        while True:
            try:
                first = self._queue.get(timeout=_IDLE_S)
            except queue.Empty:
                self._quietly(self._when_idle)
                continue
            if first is None:
                return
            last = self._commit_group(first)
            if last:
                return
            self._quietly(self._after_commit)
            if not self._queue.empty():
                time.sleep(_PAUSE_S)

    def _commit_group(self, first: _Waiting) -> bool:
        """One transaction. True when the end of the queue was met in it."""
        group = _Group(self._queue, first)
        done: list[tuple[_Waiting, Any]] = []
        try:
            self._transact(group, done)
        except BaseException as err:  # noqa: BLE001 - it belongs to whoever waits for the futures
            self._fail_group(group.taken, err)
        else:
            for job, result in done:
                job.future.set_result(result)
        self._release(sum(job.rows for job in group.taken))
        return group.met_end

    def _transact(self, group: _Group, done: list[tuple[_Waiting, Any]]) -> None:
        with self._engine.connect() as connection:
            try:
                with connection.begin():
                    for job in group:
                        if job.future.set_running_or_notify_cancel():
                            self._run_job(connection, job, done)
                if has_left_file(connection):
                    raise StoreLocked("The store was replaced while this was saved. Do it again.")
            except BaseException:
                # After a failed write or fsync only a new connection is known to be good.
                connection.invalidate()
                raise

    def _run_job(self, connection: Connection, job: _Waiting, done: list[tuple[_Waiting, Any]]) -> None:
        savepoint = connection.begin_nested()
        try:
            result = job.run(connection)
            savepoint.commit()
        except BaseException as err:  # noqa: BLE001 - it belongs to whoever waits for the future
            try:
                savepoint.rollback()
            except Exception:  # noqa: BLE001 - there is no savepoint left to go back to
                raise _TransactionLostError from err
            self._fail(job, self._explain(err))
        else:
            done.append((job, result))

    def _fail_group(self, jobs: list[_Waiting], error: BaseException) -> None:
        cause = error.__cause__ if isinstance(error, _TransactionLostError) else error
        reason = self._explain(cause or error)
        if not isinstance(reason, StoreError):
            _log.error("a transaction of the store failed", exc_info=reason)
        for job in jobs:
            if job.future.done():
                continue
            if job.future.running() or job.future.set_running_or_notify_cancel():
                self._fail(job, reason)

    def _fail(self, job: _Waiting, error: BaseException) -> None:
        if job.on_rollback is not None:
            self._quietly(job.on_rollback)
        job.future.set_exception(error)

    def _release(self, rows: int) -> None:
        with self._lock:
            self._rows -= rows
            waiting, self._room = ([], self._room) if self.is_full else (self._room, [])
        for future in waiting:
            if future.set_running_or_notify_cancel():
                future.set_result(None)

    @staticmethod
    def _quietly(call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:  # noqa: BLE001 - a fault of the callee must not end this thread
            _log.exception("a call of the store's writer failed")


class _Group:
    """The jobs of one transaction, taken from the queue while there is time and room. Remembers what it took."""

    def __init__(self, waiting: queue.SimpleQueue[_Waiting | None], first: _Waiting) -> None:
        self.taken = [first]
        self.met_end = False
        self._queue = waiting

    def __iter__(self) -> Iterator[_Waiting]:
        until_s = time.monotonic() + MAX_SECONDS
        rows = 0
        job: _Waiting | None = self.taken[0]
        while job is not None:
            rows += job.rows
            yield job
            if rows >= MAX_ROWS or time.monotonic() >= until_s:
                return
            job = self._next()

    def _next(self) -> _Waiting | None:
        try:
            job = self._queue.get_nowait()
        except queue.Empty:
            return None
        if job is None:
            self.met_end = True
            return None
        self.taken.append(job)
        return job
