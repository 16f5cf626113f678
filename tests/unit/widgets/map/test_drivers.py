"""Drivers in arrays: what moves them, how old their places are, who is far from the vehicle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.deliveries.whereabouts import Errand, Whereabouts
from app.fleet.plausibility import Mark
from app.fleet.tracks import as_array
from tests.helpers.map_fleet import a_tracker
from widgets.map.drivers import Drivers
from widgets.map.fleet import Fleet
from widgets.map.projection import to_degrees
from widgets.map.states import VehicleState

NOW = 1_767_225_600_000
MINUTE = 60_000
HOUR = 60 * MINUTE
LORRY = Errand("b1", "Bwari north", 3, 1, "Clinic 2", "KAN-1", "v1")


def a_driver(key: str, device_key: int | None = None, **other: Any) -> Whereabouts:
    """A driver with a fresh place near Abuja; ``other`` replaces what is said here."""
    said: dict[str, Any] = {
        "key": key, "integration_id": "mod4-1", "source": "Mod4", "peer_id": f"peer-{key}", "name": f"Driver {key}",
        "phone": "", "availability": "available", "link": "active", "is_signed_in": True, "device_key": device_key,
        "lat": 9.0, "lon": 7.0, "fixed_ms": NOW - MINUTE, "heard_ms": NOW - MINUTE, "speed_km_h": 40.0, "errand": None,
    }  # fmt: skip
    return Whereabouts(**said | other)


def the_drivers(*rows: Whereabouts, now_ms: int = NOW) -> Drivers:
    drivers = Drivers(lambda at_ms: f"t{(at_ms - NOW) // MINUTE}")
    drivers.load(rows, now_ms)
    return drivers


def a_point(id_: int, device: int, at_ms: int, lat: float = 9.5, *, marks: int = 0) -> tuple[Any, ...]:
    return (id_, device, at_ms, at_ms + 500, lat, 7.0, 30.0, np.nan, marks)


def state(drivers: Drivers, key: str) -> VehicleState:
    return VehicleState(drivers.state[drivers.row_of(key)])


def lat(drivers: Drivers, key: str) -> float:
    row = drivers.row_of(key)
    return round(float(to_degrees(drivers.drawn.x[row], drivers.drawn.y[row])[0]), 6)


def test_a_phone_is_fresh_then_old_then_silent_and_says_since_when() -> None:
    drivers = the_drivers(a_driver("a", 5))
    assert (state(drivers, "a"), drivers.drawn.names) == (VehicleState.MOVING, ["Driver a"])
    assert drivers.tick(NOW + 10 * MINUTE)
    assert state(drivers, "a") is VehicleState.STALE
    assert drivers.drawn.names == ["Driver a"]
    assert drivers.tick(NOW + 2 * HOUR)
    assert state(drivers, "a") is VehicleState.SILENT
    assert drivers.drawn.names == ["Driver a, silent since t-1"]
    assert not drivers.tick(NOW + 3 * HOUR)


def test_a_phone_that_stands_tells_no_places_and_is_not_silent_while_its_app_is_heard() -> None:
    drivers = the_drivers(a_driver("a", 5, fixed_ms=NOW - 5 * HOUR, heard_ms=NOW - MINUTE))
    assert (state(drivers, "a"), drivers.word(0)) == (VehicleState.STALE, "Old position")


def test_a_place_without_a_time_is_never_fresh_and_never_said_to_be_silent() -> None:
    drivers = the_drivers(
        a_driver("a", fixed_ms=None, heard_ms=None), a_driver("b", fixed_ms=None, heard_ms=NOW - MINUTE)
    )
    assert (state(drivers, "a"), state(drivers, "b")) == (VehicleState.SILENT, VehicleState.STALE)
    assert {drivers.word(0), drivers.word(1)} == {"Place of unknown age"}
    assert "Driver a, age unknown" in drivers.drawn.names
    assert drivers.now(drivers.row_of("a")).fixed_ms is None
    assert drivers.has_places


def test_a_driver_without_a_place_is_not_drawn() -> None:
    drivers = the_drivers(a_driver("a", lat=None, lon=None, fixed_ms=None))
    assert state(drivers, "a") is VehicleState.UNKNOWN
    assert not drivers.has_places
    assert not the_drivers().has_places


def test_points_move_phones_the_newest_counts_and_doubtful_ones_do_not() -> None:
    drivers = the_drivers(a_driver("a", 5), a_driver("b", 9), a_driver("nobody"))
    assert drivers.apply(
        as_array([
            a_point(1, 5, NOW + 2_000, 9.7), a_point(2, 5, NOW + 1_000, 9.6), a_point(3, 7, NOW, 1.0),
            a_point(4, 9, NOW + 9_000, 11.0, marks=int(Mark.JUMP)), a_point(5, 5, NOW - 2 * HOUR, 2.0),
        ])
    )  # fmt: skip
    assert (lat(drivers, "a"), lat(drivers, "b"), lat(drivers, "nobody")) == (9.7, 9.0, 9.0)
    assert drivers.now(drivers.row_of("b")).heard_ms == NOW + 9_500
    assert not drivers.apply(as_array([a_point(6, 7, NOW)]))
    assert not drivers.apply(as_array([]))
    assert not the_drivers().apply(as_array([a_point(6, 7, NOW)]))


def test_reading_the_drivers_again_does_not_take_a_newer_place_back() -> None:
    drivers = the_drivers(a_driver("a", 5), a_driver("b", 9))
    drivers.apply(as_array([a_point(1, 5, NOW + 2_000, 9.7)]))
    drivers.load([a_driver("c", 2), a_driver("b", 9, lat=8.0, fixed_ms=NOW + 1), a_driver("a", 5)], NOW + 3_000)
    assert (lat(drivers, "a"), lat(drivers, "b"), lat(drivers, "c")) == (9.7, 8.0, 9.0)
    assert drivers.now(drivers.row_of("a")).fixed_ms == NOW + 2_000
    drivers.apply(as_array([a_point(2, 2, NOW + 4_000, 6.0)]))
    assert (lat(drivers, "c"), lat(drivers, "a")) == (6.0, 9.7)


@pytest.mark.parametrize(
    ("phone", "lorry", "is_far", "is_known"),
    [
        ({}, {}, False, True),
        ({"lat": 9.1}, {}, True, True),  # 11 km
        ({"lat": 9.02}, {"fixed_at_ms": NOW - 4 * MINUTE}, False, True),  # 2.2 km, and three minutes between them
        ({"lat": 9.1, "fixed_ms": NOW - 20 * MINUTE}, {}, False, False),
        ({"lat": 9.1}, {"fixed_at_ms": NOW - 20 * MINUTE}, False, False),
        ({"lat": 9.1}, {"lat": None, "lon": None}, False, False),
        ({"lat": 9.1, "errand": None}, {}, False, False),
    ],
)
def test_a_phone_is_far_from_its_vehicle_when_both_are_known_now_and_no_drive_explains_it(
    phone: dict[str, Any], lorry: dict[str, Any], is_far: bool, is_known: bool
) -> None:
    fleet = Fleet()
    place = {"lat": 9.0, "lon": 7.0, "fixed_at_ms": NOW - MINUTE, "speed_km_h": 40.0}
    fleet.load([a_tracker(1, vehicle_id="v1", vehicle="KAN-1", **place | lorry)], 0, NOW)
    fleet.tick(NOW)
    drivers = the_drivers(a_driver("a", 5, **{"errand": LORRY, **phone}))
    drivers.compare(fleet, NOW)
    assert (bool(drivers.is_far[0]), bool(np.isfinite(drivers.apart_m[0]))) == (is_far, is_known)
    if is_far:
        assert float(drivers.apart_m[0]) == pytest.approx(11_132, rel=2e-3)


def test_they_are_found_by_name_number_batch_and_plate() -> None:
    drivers = the_drivers(a_driver("a", 5, errand=LORRY, phone="0803 1"), a_driver("b", name="", peer_id="9b1d7c52-77"))
    found = {
        text: drivers.matches(text).tolist() for text in ("driver a", "0803", "bwari", "kan-1", "9b1d", "mod4", "x")
    }
    a, b = drivers.row_of("a"), drivers.row_of("b")
    for text in ("driver a", "0803", "bwari", "kan-1"):
        assert (found[text][a], found[text][b]) == (True, False), text
    assert (found["9b1d"][a], found["9b1d"][b], found["x"]) == (False, True, [False, False])
    assert found["mod4"] == [True, True]
    assert (drivers.find("DRIVER A"), drivers.find("driver-peer-a"), drivers.find("9b1d7c52-77")) == ("a", "a", "b")
    assert drivers.find("nobody") is None
    assert drivers.label(b) == "Unknown driver 9b1d7c52"


@given(
    st.lists(
        st.tuples(
            st.integers(1, 6), st.integers(-5_000, 5_000), st.floats(4, 14), st.sampled_from([0, int(Mark.JUMP)])
        ),
        max_size=60,
    ),
    st.integers(0, 60),
)
def test_pages_of_points_end_where_one_page_of_all_ends(points: list[tuple[int, int, float, int]], cut: int) -> None:
    rows = [
        a_point(at + 1, device, NOW + offset * 1_000 + at, place, marks=marks)
        for at, (device, offset, place, marks) in enumerate(points)
    ]
    people = [a_driver(str(number), number, fixed_ms=NOW - 4 * HOUR) for number in range(1, 6)]
    whole, parts = the_drivers(*people), the_drivers(*people)
    whole.apply(as_array(rows))
    parts.apply(as_array(rows[:cut]))
    parts.apply(as_array(rows[cut:]))
    assert np.array_equal(whole.fixed_at_ms, parts.fixed_at_ms)
    assert np.array_equal(whole.lat, parts.lat)
    assert np.array_equal(whole.heard_at_ms, parts.heard_at_ms)
    for number in range(1, 6):
        good = [row for row in rows if row[1] == number and row[8] == 0 and row[2] > NOW - 4 * HOUR]
        newest = max((row[2] for row in good), default=NOW - 4 * HOUR)
        assert whole.fixed_at_ms[whole.row_of(str(number))] == newest
