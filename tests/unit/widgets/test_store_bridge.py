"""The bridge: changes arrive on the UI thread, reads and writes never run on it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text

from app.store.store import raise_topic
from tests.helpers.qt import Console, until


async def test_a_change_of_this_process_arrives_once_as_topics_on_the_ui_thread(console: Console) -> None:
    seen: list[tuple[frozenset[str], threading.Thread]] = []
    console.context.bridge.changed.connect(lambda topics: seen.append((topics, threading.current_thread())))
    await console.context.bridge.write(lambda connection: raise_topic(connection, "devices"))
    await until(lambda: seen)
    assert seen == [(frozenset({"devices"}), threading.main_thread())]


async def test_reads_run_off_the_ui_thread_and_the_loop_goes_on_meanwhile(console: Console) -> None:
    may_end = threading.Event()
    ran_on: list[threading.Thread] = []

    def slow(connection: Connection) -> int:
        ran_on.append(threading.current_thread())
        assert may_end.wait(5)
        return int(connection.execute(text("select 41 + 1")).scalar_one())

    reading = console.tasks.start(console.context.bridge.read(slow), name="read", owner=console)
    await until(lambda: ran_on)
    assert not reading.done()
    may_end.set()
    assert await reading == 42
    assert ran_on[0] is not threading.main_thread()


async def test_errors_of_a_query_reach_whoever_waits(console: Console) -> None:
    def broken(_connection: Connection) -> None:
        raise LookupError("no such thing")

    with pytest.raises(LookupError, match="no such thing"):
        await console.context.bridge.read(broken)
    with pytest.raises(LookupError, match="no such thing"):
        await console.context.bridge.write(broken)


async def test_writes_keep_their_order(console: Console) -> None:
    done: list[int] = []

    def job_of(number: int) -> Callable[[Connection], None]:
        return lambda _connection: done.append(number)

    await asyncio.gather(*(console.context.bridge.write(job_of(number)) for number in range(50)))
    assert done == list(range(50))


async def test_a_write_that_has_begun_is_finished_when_nobody_waits_any_more(console: Console) -> None:
    begun, may_end = threading.Event(), threading.Event()

    def job(connection: Connection) -> None:
        begun.set()
        assert may_end.wait(5)
        raise_topic(connection, "facts")

    seen: list[frozenset[str]] = []
    console.context.bridge.changed.connect(seen.append)
    writing = console.tasks.start(console.context.bridge.write(job), name="write", owner=console)
    await until(begun.is_set)
    writing.cancel()
    may_end.set()
    await until(lambda: frozenset({"facts"}) in seen)
    assert writing.cancelled()


async def test_a_cancelled_read_leaves_no_trace(console: Console) -> None:
    may_end = threading.Event()
    started = threading.Event()

    def slow(_connection: Connection) -> None:
        started.set()
        assert may_end.wait(5)

    reading = console.tasks.start(console.context.bridge.read(slow), name="read", owner=console)
    await until(started.is_set)
    reading.cancel()
    may_end.set()
    assert await console.context.bridge.read(lambda connection: connection.execute(text("select 1")).scalar()) == 1
