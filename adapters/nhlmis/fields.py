"""Reading single values of foreign JSON: everything may be missing, of another type, or absurd.

Text is cut to what the store holds and freed of what no database takes (NUL, lone surrogates).
"""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta, timezone

LARGEST = 1e9
"""More packs or units than any order of medicines asks for."""
_EARLIEST_MS = 946_684_800_000  # 2000-01-01
_LATEST_MS = 4_102_444_800_000  # 2100-01-01


def text(value: object, longest: int) -> str:
    """Text, or a number as text; "" for anything else. Line breaks and controls become spaces."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    if isinstance(value, float) and (not math.isfinite(value) or value.is_integer()):
        value = int(value) if math.isfinite(value) else ""
    if isinstance(value, int) and value.bit_length() > 256:
        return ""
    return " ".join(clean(str(value)).split())[:longest].strip()


def long_text(value: object, longest: int) -> str:
    """Text with its line breaks."""
    return clean(value)[:longest].strip() if isinstance(value, str) else ""


def clean(value: str) -> str:
    """Text as every database takes it."""
    if value.isascii() and value.isprintable():
        return value
    return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def whole(value: object) -> str:
    """Foreign JSON as one text, whatever stands in it; the same value gives the same text."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except RecursionError:
        return f"nested too deeply: {type(value).__name__}"


def sample(value: object) -> str:
    """The beginning of foreign JSON, for diagnostics."""
    return clean(whole(value)[:2000])


def number(value: object) -> float | None:
    """A quantity, given as number or as text; None when missing or beyond every reason."""
    if isinstance(value, str) and len(value) < 40:
        try:
            value = float(value.strip().replace(",", ""))
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if abs(result) <= LARGEST else None  # NaN is no number either


def time_ms(value: object, zone_min: int = 0) -> int | None:
    """A moment as milliseconds since 1970 UTC: ISO text, epoch seconds or milliseconds; None for nonsense.

    ``zone_min`` is the offset of texts that name none, in minutes east of UTC. Years 2000 to 2099 make sense.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value) or abs(value) > 1e15:
            return None
        found = round(value) if abs(value) > 1e11 else round(value * 1000)
        return found if _EARLIEST_MS <= found < _LATEST_MS else None
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone(timedelta(minutes=zone_min)))
        found = round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
    except (ValueError, OverflowError):
        return None
    return found if _EARLIEST_MS <= found < _LATEST_MS else None
