"""Reading single fields of foreign JSON: everything may be missing, of another type, or absurd.

A field that the record cannot do without raises RecordRejected; every other reads as None when it makes no sense.
Text is cut to what the store holds and freed of what no database takes (NUL, lone surrogates).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.errors import RecordRejected
from adapters.vocabulary import Attributes, JsonScalar

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_ATTRIBUTES = 200
LONGEST_ATTRIBUTE = 2000
_LARGEST_INTEGER = 2**63 - 1
_LARGEST_NUMBER = 1e12  # no quantity of a vehicle is larger, and a conversion of units stays far from infinity

Json = Mapping[str, Any]


def as_object(raw: object, what: str) -> Json:
    """``raw`` as a JSON object. Raises RecordRejected when it is something else."""
    if not isinstance(raw, dict):
        raise RecordRejected(what, f"Not an object but {type(raw).__name__}.")
    return raw


def identity(record: Json, name: str, what: str) -> int:
    """A positive 64-bit id. Raises RecordRejected."""
    value = integer(record, name)
    if value is None or value <= 0:
        raise RecordRejected(what, f"The field {name} is missing or no id.")
    return value


def integer(record: Json, name: str) -> int | None:
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _LARGEST_INTEGER:
        return None
    return value


def number(record: Json, name: str) -> float | None:
    """A quantity; None when missing, or beyond every reason."""
    value = record.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if abs(result) <= _LARGEST_NUMBER else None


def flag(record: Json, name: str) -> bool | None:
    value = record.get(name)
    return value if isinstance(value, bool) else None


def text(record: Json, name: str, longest: int) -> str | None:
    """Trimmed text of at most ``longest`` characters; None when missing or empty."""
    value = record.get(name)
    return clean(value)[:longest].strip() or None if isinstance(value, str) else None


def clean(value: str) -> str:
    """Text as every database takes it."""
    if value.isascii() and "\x00" not in value:  # nearly all, and this runs for every field
        return value
    return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def time_ms(record: Json, name: str) -> int | None:
    """An ISO 8601 time with a zone, as milliseconds since 1970 UTC; None when missing or unreadable.

    Both ``+00:00`` and the ``+0000`` of old servers are read (traccar-api.md, section 2).
    """
    value = record.get(name)
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        since = moment - EPOCH if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
    return None if since is None else (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def iso_time(at_ms: int) -> str:
    """Milliseconds since 1970 UTC as the server wants them in queries: with zone, to the millisecond."""
    seconds, millis = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def attributes(record: Json, **more: JsonScalar) -> Attributes | None:
    """The scalar attributes of a record, and ``more`` where not None; None when there are none.

    Nested values are left out: nothing shows them, and the server keeps them.
    """
    raw = record.get("attributes")
    found: dict[str, JsonScalar] = {}
    for name, value in raw.items() if isinstance(raw, dict) else ():
        if len(found) >= MOST_ATTRIBUTES:
            break
        if (scalar := _scalar(value)) is not None:
            found[clean(name)[:100]] = scalar
    for name, value in more.items():
        if (scalar := _scalar(value)) is not None:
            found.setdefault(name, scalar)
    return found or None


def _scalar(value: object) -> JsonScalar:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST_INTEGER else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return clean(value)[:LONGEST_ATTRIBUTE] if isinstance(value, str) else None


def nested(record: Json) -> Json:
    """The attributes as they came, an empty object when there are none."""
    raw = record.get("attributes")
    return raw if isinstance(raw, dict) else {}


def key_of(raw: object, what: str) -> str:
    """How a record is named in the list of rejected ones."""
    found = raw.get("id") if isinstance(raw, dict) else None
    return f"{what} {found}"[:100] if isinstance(found, int | str) else what
