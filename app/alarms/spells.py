"""The one small machine behind speed and fences: a condition that lasts, with hysteresis at both ends.

A fix is *on* when it is inside, or above limit and tolerance; *off* when it is clearly outside, or at the limit;
between the two nothing changes. A spell that lasted ``hold_in_ms`` is confirmed, one that was off for
``hold_out_ms`` is over. Times are those of the fixes: nothing here looks at a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

GAP_MS = 10 * 60_000
"""Two fixes farther apart say nothing about the time between them: a spell that is not confirmed begins anew."""


class Turn(Enum):
    """What a fix made of a spell."""

    NONE = 0
    BEGAN = 1
    ENDED = 2


@dataclass(slots=True)
class Spell:
    """``since_ms``: the first fix that was on; ``last_ms``: the newest that was; ``peak``: the highest value seen."""

    since_ms: int
    last_ms: int
    is_confirmed: bool = False
    is_raised: bool = False
    out_since_ms: int | None = None
    peak: float = float("nan")

    def stored(self) -> tuple[int, bool, bool, int | None]:
        """What a restart must know; the rest comes back with the next fix."""
        return (self.since_ms, self.is_confirmed, self.is_raised, self.out_since_ms)


@dataclass(frozen=True, slots=True)
class Holds:
    """How long a condition must be on to count, and off to be over."""

    in_ms: int
    out_ms: int


def advance(spell: Spell | None, at_ms: int, *, on: bool, off: bool, holds: Holds) -> tuple[Spell | None, Turn]:
    """The spell after one more fix, and what that fix decided."""
    if spell is not None and not spell.is_confirmed and at_ms - spell.last_ms > GAP_MS:
        spell = None
    if spell is None:
        if not on:
            return None, Turn.NONE
        spell = Spell(at_ms, at_ms)
    elif off:
        return _ending(spell, at_ms, holds)
    else:
        spell.out_since_ms = None
        spell.last_ms = at_ms
    if not spell.is_confirmed and at_ms - spell.since_ms >= holds.in_ms:
        spell.is_confirmed = True
        return spell, Turn.BEGAN
    return spell, Turn.NONE


def _ending(spell: Spell, at_ms: int, holds: Holds) -> tuple[Spell | None, Turn]:
    if not spell.is_confirmed:
        return None, Turn.NONE
    if spell.out_since_ms is None:
        spell.out_since_ms = at_ms
    if at_ms - spell.out_since_ms >= holds.out_ms:
        return None, Turn.ENDED
    return spell, Turn.NONE
