"""Where every driver is: from the phone, from the platform, or from a phone that nobody lists."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from adapters.records import DeviceInfo, Position
from app.alarms.subjects import read_subjects
from app.clock import from_ms
from app.deliveries.whereabouts import Errand, list_whereabouts, phone_facts
from app.fleet.devices import adopt, block
from app.fleet.errors import NotAllowed
from app.fleet.listing import list_devices
from app.fleet.queries import live_fleet
from app.fleet.statistics import fleet_statistics
from app.integrations.rows import dependents
from app.store.store import Store
from app.store.tables import DeliveryBatchRow, Device, DriverRow, Integration
from tests.helpers.dispatch import (
    HOUR_MS,
    MINUTE_MS,
    Depot,
    a_batch,
    a_driver,
    a_stop,
)
from tests.helpers.fleet import IMEI, T0_MS, a_position

PHONE = "driver-drv-1"
INFO = DeviceInfo(PHONE, name="Musa drv-1", peer_id="drv-1")
TOLD = {"accuracy_m": 12.5, "battery_percent": 41, "network": "4g", "phone": "app-1", "vehicle": "veh-1"}


@pytest.fixture
def depot(store: Store) -> Depot:
    return Depot(store)


def a_phone_fix(at_ms: int = T0_MS, **other: Any) -> Position:
    return a_position(PHONE, at_ms, **{"source": "mod4", "raw": None, "attributes": TOLD, **other})


def test_a_driver_under_way_has_a_place_a_batch_a_next_stop_and_a_vehicle(depot: Depot) -> None:
    depot.usual(a_stop("clinic-1", 1, stage="delivered"), a_stop("clinic-2", 2))
    own = depot.vehicle()
    depot.arrive(INFO, a_phone_fix(lat=9.1))
    (driver,) = depot.ask(list_whereabouts, T0_MS + MINUTE_MS)
    batch = depot.id_of(DeliveryBatchRow, "batch-1")
    assert driver.errand == Errand(batch, "Batch batch-1", 2, 1, "Clinic 2", "KAN 123 XA", own)
    assert (driver.key, driver.name, driver.availability) == (
        depot.id_of(DriverRow, "drv-1"), "Musa drv-1", "available",
    )  # fmt: skip
    assert (driver.lat, driver.fixed_ms, driver.link, driver.is_signed_in) == (9.1, T0_MS, "active", True)
    assert driver.device_key is not None
    facts = depot.ask(phone_facts, driver.device_key)
    assert (facts.accuracy_m, facts.battery_percent, facts.network) == (12.5, 41.0, "4g")
    assert (facts.name, facts.platform) == ("Tecno", "android")


def test_of_several_batches_under_way_the_one_begun_last_is_driven(depot: Depot) -> None:
    depot.usual()
    depot.arrive(a_batch("batch-2", a_stop("clinic-2", 1), started_ms=T0_MS + HOUR_MS, name="Later"))
    (driver,) = depot.ask(list_whereabouts, T0_MS)
    assert driver.errand is not None
    assert (driver.errand.name, driver.errand.others) == ("Later", 1)


def test_a_place_that_the_platform_keeps_without_a_phone_is_shown_without_a_track(depot: Depot) -> None:
    depot.arrive(a_driver(lat=9.2, lon=7.5), a_driver("drv-2", lat=9.3, lon=7.6, located_ms=T0_MS), a_driver("drv-3"))
    undated, dated, nowhere = depot.ask(list_whereabouts, T0_MS)
    assert (undated.lat, undated.fixed_ms, undated.device_key, undated.heard_ms) == (9.2, None, None, None)
    assert (dated.lon, dated.fixed_ms, dated.device_key) == (7.6, T0_MS, None)
    assert (nowhere.lat, nowhere.errand) == (None, None)


def test_a_phone_whose_driver_is_not_listed_is_somebody_until_it_is_blocked(depot: Depot) -> None:
    depot.arrive(a_driver("drv-9"), a_phone_fix())
    listed, unlisted = depot.ask(list_whereabouts, T0_MS)
    assert (listed.peer_id, listed.lat) == ("drv-9", None)
    assert (unlisted.peer_id, unlisted.name, unlisted.lat) == ("drv-1", "", 9.0765)
    assert unlisted.unique_id == PHONE
    assert unlisted.key == depot.id_of(Device, PHONE)
    depot.write(lambda connection: block(connection, PHONE))
    assert [one.peer_id for one in depot.ask(list_whereabouts, T0_MS)] == ["drv-9"]


def test_drivers_who_are_gone_and_those_of_removed_platforms_are_nowhere(depot: Depot) -> None:
    depot.arrive(a_driver(), INFO, a_phone_fix(), a_driver("drv-2"), a_position("driver-drv-7", T0_MS, source="mod4"))
    assert [one.peer_id for one in depot.ask(list_whereabouts, T0_MS)] == ["drv-1", "drv-2", "drv-7"]
    gone = update(DriverRow).where(DriverRow.peer_id == "drv-1").values(gone_at=from_ms(T0_MS))
    depot.write(lambda connection: connection.execute(gone))
    assert [one.peer_id for one in depot.ask(list_whereabouts, T0_MS)] == ["drv-2", "drv-7"]
    removed = update(Integration).where(Integration.id == "mod4-1").values(removed_at=from_ms(T0_MS))
    depot.write(lambda connection: connection.execute(removed))
    assert depot.ask(list_whereabouts, T0_MS) == []


def test_what_a_phone_says_beside_its_place_may_be_anything(depot: Depot) -> None:
    depot.arrive(a_driver(), INFO, a_phone_fix(attributes={"accuracy_m": "9", "battery_percent": True, "phone": 7}))
    (driver,) = depot.ask(list_whereabouts, T0_MS)
    assert driver.device_key is not None
    facts = depot.ask(phone_facts, driver.device_key)
    assert (facts.accuracy_m, facts.battery_percent, facts.name) == (None, None, "7")


def test_phones_are_told_apart_from_trackers_wherever_trackers_are(depot: Depot) -> None:
    depot.arrive(a_driver(), INFO, a_phone_fix())
    depot.arrive(a_position("driver-of-a-lorry"), a_position(IMEI), feed=depot.trackers)
    kinds = {row.unique_id: row.as_row()["kind"] for row in depot.ask(list_devices)}
    # The name alone makes no phone: an integration without drivers has none.
    assert kinds == {IMEI: "tracker", "driver-of-a-lorry": "tracker", PHONE: "phone"}
    assert [row.unique_id for row in depot.ask(list_devices, phones=True)] == [PHONE]
    assert {row.unique_id for row in depot.ask(list_devices, phones=False)} == {IMEI, "driver-of-a-lorry"}
    assert len(depot.ask(live_fleet, T0_MS).devices) == 0
    counts = depot.ask(fleet_statistics, T0_MS)
    assert (counts.known, counts.waiting, counts.reporting) == (0, 2, 0)
    found = depot.ask(dependents, "mod4-1")
    assert (found.devices, found.phones) == (1, 1)


def test_no_alarm_is_about_a_phone(depot: Depot) -> None:
    depot.usual()
    own = depot.vehicle()
    depot.arrive(INFO, a_phone_fix())
    assert [one.id for one in depot.ask(read_subjects).all] == [own]


def test_a_phone_is_adopted_on_no_vehicle(depot: Depot) -> None:
    depot.arrive(a_driver(), INFO, a_phone_fix())
    with pytest.raises(NotAllowed, match=r"Musa drv-1 is a driver's phone, not a tracker"):
        depot.write(lambda connection: adopt(connection, PHONE, "KAN-1"))
    assert depot.ask(list_devices, wanted=PHONE)[0].vehicle_id is None
