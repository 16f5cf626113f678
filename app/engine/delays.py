"""How long to wait: before the next try of a peer that failed, and before the next scheduled run."""

from __future__ import annotations

from random import Random

LONGEST_S = 300.0
LONGEST_ASKED_S = 24 * 3600.0  # a peer that asks for more has a broken clock or a grudge


def retry_delay_s(failures: int, asked_s: float | None, rng: Random) -> float:
    """Seconds before the next try after ``failures`` failed tries in a row (1 or more).

    Doubles from 1 to 300 s with jitter, so that a returning server is not met by everybody at once. A peer's own
    wish (Retry-After) is honoured in full, with a little on top.
    """
    if asked_s is not None and asked_s > 0:
        return min(asked_s, LONGEST_ASKED_S) * rng.uniform(1.0, 1.05)
    ceiling = min(LONGEST_S, 2.0 ** min(failures, 10))
    return max(1.0, rng.uniform(ceiling / 2, ceiling))


def interval_delay_s(interval_s: float, rng: Random) -> float:
    """Seconds to the next scheduled run: the interval, a tenth sooner or later."""
    return interval_s * rng.uniform(0.9, 1.1)
