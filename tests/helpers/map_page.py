"""The map page on a real store with a small fleet, for the tests of its several subjects."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from sqlalchemy import Connection

from adapters.records import Batch
from dialogs.map_layers import map_layers
from tests.helpers.fleet import Feed
from tests.helpers.map_fleet import TOWNS, Truck, make_fleet, seat
from tests.helpers.qt import Console, until
from widgets.map.page import MapPage
from widgets.map.projection import to_degrees, to_world

KANO = (*TOWNS["Kano"], 90.0)
ENUGU = (*TOWNS["Enugu"], 0.0)


@dataclass
class Desk:
    """The page on a real store with a small fleet, and the way new telemetry takes into it."""

    console: Console
    page: MapPage
    feed: Feed
    trucks: list[Truck]
    now_ms: int

    def key(self, number: int) -> str:
        return self.trucks[number].vehicle_id

    async def arrive(self, *records: object) -> None:
        await asyncio.to_thread(self.feed.batches, [Batch(tuple(records))], self.now_ms)  # type: ignore[arg-type]
        # As the engine does every second; states are written at most that often.
        await asyncio.wrap_future(
            self.console.store.write(lambda connection: self.feed.sink.flush(connection, self.now_ms + 60_000))
        )

    def row(self, number: int) -> int:
        return self.page.fleet.row_of(self.key(number))

    def pixel(self, number: int) -> QPoint:
        drawn = self.page.fleet.drawn
        px, py = self.page.map.viewport().to_px(drawn.x[self.row(number)], drawn.y[self.row(number)])
        return QPoint(round(float(px)), round(float(py)))

    def click(self, at: QPoint) -> None:
        QTest.mouseClick(self.page.map.plot.viewport(), Qt.MouseButton.LeftButton, pos=at)

    def near(self, number: int, north: float, course: float = 90.0) -> tuple[float, float, float]:
        """A place that many degrees north of where a truck is."""
        row, drawn = self.row(number), self.page.fleet.drawn
        lat, lon = to_degrees(drawn.x[row], drawn.y[row])
        return float(lat) + north, float(lon), course

    def look(self, lat: float, lon: float, metres_per_px: float) -> None:
        x, y = to_world(lat, lon)
        self.page.map.look_at(float(x), float(y), metres_per_px)
        self.paint()

    async def seat(self, truck: Truck, integration_id: str) -> None:
        await seat_in(self.console, truck, integration_id)

    def paint(self) -> None:
        """Paint now. Never by processEvents: it would step other tasks inside the test's own."""
        self.page.map.plot.viewport().repaint()


async def seat_in(console: Console, truck: Truck, integration_id: str) -> None:
    def job(connection: Connection) -> None:
        seat(connection, [truck], integration_id, time.time_ns() // 1_000_000)

    await asyncio.wrap_future(console.store.write(job))


async def open_page(console: Console) -> MapPage:
    console.context.doors.dialogs = {"map_layers": map_layers}
    page = MapPage(console.context)
    page.resize(1072, 800)
    page.show()
    await until(lambda: page.refresh_count > 0 or console.failures)
    assert console.failures == []
    return page


def close(page: MapPage) -> None:
    page.hide()
    page.close_page()
    page.deleteLater()


@pytest_asyncio.fixture
async def desk(console: Console) -> AsyncIterator[Desk]:
    now_ms = time.time_ns() // 1_000_000
    feed, trucks = await asyncio.to_thread(make_fleet, console.store, 30, now_ms)
    page = await open_page(console)
    yield Desk(console, page, feed, trucks, now_ms)
    close(page)
