"""A dispatcher's desk for tests: a console with one vehicle, its sensor, a drain and a refuel, and the fuel page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeVar

import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QPushButton
from sqlalchemy import Connection

from adapters.records import Batch, FuelReading, FuelSensorInfo
from app.clock import SystemClock
from app.fleet.telemetry import TelemetrySink
from app.fuel.calibrations import add_calibration
from app.fuel.tanks import list_tanks
from app.fuel.worker import AGAIN_S, FuelWorker
from dialogs.doors import dialogs
from tests.helpers.fleet import add_integration
from tests.helpers.qt import Console, open_dialog, until
from widgets.fuel.page import FuelPage

LEFT = Qt.MouseButton.LeftButton
HOUR_MS = 3_600_000
T = TypeVar("T")
D = TypeVar("D", bound=QDialog)


@dataclass
class Desk:
    console: Console
    page: FuelPage
    sink: TelemetrySink
    now_ms: int

    async def write(self, job: Callable[[Connection], T]) -> T:
        return await asyncio.wrap_future(self.console.store.write(job))

    async def read(self, query: Callable[[Connection], T]) -> T:
        return await self.console.context.bridge.read(query)

    async def arrive(self, *records: FuelReading | FuelSensorInfo) -> None:
        await self.write(lambda connection: self.sink.ingest(connection, "fuel-1", [Batch(records)], self.now_ms))
        await self.work()

    async def work(self) -> None:
        def run() -> None:
            worker = FuelWorker()
            while worker.step(self.console.store, self.now_ms) != AGAIN_S:
                pass

        await asyncio.to_thread(run)

    def press(self, label: str) -> None:
        """A button of the dialog that is open."""
        dialog = open_dialog()
        assert dialog is not None
        (button,) = [one for one in dialog.findChildren(QPushButton) if one.text() == label]
        QTest.mouseClick(button, LEFT)


def readings(now_ms: int, *stretches: tuple[float, float]) -> list[FuelReading]:
    """(hours, litres at the end) until now, a reading every five minutes, ten counts a litre."""
    total_h = sum(hours for hours, _end in stretches)
    at_ms, level = now_ms - round(total_h * HOUR_MS), stretches[0][1]
    found = []
    for hours, end in stretches:
        steps, begin = round(hours * 12), level
        for number in range(steps):
            at_ms += 300_000
            level = begin + (end - begin) * (number + 1) / steps
            found.append(FuelReading("lls:1", at_ms, at_ms, round(level * 10)))
    return found


async def opened(kind: type[D]) -> D:
    """The dialog of a kind, once it is open; others may stand behind it."""

    def found() -> list[D]:
        return [one for one in QApplication.topLevelWidgets() if isinstance(one, kind) and one.isVisible()]

    await until(found)
    return found()[0]


@pytest_asyncio.fixture
async def desk(console: Console) -> AsyncIterator[Desk]:
    now_ms = SystemClock().now_ms()
    await asyncio.to_thread(add_integration, console.store, "fuel-1", "fuel_monitoring")
    console.context.doors.dialogs = dialogs()
    page = FuelPage(console.context)
    page.resize(1_300, 820)
    desk = Desk(console, page, TelemetrySink(console.store), now_ms)
    info = FuelSensorInfo("lls:1", "rs485", "counts", "Left probe", model="LLS 5", vehicle="KAN-552XA", tank="Main")
    await desk.arrive(info, *readings(now_ms, (20, 200), (0.5, 160), (10, 160), (0.25, 260), (12, 260)))
    (tank,) = await desk.read(list_tanks)
    rows = [(0, 0), (4000, 400)]
    await desk.write(lambda c: add_calibration(c, tank.id, tank.sensors[0], rows, valid_from_ms=now_ms - 30 * HOUR_MS))
    await desk.work()
    page.show()
    await until(lambda: page.is_ready or console.failures)
    assert console.failures == []
    yield desk
    page.hide()
    page.close_page()
