"""The ways in which one integration works side by side (start, listen, fetch), and the phase that they add up to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from adapters.base import Clock
from adapters.errors import AdapterError, NotReady
from app.engine.delays import retry_delay_s
from app.engine.phases import Phase
from app.store.errors import StoreError

PROVEN_AFTER_S = 30.0
"""A connection that lasted this long, or brought data, was a working one: the delays begin anew."""

Trouble = AdapterError | StoreError


@dataclass(slots=True, eq=False)
class Leg:
    """One way of working with a peer and how it goes. Not working and no trouble: it is starting."""

    name: str
    working: bool = False
    trouble: Trouble | None = None
    failures: int = 0
    next_try_ms: int | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _since_s: float | None = None

    def works(self, now_s: float) -> None:
        """The peer answered as it should. The count of failures stays until the connection has proven itself."""
        if not self.working:
            self._since_s = now_s
        self.working, self.trouble, self.next_try_ms = True, None, None

    def works_for_s(self, now_s: float) -> float:
        """Seconds for which it has worked without a break; 0 where it does not."""
        return now_s - self._since_s if self.working and self._since_s is not None else 0.0

    def proven(self) -> None:
        """Data came, or a whole run succeeded."""
        self.failures = 0

    def fails(self, trouble: Trouble, clock: Clock, rng: Random) -> float:
        """Note a failure; returns the seconds before the next try."""
        if self.works_for_s(clock.monotonic()) >= PROVEN_AFTER_S:
            self.failures = 0
        self.failures += 1
        self.working, self.trouble = False, trouble
        asked_s = trouble.retry_after_s if isinstance(trouble, NotReady) else None
        delay_s = retry_delay_s(self.failures, asked_s, rng)
        self.next_try_ms = clock.now_ms() + round(delay_s * 1000)
        return delay_s


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the legs add up to, for the row in ``integration_states``."""

    phase: Phase
    reason: str = ""
    error_kind: str = ""
    next_try_ms: int | None = None
    failures: int = 0


def judge(
    legs: Sequence[Leg],
    *,
    store_trouble: StoreError | None,
    detail: str,
    last_data_ms: int | None,
    stale_after_s: int,
    now_ms: int,
) -> Verdict:
    """The phase of an integration whose legs run. Healthy needs fresh data, not merely an open connection."""
    if store_trouble is not None:
        why = f"What arrives cannot be stored, so nothing of it is acknowledged. {store_trouble.why}"
        return Verdict(Phase.RETRYING, why, type(store_trouble).__name__)
    failed = [leg for leg in legs if leg.trouble is not None]
    if failed:
        return _retrying(failed, legs)
    if not all(leg.working for leg in legs):
        return Verdict(Phase.STARTING)
    if stale_after_s <= 0:
        return Verdict(Phase.HEALTHY, detail)
    if last_data_ms is None:
        return Verdict(Phase.STALE, _sentence(detail, "No device has reported yet."))
    if now_ms - last_data_ms > stale_after_s * 1000:
        return Verdict(Phase.STALE, _sentence(detail, f"Nothing new for more than {spoken(stale_after_s)}."))
    return Verdict(Phase.HEALTHY, detail)


def spoken(seconds: float) -> str:
    """A duration for a sentence: ``40 s``, ``10 min``, ``2 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def _retrying(failed: Sequence[Leg], legs: Sequence[Leg]) -> Verdict:
    soonest = min(failed, key=lambda leg: leg.next_try_ms or 0)
    reasons = list(dict.fromkeys(leg.trouble.why for leg in failed if leg.trouble is not None))
    if any(leg.working and leg.name == "fetch" for leg in legs):
        reasons.append("Until the live connection is back, new data is fetched at each scheduled run.")
    return Verdict(
        Phase.RETRYING,
        " ".join(reasons),
        type(soonest.trouble).__name__,
        soonest.next_try_ms,
        max(leg.failures for leg in failed),
    )


def _sentence(detail: str, more: str) -> str:
    if not detail:
        return more
    return f"{detail.rstrip('.')}. {more}"
