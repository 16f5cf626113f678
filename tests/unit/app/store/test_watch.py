"""Learning what other processes committed, on both databases."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import psycopg
import pytest

from app.store.connect import sqlite_path
from app.store.facts import set_fact
from app.store.store import Store, raise_topic
from app.store.watch import ChangeWatcher


@pytest.fixture
def other(database: str) -> Iterator[Store]:
    """The same store as another process has it: engines of its own."""
    opened = Store.open(database)
    yield opened
    opened.close()


@pytest.fixture
def seen(store: Store) -> Iterator[queue.SimpleQueue[frozenset[str]]]:
    changes: queue.SimpleQueue[frozenset[str]] = queue.SimpleQueue()
    watcher = ChangeWatcher(store, changes.put)
    watcher.start()
    yield changes
    watcher.stop()


def _collect(changes: queue.SimpleQueue[frozenset[str]], wanted: set[str]) -> set[str]:
    found: set[str] = set()
    while not wanted <= found:
        found |= changes.get(timeout=10)
    return found


def test_a_commit_of_another_process_is_told_with_its_topics(
    other: Store, seen: queue.SimpleQueue[frozenset[str]]
) -> None:
    other.write(lambda c: (raise_topic(c, "positions"), raise_topic(c, "devices"))).result()
    assert _collect(seen, {"positions", "devices"}) == {"positions", "devices"}
    other.write(lambda c: raise_topic(c, "acts")).result()
    assert _collect(seen, {"acts"}) == {"acts"}


def test_a_commit_of_this_process_is_told_too(store: Store, seen: queue.SimpleQueue[frozenset[str]]) -> None:
    store.write(lambda c: raise_topic(c, "logs")).result()
    assert _collect(seen, {"logs"}) == {"logs"}


def test_what_was_rolled_back_or_raised_nothing_is_not_told(
    store: Store, seen: queue.SimpleQueue[frozenset[str]]
) -> None:
    def broken(connection: object) -> None:
        raise_topic(connection, "vehicles")  # type: ignore[arg-type]
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store.write(broken).result()
    store.write(lambda c: set_fact(c, "silent", {})).result()
    store.write(lambda c: raise_topic(c, "events")).result()
    assert seen.get(timeout=10) == {"events"}


def test_an_error_in_the_callback_does_not_end_the_watching(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    told = threading.Semaphore(0)

    def broken(_topics: frozenset[str]) -> None:
        told.release()
        raise RuntimeError("a defect of the window")

    watcher = ChangeWatcher(store, broken)
    watcher.start()
    for _ in range(2):
        store.write(lambda c: raise_topic(c, "logs")).result()
        assert told.acquire(timeout=10)
    watcher.stop()
    assert "could not be passed on" in caplog.text


def test_a_watcher_can_be_stopped_from_its_own_call(store: Store) -> None:
    stopped = threading.Event()

    def stop(_topics: frozenset[str]) -> None:
        watcher.stop()
        stopped.set()

    watcher = ChangeWatcher(store, stop)
    watcher.start()
    store.write(lambda c: raise_topic(c, "logs")).result()
    assert stopped.wait(10)
    watcher.stop()


def test_what_was_committed_while_the_connection_was_lost_is_told(
    store: Store, other: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if sqlite_path(store.url):
        pytest.skip("a file has no connection to lose")
    monkeypatch.setattr("app.store.watch._RETRY_S", 0.01)
    changes: queue.SimpleQueue[frozenset[str]] = queue.SimpleQueue()
    watcher = ChangeWatcher(store, changes.put)
    watcher.start()
    other.write(lambda c: raise_topic(c, "acts")).result()
    _collect(changes, {"acts"})
    with psycopg.connect(host=str(store.url.query["host"]), user="postgres", dbname="postgres") as admin:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        admin.execute(ended, [store.url.database])
    other.write(lambda c: raise_topic(c, "vehicles")).result()
    assert "vehicles" in _collect(changes, {"vehicles"})
    watcher.stop()
    assert "cannot be watched" in caplog.text
