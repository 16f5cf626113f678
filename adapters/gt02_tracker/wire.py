"""Values that the GT02 and GT06 protocols write alike: dates, coordinates, identities.

Source: protocol reference, sections 2.1, 2.3 and 3.4. All integers on the wire are big-endian.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache

COORDINATE_UNITS_PER_DEGREE = 1_800_000  # 1/500 arc-second
MS_PER_DAY = 86_400_000
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


@lru_cache(maxsize=4096)
def _minute_ms(five: bytes) -> int | None:
    year, month, day, hour, minute = five
    try:
        midnight = (date(2000 + year, month, day).toordinal() - _EPOCH_ORDINAL) * MS_PER_DAY
    except ValueError:
        return None
    return None if hour > 23 or minute > 59 else midnight + (hour * 60 + minute) * 60_000


def time_ms(six: bytes) -> int | None:
    """Milliseconds since 1970 UTC of six binary date bytes (year since 2000), None where they are no valid date."""
    minute_ms = _minute_ms(six[:5])  # a fleet sends the same minutes: hardly ever worked out
    return None if minute_ms is None or six[5] > 59 else minute_ms + six[5] * 1000


def degrees(units: int, *, positive: bool) -> float:
    """A coordinate of 1/500 arc-seconds in degrees, to six decimals.

    18 units are 10 millionths of a degree, and no half of a millionth can come out, so whole numbers round exactly;
    ``round`` of a float takes six times as long.
    """
    millionths = (units * 10 + 9) // 18
    return (millionths if positive else -millionths) / 1e6


def date_bytes(at_ms: int) -> bytes:
    """The six binary date bytes of a moment (UTC); the year must lie in 2000 to 2255."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return bytes((moment.year - 2000, moment.month, moment.day, moment.hour, moment.minute, moment.second))


def iso_utc(at_ms: int | None) -> str | None:
    """ISO 8601 with ``Z`` and whole seconds, as the decode command prints it."""
    return None if at_ms is None else datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def imei_of(bcd: bytes) -> str | None:
    """The 15 digits of eight BCD bytes (first nibble is padding), None where a nibble is no decimal digit."""
    digits = bcd.hex()[1:]
    return digits if len(digits) == 15 and digits.isdecimal() else None


def imei_bytes(imei: str) -> bytes:
    """Eight BCD bytes of a 15-digit IMEI."""
    return bytes.fromhex("0" + imei)


def luhn_ok(imei: str) -> bool:
    """True where the last digit is the check digit of the others; clones do not always keep to it."""
    return luhn_digit(imei[:-1]) == imei[-1]


def luhn_digit(digits: str) -> str:
    """The check digit that completes ``digits``."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)
