"""Telling this process what any process has committed: a thread that sees topics move."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError

from app.store.changes import CHANNEL, topic_versions
from app.store.connect import file_identity, single_engine, sqlite_path
from app.store.store import Store

POLL_S = 0.1
"""The longest time between a commit and the call."""

_RETRY_S = 1.0

_log = logging.getLogger(__name__)


class ChangeWatcher:
    """Calls ``on_change`` with the topics that moved since the call before, on a thread of its own.

    After a lost connection it compares versions, so nothing that was committed in between is missed.
    """

    def __init__(self, store: Store, on_change: Callable[[frozenset[str]], None]) -> None:
        self._store = store
        self._on_change = on_change
        self._versions: dict[str, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store-watcher", daemon=True)

    def start(self) -> None:
        """Begin; what is committed from now on is reported. Raises a StoreError where the store cannot be read."""
        with self._store.read() as connection:
            self._versions = topic_versions(connection)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; no call happens after this returns, unless it is made from the call itself."""
        self._stopping.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        engine = single_engine(self._store.url, self._store.password)
        file = sqlite_path(self._store.url)
        watch = partial(self._watch_file, file) if file is not None else self._watch_server
        lost = False
        try:
            while not self._stopping.is_set():
                try:
                    watch(engine)
                except DBAPIError as err:
                    if not lost:
                        _log.warning("%s cannot be watched, trying again: %s", self._store.place, err)
                    lost = True
                    self._stopping.wait(_RETRY_S)
                else:
                    lost = False
        finally:
            engine.dispose()

    def _watch_file(self, file: Path, engine: Engine) -> None:
        """SQLite: ``data_version`` moves on a connection that writes nothing itself when anybody commits.

        Returns when a recovered file has taken the place of this one, to begin anew with that.
        """
        identity = file_identity(file)
        with engine.connect() as connection:
            seen = None
            while not self._stopping.is_set():
                if (now := file_identity(file)) is not None and now != identity:
                    return
                version = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
                if version != seen:
                    seen = version
                    self._compare(connection)
                self._stopping.wait(POLL_S)

    def _watch_server(self, engine: Engine) -> None:
        """PostgreSQL: every raised topic notifies at its commit."""
        with engine.connect() as connection:
            connection.exec_driver_sql(f"LISTEN {CHANNEL}")
            self._compare(connection)
            while not self._stopping.is_set():
                if _was_notified(connection):
                    self._compare(connection)

    def _compare(self, connection: Connection) -> None:
        versions = topic_versions(connection)
        moved = frozenset(topic for topic, version in versions.items() if version != self._versions.get(topic))
        self._versions = versions
        if moved and not self._stopping.is_set():
            try:
                self._on_change(moved)
            except Exception:  # noqa: BLE001 - a fault of the callee must not end this thread
                _log.exception("a change of the store could not be passed on")


def _was_notified(connection: Connection) -> bool:
    """Wait up to :data:`POLL_S` for a notification. Raises OperationalError when the connection is lost."""
    import psycopg  # a store in a file does without it

    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("PostgreSQL is reached through psycopg")
    try:
        return any(True for _ in driver.notifies(timeout=POLL_S, stop_after=1))
    except psycopg.OperationalError as err:
        raise OperationalError("LISTEN", None, err) from err
