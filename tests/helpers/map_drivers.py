"""Drivers with phones for the map: with their vehicle and far from it, fresh, old, silent, undated, unlisted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest_asyncio
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from adapters.records import DeviceInfo, Position, Record
from tests.helpers.dispatch import (
    HOUR_MS,
    MINUTE_MS,
    Depot,
    a_batch,
    a_driver,
    a_fleet_vehicle,
    a_link,
    a_phone,
    a_place,
    a_session,
    a_stop,
)
from tests.helpers.map_fleet import TOWNS, Truck, fleet_records, seat
from tests.helpers.map_page import close, open_page
from tests.helpers.qt import Console
from tests.helpers.supply import SupplyFeed
from widgets.map.atlas import PHONE_LIFT_PX
from widgets.map.page import MapPage
from widgets.map.projection import to_world
from widgets.map.states import VehicleState

BATCHES = ("Bwari north", "Kubwa morning")
NAMES = (
    "Musa Bello", "Hauwa Garba", "Emeka Obi", "Aisha Sani", "Yakubu Danladi", "Ngozi Eze", "Tunde Ade",
)  # fmt: skip


def phone_of(driver: str) -> str:
    return f"driver-{driver}"


def a_phone_info(driver: str, name: str) -> DeviceInfo:
    return DeviceInfo(phone_of(driver), name=name, peer_id=driver, model="Phone of the driver app")


def a_phone_fix(driver: str, at_ms: int, place: tuple[float, float], speed_km_h: float | None = 40.0) -> Position:
    """A point of a driver's phone, as the driver platform's adapter delivers it."""
    told: dict[str, Any] = {"phone": f"app-{driver}", "accuracy_m": 8.0, "battery_percent": 62.0, "network": "4g"}
    return Position(
        phone_of(driver), at_ms, at_ms + 900, *place, speed_km_h, 45.0, True, "mod4", peer_id=f"{driver}-{at_ms}",
        attributes=told,
    )  # fmt: skip


def a_driver_of(number: int, now_ms: int) -> list[Record]:
    """A linked driver with a trusted phone, heard a minute ago."""
    driver, user = f"drv-{number}", f"user-{number}"
    name = NAMES[number % len(NAMES)]
    return [
        a_driver(driver, name=name, phone=f"0803 555 01{number:02}"),
        a_link(f"link-{number}", user=user, driver=driver, name=name, email=f"{driver}@example.org"),
        a_phone(f"phone-{number}", user=user, device=f"app-{driver}", name="Tecno Spark 10"),
        a_session(f"session-{number}", user=user, device=f"app-{driver}", active_ms=now_ms - MINUTE_MS),
        a_phone_info(driver, name),
    ]


@dataclass
class DriversDesk:
    """The map over a depot with thirty trucks and seven drivers, and the way more takes into it."""

    console: Console
    page: MapPage
    depot: Depot
    trucks: list[Truck]
    now_ms: int

    async def arrive(self, *records: Record, feed: SupplyFeed | None = None) -> None:
        await asyncio.to_thread(partial(self.depot.arrive, *records, feed=feed))

    def row(self, driver: str) -> int:
        """The row of a driver by the platform's id; -1 for nobody."""
        return self.page.drivers.row_of(self.page.drivers.find(driver) or "")

    def state(self, driver: str) -> VehicleState:
        return VehicleState(self.page.drivers.state[self.row(driver)])

    def pixel(self, driver: str) -> QPoint:
        """The middle of the disc of a driver's pin."""
        drawn, row = self.page.drivers.drawn, self.row(driver)
        px, py = self.page.map.viewport().to_px(drawn.x[row], drawn.y[row])
        return QPoint(round(float(px)), round(float(py)) - PHONE_LIFT_PX)

    def click(self, at: QPoint) -> None:
        QTest.mouseClick(self.page.map.plot.viewport(), Qt.MouseButton.LeftButton, pos=at)

    def look(self, lat: float, lon: float, metres_per_px: float) -> None:
        x, y = to_world(lat, lon)
        self.page.map.look_at(float(x), float(y), metres_per_px)
        self.paint()

    def paint(self) -> None:
        self.page.map.plot.viewport().repaint()

    def listed(self) -> list[str]:
        """The names in the list of drivers, as they stand there."""
        model = self.page.side.drivers.model
        return [str(model.index(at).data()).split(", ")[0] for at in range(model.rowCount())]


@pytest_asyncio.fixture
async def drivers_desk(console: Console) -> AsyncIterator[DriversDesk]:
    now_ms = time.time_ns() // 1_000_000
    depot = await asyncio.to_thread(Depot, console.store)
    trucks = await asyncio.to_thread(fill_depot_map, depot, now_ms)
    made = DriversDesk(console, await open_page(console), depot, trucks, now_ms)
    yield made
    close(made.page)


def fill_depot_map(depot: Depot, now_ms: int) -> list[Truck]:
    """Thirty trucks, and the drivers of :func:`fill_drivers`, the first of them in the first truck."""
    trucks, records = fleet_records(30, now_ms)
    depot.arrive(*records, feed=depot.trackers, now_ms=now_ms)
    depot.write(lambda connection: seat(connection, trucks[:-1], "gt02-1", now_ms))
    own = next(one for one in records if isinstance(one, Position) and one.device == trucks[0].imei)
    fill_drivers(depot, trucks, (own.lat, own.lon), now_ms)
    return trucks


def fill_drivers(depot: Depot, trucks: list[Truck], with_truck: tuple[float, float], now_ms: int) -> None:
    """Seven drivers and a phone of nobody: the first two are under way in the first two trucks, one far from it."""
    records: list[Record] = [record for number in range(5) for record in a_driver_of(number, now_ms)]
    for number in (0, 1):
        plate = trucks[number].plate
        records.append(a_fleet_vehicle(f"veh-{number}", plate=plate))
        stops = a_stop("clinic-1", 1, stage="delivered"), a_stop("clinic-2", 2), a_stop("clinic-3", 3)
        carried = {"driver": f"drv-{number}", "vehicle": f"veh-{number}", "started_ms": now_ms - 2 * HOUR_MS}
        records.append(a_batch(f"batch-{number}", *stops, name=BATCHES[number], **carried))
    records += [
        a_place("clinic-1", (9.2, 7.4)),
        a_place("clinic-2", (9.3, 7.5)),
        a_place("clinic-3", (9.4, 7.6)),
        a_phone_fix("drv-0", now_ms - 20_000, with_truck, 48.0),
        a_phone_fix("drv-1", now_ms - 15_000, TOWNS["Jos"], 0.0),  # far from its vehicle
        a_phone_fix("drv-2", now_ms - 25 * MINUTE_MS, TOWNS["Sokoto"], 0.0),
        a_phone_fix("drv-3", now_ms - 3 * HOUR_MS, TOWNS["Enugu"], 30.0),
        a_phone_fix("drv-4", now_ms - 30_000, TOWNS["Makurdi"], None),
        # Nothing but a place at the platform, of unknown age; nowhere at all; and a phone that nobody lists.
        a_driver("drv-5", name=NAMES[5], lat=TOWNS["Yola"][0], lon=TOWNS["Yola"][1]),
        a_driver("drv-6", name=NAMES[6], away_on=(), is_available=False),
        a_phone_fix("9b1d7c52-77", now_ms - 40_000, TOWNS["Kaduna"], 22.0),
    ]
    # Silent since three hours: nothing else of this driver was heard after that.
    records.append(a_session("session-3", user="user-3", device="app-drv-3", active_ms=now_ms - 3 * HOUR_MS))
    records.append(a_phone("phone-3", user="user-3", device="app-drv-3", name="Itel A60", seen_ms=now_ms - 3 * HOUR_MS))
    depot.arrive(*records, now_ms=now_ms)
