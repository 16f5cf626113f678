"""Values in trackers' messages that operators mapped: live, out of the history, and in messages without a position."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import pytest
from sqlalchemy import Connection, select

from adapters.records import DeviceStatus
from app.fleet import devices
from app.fleet.devices import list_devices
from app.fleet.errors import NotFound
from app.fuel import mappings, telematics
from app.fuel.arrays import Floats
from app.fuel.errors import FuelError
from app.fuel.mappings import (
    Reading,
    add_mapping,
    change_mapping,
    describe_mappings,
    number_in,
    suggest_mappings,
    trailing_medians,
)
from app.fuel.motion import vehicle_motion
from app.fuel.readings import vehicle_readings
from app.fuel.tanks import add_tank, list_sensors, list_tanks, remove_sensor
from app.fuel.telematics import TelematicsFollower
from app.store.store import Store
from app.store.tables import FuelReadingRow
from tests.helpers.fleet import IMEI, OTHER_IMEI, T0_MS, Feed, a_frame, a_position, make_feed

T = TypeVar("T")
MINUTE_MS = 60_000


class Site:
    def __init__(self, feed: Feed) -> None:
        self.feed, self.store = feed, feed.store
        self.follower = TelematicsFollower()

    def write(self, job: Callable[[Connection], T]) -> T:
        return self.store.write(job).result()

    def read(self, query: Callable[[Connection], T]) -> T:
        with self.store.read() as connection:
            return query(connection)

    def follow(self) -> int:
        """Step until nothing is left; returns how many steps it took."""
        for number in range(1, 100):
            if self.follower.step(self.store, T0_MS + 86_400_000) is None:
                return number
        raise AssertionError("it does not come to an end")

    def tell(self, first: int, *values: Any, device: str = IMEI, name: str = "fuelLevel", **more: Any) -> None:
        """One position a minute, from minute ``first`` on."""
        self.feed(
            *(
                a_position(device, T0_MS + (first + at) * MINUTE_MS, attributes={name: value, **more})
                for at, value in enumerate(values)
            )
        )

    def device_id(self, unique_id: str = IMEI) -> str:
        return next(one.id for one in self.read(lambda c: list_devices(c, T0_MS)) if one.unique_id == unique_id)

    def map(self, reading: Reading, unit: str = "percent", **more: Any) -> str:
        device_id = self.device_id()
        return self.write(lambda c: add_mapping(c, device_id, reading, unit=unit, who="D", **more))

    def values(self) -> list[float | None]:
        query = select(FuelReadingRow.value).order_by(FuelReadingRow.measured_at_ms)
        return list(self.read(lambda c: c.execute(query).scalars().all()))


@pytest.fixture
def site(store: Store) -> Site:
    return Site(make_feed(store))


def test_the_history_is_read_in_bounded_pieces_and_live_values_follow(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telematics, "POSITIONS_AT_ONCE", 3)
    site.tell(0, 50, 49.5, "48,5 %", 48, 47, None, 46, True)
    site.tell(0, 1, 2, device=OTHER_IMEI)
    assert site.follower.step(site.store, T0_MS) is None  # nothing is mapped, nothing is written
    site.map(Reading("fuelLevel"))
    assert site.follow() > 2
    assert site.values() == [50, 49.5, 48.5, 48, 47, 46]
    site.tell(8, 45, 44)
    site.tell(3, 99)  # a position that was stored before
    site.follow()
    assert site.values()[-2:] == [45, 44]
    (sensor,) = site.read(list_sensors)
    assert (sensor.last_value, sensor.kind, sensor.tank_id) == (44, "telematics", None)


def test_a_mapped_value_is_litres_of_a_vehicle(site: Site) -> None:
    site.tell(0, 50, 40, ignition=True)
    vehicle = site.write(lambda c: devices.adopt(c, IMEI, "KAN-1", now_ms=T0_MS))
    tank = site.write(lambda c: add_tank(c, vehicle, capacity_l=300))
    site.map(Reading("fuelLevel"), tank_id=tank)
    site.follow()
    (readings,) = site.read(lambda c: vehicle_readings(c, vehicle, T0_MS, T0_MS + 3_600_000))
    assert readings.samples.raw.tolist() == [150, 120]
    assert readings.samples.ignition.tolist() == [1, 1]
    assert readings.samples.lat.tolist() == pytest.approx([9.0765, 9.0765])
    query = select(FuelReadingRow.position_id, FuelReadingRow.raw_frame_id)
    assert all(None not in row for row in site.read(lambda c: c.execute(query).all()))
    assert len(site.read(list_tanks)[0].sensors) == 1
    (told,) = site.read(describe_mappings)
    assert (told.device, told.vehicle, told.plate, told.last_value) == (IMEI, "KAN-1", "KAN-1", 40)


def test_very_many_fixes_are_thinned_out_where_asked_and_every_reading_still_has_one(site: Site) -> None:
    site.feed(*(a_position(IMEI, T0_MS + at * 10_000, speed_km_h=float(at)) for at in range(180)))
    vehicle = site.write(lambda c: devices.adopt(c, IMEI, "KAN-1", now_ms=T0_MS))
    everything = site.read(lambda c: vehicle_motion(c, vehicle, T0_MS, T0_MS + 1_800_000))
    assert everything.speed_km_h.tolist() == list(range(180))
    some = site.read(lambda c: vehicle_motion(c, vehicle, T0_MS, T0_MS + 1_800_000, enough=60))
    assert len(some.time_s) == 60
    minutes: Floats = np.arange(30, dtype=np.float64) * 60 + T0_MS / 1000
    assert not np.isnan(some.at(minutes).speed_km_h).any()
    assert np.isnan(some.at(minutes + 7_200).speed_km_h).all()
    assert np.isnan(some.at(minutes - 7_200).lat).all()


def test_what_the_ignition_feeds_counts_while_it_is_on_only(site: Site) -> None:
    site.tell(0, 3.3, name="adc1", ignition=True)
    site.tell(1, 0.1, name="adc1", ignition=False)
    site.tell(2, 0.2, name="adc1")
    site.map(Reading("adc1", scale=1000, offset=-300, ignition_only=True), "volts")
    site.follow()
    assert site.values() == pytest.approx([3000])
    assert site.read(list_sensors)[0].kind == "analog"


def test_a_median_is_the_same_live_as_out_of_the_history(site: Site) -> None:
    told = [10.0, 90.0, 11.0, 12.0, 0.0, 13.0, 14.0]
    site.tell(0, *told[:3])
    site.map(Reading("fuelLevel", median=3))
    site.follow()
    for at, value in enumerate(told[3:], start=3):
        site.tell(at, value)
        site.follow()
    assert site.values() == trailing_medians(told, [], 3) == [10, 50, 11, 12, 11, 12, 13]


def test_a_changed_mapping_is_read_anew_from_the_beginning(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telematics, "POSITIONS_AT_ONCE", 2)
    site.tell(0, 10, 20, 30)
    sensor_id = site.map(Reading("fuelLevel"))
    site.follow()
    site.write(lambda c: change_mapping(c, sensor_id, Reading("fuelLevel", scale=2), unit="litres", who="D"))
    site.follow()
    assert site.values() == [20, 40, 60]
    assert site.read(list_sensors)[0].unit == "litres"
    with pytest.raises(FuelError, match="another sensor"):
        site.write(lambda c: change_mapping(c, sensor_id, Reading("fuel"), unit="litres"))
    site.write(lambda c: remove_sensor(c, sensor_id))
    site.tell(3, 40)
    assert site.follower.step(site.store, T0_MS) is None
    site.map(Reading("fuelLevel"))
    site.follow()
    assert site.values() == [10, 20, 30, 40]


def test_positions_without_a_believable_time_give_no_reading(site: Site) -> None:
    site.feed(a_position(fixed_at_ms=None, attributes={"fuelLevel": 5}))
    site.feed(a_position(fixed_at_ms=T0_MS + 10**9, received_at_ms=T0_MS, attributes={"fuelLevel": 6}))
    site.feed(a_position(attributes={"fuelLevel": 7}, located=False))
    site.map(Reading("fuelLevel"))
    site.follow()
    assert site.values() == [7]


def test_a_voltage_without_a_position_is_stored_with_its_message(site: Site) -> None:
    site.tell(0, 1)
    before = DeviceStatus(IMEI, T0_MS, "gt06", "information", external_v=11.0, raw=a_frame(at_ms=T0_MS))
    assert site.feed(before).fuel == 0
    site.map(Reading("external_v"), "volts")
    heartbeat = DeviceStatus(IMEI, T0_MS + 1, "gt06", "heartbeat", external_v=12.0)
    told = DeviceStatus(IMEI, T0_MS + 2, "gt06", "information", external_v=11.83, raw=a_frame(at_ms=T0_MS + 2))
    assert site.feed(heartbeat, told).fuel == 1
    assert site.feed(told).fuel == 0
    assert site.values() == [11.83]
    frame = site.read(lambda c: c.execute(select(FuelReadingRow.raw_frame_id)).scalar_one())
    assert frame is not None


def a_status(minute: int, volts: float, *, ignition: bool | None = None) -> DeviceStatus:
    at_ms = T0_MS + minute * MINUTE_MS
    raw = a_frame(at_ms=at_ms, data=f"{minute}".encode())
    return DeviceStatus(IMEI, at_ms, "gt06", "information", external_v=volts, ignition=ignition, raw=raw)


def test_a_changed_mapping_loses_no_message_without_a_position(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telematics, "POSITIONS_AT_ONCE", 2)
    site.tell(0, 1.5, 2.5, 3.5, name="external_v")
    sensor_id = site.map(Reading("external_v"), "volts")
    site.follow()
    site.feed(*(a_status(10 + at, 11.0 + at, ignition=at != 1) for at in range(5)))
    frames = select(FuelReadingRow.raw_frame_id).order_by(FuelReadingRow.measured_at_ms)
    before = site.read(lambda c: c.execute(frames).scalars().all())

    def change(reading: Reading, unit: str = "litres") -> list[float | None]:
        site.write(lambda c: change_mapping(c, sensor_id, reading, unit=unit, who="D"))
        site.follow()
        return site.values()

    assert change(Reading("external_v", scale=10, offset=1)) == [16, 26, 36, 111, 121, 131, 141, 151]
    assert site.read(lambda c: c.execute(frames).scalars().all()) == before
    assert site.read(list_sensors)[0].last_value == 151
    assert change(Reading("external_v", ignition_only=True)) == [11, None, 13, 14, 15]
    assert change(Reading("external_v", median=3)) == [1.5, 2, 2.5, 11, 11.5, 12, 13, 14]
    assert change(Reading("external_v"), "volts") == [1.5, 2.5, 3.5, 11, 12, 13, 14, 15]


def test_the_median_counts_for_messages_without_a_position_live_and_anew(site: Site) -> None:
    site.tell(0, 1)
    sensor_id = site.map(Reading("external_v", median=3), "volts")
    told = [10.0, 90.0, 11.0, 12.0, 0.0, 13.0]
    site.feed(a_status(1, told[0]))
    site.feed(a_status(3, told[2]), a_status(2, told[1]))  # of one read, the later first
    for at, volts in enumerate(told[3:], start=4):
        site.feed(a_status(at, volts))
    assert site.values() == trailing_medians(told, [], 3) == [10, 50, 11, 12, 11, 12]
    site.write(lambda c: change_mapping(c, sensor_id, Reading("external_v", scale=2, median=3), unit="counts"))
    site.follow()
    assert site.values() == [20, 100, 22, 24, 22, 24]


def test_attributes_that_look_like_fuel_are_suggested_the_likeliest_first(site: Site) -> None:
    for at in range(4):
        more: dict[str, Any] = {
            "adc1": 2.0,
            "io9": at * 10,
            "fuelUsed": at,
            "batteryLevel": 90,
            "label": "x",
            "fuel": f"{50 + at} L",
        }
        site.tell(at, 80 - at, **more)
    found = site.read(lambda c: suggest_mappings(c, site.device_id()))
    assert [(one.attribute, one.unit) for one in found] == [
        ("fuelLevel", "percent"), ("fuel", "litres"), ("adc1", "volts"), ("io9", "counts"),
    ]  # fmt: skip
    assert (found[0].newest, found[0].least, found[0].most, found[0].count) == (77, 77, 80, 4)
    assert "did not change" in found[2].why
    with pytest.raises(NotFound):
        site.read(lambda c: suggest_mappings(c, "nobody"))


@pytest.mark.parametrize(
    ("reading", "unit"),
    [
        (Reading(" "), "litres"),
        (Reading("fuel"), "gallons"),
        (Reading("fuel", scale=0), "litres"),
        (Reading("fuel", scale=float("nan")), "litres"),
        (Reading("fuel", offset=float("inf")), "litres"),
        (Reading("fuel", median=99), "litres"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(site: Site, reading: Reading, unit: str) -> None:
    site.tell(0, 1)
    with pytest.raises(FuelError):
        site.map(reading, unit)
    assert site.read(list_sensors) == []


def test_an_attribute_is_mapped_once(site: Site) -> None:
    site.tell(0, 1)
    site.map(Reading("fuelLevel"))
    with pytest.raises(FuelError, match="already"):
        site.map(Reading("fuelLevel"))


def test_killed_between_two_pieces_it_goes_on_where_it_was(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telematics, "POSITIONS_AT_ONCE", 2)
    site.tell(0, 1, 2, 3, 4, 5)
    site.map(Reading("fuelLevel"))
    assert site.follower.step(site.store, T0_MS) is not None

    def killed(*_arguments: Any) -> None:
        raise RuntimeError("killed")

    stored = site.values()
    with monkeypatch.context() as patch:
        patch.setattr(telematics, "set_fact", killed)
        with pytest.raises(RuntimeError, match="killed"):
            site.follower.step(site.store, T0_MS)
    assert site.values() == stored  # the piece went with its cursor
    site.follower = TelematicsFollower()
    site.follow()
    assert site.values() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("told", "number"),
    [(5, 5.0), ("48,5 %", 48.5), ("F=-3", -3.0), (True, None), ("empty", None), (None, None), (1e300, None),
     ("1e3", 1000.0), ("1e999", None), ("-1e999 L", None), ("9" * 400, None), ("inf", None), ("nan", None),
     (float("inf"), None), (float("nan"), None), (10**400, None), ([5], None)],
)  # fmt: skip
def test_numbers_in_attributes(told: object, number: float | None) -> None:
    assert number_in(told) == number


def test_every_unit_is_one_of_a_reading() -> None:
    assert set(mappings.UNITS) == {"counts", "percent", "litres", "volts", "millimetres"}
