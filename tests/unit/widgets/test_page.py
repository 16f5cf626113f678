"""When a page is asked to read, and what happens when that fails."""

from __future__ import annotations

import asyncio

import pytest
from PySide6.QtWidgets import QStackedWidget, QWidget
from pytestqt.qtbot import QtBot

from app.store.errors import StoreLocked
from app.store.store import raise_topic
from tests.helpers.qt import Console, until
from widgets.page import Page


class ReadingPage(Page):
    key = "reading"
    title = "Reading"
    icon = "list"
    topics = frozenset({"devices", "vehicles"})

    def __init__(self, console: Console) -> None:
        super().__init__(console.context)
        self.reads: list[frozenset[str]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.errors: list[Exception] = []

    async def refresh(self, topics: frozenset[str]) -> None:
        self.reads.append(topics)
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop()


@pytest.fixture
async def page(console: Console, qtbot: QtBot) -> ReadingPage:
    made = ReadingPage(console)
    qtbot.addWidget(made)
    return made


async def move(console: Console, *topics: str) -> None:
    for topic in topics:
        await console.context.bridge.write(lambda connection, topic=topic: raise_topic(connection, topic))  # type: ignore[misc]


BOTH = frozenset({"devices", "vehicles"})


async def test_the_first_showing_reads_everything_and_later_only_what_moved(
    page: ReadingPage, console: Console
) -> None:
    assert not page.is_ready
    page.show()
    await until(lambda: page.is_ready)
    await move(console, "logs", "devices")
    await until(lambda: len(page.reads) == 2)
    assert page.reads == [BOTH, frozenset({"devices"})]
    page.close_page()


async def test_what_moves_while_hidden_is_read_when_shown_again(page: ReadingPage, console: Console) -> None:
    stack = QStackedWidget()
    stack.addWidget(page)
    other = QWidget()
    stack.addWidget(other)
    stack.show()
    await until(lambda: page.is_ready)
    stack.setCurrentWidget(other)
    heard: list[object] = []
    console.context.bridge.changed.connect(heard.append)
    await move(console, "vehicles")
    await until(lambda: heard)
    assert len(page.reads) == 1
    stack.setCurrentWidget(page)
    await until(lambda: len(page.reads) == 2)
    assert page.reads[1] == frozenset({"vehicles"})
    page.close_page()
    page.setParent(None)
    stack.close()


async def test_one_read_at_a_time_and_what_moves_meanwhile_waits(page: ReadingPage, console: Console) -> None:
    page.gate.clear()
    page.show()
    await until(lambda: page.reads)
    page._on_changed(frozenset({"devices"}))
    page._on_changed(frozenset({"vehicles"}))
    page._on_changed(frozenset({"devices"}))
    assert len(page.reads) == 1
    page.gate.set()
    await until(lambda: page.refresh_count == 2)
    assert page.reads == [BOTH, BOTH]
    page.close_page()


async def test_a_locked_store_is_said_once_and_the_read_is_tried_again(page: ReadingPage, console: Console) -> None:
    page._retry.setInterval(20)
    page.errors.append(StoreLocked("Another program keeps the store locked. Close it, then retry."))
    page.show()
    await until(lambda: page.is_ready)
    assert page.reads == [BOTH, BOTH]
    assert console.notes == [
        ("warn", "Reading shows older data: Another program keeps the store locked. Close it, then retry.")
    ]
    page.close_page()


async def test_a_defect_reaches_the_reporter_and_the_next_change_reads_again(
    page: ReadingPage, console: Console
) -> None:
    page.errors.append(ZeroDivisionError("a defect"))
    page.show()
    await until(lambda: console.failures)
    ((where, error),) = console.failures
    console.failures.clear()
    assert where == "reading: refresh"
    assert isinstance(error, ZeroDivisionError)
    await move(console, "devices")
    await until(lambda: page.is_ready)
    assert page.reads[-1] == BOTH
    page.close_page()


async def test_closing_ends_the_pages_work(page: ReadingPage, console: Console) -> None:
    page.gate.clear()
    page.show()
    await until(lambda: page.reads)
    page.close_page()
    await until(lambda: len(console.tasks) == 0)
    await move(console, "devices")
    assert len(page.reads) == 1
