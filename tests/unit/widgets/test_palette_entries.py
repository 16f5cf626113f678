"""What Ctrl+K finds in the store."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from sqlalchemy import Connection, insert

from app.clock import utc_now
from app.store.tables import Device, Vehicle
from tests.helpers.dispatch import Depot, a_driver
from tests.helpers.fleet import a_position, add_integration
from tests.helpers.qt import Console
from widgets.palette_entries import fleet_entries


def fill(connection: Connection) -> None:
    for number, (plate, name) in enumerate((("KJA-123-AB", "Cold truck 1"), ("ABJ 214 KT", ""), ("100%_A", "Odd"))):
        connection.execute(
            insert(Vehicle).values(id=f"v{number}", plate=plate, name=name, created_at=utc_now(), changed_version=1)
        )
    for number, state in enumerate(("known", "waiting", "blocked", "forgotten")):
        device = {"id": f"d{number}", "unique_id": f"35889905101276{number}", "state": state, "name": f"Box {number}"}
        common = {"integration_id": "gt02-1", "first_seen_ms": 1, "attributes": {}}
        connection.execute(insert(Device).values(**device, **common))


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("kja", ["KJA-123-AB"]),
        ("kja 123", ["KJA-123-AB"]),
        ("kja123ab", ["KJA-123-AB"]),
        ("abj-214", ["ABJ 214 KT"]),
        ("truck cold", ["KJA-123-AB"]),
        ("0%_", ["100%_A"]),
        ("%%", []),
        ("3588 9905 1012760", ["358899051012760"]),
        ("box 1", ["358899051012761"]),
        ("35889905101276", ["358899051012760", "358899051012761", "358899051012762"]),
        ("k", []),
        ("  ", []),
    ],
)
async def test_plates_names_and_imeis_are_found_however_they_are_written(
    console: Console, typed: str, found: list[str]
) -> None:
    add_integration(console.store)
    await console.context.bridge.write(fill)
    assert [entry.title for entry in await fleet_entries(console.context, typed)] == found


async def test_a_vehicle_opens_on_the_map_and_a_tracker_on_its_page(console: Console) -> None:
    add_integration(console.store)
    await console.context.bridge.write(fill)
    (vehicle,) = await fleet_entries(console.context, "KJA")
    (tracker,) = await fleet_entries(console.context, "358899051012761")
    assert tracker.detail == "Tracker waiting in the inbox"
    vehicle.act()
    tracker.act()
    assert console.opened == [("map", {"vehicle_id": "v0"}), ("trackers", {"device_id": "d1"})]


async def test_a_drivers_phone_is_no_tracker_to_be_found(console: Console) -> None:
    depot = await asyncio.to_thread(Depot, console.store)
    await asyncio.to_thread(depot.arrive, a_driver(), a_position("driver-drv-1", source="mod4"))
    await asyncio.to_thread(partial(depot.arrive, a_position("driver-lorry"), feed=depot.trackers))
    assert [entry.title for entry in await fleet_entries(console.context, "driver")] == ["driver-lorry"]
