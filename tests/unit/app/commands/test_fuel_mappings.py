"""``fuel mappings``: values of trackers' messages as fuel sensors, from the suggestion to the removal."""

from __future__ import annotations

from contextlib import closing

import pytest

from app.fuel.telematics import TelematicsFollower
from app.paths import Paths
from app.store.store import Store
from tests.helpers.command_line import CommandLine, assert_refused
from tests.helpers.fleet import IMEI, T0_MS, a_position, make_feed

MINUTE_MS = 60_000


@pytest.fixture
def site(cli: CommandLine) -> CommandLine:
    """A tracker on a vehicle, whose messages carry a fuel level and a voltage."""
    with closing(Store.open(Paths(cli.data_dir).store_url)) as store:
        feed = make_feed(store)
        levels = [80, 79, 20, 78]
        feed(
            *(
                a_position(IMEI, T0_MS + at * MINUTE_MS, attributes={"fuelLevel": level, "adc1": 2.5 + at, "odd": at})
                for at, level in enumerate(levels)
            )
        )
    assert cli("devices", "adopt", IMEI, "--vehicle", "KAN-1").status == 0
    return cli


def follow(cli: CommandLine) -> None:
    with closing(Store.open(Paths(cli.data_dir).store_url)) as store:
        follower = TelematicsFollower()
        while follower.step(store, T0_MS) is not None:
            pass


def test_what_a_tracker_sends_is_suggested_and_tried_without_saving(site: CommandLine) -> None:
    rows = site("fuel", "mappings", "suggest", IMEI, "--json").json
    assert [(row["attribute"], row["unit"], row["newest"]) for row in rows] == [
        ("fuelLevel", "percent", 78), ("adc1", "volts", 5.5),
    ]  # fmt: skip
    everything = site("fuel", "mappings", "suggest", IMEI, "--all", "--json").json
    assert [row["attribute"] for row in everything] == ["fuelLevel", "adc1", "odd"]
    found = site("fuel", "mappings", "preview", IMEI, "fuelLevel", "--scale", "3", "--median", "3", "--json").json
    assert (found["number"], found["value"], found["counting"]) == (78, 234, 4)
    assert found["at"] == "2026-01-01T00:03:00Z"
    assert site("fuel", "mappings", "list", "--json").json == []


def test_a_value_is_added_changed_and_removed(site: CommandLine) -> None:
    (row,) = site(
        "fuel", "mappings", "add", IMEI, "fuelLevel", "--unit", "percent", "--vehicle", "KAN-1", "--json"
    ).json  # fmt: skip
    assert (row["vehicle"], row["tank"], row["attribute"], row["median"], row["value"]) == (
        "KAN-1", "", "fuelLevel", 1, None,
    )  # fmt: skip
    follow(site)
    (row,) = site("fuel", "mappings", "list", "--json").json
    assert (row["value"], row["measured_at"]) == (78, "2026-01-01T00:03:00Z")
    (changed,) = site(
        "fuel", "mappings", "change", row["id"][-6:], "--unit", "litres", "--scale", "2", "--ignition-only", "--json"
    ).json
    assert (changed["unit"], changed["scale"], changed["ignition_only"]) == ("litres", 2, True)
    assert "litres" in site("fuel", "mappings", "list").out
    (gone,) = site("fuel", "mappings", "remove", row["id"], "--json").json
    assert gone["id"] == row["id"]
    assert site("fuel", "mappings", "list", "--json").json == []


def test_a_tank_of_a_vehicle_is_named_where_it_has_several(site: CommandLine) -> None:
    add = ("fuel", "mappings", "add", IMEI)
    assert site(*add, "fuelLevel", "--unit", "percent", "--vehicle", "KAN-1", "--tank", "Left").status == 0
    assert site(*add, "adc1", "--unit", "volts", "--vehicle", "KAN-1", "--tank", "Right").status == 0
    assert_refused(site(*add, "odd", "--unit", "counts", "--vehicle", "KAN-1"), "2 tanks")
    (odd,) = site(*add, "odd", "--unit", "counts", "--json").json
    assert odd["vehicle"] is None
    rows = site("fuel", "mappings", "list", "--json").json
    assert [(row["attribute"], row["tank"]) for row in rows] == [("odd", ""), ("fuelLevel", "Left"), ("adc1", "Right")]


def test_what_cannot_be_is_refused(site: CommandLine) -> None:
    add = ("fuel", "mappings", "add")
    assert_refused(site(*add, "nobody", "fuel", "--unit", "litres"), "No tracker")
    assert_refused(site(*add, IMEI, "fuel", "--unit", "litres", "--vehicle", "none"), "none")
    assert_refused(site(*add, IMEI, "fuel", "--unit", "litres", "--scale", "0"), "factor")
    assert_refused(site("fuel", "mappings", "change", "zzz", "--unit", "litres"), "zzz")
    assert_refused(site("fuel", "mappings", "remove", ""), "mapping")
    assert site(*add, IMEI, "fuel", "--unit", "gallons").status == 2
    assert site(*add, IMEI, "fuel", "--unit", "litres", "--tank", "Left").status == 2
    assert site("fuel", "mappings", "change", "zzz").status == 2
