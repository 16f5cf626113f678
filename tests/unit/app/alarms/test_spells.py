"""The machine behind speed and fences: hysteresis, holding times, gaps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.alarms.spells import GAP_MS, Holds, Spell, Turn, advance

HOLDS = Holds(30_000, 60_000)
ON, OFF, BETWEEN = (True, False), (False, True), (False, False)


def run(steps: list[tuple[int, tuple[bool, bool]]]) -> tuple[list[Turn], Spell | None]:
    spell: Spell | None = None
    turns = []
    for at_s, (on, off) in steps:
        spell, turn = advance(spell, at_s * 1000, on=on, off=off, holds=HOLDS)
        turns.append(turn)
    return turns, spell


def test_it_counts_only_once_it_has_lasted() -> None:
    turns, spell = run([(0, ON), (20, ON), (30, ON), (40, ON)])
    assert turns == [Turn.NONE, Turn.NONE, Turn.BEGAN, Turn.NONE]
    assert spell is not None
    assert spell.since_ms == 0


def test_a_moment_between_counts_as_nothing() -> None:
    assert run([(0, ON), (10, OFF), (35, ON), (50, OFF)]) == ([Turn.NONE] * 4, None)


def test_between_the_two_thresholds_nothing_changes() -> None:
    turns, spell = run([(0, ON), (30, BETWEEN), (500, BETWEEN)])
    assert turns == [Turn.NONE, Turn.BEGAN, Turn.NONE]
    assert spell is not None
    assert run([(0, BETWEEN)]) == ([Turn.NONE], None)


def test_it_is_over_only_once_it_was_off_for_long_enough() -> None:
    turns, _ = run([(0, ON), (30, ON), (40, OFF), (80, ON), (90, OFF), (120, OFF), (150, OFF)])
    assert turns == [Turn.NONE, Turn.BEGAN, Turn.NONE, Turn.NONE, Turn.NONE, Turn.NONE, Turn.ENDED]


def test_a_gap_proves_nothing() -> None:
    after_s = GAP_MS // 1000 + 1
    turns, spell = run([(0, ON), (after_s, ON)])
    assert turns == [Turn.NONE, Turn.NONE]
    assert spell is not None
    assert spell.since_ms == after_s * 1000


@given(st.lists(st.tuples(st.integers(1, 300), st.sampled_from([ON, OFF, BETWEEN])), max_size=60))
def test_begins_and_ends_alternate(steps: list[tuple[int, tuple[bool, bool]]]) -> None:
    at_s, timed = 0, []
    for wait_s, state in steps:
        at_s += wait_s
        timed.append((at_s, state))
    turns = [turn for turn in run(timed)[0] if turn is not Turn.NONE]
    assert turns == [Turn.BEGAN, Turn.ENDED] * (len(turns) // 2) + [Turn.BEGAN] * (len(turns) % 2)
