"""Reading single fields of foreign JSON: everything may be missing, of another type, or absurd.

A field that the record cannot do without raises RecordRejected; every other reads as None or "" when it makes no
sense. Text is cut to what the store holds and freed of what no database takes (NUL, lone surrogates).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from adapters.errors import RecordRejected
from adapters.vocabulary import Attributes, JsonScalar

Json = Mapping[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LARGEST_QUANTITY = 1e12
LONGEST_ID = 200
LONGEST_COMMENT = 4000
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def as_object(raw: object, what: str) -> Json:
    """``raw`` as a JSON object. Raises RecordRejected when it is something else."""
    if not isinstance(raw, dict):
        raise RecordRejected(what, f"Not an object but {type(raw).__name__}.")
    return raw


def identity(record: Json, what: str) -> str:
    """The record's id. Raises RecordRejected where there is none."""
    value = record.get("id")
    if not isinstance(value, str) or not value.strip() or len(value) > LONGEST_ID:
        raise RecordRejected(what, "The field id is missing or no id.")
    return clean(value).strip()


def reference(record: Json, name: str) -> str:
    """The id behind a reference, which is an object with ``id`` or the id itself; "" where there is none."""
    value = record.get(name)
    if isinstance(value, dict):
        value = value.get("id")
    return clean(value).strip()[:LONGEST_ID] if isinstance(value, str) else ""


def inner(record: Json, name: str) -> Json:
    """A nested object, an empty one when there is none."""
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def items(record: Json, name: str) -> list[Any]:
    value = record.get(name)
    return value if isinstance(value, list) else []


def number(record: Json, name: str) -> float | None:
    """A quantity, also a negative one; None when missing or beyond every reason."""
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if abs(result) <= LARGEST_QUANTITY else None


def stamp(record: Json, name: str) -> int | None:
    """Milliseconds since 1970, as we note them in cursors."""
    value = record.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 50 else None


def flag(record: Json, name: str, default: bool = False) -> bool:
    value = record.get(name)
    return value if isinstance(value, bool) else default


def text(record: Json, name: str, longest: int = 300) -> str:
    """Trimmed text of at most ``longest`` characters; "" when missing."""
    value = record.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return clean(value)[:longest].strip() if isinstance(value, str) else ""


def clean(value: str) -> str:
    """Text as every database takes it."""
    if value.isascii() and value.isprintable():  # nearly all, and this runs for every field
        return value
    return _CONTROL.sub("", value).encode("utf-8", "replace").decode("utf-8")


def time_ms(record: Json, name: str) -> int | None:
    """An ISO 8601 time with a zone, as milliseconds since 1970 UTC; None when missing or unreadable."""
    value = record.get(name)
    return moment_ms(value) if isinstance(value, str) else None


def moment_ms(value: str) -> int | None:
    try:
        moment = datetime.fromisoformat(value)
        since = moment - EPOCH if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
    return None if since is None else (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def day(record: Json, name: str) -> str | None:
    """A day as ISO text; the services write it as text, as a moment, or as the list [2026, 11, 25]."""
    value = record.get(name)
    try:
        if isinstance(value, list) and len(value) == 3:
            return date(*(int(part) for part in value)).isoformat()
        return date.fromisoformat(value[:10]).isoformat() if isinstance(value, str) else None
    except (ValueError, TypeError, OverflowError):
        return None


def iso_time(at_ms: int) -> str:
    """Milliseconds since 1970 UTC as the services want moments in queries."""
    seconds, millis = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def attributes(**facts: JsonScalar) -> Attributes | None:
    """The facts that are there; None when there are none."""
    found = {name: value for name, value in facts.items() if value not in (None, "")}
    kept = {n: v for n, v in found.items() if not isinstance(v, float) or math.isfinite(v)}
    return kept or None


def key_of(raw: object, what: str) -> str:
    """How a record is named in the list of rejected ones."""
    found = raw.get("id") if isinstance(raw, dict) else None
    return clean(f"{what} {found}")[:100] if isinstance(found, int | str) else what
