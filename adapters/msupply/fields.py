"""Reading single fields of foreign JSON: everything may be missing, of another type, or absurd.

A field that a record cannot do without raises RecordRejected; every other reads as None or "" when it makes no sense.
Text is cut to what the store holds and freed of what no database takes (NUL, lone surrogates).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from adapters.errors import RecordRejected

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LARGEST_QUANTITY = 1e12
"""No depot holds more units of anything; beyond it a number is a fault."""
LONGEST_ID = 200

Json = Mapping[str, Any]


def as_object(raw: object, what: str) -> Json:
    """``raw`` as a JSON object. Raises RecordRejected when it is something else."""
    if not isinstance(raw, dict):
        raise RecordRejected(what, f"Not an object but {type(raw).__name__}.")
    return raw


def identity(record: Json, name: str, what: str) -> str:
    """An id, opaque text (msupply.md, section 3). Raises RecordRejected where there is none or an endless one."""
    value = record.get(name)
    found = clean(value).strip() if isinstance(value, str) else ""
    if not found or len(found) > LONGEST_ID:
        raise RecordRejected(what, f"The field {name} is missing or no id.")
    return found


def text(record: Json, name: str, longest: int) -> str:
    """Trimmed text of at most ``longest`` characters; "" when missing."""
    value = record.get(name)
    return clean(value)[:longest].strip() if isinstance(value, str) else ""


def clean(value: str) -> str:
    """Text as every database takes it."""
    if value.isascii() and "\x00" not in value:
        return value
    return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def number(record: Json, name: str) -> float | None:
    """A number; None when missing, not a number, or beyond :data:`LARGEST_QUANTITY`."""
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) and abs(found) <= LARGEST_QUANTITY else None


def quantity(record: Json, name: str, what: str) -> float:
    """An amount that the record cannot do without. Raises RecordRejected for a missing, negative or absurd one."""
    found = number(record, name)
    if found is None:
        raise RecordRejected(what, f"The field {name} is missing or no sensible quantity. Correct it in mSupply.")
    if found < 0:
        raise RecordRejected(what, f"The field {name} is negative ({found:g}). Correct it in mSupply.")
    return found


def integer(record: Json, name: str) -> int | None:
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 2**53:
        return None
    return value


def flag(record: Json, name: str) -> bool:
    return record.get(name) is True


def day(record: Json, name: str) -> str | None:
    """A ``NaiveDate`` as it is stored, ``YYYY-MM-DD``; None when missing, unreadable or out of all reason."""
    value = record.get(name)
    if not isinstance(value, str):
        return None
    try:
        found = date.fromisoformat(value[:10])
    except ValueError:
        return None
    return found.isoformat() if 1950 <= found.year <= 2200 else None


def time_ms(record: Json, name: str) -> int | None:
    """An RFC 3339 moment as milliseconds since 1970 UTC; without a zone it is UTC (msupply.md, section 3)."""
    value = record.get(name)
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        since = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)) - EPOCH
    except (ValueError, OverflowError):
        return None
    if not 1970 <= moment.year <= 2200:
        return None
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def iso_time(at_ms: int) -> str:
    """Milliseconds since 1970 UTC as a ``DateTime`` of a filter."""
    seconds, millis = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def nested(record: Json, name: str) -> Json:
    """An object inside a record, an empty one when there is none."""
    found = record.get(name)
    return found if isinstance(found, dict) else {}


def nodes(record: Json, name: str) -> list[object] | None:
    """The nodes of a connector inside a record; None where they were not asked for."""
    found = nested(record, name).get("nodes")
    return found if isinstance(found, list) else None


def key_of(raw: object, what: str) -> str:
    """How a record is named in the list of rejected ones."""
    found = raw.get("id") if isinstance(raw, dict) else None
    return clean(f"{what} {found}")[:100] if isinstance(found, int | str) else what
