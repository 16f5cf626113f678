from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from app.engine.delays import LONGEST_ASKED_S, LONGEST_S, interval_delay_s, retry_delay_s


@given(failures=st.integers(1, 10_000), seed=st.integers())
def test_delays_stay_between_one_second_and_five_minutes(failures: int, seed: int) -> None:
    assert 1.0 <= retry_delay_s(failures, None, Random(seed)) <= LONGEST_S


@given(seed=st.integers())
def test_delays_grow(seed: int) -> None:
    rng = Random(seed)
    means = [sum(retry_delay_s(n, None, rng) for _ in range(40)) / 40 for n in (1, 3, 5, 7, 9)]
    assert means == sorted(means)


@given(asked=st.floats(0.001, 10 * LONGEST_ASKED_S), failures=st.integers(1, 20), seed=st.integers())
def test_the_peers_own_wish_is_honoured_in_full_up_to_a_day(asked: float, failures: int, seed: int) -> None:
    delay = retry_delay_s(failures, asked, Random(seed))
    assert min(asked, LONGEST_ASKED_S) <= delay <= min(asked, LONGEST_ASKED_S) * 1.05


@given(interval=st.floats(1, 86_400), seed=st.integers())
def test_runs_are_spread_around_their_interval(interval: float, seed: int) -> None:
    assert 0.9 * interval <= interval_delay_s(interval, Random(seed)) <= 1.1 * interval
