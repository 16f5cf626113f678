"""What is said against a fix, and what is not."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.fleet.geo import distance_m
from app.fleet.plausibility import (
    AHEAD_AFTER_MS,
    FASTEST_KM_H,
    NOT_A_REFERENCE,
    NOT_IN_TOTALS,
    NOT_LIVE,
    OLD_AFTER_MS,
    Fix,
    FixHistory,
    Mark,
    Neighbours,
    is_reachable,
    mark_names,
    static_marks,
)
from tests.helpers.fleet import T0_MS

HOUR_MS = 3_600_000
times = st.integers(T0_MS, T0_MS + 48 * HOUR_MS)
fixes = st.tuples(times, st.floats(-90, 90), st.floats(-180, 180))


def no_store(_device_key: int, at_ms: int) -> Neighbours:
    raise AssertionError(f"asked the store about {at_ms}")


def marks_of(**changed: object) -> Mark:
    fix: dict[str, object] = {
        "fixed_at_ms": T0_MS,
        "received_at_ms": T0_MS + 1_000,
        "lat": 9.0,
        "lon": 7.0,
        "speed_km_h": 40.0,
        "course_deg": 90.0,
        "located": True,
    }
    return Mark(static_marks(**{**fix, **changed}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "marks"),
    [
        ({}, Mark(0)),
        ({"fixed_at_ms": None}, Mark.NO_DEVICE_TIME),
        ({"received_at_ms": T0_MS - AHEAD_AFTER_MS}, Mark(0)),
        ({"received_at_ms": T0_MS - AHEAD_AFTER_MS - 1}, Mark.AHEAD),
        ({"received_at_ms": T0_MS + OLD_AFTER_MS}, Mark(0)),
        ({"received_at_ms": T0_MS + OLD_AFTER_MS + 1}, Mark.OLD),
        ({"lat": 0.0, "lon": 0.0}, Mark.ZERO_POSITION),
        ({"lat": 0.0}, Mark(0)),
        ({"located": False, "lat": 0.0, "lon": 0.0}, Mark.NOT_LOCATED | Mark.ZERO_POSITION),
        ({"course_deg": 360.0}, Mark(0)),
        ({"course_deg": 360.5}, Mark.COURSE_RANGE),
        ({"course_deg": None, "speed_km_h": None}, Mark(0)),
        ({"speed_km_h": 250.0}, Mark(0)),
        ({"speed_km_h": 251.0}, Mark.SPEED_RANGE),
        ({"speed_km_h": -1.0}, Mark.SPEED_RANGE),
        ({"fixed_at_ms": 315_964_800_000}, Mark.ABSURD_DATE),  # 1980-01-06, Traccar's word for "never"
        ({"fixed_at_ms": 4_102_444_800_000}, Mark.ABSURD_DATE),
    ],
)
def test_marks_of_a_fix_alone(changed: dict[str, object], marks: Mark) -> None:
    assert marks_of(**changed) == marks


def test_marks_have_names_in_the_order_of_their_bits() -> None:
    assert mark_names(0) == []
    assert mark_names(Mark.JUMP | Mark.NO_DEVICE_TIME | 1 << 20) == ["no_device_time", "jump"]
    assert [name for mark in Mark for name in mark_names(mark)] == [
        "no_device_time",
        "ahead",
        "old",
        "zero_position",
        "jump",
        "course_range",
        "not_located",
        "absurd_date",
        "speed_range",
    ]


def test_a_late_arrival_counts_and_moves_and_a_jump_does_neither() -> None:
    assert not Mark.OLD & (NOT_IN_TOTALS | NOT_LIVE | NOT_A_REFERENCE)
    for mask in (NOT_IN_TOTALS, NOT_LIVE, NOT_A_REFERENCE):
        assert Mark.JUMP & mask


@given(fixes, fixes)
def test_reachable_is_what_the_sphere_says(one: Fix, other: Fix) -> None:
    seconds = max(abs(one[0] - other[0]), 1_000) / 1_000
    apart_m = distance_m(one[1], one[2], other[1], other[2])
    allowed_m = seconds * FASTEST_KM_H / 3.6
    if abs(apart_m - allowed_m) > 1e-3:
        assert is_reachable(one, other) == (apart_m <= allowed_m)
    assert is_reachable(one, other) == is_reachable(other, one)


def test_the_date_line_is_no_jump() -> None:
    assert is_reachable((T0_MS, 0.0, 179.9999), (T0_MS + 1_000, 0.0, -179.9999))


def test_a_teleport_is_marked_and_the_fix_after_it_is_not() -> None:
    history = FixHistory(1)
    jumps = [
        history.is_jump(fix, no_store)
        for fix in [(T0_MS, 9.0, 7.0), (T0_MS + 10_000, 50.0, 8.0), (T0_MS + 20_000, 9.001, 7.0)]
    ]
    assert jumps == [False, True, False]


def test_a_wrong_first_fix_does_not_condemn_the_rest() -> None:
    history = FixHistory(1)
    assert not history.is_jump((T0_MS, 50.0, 8.0), no_store)
    later = [(T0_MS + n * 10_000, 9.0 + n * 1e-4, 7.0) for n in range(1, 8)]
    assert [history.is_jump(fix, no_store) for fix in later] == [True, True, False, False, False, False, False]


def test_scattered_jumps_are_never_believed() -> None:
    history = FixHistory(1)
    chance = random.Random(3)
    assert not history.is_jump((T0_MS, 9.0, 7.0), no_store)
    wild = [(T0_MS + n * 1_000, chance.uniform(-80, 80), chance.uniform(-170, 170)) for n in range(1, 200)]
    assert all(history.is_jump(fix, no_store) for fix in wild)


@given(st.permutations(range(14)))
def test_the_order_of_arrival_of_a_real_drive_does_not_matter(order: list[int]) -> None:
    history = FixHistory(1)
    drive = [(T0_MS + n * 60_000, 9.0 + n * 0.01, 7.0) for n in range(14)]
    assert not any(history.is_jump(drive[n], no_store) for n in order)


@example(
    stored=[],
    arriving=[
        (T0_MS, 0.0, 1.0), (T0_MS + 34_610_655, 0.0, 22.0), (T0_MS, 0.0, 0.0), (T0_MS + 1, 0.0, 0.0),
        (T0_MS + 2, 0.0, 0.0),
    ],
)  # fmt: skip
@given(st.lists(fixes, max_size=40), st.lists(fixes, min_size=1, max_size=40))
def test_a_fix_that_was_believed_is_believed_when_it_comes_again(stored: list[Fix], arriving: list[Fix]) -> None:
    stored.sort()
    history = FixHistory(1, stored[-8:], is_complete=len(stored) <= 8)

    def look_up(_device_key: int, at_ms: int) -> Neighbours:
        before = [fix for fix in stored if fix[0] <= at_ms]
        after = [fix for fix in stored if fix[0] > at_ms]
        return (before[-1] if before else None), (after[0] if after else None)

    for fix in arriving:
        if not history.is_jump(fix, look_up):
            assert not history.is_jump(fix, look_up), "what was believed once is believed again"


def test_buffered_fixes_of_an_old_gap_ask_the_store_once_and_are_compared_there() -> None:
    newest = [(T0_MS + 100 * HOUR_MS + n * 60_000, 12.0, 8.5) for n in range(8)]
    history = FixHistory(1, newest, is_complete=False)
    asked: list[int] = []

    def look_up(_device_key: int, at_ms: int) -> Neighbours:
        asked.append(at_ms)
        return (T0_MS, 9.0, 7.0), newest[0]

    buffered = [(T0_MS + n * 60_000, 9.0 + n * 0.005, 7.0) for n in range(1, 30)]
    assert not any(history.is_jump(fix, look_up) for fix in buffered)
    assert len(asked) == 1
    assert history.is_jump((buffered[-1][0] + 60_000, 12.0, 8.5), look_up), "there only hours later"
    assert not history.is_jump((newest[-1][0] + 60_000, 12.0, 8.5), no_store)


def test_a_late_fix_is_also_compared_with_what_came_after_it() -> None:
    history = FixHistory(1)
    assert not history.is_jump((T0_MS + 60_000, 9.0, 7.0), no_store)
    assert history.is_jump((T0_MS, 48.0, 11.0), no_store)
    assert not history.is_jump((T0_MS, 9.001, 7.0), no_store)


def test_the_memory_of_a_device_is_bounded() -> None:
    history = FixHistory(1)
    for n in range(1_000):
        assert not history.is_jump((T0_MS + n * 1_000, 9.0, 7.0 + n * 1e-5), no_store)
    assert len(history._fixes) <= FixHistory.KEPT
