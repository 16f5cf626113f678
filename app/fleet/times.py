"""Times of telemetry as text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload

from app.clock import from_ms


def iso(moment: datetime) -> str:
    """ISO 8601 UTC with Z; milliseconds only where there are any."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


@overload
def iso_ms(ms: int) -> str: ...
@overload
def iso_ms(ms: None) -> None: ...
@overload
def iso_ms(ms: int | None) -> str | None: ...
def iso_ms(ms: int | None) -> str | None:
    """As :func:`iso`; a time beyond the calendar is given as its milliseconds."""
    if ms is None:
        return None
    try:
        return iso(from_ms(ms))
    except OverflowError:
        return f"{ms} ms"
