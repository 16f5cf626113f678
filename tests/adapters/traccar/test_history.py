"""What is read next: no fix can hide from the plan, and nothing is asked for needlessly."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.traccar import history
from adapters.traccar.history import DAY_MS, HOUR_MS, OVERLAP_MS, Delivered, Limits, Progress, Read, plan

NOW = 1_790_000_000_000
LIMITS = Limits(first_ms=DAY_MS, longest_gap_ms=31 * DAY_MS, full_every_ms=HOUR_MS)


def planned(progress: Progress | None, **changes: int | None) -> Read | None:
    facts: dict[str, int | None] = {"now_ms": NOW, "last_update_ms": NOW, "newest_ms": NOW, "live_since_ms": None}
    return plan(progress, **{**facts, **changes}, limits=LIMITS)  # type: ignore[arg-type]


def read_at(at_ms: int, newest_ms: int | None = None) -> Progress:
    return Progress(newest_ms=newest_ms or at_ms, read_ms=at_ms, full_ms=at_ms)


def test_first_read_reaches_back_as_far_as_the_operator_set() -> None:
    assert planned(None) == Read(NOW - DAY_MS, NOW, full=True)
    assert planned(None, last_update_ms=None, newest_ms=None) is None


def test_a_live_socket_leaves_only_the_full_read() -> None:
    recent = read_at(NOW - 5 * 60_000)
    assert planned(recent, live_since_ms=NOW - 10 * 60_000) is None
    quick = planned(recent, live_since_ms=NOW - 60_000)
    assert quick is not None
    assert not quick.full
    assert quick.from_ms == NOW - 5 * 60_000 - OVERLAP_MS
    full = planned(read_at(NOW - HOUR_MS), live_since_ms=NOW - DAY_MS)
    assert full is not None
    assert full.full
    assert full.from_ms == NOW - DAY_MS


def test_a_silent_device_costs_no_request() -> None:
    assert planned(read_at(NOW - 2 * HOUR_MS), last_update_ms=NOW - 3 * HOUR_MS) is None
    assert planned(read_at(NOW - 2 * HOUR_MS), last_update_ms=NOW - 2 * HOUR_MS - OVERLAP_MS // 2) is not None


def test_a_return_is_read_from_where_the_silence_began_for_another_day() -> None:
    left_ms = NOW - 5 * DAY_MS
    back = planned(read_at(left_ms))
    assert back is not None
    assert back.full
    assert back.from_ms == left_ms - OVERLAP_MS
    progress = history.finished(history.begin(read_at(left_ms), back, NOW), back, NOW, NOW)
    later = plan(
        progress, now_ms=NOW + 2 * HOUR_MS, last_update_ms=NOW + 2 * HOUR_MS, newest_ms=NOW + HOUR_MS,
        live_since_ms=None, limits=LIMITS,
    )  # fmt: skip
    assert later is not None
    assert later.from_ms == left_ms - OVERLAP_MS
    much_later = plan(
        progress, now_ms=NOW + 30 * HOUR_MS, last_update_ms=NOW + 30 * HOUR_MS, newest_ms=NOW + HOUR_MS,
        live_since_ms=None, limits=LIMITS,
    )  # fmt: skip
    assert much_later is not None
    assert much_later.from_ms > left_ms


def test_a_gap_longer_than_allowed_is_cut() -> None:
    back = planned(read_at(NOW - 200 * DAY_MS))
    assert back is not None
    assert back.from_ms == NOW - LIMITS.longest_gap_ms


def test_a_server_clock_put_back_does_not_stop_the_reading() -> None:
    assert planned(read_at(NOW + 10 * DAY_MS)) is not None


def test_a_fix_of_the_future_does_not_hide_the_next_silence() -> None:
    read = Read(NOW - DAY_MS, NOW, full=True)
    progress = history.finished(history.begin(None, read, NOW), read, NOW, NOW + 20 * HOUR_MS)
    later = NOW + 40 * HOUR_MS
    back = plan(progress, now_ms=later, last_update_ms=later, newest_ms=later, live_since_ms=None, limits=LIMITS)
    assert back is not None
    assert back.from_ms <= NOW


def test_an_interrupted_read_goes_on_where_it_stopped() -> None:
    read = Read(NOW - 3 * DAY_MS, NOW, full=True)
    halfway = history.interrupted_at(history.begin(None, read, NOW), read, NOW - 2 * DAY_MS)
    resumed = planned(Progress.load(halfway.dump()))
    assert resumed is not None
    assert (resumed.from_ms, resumed.full) == (NOW - 2 * DAY_MS, True)


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=40 * DAY_MS))
def test_windows_are_at_most_a_day_and_cover_everything(length_ms: int) -> None:
    read = Read(NOW - length_ms, NOW, full=True)
    windows = list(read.windows())
    assert windows[0][0] == read.from_ms
    assert windows[-1][1] == read.to_ms
    assert all(end - start <= DAY_MS for start, end in windows)
    assert all(left[1] == right[0] for left, right in itertools.pairwise(windows))


@settings(deadline=None)
@given(
    st.integers(0, 2**60), st.integers(0, 2**60), st.none() | st.integers(0, 2**60), st.none() | st.integers(0, 2**60)
)
def test_cursors_come_back_as_they_were(newest: int, read: int, gap: int | None, resume: int | None) -> None:
    progress = Progress(newest, read, read, ((gap, 5),) if gap is not None else (), resume)
    assert Progress.load(progress.dump()) == progress


@pytest.mark.parametrize(
    "text", [None, "", "7", "[]", "{", '{"newest_ms": 1}', '{"x": 1}', '{"newest_ms": "a"}', "[" * 99_999]
)
def test_foreign_cursors_mean_reading_again(text: str | None) -> None:
    assert Progress.load(text) is None


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_every_fix_is_read_whatever_the_delays(seed: int) -> None:
    """A device with silences and buffers against the plan alone: what arrives within a day of the return is found."""
    rng = random.Random(seed)
    stored: list[tuple[int, int]] = []  # (fix time, arrival)
    at_ms, end_ms = NOW, NOW + 6 * DAY_MS
    while at_ms < end_ms:
        at_ms += rng.randint(1, 30) * 60_000
        stored.append((at_ms, at_ms + rng.choice((0, 0, 0, 1)) * rng.randint(0, 5 * HOUR_MS)))
        if rng.random() < 0.01:  # out of coverage: buffered, delivered in pieces after the return
            back_ms = at_ms + rng.randint(1, 60) * HOUR_MS
            buffered = [at_ms + step * 600_000 for step in range((back_ms - at_ms) // 600_000)]
            stored += [(fix_ms, back_ms + rng.randint(1, 10 * HOUR_MS)) for fix_ms in buffered]
            stored.append((back_ms, back_ms))
            at_ms = back_ms
    progress: Progress | None = None
    found: set[int] = set()
    now_ms = NOW
    last_arrival_ms = max(arrival for _, arrival in stored)
    while now_ms < last_arrival_ms + 3 * HOUR_MS:
        now_ms += rng.randint(1, 120) * 60_000
        there = [(fix_ms, arrival) for fix_ms, arrival in stored if arrival <= now_ms]
        if not there:
            continue
        read = plan(
            progress,
            now_ms=now_ms,
            last_update_ms=max(arrival for _, arrival in there),
            newest_ms=max(fix_ms for fix_ms, _ in there),
            live_since_ms=None,
            limits=LIMITS,
        )
        if read is None:
            continue
        seen = [fix_ms for fix_ms, _ in there if read.from_ms <= fix_ms <= read.to_ms]
        found.update(seen)
        begun = history.begin(progress, read, now_ms)
        progress = history.finished(begun, read, now_ms, max(seen, default=None))
    assert {fix_ms for fix_ms, _ in stored} <= found


def test_delivered_remembers_the_newest_ids_once() -> None:
    delivered = Delivered()
    delivered.add(1, {1, 2})
    delivered.add(1, {2, 3})
    assert delivered.of(1) == {1, 2, 3}
    delivered.replace(1, {9})
    assert delivered.of(1) == {9}
    delivered.add(2, set(range(history.MOST_IDS + 5)))
    assert len(delivered.of(2)) == history.MOST_IDS
    delivered.keep_only({2})
    assert delivered.of(1) == set()
