"""What the chart of a vehicle is drawn from."""

from __future__ import annotations

import numpy as np
import pytest

from adapters.records import EngineReading
from app.fuel.analyse import analyse
from app.fuel.readings import vehicle_readings
from app.fuel.settings import parameters_of
from app.fuel.tanks import add_tank
from app.store.store import Store
from tests.helpers.fuel_site import DAY_MS, MINUTE_MS, START_MS, Site
from tests.helpers.stores import sqlite_store
from widgets.fuel.reads import read_chart

__all__ = ["sqlite_store"]


def test_the_smooth_line_is_that_of_the_analysis(sqlite_store: Store) -> None:
    site = Site(sqlite_store)
    levels = [200.0 - at for at in range(60)]
    levels[30] += 10  # fuel that sloshes while driving, which is no spike
    site.levels(*levels, step_ms=MINUTE_MS)
    site.sensor(tank_id=site.tank_id)
    times = [START_MS + at * MINUTE_MS for at in range(60)]
    site.arrive(*(EngineReading("a", at_ms, engine_rpm=1_500, speed_km_h=60) for at_ms in times))
    chart = site.read(lambda c: read_chart(c, site.vehicle, START_MS, START_MS + DAY_MS))
    (tank,) = site.read(lambda c: vehicle_readings(c, site.vehicle, START_MS, START_MS + DAY_MS))
    found = analyse(tank.samples, tank.table, site.read(lambda c: parameters_of(c, site.vehicle)))
    assert chart.series["smooth"].y.tolist() == pytest.approx(found.litres_smooth.tolist())

    second = site.write(lambda c: add_tank(c, site.vehicle, name="Right", capacity_l=100))
    site.levels(*[50.0] * 60, sensor="b", step_ms=MINUTE_MS)
    site.sensor("b", tank_id=second)
    both = site.read(lambda c: read_chart(c, site.vehicle, START_MS, START_MS + DAY_MS))
    assert np.isfinite(both.series["smooth"].y).all()
    assert both.series["ignition"].y.tolist() == [1.0] * 60


def test_a_vehicle_without_a_tank_has_an_empty_chart(sqlite_store: Store) -> None:
    site = Site(sqlite_store)
    assert site.read(lambda c: read_chart(c, "nobody", START_MS, START_MS + DAY_MS)).readings == 0
