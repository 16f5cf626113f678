"""Two sources of one vehicle: when they disagree, why, and when they agree again."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from app.deliveries.twin_follower import EVERY_MS, TwinFollower, pairs
from app.deliveries.twin_list import list_twins
from app.deliveries.twins import CLOCK, JUMP, OTHER_VEHICLE, STALE, compare
from app.deliveries.verdict import Floats, Sightings
from app.fleet.devices import adopt
from app.store.store import Store
from tests.helpers.dispatch import DEPOT, MINUTE_MS, PLATE, Depot
from tests.helpers.fleet import OTHER_IMEI, T0_MS, a_position

NAMES = ("Traccar (1)", "GT02 (1)")


def line(count: int, step_deg: float = 0.004, start: tuple[float, float] = DEPOT, offset_ms: int = 0) -> Sightings:
    """One fix a minute to the north, 440 m each."""
    numbers = np.arange(count)
    lat: Floats = np.array([start[0] + number * step_deg for number in range(count)], np.float64)
    return Sightings(T0_MS + offset_ms + numbers * MINUTE_MS, lat, np.full(count, start[1]))


def test_two_that_agree() -> None:
    assert compare(line(60), line(60, offset_ms=20_000, start=(DEPOT[0] + 0.0013, DEPOT[1])), NAMES) == []


def test_one_that_repeats_its_place_is_stale() -> None:
    (gap,) = compare(line(60), line(60, step_deg=0.0), NAMES)
    assert gap.cause == STALE
    assert "GT02 (1) repeats one place" in gap.explanation
    assert gap.until_ms is None
    assert gap.worst_m > 20_000


def test_a_clock_of_another_zone() -> None:
    (gap,) = compare(line(240), line(240, offset_ms=60 * MINUTE_MS), NAMES)
    assert gap.cause == CLOCK
    assert "1 h" in gap.explanation


def test_a_single_wild_fix_is_a_jump_and_over() -> None:
    wild = line(60)
    wild.lat[30] += 1.0
    (gap,) = compare(line(60), wild, NAMES)
    assert (gap.cause, gap.since_ms) == (JUMP, T0_MS + 30 * MINUTE_MS)
    assert gap.until_ms == T0_MS + 31 * MINUTE_MS


def test_another_vehicle() -> None:
    (gap,) = compare(line(60), line(60, step_deg=-0.004), NAMES)
    assert gap.cause == OTHER_VEHICLE


tracks = st.lists(
    st.tuples(st.integers(0, 300), st.floats(-80, 80), st.floats(-179, 179)), max_size=15, unique_by=lambda fix: fix[0]
)


def made(fixes: list[tuple[int, float, float]]) -> Sightings:
    rows = sorted(fixes)
    return Sightings(
        np.array([T0_MS + minutes * MINUTE_MS for minutes, _, _ in rows], np.int64),
        np.array([lat for _, lat, _ in rows], np.float64),
        np.array([lon for _, _, lon in rows], np.float64),
    )


@given(tracks, tracks)
def test_whatever_they_tell_gaps_are_in_order_and_explained(
    one: list[tuple[int, float, float]], other: list[tuple[int, float, float]]
) -> None:
    gaps = compare(made(one), made(other), NAMES)
    assert all(gap.explanation.endswith(".") and gap.worst_m > 0 for gap in gaps)
    assert all(before.last_ms < after.since_ms for before, after in pairwise(gaps))
    assert compare(made(one), made(one), NAMES) == []


def test_the_follower_notes_beginning_and_end_in_one_row(sqlite_store: Store) -> None:
    depot = Depot(sqlite_store)
    own = depot.vehicle()
    other = depot.feed("traccar-1", "traccar")
    depot.arrive(a_position(OTHER_IMEI, T0_MS - 60 * MINUTE_MS, source="traccar"), feed=other)
    depot.write(lambda connection: adopt(connection, OTHER_IMEI, PLATE))
    assert [pair.vehicle_id for pair in depot.ask(pairs)] == [own]
    follower = TwinFollower()

    def drive(minutes: range, apart: float) -> None:
        depot.drive([(T0_MS + m * MINUTE_MS, DEPOT[0] + m * 0.004, DEPOT[1]) for m in minutes])
        depot.drive(
            [(T0_MS + m * MINUTE_MS, DEPOT[0] + m * 0.004, DEPOT[1] + apart) for m in minutes], OTHER_IMEI, other
        )
        follower.step(sqlite_store, T0_MS + minutes[-1] * MINUTE_MS)

    drive(range(5), 0.0)
    assert depot.ask(list_twins) == []
    drive(range(5, 12), 0.02)
    (lasting,) = depot.ask(list_twins, only_lasting=True)
    assert (lasting.plate, lasting.since_ms) == (PLATE, T0_MS + 5 * MINUTE_MS)
    drive(range(12, 20), 0.02)
    assert len(depot.ask(list_twins)) == 1
    drive(range(20, 30), 0.0)
    (ended,) = depot.ask(list_twins)
    assert (ended.key, ended.until_ms) == (lasting.key, T0_MS + 20 * MINUTE_MS)
    follower.step(sqlite_store, T0_MS + 29 * MINUTE_MS + EVERY_MS)
    assert depot.ask(list_twins) == [ended]
