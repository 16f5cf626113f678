from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select

from app import demo_fuel
from app.catalogue import Catalogue
from app.fuel.calibrations import list_calibrations
from app.fuel.tanks import list_sensors, list_tanks
from app.integrations import add
from app.store.store import Store
from app.store.tables import EngineReadingRow, FuelReadingRow
from tests.helpers.desks import make_desk

UNTIL_MS = 1_790_000_000_000
DAY_MS = 86_400_000


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A store in which the demo's past was written twice, as nothing of it may be doubled."""
    desk = make_desk(tmp_path_factory.mktemp("demo"))
    catalogue = Catalogue.load(third_party=list)
    ports: dict[str, dict[str, Any]] = {}
    sensors = {"lls": "1 = left tank, 2 = right tank", "slcan": "1", "elm327": "1"}
    for protocol, plate in zip(demo_fuel.PROTOCOLS, demo_fuel.PLATES, strict=True):
        port = {"protocol": protocol, "port": f"/dev/{protocol}", "vehicle": plate, "sensors": sensors[protocol]}
        ports[add(desk, demo_fuel.KEY, demo_fuel.NAMES[protocol], port)] = port
    for _again in range(2):
        asyncio.run(demo_fuel.write_history(catalogue, desk.store, ports, UNTIL_MS))
    yield desk.store
    desk.store.close()


def counted(connection: Connection, table: Any) -> tuple[int, int, int]:
    figures = (func.count(), func.min(table.measured_at_ms), func.max(table.measured_at_ms))
    row = connection.execute(select(*figures)).one()
    return row[0], row[1], row[2]


def test_two_weeks_are_there_once_and_end_where_the_demo_begins(told: Store) -> None:
    with told.read() as connection:
        count, first_ms, last_ms = counted(connection, FuelReadingRow)
        engine, _first, _last = counted(connection, EngineReadingRow)
        per_sensor = connection.execute(
            select(FuelReadingRow.sensor_key, func.count()).group_by(FuelReadingRow.sensor_key)
        ).all()
    assert last_ms == UNTIL_MS
    assert first_ms == pytest.approx(UNTIL_MS - demo_fuel.HISTORY_DAYS * DAY_MS, abs=600_000)
    assert len(per_sensor) == 4
    assert 12_000 < count < 25_000
    assert 2_000 < engine < count


def test_each_vehicle_has_its_tanks_and_each_probe_its_table(told: Store) -> None:
    with told.read() as connection:
        tanks = {(tank.plate, tank.name): tank for tank in list_tanks(connection)}
        sensors = list_sensors(connection)
        tables = {key: list_calibrations(connection, tank.id) for key, tank in tanks.items()}
    lorry, bus, car = demo_fuel.PLATES
    assert {key: tank.capacity_l for key, tank in tanks.items()} == {
        (lorry, "left tank"): 300, (lorry, "right tank"): 300, (bus, ""): 400, (car, ""): 300,
    }  # fmt: skip
    assert all(sensor.tank_id is not None for sensor in sensors)
    assert {key: len(found) for key, found in tables.items()} == {
        (lorry, "left tank"): 1, (lorry, "right tank"): 1, (bus, ""): 0, (car, ""): 0,
    }  # fmt: skip
    assert tables[lorry, "left tank"][0].table.capacity_l == 300


def test_trackers_tell_the_way_of_a_fresh_demo_and_nothing_of_a_kept_one() -> None:
    assert demo_fuel.tracker_options([], with_past=True)["history_h"] == demo_fuel.HISTORY_DAYS * 24
    assert demo_fuel.tracker_options([], with_past=False)["history_h"] == 0
    assert demo_fuel.peer_options(Path("x"), with_past=False)["history_days"] == 0
