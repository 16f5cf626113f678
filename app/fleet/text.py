"""Text from outside, in a form that every database keeps."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

_encode = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would build an encoder per call


_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""The last four are the wide forms, which some spreadsheet programs read alike."""


def storable(text: str, longest: int | None = None) -> str:
    """``text`` without what a database refuses (NUL, lone surrogates), cut to ``longest`` characters."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    return text if longest is None else text[:longest]


def storable_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with texts made storable, however deep; numbers that JSON does not know become text."""
    return {storable(str(name)): _storable_value(value) for name, value in values.items()}


def json_text(values: Mapping[str, Any]) -> str:
    """``values`` as the compact JSON text that a JSON column takes from the driver."""
    return _encode(storable_json(values))


def _storable_value(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return storable_json(value)
    if isinstance(value, list):
        return [_storable_value(item) for item in value]
    return value


def harmless(text: str) -> str:
    """``text`` so that no spreadsheet program takes it for a formula: an apostrophe before what would begin one."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
