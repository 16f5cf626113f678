"""A dispatcher's story at the map: a driver's phone drives, goes off line, is said to be silent, and comes back.

The whole console with its engine stands over a real platform's PostgreSQL; the driver has the app in hand.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton

from adapters.mod4.simulator import Platform
from adapters.mod4.simulator.driver import DriverApp, Fix
from adapters.mod4.simulator.places import moved
from adapters.mod4.simulator.work import device_of
from adapters.mod4.simulator.world import Batch
from main import Console
from tests.helpers.qt import until
from tests.helpers.window import add_mod4, console_on
from widgets.deliveries.page import DeliveriesPage
from widgets.map.atlas import PHONE_LIFT_PX
from widgets.map.page import MapPage
from widgets.map.side_list import DRIVERS
from widgets.map.states import VehicleState
from widgets.trackers.page import TrackersPage

LEFT = Qt.MouseButton.LeftButton
WAIT_S = 60.0
NOWHERE_NEAR = 9.9, 6.1
SPEED_M_S = 25.0
HOUR_MS = 3_600_000


class Drive:
    """A driver with the app, who goes north when told to; every step is a point of the phone."""

    def __init__(self, platform: Platform, batch: Batch) -> None:
        assert batch.driver is not None
        self.batch, self.person = batch, batch.driver
        self.fix = Fix(*NOWHERE_NEAR, 12.0, 0.0)
        self._moved_s = time.monotonic()
        self.app = DriverApp(
            platform.server, platform.database, device_of(platform.world, batch.driver), lambda: self.fix
        )

    async def begin(self, platform: Platform) -> None:
        await self.app.phone.sign_in(self.person.email, platform.world.pins[self.person.email])
        await self.app.start_shift(self.batch.vehicle_id)
        await self.app.open_batch(self.batch.id)
        await self.app.report_position()
        self._moved_s = time.monotonic()

    async def go(self, north_m: float) -> tuple[float, float]:
        """Where the driver is now. It takes its time: a lorry that leaps is not believed."""
        await asyncio.sleep(max(0.0, self._moved_s + north_m / SPEED_M_S - time.monotonic()))
        self._moved_s = time.monotonic()
        self.fix = Fix(*moved(self.fix.lat, self.fix.lng, north_m, 0.0), 12.0, 0.0)
        assert await self.app.report_position()
        return self.fix.lat, self.fix.lng


def click(button: QAbstractButton) -> None:
    assert button.isEnabled()
    QTest.mouseClick(button, LEFT)


async def map_over(console: Console, platform: Platform) -> MapPage:
    """The map, once the engine has read the platform's drivers."""
    await add_mod4(console, platform, changes=True)
    page = console.window.page
    assert isinstance(page, MapPage)
    await until(page.side.tabs.isVisible, WAIT_S)
    return page


def click_pin(page: MapPage, row: int) -> None:
    drawn = page.drivers.drawn
    px, py = page.map.viewport().to_px(drawn.x[row], drawn.y[row])
    page.map.plot.viewport().repaint()
    at = QPoint(round(float(px)), round(float(py)) - PHONE_LIFT_PX)
    QTest.mouseClick(page.map.plot.viewport(), LEFT, pos=at)


async def test_a_drivers_phone_drives_over_the_map_falls_silent_and_comes_back(
    tmp_path: Path, repaired: Platform
) -> None:
    drive = Drive(repaired, repaired.world.of("assigned")[0])
    await drive.begin(repaired)
    name = drive.person.name
    async with console_on(tmp_path / "data", page="map") as console:
        page = await map_over(console, repaired)

        def row() -> int:
            return page.drivers.row_of(page.drivers.find(name) or "")

        def is_at(place: tuple[float, float]) -> bool:
            at = row()
            return at >= 0 and abs(page.drivers.lat[at] - place[0]) + abs(page.drivers.lon[at] - place[1]) < 1e-6

        await until(lambda: is_at(NOWHERE_NEAR), WAIT_S)
        # The platform's own record of the driver comes first, with a place of unknown age; then the phone's points.
        await until(lambda: page.drivers.state[row()] == VehicleState.MOVING, WAIT_S)
        assert page.fleet.subjects == [], "a phone is no vehicle"
        assert page.nothing.isHidden()

        click(page.side.tabs.button(DRIVERS))
        QTest.keyClicks(page.side.search, name)
        QTest.keyClick(page.side.search, Qt.Key.Key_Return)
        view = page.side.drivers.view
        await until(lambda: page.side.drivers.model.rowCount() == 1)
        QTest.mouseClick(view.viewport(), LEFT, pos=view.visualRect(page.side.drivers.model.index(0)).center())
        card = page.driver_card
        assert card.isVisible()
        assert (card.name.text(), card.state_word.text()) == (name, "Moving")
        assert card.facts["batch"].text().startswith(drive.batch.name)
        assert card.facts["vehicle"].text().endswith(", without a tracker here")
        assert not card.vehicle.isEnabled()
        await until(lambda: card.facts["battery"].text() == "80 %", WAIT_S)
        assert card.facts["accuracy"].text() == "± 8 m"
        QTest.keyClick(page.side.search, Qt.Key.Key_Escape)

        there = await drive.go(80.0)
        await until(lambda: is_at(there), WAIT_S)
        await until(lambda: card.facts["place"].text() == f"{there[0]:.5f}, {there[1]:.5f}", WAIT_S)
        click(card.track)
        await until(lambda: page.tracks.track is not None and len(page.tracks.track) >= 2, WAIT_S)
        click(page.tracks.close_button)

        # Off line: what the driver does waits on the phone, and time goes by.
        drive.app.phone.go_offline()
        away = await drive.go(80.0)
        real_ms = page.now_ms
        page.now_ms = lambda: real_ms() + HOUR_MS + HOUR_MS
        await until(lambda: page.drivers.state[row()] == VehicleState.SILENT, WAIT_S)
        await until(lambda: card.state_word.text().startswith("Silent since "), WAIT_S)
        assert is_at(there)
        assert any(one.startswith(f"{name}, silent since ") for one in page.drivers.drawn.names)

        page.now_ms = real_ms
        assert await drive.app.phone.come_online()
        await until(lambda: is_at(away), WAIT_S)
        await until(lambda: card.state_word.text() == "Moving", WAIT_S)

        click(card.close_button)
        page.map.look_at(float(page.drivers.drawn.x[row()]), float(page.drivers.drawn.y[row()]), 20.0)
        click_pin(page, row())
        assert card.isVisible()
        click(card.batch)
        deliveries = console.window.page
        assert isinstance(deliveries, DeliveriesPage)
        await until(lambda: deliveries.panel.desk is not None, WAIT_S)
        assert deliveries.panel.desk is not None
        assert deliveries.panel.desk.batch.peer_id == drive.batch.id

        console.window.open_page("trackers")
        trackers = console.window.page
        assert isinstance(trackers, TrackersPage)
        await until(lambda: trackers.is_ready, WAIT_S)
        assert trackers.rows == [], "nor is it a tracker that waits for somebody"
