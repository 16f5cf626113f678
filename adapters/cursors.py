"""Cursors that are JSON texts, which the store keeps and only the adapter reads."""

from __future__ import annotations

import json
from typing import Any


def load(cursor: str | None) -> dict[str, Any]:
    """A cursor as an object; an empty one for none, or for one that is damaged: then all is read again."""
    try:
        value = json.loads(cursor) if cursor else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def dump(**facts: Any) -> str:
    """Facts as a cursor; None is left out."""
    return json.dumps({name: value for name, value in facts.items() if value is not None}, separators=(",", ":"))
