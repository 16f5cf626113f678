"""The operator at the inbox: what came, what became of it, why not, and once more."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from sqlalchemy import insert

from adapters.records import PushedMessage
from app.clock import to_ms, utc_now
from app.store.tables import Integration
from app.sync.inbox import InboxState, WantedMessages, count_inbox, keep_messages, mark_handled
from tests.helpers.qt import Console, until
from tests.helpers.sync_page import SyncDesk, sync_desk
from widgets.sync.inbox_panel import LONGEST_SHOWN, shown_body

LEFT = Qt.MouseButton.LeftButton
RECEIVER = "hook-1"


@pytest_asyncio.fixture
async def desk(console: Console) -> AsyncIterator[SyncDesk]:
    async with sync_desk(console) as made:
        yield made


def fill(desk: SyncDesk) -> None:
    """A message that waits, one that was processed and two that were not understood."""
    now = utc_now()

    def job(connection: Any) -> None:
        row = {"id": RECEIVER, "type": "webhook", "name": "Pushes of Kano", "status": "active", "config": {}}
        connection.execute(insert(Integration).values(**row, created_at=now, updated_at=now, enabled=True))
        at = to_ms(now)
        bodies = [{"type": "stock.changed", "token": "abc"}, {"type": "other"}, {"type": "odd"}, {"type": "new"}]
        messages = [
            PushedMessage(f"msg-{n}", at, at, "10.0.0.7", json.dumps(body).encode()) for n, body in enumerate(bodies)
        ]
        keep_messages(connection, RECEIVER, messages)
        mark_handled(connection, 1, InboxState.DONE, "", records=12, now_ms=at)
        for key in (2, 3):
            mark_handled(connection, key, InboxState.REFUSED, "No rule of the rules file fits.", now_ms=at)

    desk.write(job)


def counts(desk: SyncDesk) -> dict[str, int]:
    with desk.console.store.read() as connection:
        return count_inbox(connection, WantedMessages())


async def opened(desk: SyncDesk) -> Any:
    QTest.mouseClick(desk.page.tabs.button("inbox"), LEFT)
    inbox = desk.page.inbox
    await until(lambda: len(inbox.table.model.rows) == 4)
    return inbox


async def test_the_tab_counts_what_somebody_may_have_to_look_at(desk: SyncDesk) -> None:
    fill(desk)
    await until(lambda: desk.page.tabs.button("inbox").text() == "Inbox  3")
    inbox = await opened(desk)
    assert [row.message_id for row in inbox.table.model.rows] == ["msg-3", "msg-2", "msg-1", "msg-0"]
    assert inbox.shown.text() == "4 messages"


async def test_filters_are_those_of_the_counter(desk: SyncDesk) -> None:
    fill(desk)
    inbox = await opened(desk)
    inbox.states.setCurrentIndex(inbox.states.findData("refused"))
    await until(lambda: inbox.shown.text() == "2 messages")
    QTest.keyClicks(inbox.search, "msg-2 rule")
    await until(lambda: [row.message_id for row in inbox.table.model.rows] == ["msg-2"])
    assert inbox.shown.text() == "1 message"


async def test_a_message_is_opened_as_plain_text_without_its_secrets(desk: SyncDesk) -> None:
    fill(desk)
    inbox = await opened(desk)
    assert inbox.select(1)
    assert inbox.panel.isVisible()
    assert inbox.panel.pill.word == "Processed"
    assert inbox.panel.facts.text("records") == "12 records"
    assert '"type": "stock.changed"' in inbox.panel.text.toPlainText()
    assert "abc" not in inbox.panel.text.toPlainText()
    assert inbox.panel.text.isReadOnly()


async def test_one_that_was_not_understood_says_why_and_is_processed_again(desk: SyncDesk) -> None:
    fill(desk)
    inbox = await opened(desk)
    inbox.select(2)
    assert inbox.panel.refusal.words.text() == "No rule of the rules file fits."
    QTest.mouseClick(inbox.panel.again, LEFT)
    await until(lambda: counts(desk) == {"done": 1, "refused": 1, "waiting": 2})
    await until(lambda: inbox.panel.pill.word == "Waits")
    assert inbox.panel.again.isHidden()


async def test_all_that_are_shown_are_processed_again_after_the_number_was_said(
    desk: SyncDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def confirm(_page: Any, _theme: Any, title: str, *_more: Any, **_words: Any) -> bool:
        asked.append(title)
        return True

    monkeypatch.setattr("widgets.sync.acts.ask.confirm", confirm)
    fill(desk)
    inbox = await opened(desk)
    inbox.states.setCurrentIndex(inbox.states.findData("refused"))
    await until(lambda: inbox.shown.text() == "2 messages")
    QTest.mouseClick(inbox.all_again, LEFT)
    await until(lambda: counts(desk) == {"done": 1, "waiting": 3})
    assert asked == ["Process 2 messages again?"]


@pytest.mark.parametrize("text", ["no json \x00", "[" * 5_000, '{"a": ' * 2_000, "x" * 50_000])
def test_any_body_can_be_shown(text: str) -> None:
    assert len(shown_body(text)) < LONGEST_SHOWN + 100
