"""What an operator does with tanks and sensors: it holds against the settings of a source, and is recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from adapters.records import FuelSensorInfo
from app.fuel.agenda import learn, open_work
from app.fuel.calibrations import add_calibration
from app.fuel.errors import FuelError
from app.fuel.tanks import (
    bind_by_settings,
    list_sensors,
    list_tanks,
    remove_sensor,
    remove_tank,
    rename_sensor,
    replace_sensor,
    set_tank,
)
from app.fuel.vehicle_days import vehicle_span
from app.security.audit import verify_acts
from app.store.store import Store
from app.store.tables import Act
from tests.helpers.fuel_site import HOUR_MS, MINUTE_MS, START_MS, Site


@pytest.fixture
def site(store: Store) -> Site:
    return Site(store)


def acts(site: Site, what: str) -> list[Any]:
    return list(site.read(lambda c: c.execute(select(Act.__table__).where(Act.what == what)).all()))


def told(name: str, vehicle: str = "KAN-1", tank: str = "Main") -> FuelSensorInfo:
    return FuelSensorInfo(name, "rs485", "litres", name, vehicle=vehicle, tank=tank)


def where(site: Site) -> dict[str, str | None]:
    return {sensor.unique_id: sensor.tank_id for sensor in site.read(list_sensors)}


def capacity_l(site: Site) -> float:
    return site.read(lambda c: vehicle_span(c, site.vehicle, START_MS, START_MS)).capacity_l


def test_a_sensor_that_was_replaced_stays_out_though_its_settings_name_the_tank(site: Site) -> None:
    site.levels(100, 101)
    site.levels(200, 201, sensor="b")
    old, new = site.sensor(tank_id=site.tank_id), site.sensor("b")
    site.arrive(told("a"))  # named only after it was put there by hand
    site.write(lambda c: replace_sensor(c, old, new, at_ms=START_MS + MINUTE_MS, who="F"))
    site.write(bind_by_settings)
    assert where(site) == {"a": None, "b": site.tank_id}
    assert len(acts(site, "fuel_sensor.bind")) == 3
    site.arrive(told("a", "KAN-2"))  # a new wish is met
    site.write(bind_by_settings)
    assert where(site)["a"] not in (None, site.tank_id)


def test_a_removed_tank_or_sensor_leaves_nothing_that_comes_back_by_itself(site: Site) -> None:
    site.levels(100)
    sensor = site.sensor(tank_id=site.tank_id)
    site.arrive(told("a"))
    site.write(lambda c: remove_tank(c, site.tank_id, who="F"))
    site.write(bind_by_settings)
    assert where(site) == {"a": None}
    assert site.read(list_tanks) == []
    (act,) = acts(site, "tank.remove")
    assert sensor in json.dumps(act.before)
    site.write(lambda c: remove_sensor(c, sensor, who="F"))
    site.levels(99, first_ms=START_MS + HOUR_MS)
    site.write(bind_by_settings)
    assert where(site) == {"a": None}
    assert site.read(verify_acts).ok


def test_a_replacement_that_cannot_be_is_refused(site: Site) -> None:
    site.levels(100)
    site.levels(200, sensor="b")
    first = site.sensor(tank_id=site.tank_id)
    second = site.sensor("b")
    site.write(lambda c: replace_sensor(c, first, second, at_ms=START_MS + HOUR_MS))
    with pytest.raises(FuelError, match="not in its tank yet"):
        site.write(lambda c: replace_sensor(c, second, first, at_ms=START_MS))
    with pytest.raises(FuelError, match="its own place"):
        site.write(lambda c: replace_sensor(c, second, second))
    assert where(site) == {"a": None, "b": site.tank_id}


def test_a_name_is_recorded_when_it_changes_and_computes_nothing_anew(site: Site) -> None:
    site.levels(100, 101)
    sensor = site.sensor(tank_id=site.tank_id)
    site.run()
    site.write(lambda c: rename_sensor(c, sensor, " Left  tank ", who="F"))
    site.write(lambda c: rename_sensor(c, sensor, "Left tank", who="F"))
    (act,) = acts(site, "fuel_sensor.set")
    assert (act.before, act.after) == ({"name": ""}, {"name": "Left tank"})
    site.write(lambda c: set_tank(c, site.tank_id, name="Main tank"))
    site.write(lambda c: learn(c, site.now_ms))
    assert site.read(open_work) == {}


def test_tables_of_a_replaced_sensor_take_no_part_in_the_size_of_a_sum(site: Site) -> None:
    site.levels(100)
    site.levels(100, sensor="b")
    old, new = site.sensor(tank_id=site.tank_id), site.sensor("b")
    site.write(lambda c: set_tank(c, site.tank_id, capacity_l=None, combine="sum"))
    site.write(lambda c: replace_sensor(c, old, new, at_ms=START_MS + HOUR_MS))
    rows = [(0, 0), (400, 300)]
    site.write(lambda c: add_calibration(c, site.tank_id, new, rows, valid_from_ms=START_MS + HOUR_MS))
    assert capacity_l(site) == 300
