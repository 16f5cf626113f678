"""Opening a vehicle-year on the fuel page: a reading and a fix a minute, beside the bare driver fetching them."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert

from adapters.records import Batch, DeviceInfo, FuelReading, FuelSensorInfo, Position
from app.fleet.devices import adopt
from app.fleet.telemetry import TelemetrySink
from app.fuel.calibrations import add_calibration
from app.fuel.tanks import add_tank, bind_sensor, list_sensors, list_tanks
from app.store import migrate
from app.store.store import Store
from app.store.tables import FuelReadingRow, PositionRow
from tests.bench.common import built_store, report, timed_ms
from tests.helpers.fleet import add_integration
from widgets.fuel.reads import read_chart

MINUTES = 525_600
START_MS = 1_735_689_600_000
PLATE, IMEI = "KAN-552XA", "860000000000001"
RUNS = 5
AT_ONCE = 20_000


def run() -> None:
    url = built_store("fuel-year", _build)
    store = Store.open(url)
    with store.read() as connection:
        (tank,) = list_tanks(connection)
    until_ms = START_MS + MINUTES * 60_000

    def open_year() -> None:
        with store.read() as connection:
            found = read_chart(connection, tank.vehicle_id, START_MS, until_ms)
        assert found.readings == MINUTES

    figures = [timed_ms(open_year) for _run in range(RUNS)]
    report(f"opening a vehicle-year, {MINUTES:,} readings and fixes", figures, "ms", target="≤ 1,000 ms")
    store.close()
    bare = [timed_ms(partial(_bare, Path(url.removeprefix("sqlite:///")))) for _run in range(RUNS)]
    report("the bare driver fetching the same rows", bare, "ms")


def _bare(path: Path) -> None:
    connection = sqlite3.connect(path)
    for query in (
        "SELECT measured_at_ms, value, temperature_c FROM fuel_readings ORDER BY sensor_key, measured_at_ms",
        "SELECT fixed_at_ms, lat, lon, speed_km_h FROM positions ORDER BY device_key, fixed_at_ms",
    ):
        connection.execute(query).fetchall()
    connection.close()


def _build(folder: Path) -> None:
    url = f"sqlite:///{folder / 'store.db'}"
    migrate.upgrade(url, folder)
    store = Store.open(url)
    fuel, trackers = add_integration(store, "fuel-1", "fuel_monitoring"), add_integration(store)
    sink = TelemetrySink(store)
    until_ms = START_MS + MINUTES * 60_000
    info = FuelSensorInfo("lls:1", "rs485", "counts", "Left")
    first = Batch([info, FuelReading("lls:1", START_MS, START_MS, 2000.0)])
    store.write(lambda c: sink.ingest(c, fuel, [first], until_ms)).result()
    fix = Position(IMEI, START_MS, START_MS, 9.0, 7.0, 0.0, 0.0, True, "gt02")
    store.write(lambda c: sink.ingest(c, trackers, [Batch([DeviceInfo(IMEI, PLATE), fix])], until_ms)).result()
    store.write(lambda c: adopt(c, IMEI, vehicle=PLATE)).result()
    with store.read() as connection:
        (sensor,) = list_sensors(connection)
    tank_id = store.write(lambda c: add_tank(c, PLATE, name="Main")).result()
    store.write(lambda c: bind_sensor(c, sensor.id, tank_id)).result()
    rows = [(0, 0), (4000, 400)]
    store.write(lambda c: add_calibration(c, tank_id, sensor.id, rows, valid_from_ms=START_MS)).result()
    draw = np.random.default_rng(5)
    for begin in range(1, MINUTES, AT_ONCE):
        minutes = np.arange(begin, min(begin + AT_ONCE, MINUTES))
        level = 2000 + 1500 * np.sin(minutes / 3000) + draw.normal(0, 20, len(minutes))
        speed = np.where(minutes % 600 < 240, 55.0, 0.0)
        readings = [
            {"sensor_key": sensor.key, "measured_at_ms": at, "received_at_ms": at, "value": value, "status": "ok"}
            for at, value in zip((START_MS + minutes * 60_000).tolist(), level.tolist(), strict=True)
        ]
        fixes = [
            {
                "device_key": 1, "fixed_at_ms": at, "received_at_ms": at, "lat": 9.0 + number * 1e-6, "lon": 7.0,
                "speed_km_h": float(fast), "course_deg": 0.0, "located": True, "marks": 0, "clock_offset_s": 0,
                "source": "gt02", "key_extra": "",
            }
            for at, number, fast in zip((START_MS + minutes * 60_000).tolist(), minutes.tolist(), speed, strict=True)
        ]  # fmt: skip
        store.write(partial(_insert, table=FuelReadingRow, rows=readings)).result()
        store.write(partial(_insert, table=PositionRow, rows=fixes)).result()
    store.close()


def _insert(
    connection: Connection, table: type[FuelReadingRow] | type[PositionRow], rows: list[dict[str, Any]]
) -> None:
    connection.execute(insert(table), rows)
