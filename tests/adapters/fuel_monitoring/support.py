"""What the tests of the fuel sensors' wire formats share."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest

from tests.helpers.command_line import VECTORS

T = TypeVar("T")


def vectors(name: str, *kinds: str) -> list[dict[str, Any]]:
    """The shared vectors of a file, of these kinds; the test is skipped where they are not installed."""
    path = VECTORS / f"{name}.json"
    if not path.exists():
        pytest.skip("the shared vectors are not here")
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["vectors"]
    return [vector for vector in found if not kinds or vector["kind"] in kinds]


def says(found: Any, wanted: Any) -> bool:
    """Whether everything wanted is there, figures within 1e-4."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(key in found and says(found[key], wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        return isinstance(found, list) and len(found) == len(wanted) and all(map(says, found, wanted))
    if isinstance(wanted, float):
        return isinstance(found, int | float) and math.isclose(found, wanted, rel_tol=1e-4)
    return bool(found == wanted)


def in_pieces(feed: Callable[[bytes], Sequence[T]], data: bytes, cuts: Sequence[int]) -> list[T]:
    """What a parser finds when the bytes come in the parts that ``cuts`` make."""
    found: list[T] = []
    at = 0
    for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        found += feed(data[at:cut])
        at = cut
    return found
