"""Opening the store and the two ways to use it: ``read`` and ``write``."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from app.store.tables import Base, Change

T = TypeVar("T")


class Store:
    """The store of one data folder. Thread-safe; all calls block, so call them off the event loop."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._jobs: queue.SimpleQueue[tuple[Callable[[Connection], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run_writer, name="store-writer", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, database_url: str) -> Self:
        """Open an existing, migrated store. Raises StoreError with the next step where it cannot."""
        engine = create_engine(database_url)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _set_pragmas)
        Base.metadata.create_all(engine)
        return cls(engine)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for one query page; no read transaction outlives the block."""
        with self.engine.connect() as connection:
            yield connection

    def write(self, job: Callable[[Connection], T]) -> Future[T]:
        """Run ``job`` in one transaction on the writer thread; the future is done after the commit."""
        future: Future[T] = Future()
        self._jobs.put((job, future))
        return future

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join()
        self.engine.dispose()

    def _run_writer(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, future = item
            try:
                with self.engine.begin() as connection:
                    result = job(connection)
            except BaseException as err:  # noqa: BLE001 - it belongs to whoever waits for the future
                future.set_exception(err)
            else:
                future.set_result(result)


def _set_pragmas(dbapi_connection: Any, _record: Any) -> None:
    cursor = dbapi_connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def raise_topic(connection: Connection, topic: str) -> int:
    """Raise a topic's version, first thing in a transaction that touches it; returns the new version."""
    statement = sqlite_insert(Change).values(topic=topic, version=1)
    statement = statement.on_conflict_do_update(index_elements=["topic"], set_={"version": Change.version + 1})
    return connection.execute(statement.returning(Change.version)).scalar_one()


def topic_versions(connection: Connection) -> dict[str, int]:
    return dict(connection.execute(select(Change.topic, Change.version)).tuples().all())
