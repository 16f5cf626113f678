"""Dotted paths into JSON: ``item.code`` is the member ``code`` of the member ``item``; ``0`` the first of a list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

DEEPEST = 8
LONGEST = 200


def check_path(path: str) -> str:
    """The path itself, "" among them. Raises ValueError with what is wrong with it."""
    if not path:
        return path
    parts = path.split(".")
    if len(path) > LONGEST or len(parts) > DEEPEST:
        raise ValueError(f"a path has at most {DEEPEST} parts and {LONGEST} characters")
    if not all(part and part == part.strip() and part.isprintable() for part in parts):
        raise ValueError("a path is made of names with single dots between them, such as “item.code”")
    return path


Path = Annotated[str, AfterValidator(check_path)]


def read(value: object, path: str) -> object:
    """What stands at ``path``; None where nothing does. The empty path is the value itself."""
    for part in path.split(".") if path else ():
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isascii() and part.isdigit() and len(part) < 6:
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    return value


def write(into: dict[str, Any], path: str, value: object) -> None:
    """Put ``value`` at ``path``, making the objects on the way."""
    *way, last = path.split(".")
    for part in way:
        into = into.setdefault(part, {})
    into[last] = value


def clash(named: Iterable[tuple[str, str]]) -> tuple[str, str] | None:
    """Of (name, path) pairs, two names that would write over each other; None where all have room."""
    taken: dict[str, str] = {}
    for name, path in named:
        if not path:
            continue
        for other, owner in taken.items():
            if path == other or path.startswith(f"{other}.") or other.startswith(f"{path}."):
                return owner, name
        taken[path] = name
    return None


def flatten(value: object, at: str = "") -> dict[str, object]:
    """Every value below an object by its dotted path; lists and empty objects count as values."""
    if isinstance(value, Mapping) and value:
        found: dict[str, object] = {}
        for name, inner in value.items():
            found |= flatten(inner, f"{at}.{name}" if at else str(name))
        return found
    return {at: value}
