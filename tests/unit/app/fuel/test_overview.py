"""The vehicles' table: how old a level is, what it was made of, and the figures of the week."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert

from adapters.records import FuelReading, FuelSensorInfo, FuelUnit
from app.clock import from_ms
from app.fuel.overview import STALE_MS, VehicleFuel, fuel_overview
from app.fuel.tanks import add_tank, bind_sensor, set_tank
from app.fuel.vehicle_days import vehicle_span
from app.store.store import Store
from app.store.tables import FuelDay
from tests.helpers.fuel_site import DAY_MS, HOUR_MS, MINUTE_MS, START_MS, Site


@pytest.fixture
def site(store: Store) -> Site:
    return Site(store)


def seen(site: Site, now_ms: int) -> VehicleFuel:
    (vehicle,) = site.read(lambda c: fuel_overview(c, now_ms)).vehicles
    return vehicle


def bound(site: Site, unit: FuelUnit, name: str = "a", tank_id: str | None = None) -> str:
    site.arrive(FuelSensorInfo(name, "rs485", unit, name))
    sensor_id = site.sensor(name)
    site.write(lambda c: bind_sensor(c, sensor_id, tank_id or site.tank_id))
    return sensor_id


def fails(site: Site, at_ms: int, name: str = "a") -> None:
    site.arrive(FuelReading(name, at_ms, at_ms, None, status="error"))


def test_a_sensor_that_answers_with_errors_keeps_no_level_fresh(site: Site) -> None:
    bound(site, "litres")
    site.levels(200, 199)
    told_ms = START_MS + 5 * MINUTE_MS
    fails(site, told_ms + HOUR_MS)
    now_ms = told_ms + HOUR_MS + MINUTE_MS
    assert (seen(site, now_ms).at_ms, seen(site, now_ms).state) == (told_ms, "stale")
    fails(site, told_ms + STALE_MS)
    assert seen(site, told_ms + STALE_MS + MINUTE_MS).state == "silent"
    site.levels(198, first_ms=told_ms + STALE_MS + 2 * MINUTE_MS)
    assert seen(site, told_ms + STALE_MS + 3 * MINUTE_MS).state == "fresh"


def test_a_vehicle_is_as_fresh_as_its_oldest_tank(site: Site) -> None:
    bound(site, "litres")
    second = site.write(lambda c: add_tank(c, site.vehicle, name="Right", capacity_l=100))
    bound(site, "litres", "b", second)
    site.levels(200)
    assert (seen(site, START_MS).state, seen(site, START_MS).at_ms) == ("silent", None)
    site.levels(50, sensor="b", first_ms=START_MS - HOUR_MS)
    assert (seen(site, START_MS).state, seen(site, START_MS).at_ms) == ("stale", START_MS - HOUR_MS)


@pytest.mark.parametrize(("combine", "state"), [("average", "fresh"), ("sum", "silent")])
def test_a_sum_needs_all_its_sensors(site: Site, combine: str, state: str) -> None:
    site.write(lambda c: set_tank(c, site.tank_id, combine=combine))
    bound(site, "litres")
    bound(site, "litres", "b")
    site.levels(200)
    fails(site, START_MS, "b")
    assert seen(site, START_MS).state == state


def test_percent_of_an_unknown_tank_are_no_litres(site: Site) -> None:
    bound(site, "percent")
    site.levels(50)
    assert seen(site, START_MS).state == "fresh"
    site.write(lambda c: set_tank(c, site.tank_id, capacity_l=None))
    assert seen(site, START_MS).state == "uncalibrated"
    assert seen(site, START_MS).capacity_l is None


def test_the_weeks_figures_are_those_of_the_report(site: Site) -> None:
    second = site.write(lambda c: add_tank(c, site.vehicle, name="Right", capacity_l=100))
    used = {"2026-03-02": (40, 20), "2026-03-03": (30, None), "2026-03-04": (30, 15)}
    for day, litres in used.items():
        for tank_id, used_l, quality in zip((site.tank_id, second), litres, (60, 95), strict=True):
            insert_day(site, tank_id, day, used_l, quality)
    insert_day(site, second, "2026-03-05", 10, 95)
    now_ms = START_MS + 4 * DAY_MS
    vehicle = seen(site, now_ms)
    assert vehicle.used_7d_l == 40 + 20 + 30 + 15  # of the days whose use is known
    assert vehicle.per_100_km == pytest.approx(105 * 100 / 400)
    span = site.read(lambda c: vehicle_span(c, site.vehicle, START_MS, now_ms))
    assert vehicle.per_100_km == span.per_100_km(span.totals.used_l, span.totals.used_km)
    assert vehicle.quality == 95
    insert_day(site, site.tank_id, "2026-03-05", 10, 60)
    assert seen(site, now_ms).quality == 60  # the worst tank's


def insert_day(site: Site, tank_id: str, day: str, used_l: float | None, quality: int) -> None:
    row: dict[str, Any] = {
        "tank_id": tank_id, "day": day, "start_l": 100, "end_l": 100, "refuelled_l": 0, "drained_l": 0,
        "used_l": used_l, "distance_km": 200, "quality": quality, "computed_at": from_ms(START_MS),
    }  # fmt: skip
    site.write(lambda c: c.execute(insert(FuelDay).values(**row)))
