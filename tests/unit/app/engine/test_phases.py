from __future__ import annotations

import pytest

from app.engine.phases import MOVES, Phase, check_move, status_word


def test_every_phase_has_its_moves_and_can_always_be_disabled_or_started() -> None:
    assert set(MOVES) == set(Phase)
    for targets in MOVES.values():
        assert {Phase.STARTING, Phase.DISABLED} <= targets


@pytest.mark.parametrize("before", [Phase.NEEDS_SIGN_IN, Phase.MISCONFIGURED, Phase.ERROR, Phase.DISABLED])
def test_what_waits_for_a_person_never_becomes_healthy_without_a_start(before: Phase) -> None:
    for after in (Phase.HEALTHY, Phase.STALE, Phase.RETRYING):
        with pytest.raises(ValueError, match="cannot go from"):
            check_move(before, after)


def test_a_reason_may_change_without_a_move() -> None:
    for phase in Phase:
        check_move(phase, phase)


@pytest.mark.parametrize(
    ("phase", "ever", "word"),
    [
        (Phase.DISABLED, True, "inactive"),
        (Phase.DISABLED, False, "inactive"),
        (Phase.STARTING, False, "configured"),
        (Phase.RETRYING, False, "configured"),
        (Phase.STALE, False, "configured"),
        (Phase.HEALTHY, True, "active"),
        (Phase.STALE, True, "active"),
        (Phase.RETRYING, True, "active"),
        (Phase.NEEDS_SIGN_IN, True, "error"),
        (Phase.MISCONFIGURED, False, "error"),
        (Phase.ERROR, True, "error"),
    ],
)
def test_the_four_words_of_the_platform(phase: Phase, ever: bool, word: str) -> None:
    assert status_word(phase, ever_succeeded=ever) == word
