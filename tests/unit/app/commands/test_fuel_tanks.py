"""``fuel tanks``, ``fuel sensors``, ``fuel calibrations``: a depot's tanks without a window."""

from __future__ import annotations

from contextlib import closing

import pytest

from adapters.records import Batch, FuelReading, FuelSensorInfo
from app.clock import SystemClock
from app.fleet.telemetry import TelemetrySink
from app.fuel.calibrations import add_calibration
from app.paths import Paths
from app.store.store import Store
from tests.helpers.command_line import CommandLine, assert_refused
from tests.helpers.fleet import add_integration

HOUR_MS = 3_600_000


@pytest.fixture
def site(cli: CommandLine) -> CommandLine:
    """Two sensors that wait; the first told something an hour ago."""
    now_ms = SystemClock().now_ms()
    with closing(Store.open(Paths(cli.data_dir).store_url)) as store:
        add_integration(store, "fuel-1", "fuel_monitoring")
        sink = TelemetrySink(store)
        records = (
            FuelSensorInfo("lls:1", "rs485", "counts", "Left"),
            FuelReading("lls:1", now_ms - HOUR_MS, now_ms, 1000),
            FuelSensorInfo("lls:2", "rs485", "counts", "Spare"),
        )
        store.write(lambda c: sink.ingest(c, "fuel-1", [Batch(records)], now_ms)).result()
    return cli


def calibrate(cli: CommandLine, tank_id: str, sensor_id: str, hours_ago: int) -> None:
    from_ms = SystemClock().now_ms() - hours_ago * HOUR_MS
    with closing(Store.open(Paths(cli.data_dir).store_url)) as store:
        rows = [(0, 0), (4000, 400)]
        store.write(lambda c: add_calibration(c, tank_id, sensor_id, rows, valid_from_ms=from_ms)).result()


def in_a_tank(site: CommandLine) -> tuple[str, str]:
    """The first sensor in a tank with two versions of a table; ids of both."""
    (tank,) = site("fuel", "tanks", "add", "KAN-1", "--name", "Main", "--json").json
    (sensor,) = site("fuel", "sensors", "bind", "lls:1", tank["id"][-8:], "--json").json
    for hours_ago in (9, 5):
        calibrate(site, tank["id"], sensor["id"], hours_ago)
    return tank["id"], sensor["id"]


def test_a_tank_is_added_changed_and_removed(site: CommandLine) -> None:
    (tank,) = site(
        "fuel", "tanks", "add", "KAN-1", "--name", "Left", "--capacity", "200", "--combine", "sum", "--json"
    ).json
    assert (tank["vehicle"], tank["name"], tank["capacity_l"], tank["combine"]) == ("KAN-1", "Left", 200, "sum")
    assert_refused(site("fuel", "tanks", "add", "KAN-1", "--name", "left"), "already")
    (tank,) = site("fuel", "tanks", "set", tank["id"][-8:], "--capacity", "0", "--fuel", "petrol", "--json").json
    assert (tank["capacity_l"], tank["fuel"]) == (None, "petrol")
    assert site("fuel", "tanks", "set", tank["id"]).status == 2
    assert_refused(site("fuel", "tanks", "set", "zzz", "--name", "x"), "zzz")
    assert "Left" in site("fuel", "tanks", "list").out
    assert site("fuel", "tanks", "remove", tank["id"], "--json").json == [tank]
    assert site("fuel", "tanks", "list", "--json").json == []


def test_a_tank_with_a_history_is_not_removed_by_the_way(site: CommandLine) -> None:
    tank_id, _sensor_id = in_a_tank(site)
    assert_refused(site("fuel", "tanks", "remove", tank_id), "Readings in it: 1;", "--yes")
    assert site("fuel", "tanks", "remove", tank_id, "--yes").status == 0
    assert [row["tank_id"] for row in site("fuel", "sensors", "list", "--json").json] == [None, None]


def test_a_sensor_is_renamed_replaced_taken_out_and_removed(site: CommandLine) -> None:
    tank_id, sensor_id = in_a_tank(site)
    (row,) = site("fuel", "sensors", "rename", sensor_id[-8:], "Port probe", "--json").json
    assert (row["name"], row["vehicle"], row["tank"], row["value"]) == ("Port probe", "KAN-1", "Main", 1000)
    replace = ("fuel", "sensors", "replace", "lls:1", "lls:2")
    assert_refused(site(*replace, "--at", "2026-01-01T00:00:00Z"), "after that time")
    assert site(*replace, "--at", "2999-01-01T00:00:00Z").status == 2
    rows = {row["sensor"]: row["tank_id"] for row in site(*replace, "--json").json}
    assert rows == {"lls:1": None, "lls:2": tank_id}
    assert_refused(site(*replace), "in no tank")
    (row,) = site("fuel", "sensors", "take-out", "lls:2", "--json").json
    assert row["tank_id"] is None
    assert site("fuel", "sensors", "remove", "lls:2").status == 0
    assert [row["sensor"] for row in site("fuel", "sensors", "list", "--json").json] == ["lls:1"]
    assert_refused(site("fuel", "sensors", "remove", "lls:2"), "lls:2")


def test_the_newest_calibration_is_removed(site: CommandLine) -> None:
    in_a_tank(site)
    first, second = site("fuel", "calibrations", "list", "--vehicle", "KAN-1", "--json").json
    assert (first["version"], second["version"], second["sensor"], second["valid_to"]) == (1, 2, "lls:1", None)
    assert second["table"] == [[0, 0], [4000, 400]]
    remove = ("fuel", "calibrations", "remove")
    assert_refused(site(*remove, first["id"], "--reason", "x"), "Only the newest")
    assert_refused(site(*remove, second["id"], "--reason", " "), "Say why")
    assert site(*remove, second["id"]).status == 2
    (left,) = site(*remove, second["id"][-8:], "--reason", "wrong can", "--json").json
    assert (left["id"], left["valid_to"]) == (first["id"], None)
    assert_refused(site("fuel", "calibrations", "list", "--vehicle", "nobody"), "nobody")
