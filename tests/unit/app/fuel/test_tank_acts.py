"""Replacing sensors, ending and removing tables, and what a tank has behind it."""

from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import select

from adapters.records import FuelSensorInfo
from app.fleet.errors import NotFound
from app.fuel.calibrations import (
    add_calibration,
    end_calibrations,
    find_calibration,
    list_calibrations,
    remove_calibration,
)
from app.fuel.errors import FuelError
from app.fuel.readings import tank_readings
from app.fuel.tank_acts import change_tank, find_tank, make_tank, replace_in_tank, sensor_history, tank_history
from app.fuel.tanks import list_sensors, list_tanks, remove_tank
from app.store.store import Store
from app.store.tables import Act
from tests.unit.app.fuel.test_store import HOUR_MS, START_MS, TABLE, Site, calibrated, readings

CHANGE_MS = START_MS + 10 * HOUR_MS
END_MS = START_MS + 20 * HOUR_MS


@pytest.fixture
def site(store: Store) -> Site:
    return Site(store)


def with_two_sensors(site: Site) -> tuple[str, str, str]:
    """A calibrated tank that was read for ten hours, and a sensor that reads since; ids of tank, old, new."""
    tank_id = calibrated(site, (10, 2000))
    later = [one for one in readings((20, 1000), sensor="lls:2") if one.measured_at_ms > CHANGE_MS]
    site.arrive(FuelSensorInfo("lls:2", "rs485", "counts", "New"), *later)
    ids = {one.unique_id: one.id for one in site.read(list_sensors)}
    return tank_id, ids["lls:1"], ids["lls:2"]


def test_a_replaced_sensor_keeps_its_past_and_its_table_ends(site: Site) -> None:
    tank_id, old, new = with_two_sensors(site)
    site.write(lambda c: replace_in_tank(c, old, new, at_ms=CHANGE_MS + 1, who="F"))
    tank = site.read(lambda c: find_tank(c, tank_id))
    assert (tank.sensors, tank.capacity_l) == ((new,), 400)  # as large as the old table said
    (version,) = site.read(lambda c: list_calibrations(c, tank_id))
    assert version.valid_to_ms == CHANGE_MS + 1
    got = site.read(lambda c: tank_readings(c, tank, START_MS, END_MS))
    assert got.samples.raw[-1] == pytest.approx(200)  # what was measured before
    assert got.uncalibrated == ("New",)
    site.write(lambda c: add_calibration(c, tank_id, new, TABLE, valid_from_ms=CHANGE_MS + 2))
    got = site.read(lambda c: tank_readings(c, tank, START_MS, END_MS))
    assert (got.samples.raw[0], got.samples.raw[-1]) == (pytest.approx(200), pytest.approx(100))
    acts = site.read(lambda c: c.execute(select(Act.what)).scalars().all())
    assert {"calibration.end", "tank.set", "fuel_sensor.bind"} <= set(acts)


def test_the_tanks_own_table_ends_with_its_only_sensor(site: Site) -> None:
    tank_id, old, new = with_two_sensors(site)
    site.write(lambda c: add_calibration(c, tank_id, None, TABLE, valid_from_ms=START_MS))
    site.write(lambda c: replace_in_tank(c, old, new, at_ms=CHANGE_MS))
    assert [one.valid_to_ms for one in site.read(lambda c: list_calibrations(c, tank_id))] == [CHANGE_MS] * 2


def test_a_replacement_that_cannot_be_changes_nothing(site: Site) -> None:
    tank_id, old, new = with_two_sensors(site)
    with pytest.raises(FuelError, match="after that time"):
        site.write(lambda c: replace_in_tank(c, old, new, at_ms=START_MS))
    with pytest.raises(NotFound, match="in no tank"):
        site.write(lambda c: replace_in_tank(c, new, old, at_ms=CHANGE_MS))
    with pytest.raises(FuelError, match="does not take its own place"):
        site.write(lambda c: replace_in_tank(c, old, old, at_ms=CHANGE_MS))
    tank = site.read(lambda c: find_tank(c, tank_id))
    assert (tank.sensors, tank.capacity_l) == ((old,), None)
    assert site.read(lambda c: list_calibrations(c, tank_id))[-1].valid_to_ms is None


def test_an_ended_table_is_removed_and_the_one_before_ends_where_it_did(site: Site) -> None:
    tank_id, old, _new = with_two_sensors(site)
    site.write(lambda c: add_calibration(c, tank_id, old, [(0, 0), (4000, 200)], valid_from_ms=START_MS + HOUR_MS))
    site.write(lambda c: end_calibrations(c, tank_id, old, CHANGE_MS))
    site.write(lambda c: end_calibrations(c, tank_id, old, CHANGE_MS + 1))  # none holds: nothing to do
    first, second = site.read(lambda c: list_calibrations(c, tank_id))
    with pytest.raises(FuelError, match="Only the newest"):
        site.write(lambda c: remove_calibration(c, first.id, "x"))
    assert site.read(lambda c: find_calibration(c, second.id[-8:])) == (second.id, tank_id)
    site.write(lambda c: remove_calibration(c, second.id, "poured with the wrong can"))
    (left,) = site.read(lambda c: list_calibrations(c, tank_id))
    assert (left.id, left.valid_to_ms) == (first.id, CHANGE_MS)
    with pytest.raises(FuelError, match="no single"):
        site.read(lambda c: find_calibration(c, second.id))


def test_what_a_tank_and_a_sensor_have_behind_them_is_counted(site: Site) -> None:
    tank_id = calibrated(site, (3, 2000), (0.5, 1900), (4, 1900))
    (sensor,) = site.read(list_sensors)
    history = site.read(lambda c: tank_history(c, tank_id))
    assert (history.readings, history.events, history.calibrations) == (90, 1, 1)
    assert (history.first_ms, history.last_ms) == (START_MS + 300_000, START_MS + 90 * 300_000)
    assert site.read(lambda c: sensor_history(c, sensor)).readings == 90
    site.write(lambda c: remove_tank(c, tank_id, now_ms=START_MS + 40 * HOUR_MS))
    assert site.read(lambda c: tank_history(c, tank_id)).readings == 90
    empty = site.write(lambda c: make_tank(c, "KAN-552XA", name="Right", combine="sum"))
    history = site.read(lambda c: tank_history(c, empty))
    assert (history.readings, history.first_ms, history.events, history.calibrations) == (0, None, 0, 0)


def test_two_tanks_of_a_vehicle_have_two_names(site: Site) -> None:
    left = site.write(lambda c: make_tank(c, "NEW-1", name="Left", capacity_l=100))
    site.write(lambda c: make_tank(c, "NEW-1"))
    site.write(lambda c: make_tank(c, "NEW-2", name="Left"))
    for name in (" left ", ""):
        with pytest.raises(FuelError, match="already"):
            site.write(partial(make_tank, vehicle="NEW-1", name=name))
    with pytest.raises(FuelError, match="without a name"):
        site.write(lambda c: change_tank(c, left, name=""))
    site.write(lambda c: change_tank(c, left, name="LEFT", combine="sum", capacity_l=None))
    tank = site.read(lambda c: find_tank(c, left))
    assert (tank.name, tank.combine, tank.capacity_l) == ("LEFT", "sum", None)
    assert len(site.read(list_tanks)) == 3
