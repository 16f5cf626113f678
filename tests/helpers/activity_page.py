"""The page Activity on a store that a test fills."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from sqlalchemy import Connection, insert

from app.clock import utc_now
from app.store.logs import append_log
from app.store.tables import IntegrationLog
from tests.helpers.fleet import Feed, add_integration, make_feed
from tests.helpers.qt import Console, until
from widgets.activity.page import ActivityPage

LEFT = Qt.MouseButton.LeftButton
NOW_MS = time.time_ns() // 1_000_000


@dataclass
class Desk:
    console: Console
    page: ActivityPage
    feed: Feed

    async def write(self, job: Any) -> None:
        await self.console.context.bridge.write(job)

    async def log(self, text: str, event_type: str = "sync_success", integration_id: str | None = "gt02-1") -> None:
        await self.write(
            lambda connection: append_log(connection, event_type=event_type, text=text, integration_id=integration_id)
        )

    async def arrive(self, *records: Any) -> None:
        await asyncio.to_thread(self.feed, *records, now_ms=NOW_MS)

    async def open(self, view: str) -> None:
        QTest.mouseClick(self.page.tabs.button(view), LEFT)
        await self.settled()

    async def settled(self) -> None:
        feed = self.page.feed
        await until(lambda: feed.is_loaded and not feed._is_busy())
        assert self.console.failures == []

    def texts(self, column: str = "text") -> list[str]:
        model = self.page.feed.model
        (found,) = [one for one in model.columns if one.key == column]
        return [found.text(row) for row in model.rows]

    def sides(self) -> list[tuple[str, ...]]:
        """What the panel shows of a change: field, before, after."""
        assert self.page.panel.sides is not None
        return [tuple(cell.text().replace("\u200b", "") for cell in row) for row in self.page.panel.sides.cells]

    async def type(self, text: str) -> None:
        self.page.search.setText(text)
        QTest.keyClick(self.page.search, Qt.Key.Key_Return)
        await self.settled()

    async def choose(self, box: str, value: str) -> None:
        combo = getattr(self.page.filters, box)
        combo.setCurrentIndex(combo.findData(value))
        await self.settled()

    async def select(self, row: int) -> None:
        view = self.page.table().view
        QTest.mouseClick(view.viewport(), LEFT, pos=view.visualRect(self.page.feed.model.index(row, 1)).center())
        await until(lambda: not self.page.panel.isHidden())


def fill_log(connection: Connection, count: int) -> None:
    start = utc_now() - timedelta(minutes=count)
    kinds = ("sync_success", "sync_error", "peer_lost", "peer_returned")
    rows = [
        {
            "integration_id": "traccar-1" if number % 3 == 0 else "gt02-1",
            "event_type": kinds[number % 4],
            "payload": {"counts": {"positions": number}, "note": "<b>bold</b>"},
            "created_at": start + timedelta(minutes=number),
            "text": f"line {number:04d} of {'Kano' if number % 2 else 'Lagos'}",
        }
        for number in range(count)
    ]
    connection.execute(insert(IntegrationLog), rows)


@asynccontextmanager
async def activity_desk(console: Console) -> AsyncIterator[Desk]:
    feed = await asyncio.to_thread(make_feed, console.store)
    await asyncio.to_thread(add_integration, console.store, "traccar-1", "traccar")
    await console.context.bridge.write(lambda connection: fill_log(connection, 1_000))
    page = ActivityPage(console.context)
    page.resize(1_200, 800)
    page.show()
    desk = Desk(console, page, feed)
    await until(lambda: page.is_ready or console.failures)
    await desk.settled()
    yield desk
    page.hide()
    page.close_page()
    page.deleteLater()
