"""From a field of a supply record to what its column holds, or the reason why it cannot be kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, String

from app.fleet.text import storable, storable_json

MOST = 1e15
"""Above this no quantity, place or time is believed; whole numbers are exact in a double up to there."""
LONGEST_ID = 200
_DAY_CHARACTERS = 10
_SHOWN_CHARACTERS = 60

Convert = Callable[[Any], Any]

_canonical = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode


class Unstorable(ValueError):
    """A value that no column can keep. The text says what is wrong with it, without the field's name."""


def converter_of(column: Column[Any]) -> Convert:
    """What makes a record's value one of ``column``, for the driver. It raises :class:`Unstorable`."""
    convert = _by_type(column)
    return _or_nothing(convert) if column.nullable else convert


def content_hash(values: Sequence[Any]) -> bytes:
    """16 bytes over what :func:`converter_of` made, the same in every process and on every system."""
    return blake2b(_canonical(values).encode(), digest_size=16).digest()


def _by_type(column: Column[Any]) -> Convert:
    kind = column.type
    if isinstance(kind, Double):
        return _number
    if isinstance(kind, Boolean):
        return _truth
    if isinstance(kind, JSON):
        return _json
    if isinstance(kind, String):
        if column.name == "peer_id":
            return _peer_id
        return _day if kind.length == _DAY_CHARACTERS else _text(kind.length)
    if isinstance(kind.as_generic(), BigInteger):
        return _whole
    raise TypeError(f"no supply column can be of the type {kind!r}")


def _or_nothing(convert: Convert) -> Convert:
    def convert_if_told(value: Any) -> Any:
        return None if value is None else convert(value)

    return convert_if_told


def _text(longest: int | None) -> Convert:
    def convert(value: Any) -> str:
        if type(value) is str and value.isascii() and "\x00" not in value:  # nearly every text of nearly every peer
            return value if longest is None else value[:longest]
        if not isinstance(value, str):
            raise Unstorable(f"is {_shown(value)}, which is no text")
        return storable(value, longest)

    return convert


def _peer_id(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise Unstorable("is missing, so that it cannot be told from others")
    if len(value) > LONGEST_ID:
        raise Unstorable(f"has {len(value):,} characters; at most {LONGEST_ID} are kept")
    return storable(value)


def _number(value: Any) -> float:
    if type(value) not in (float, int) or not -MOST <= value <= MOST:  # false for NaN as well
        raise Unstorable(f"is {_shown(value)}, which no quantity can be")
    return float(value) + 0.0  # there is one zero


def _whole(value: Any) -> int:
    if type(value) is not int or not -MOST <= value <= MOST:
        raise Unstorable(f"is {_shown(value)}, which no time can be")
    return value


def _truth(value: Any) -> bool:
    return bool(value)


@lru_cache(4_096)  # stock of a country expires on a few hundred days
def _day(value: Any) -> str:
    try:
        return date.fromisoformat(value).isoformat()
    except (TypeError, ValueError):
        raise Unstorable(f"is {_shown(value)}, which is no day of the calendar") from None


def _json(value: Any) -> str:
    """JSON text with sorted names: in which order a peer tells attributes is no change."""
    if isinstance(value, Mapping):
        return _canonical(storable_json(value))
    return _canonical([storable(str(one)) for one in value])


def _shown(value: Any) -> str:
    text = storable(repr(value), _SHOWN_CHARACTERS + 1)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
