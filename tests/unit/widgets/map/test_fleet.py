"""The fleet in arrays: what moves a vehicle, what never does, what its state is, and when two sources disagree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.fleet.plausibility import Mark
from app.fleet.tracks import as_array
from tests.helpers.map_fleet import a_tracker
from widgets.map.atlas import NO_HEADING, heading_column
from widgets.map.fleet import Fleet
from widgets.map.projection import to_degrees
from widgets.map.states import VehicleState

NOW = 1_767_225_600_000
MINUTE = 60_000


def a_row(
    id_: int, device: int, at_ms: int, lat: float = 9.0, lon: float = 7.0, *, speed: float | None = 50.0, **other: Any
) -> tuple[Any, ...]:
    return (
        id_,
        device,
        at_ms,
        other.get("received", at_ms + 500),
        lat,
        lon,
        speed,
        other.get("course", 90.0),
        other.get("marks", 0),
    )


def rows(*wanted: tuple[Any, ...]) -> NDArray[np.void]:
    return as_array(wanted)


def a_fleet(*trackers: Any) -> Fleet:
    fleet = Fleet()
    fleet.load(trackers or [a_tracker(1), a_tracker(5), a_tracker(9)], 0, NOW)
    fleet.tick(NOW)
    return fleet


def place(fleet: Fleet, key: str) -> tuple[float, float]:
    row = fleet.row_of(key)
    lat, lon = to_degrees(fleet.drawn.x[row], fleet.drawn.y[row])
    return round(float(lat), 6), round(float(lon), 6)


def state(fleet: Fleet, key: str) -> VehicleState:
    return VehicleState(fleet.state[fleet.row_of(key)])


def test_of_several_positions_in_one_page_the_newest_fix_counts_in_any_order() -> None:
    fleet = a_fleet()
    fleet.apply(rows(a_row(1, 5, NOW - 9_000, 9.1), a_row(2, 5, NOW - 1_000, 9.3), a_row(3, 5, NOW - 5_000, 9.2)))
    assert place(fleet, "d5") == (9.3, 7.0)
    assert fleet.newest_id == 3
    fleet.apply(rows(a_row(4, 5, NOW - 60_000, 8.0)))  # buffered, older than what is shown
    assert place(fleet, "d5") == (9.3, 7.0)


@pytest.mark.parametrize("mark", [Mark.NOT_LOCATED, Mark.ZERO_POSITION, Mark.JUMP, Mark.ABSURD_DATE])
def test_doubtful_positions_never_move_a_vehicle_but_show_that_it_lives(mark: Mark) -> None:
    fleet = a_fleet()
    fleet.apply(rows(a_row(1, 1, NOW - 20 * MINUTE, 9.5)))
    fleet.apply(rows(a_row(2, 1, NOW, 3.0, marks=int(mark))))
    fleet.tick(NOW)
    assert place(fleet, "d1") == (9.5, 7.0)
    assert state(fleet, "d1") is VehicleState.STALE
    assert int(fleet.heard_at_ms[fleet.row_of("d1")]) == NOW + 500


def test_a_fix_from_the_future_counts_from_its_arrival() -> None:
    fleet = a_fleet()
    ahead = a_row(1, 1, NOW + 3 * 3_600_000, 9.5, received=NOW, marks=int(Mark.AHEAD))
    fleet.apply(rows(ahead))
    fleet.apply(rows(a_row(2, 1, NOW + 10_000, 9.6)))
    assert place(fleet, "d1") == (9.6, 7.0)


def test_positions_of_trackers_that_are_not_shown_are_passed_over() -> None:
    fleet = a_fleet()
    fleet.apply(rows(a_row(7, 4, NOW), a_row(8, 99, NOW)))
    assert fleet.newest_id == 8
    assert (fleet.state == VehicleState.UNKNOWN).all()
    empty = Fleet()
    empty.apply(rows(a_row(7, 4, NOW)))
    assert empty.newest_id == 7


def test_states_follow_from_age_speed_and_alarms() -> None:
    fleet = a_fleet(*[a_tracker(key) for key in range(7)])
    fleet.apply(
        rows(
            a_row(1, 0, NOW, speed=50.0),
            a_row(2, 1, NOW, speed=2.0),
            a_row(3, 2, NOW, speed=None),
            a_row(4, 3, NOW - 11 * MINUTE),
            a_row(5, 4, NOW - 90 * MINUTE),
            a_row(6, 5, NOW),
        )
    )
    fleet.set_alarms({5: NOW - MINUTE})
    fleet.tick(NOW)
    assert [state(fleet, f"d{key}") for key in range(7)] == [
        VehicleState.MOVING,
        VehicleState.STOPPED,
        VehicleState.POSITION_ONLY,
        VehicleState.STALE,
        VehicleState.SILENT,
        VehicleState.ALARM,
        VehicleState.UNKNOWN,
    ]
    assert sum(fleet.counts().values()) == 7
    assert fleet.tick(NOW + 1) is False
    assert fleet.tick(NOW + 12 * MINUTE) is True
    assert state(fleet, "d0") is VehicleState.STALE
    fleet.hear(np.array([4]), np.array([NOW]))  # a heartbeat: it lives, its position is old
    fleet.tick(NOW)
    assert state(fleet, "d4") is VehicleState.STALE


def test_what_a_clock_ahead_dated_does_not_look_fresh_once_the_clock_is_right() -> None:
    """As app.fleet.freshness judges it; a few minutes between two computers' clocks are none."""
    fleet = a_fleet()
    year = 365 * 24 * 60 * MINUTE
    fleet.apply(rows(a_row(1, 1, NOW + year), a_row(2, 5, NOW + 2 * MINUTE)))
    fleet.set_alarms({1: NOW + year, 5: NOW + 2 * MINUTE})
    fleet.tick(NOW)
    assert (state(fleet, "d1"), state(fleet, "d5")) == (VehicleState.STALE, VehicleState.ALARM)
    fleet.set_alarms({})
    fleet.tick(NOW)
    assert state(fleet, "d5") is VehicleState.MOVING
    fleet.hear(np.array([1, 5]), np.array([NOW - 2 * 60 * MINUTE, NOW - 2 * 60 * MINUTE]))
    heard = dict(zip(("A", "B"), (fleet.heard_at_ms[fleet.row_of(key)] for key in ("d1", "d5")), strict=True))
    assert heard["A"] == NOW - 2 * 60 * MINUTE, "the store's later word replaces a time to come"
    assert heard["B"] == NOW + 2 * MINUTE + 500, "the newest counts"


def test_an_arrow_only_where_the_course_means_something() -> None:
    fleet = a_fleet(a_tracker(1), a_tracker(2), a_tracker(3))
    fleet.apply(rows(a_row(1, 1, NOW, course=90.0), a_row(2, 2, NOW, speed=0.0), a_row(3, 3, NOW, course=None)))
    assert fleet.drawn.column.tolist() == [8, NO_HEADING, NO_HEADING]
    headings = heading_column(np.array([0.0, 359.9, 5.0, 6.0, 180.0, np.nan]))
    assert headings.tolist() == [0, 0, 0, 1, 16, NO_HEADING]


def test_a_direct_source_is_shown_before_a_server_while_it_is_fresh() -> None:
    direct = a_tracker(1, vehicle_id="v", vehicle="ABC-123XY")
    server = a_tracker(2, vehicle_id="v", vehicle="ABC-123XY", peer_id="17", integration_id="traccar-1")
    fleet = a_fleet(direct, server)
    fleet.apply(rows(a_row(1, 1, NOW - 8_000, 9.1), a_row(2, 2, NOW - 1_000, 9.1001)))
    assert place(fleet, "v") == (9.1, 7.0)
    assert [tracker.key for tracker in fleet.trackers_of("v")] == [1, 2]
    fleet.tick(NOW + 11 * MINUTE)
    fleet.apply(rows(a_row(3, 2, NOW + 11 * MINUTE, 9.4)))
    assert place(fleet, "v") == (9.4, 7.0)
    assert [tracker.key for tracker in fleet.trackers_of("v")] == [2, 1]


def test_two_sources_that_disagree_are_named_and_a_drive_between_two_fixes_is_no_disagreement() -> None:
    one, other = a_tracker(1, vehicle_id="v", vehicle="A"), a_tracker(2, vehicle_id="v", vehicle="A")
    fleet = a_fleet(one, other, a_tracker(3))
    fleet.apply(rows(a_row(1, 1, NOW - 30_000, 9.0), a_row(2, 2, NOW, 9.004)))  # 445 m in 30 s
    assert fleet.disagreement("v") is None
    assert fleet.disagreeing() == set()
    fleet.apply(rows(a_row(3, 2, NOW + 1_000, 9.3), a_row(4, 1, NOW + 2_000, 9.0)))
    found = fleet.disagreement("v")
    assert found is not None
    assert found.apart_m == pytest.approx(33_400, rel=0.01)
    assert {found.one.key, found.other.key} == {1, 2}
    assert fleet.disagreeing() == {"v"}


def test_a_new_snapshot_keeps_alarms_and_finds_subjects_by_every_name() -> None:
    fleet = a_fleet()
    fleet.set_alarms({5: NOW})
    fleet.load(
        [a_tracker(5, vehicle_id="v", vehicle="KJA-321AA", name="Hilux", lat=9.0, lon=7.0, fixed_at_ms=NOW)], 3, NOW
    )
    fleet.tick(NOW)
    assert state(fleet, "v") is VehicleState.ALARM
    assert all(fleet.find(name) == "v" for name in ("kja-321aa", "HILUX", "imei5", "v", "d5"))
    assert fleet.find("KJA") is None
    assert fleet.row_of("d1") == -1
    assert fleet.trackers_of("d1") == []
