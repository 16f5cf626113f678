"""Time: what adapters are lent, and the two forms in which the store keeps it (docs/decisions/0003)."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class SystemClock:
    """The machine's own clock, as :class:`adapters.base.Clock`."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def utc_now() -> datetime:
    """Now, aware, UTC."""
    return datetime.now(UTC)


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 UTC, rounded down. Raises ValueError for a time without a zone."""
    if moment.tzinfo is None:
        raise ValueError("a time without zone is no moment")
    return (moment - EPOCH) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    """The aware UTC time of ``ms`` since 1970. Raises OverflowError beyond the years 1 to 9999."""
    return EPOCH + timedelta(milliseconds=ms)
