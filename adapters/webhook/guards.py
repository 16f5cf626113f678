"""JSON from outside, read with limits on depth and numbers before the parser may spend anything on it."""

from __future__ import annotations

import json
import re
from typing import Any

DEEPEST = 32
_LONGEST_NUMBER = 40
_STEP = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{\]}]', re.DOTALL)


class Unreadable(ValueError):
    """A body that is not JSON, or JSON that no honest sender makes; the text says which."""


def read_json(body: bytes) -> Any:
    """The value of a body in UTF-8. Raises Unreadable. Work is linear in the bytes."""
    if _depth(body) > DEEPEST:
        raise Unreadable(f"nested deeper than {DEEPEST}")
    try:
        return json.loads(body, parse_int=_whole, parse_float=_number, parse_constant=_no_constant)
    except Unreadable:
        raise
    except (ValueError, RecursionError) as err:
        raise Unreadable("not JSON in UTF-8") from err


def _depth(body: bytes) -> int:
    depth = deepest = 0
    for step in _STEP.finditer(body):
        mark = step[0][:1]
        if mark in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in b"]}":
            depth -= 1
    return deepest


def _whole(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise Unreadable("a number of more digits than anything is counted with")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Unreadable("a number beyond all measure")
    return value


def _no_constant(text: str) -> Any:
    raise Unreadable(f"{text} is no JSON")
