"""Readings in the words of PostgREST, and its values in ours (its documentation: tables, resource embedding)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.mod4.readings import (
    Among,
    AnyOf,
    Condition,
    Differs,
    Empty,
    Equals,
    Kind,
    Member,
    NotAmong,
    OfWorkspace,
    Row,
    SameText,
    Since,
)
from adapters.mod4.tables import amount

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
MOST_NAMED = 100
"""Ids in one request: proxies refuse addresses beyond some thousands of characters."""

Param = tuple[str, str]


def params_of(conditions: Iterable[Condition], members: Collection[str]) -> list[Param]:
    """The filters of a request. ``members`` are the logins that :class:`Member` asks for."""
    return [_param(one, members) for one in conditions]


def embedded(conditions: Iterable[Condition]) -> list[str]:
    """What a request selects besides its columns, so that rows of other workspaces are kept out by their keys."""
    return [f"{one.table}!inner(workspace_id)" for one in conditions if isinstance(one, OfWorkspace)]


def _param(one: Condition, members: Collection[str]) -> Param:
    match one:
        case Equals(column, value):
            return column, f"eq.{value}"
        case Differs(column, value):
            return column, f"neq.{value}"
        case SameText(column, value):
            return column, f"ilike.{_pattern(value)}"
        case Among(column, values):
            return column, f"in.{_listed(values)}"
        case NotAmong(column, values):
            return column, f"not.in.{_listed(values)}"
        case Since(column, ms):
            return column, f"gte.{iso(ms)}"
        case Empty(column):
            return column, "is.null"
        case Member(column, _):
            return column, f"in.{_listed(members)}"
        case OfWorkspace(_, table, workspace):
            return f"{table}.workspace_id", f"eq.{workspace}"
        case AnyOf(conditions):
            return "or", f"({','.join(_term(each) for each in conditions)})"


def _term(one: Condition) -> str:
    """A condition within parentheses, where commas, points and brackets have a meaning."""
    match one:
        case Equals(column, value):
            return f"{column}.eq.{quoted(value)}"
        case Since(column, ms):
            return f"{column}.gte.{quoted(iso(ms))}"
        case _:
            column, text = _param(one, ())
            return f"{column}.{text}"


def _listed(values: Iterable[str]) -> str:
    return f"({','.join(quoted(value) for value in values)})"


def quoted(value: str) -> str:
    """A value within a list or parentheses."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _pattern(value: str) -> str:
    """A text for ``ilike`` that matches itself alone; a star would be any text, and no escape saves it."""
    return "".join(f"\\{char}" if char in "\\%_" else char for char in value).replace("*", "_")


def iso(ms: int) -> str:
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat()


def behind(columns: Sequence[str], last: Mapping[str, Any], sign: str) -> Param:
    """Rows behind the last one in the order of columns; ``sign`` is ``gt``, or ``lt`` where the newest come first."""
    if len(columns) == 1:
        return columns[0], f"{sign}.{last[columns[0]]}"
    first, key = columns
    at, same = quoted(str(last[first])), quoted(str(last[key]))
    return "or", f"({first}.{sign}.{at},and({first}.eq.{at},{key}.{sign}.{same}))"


def converted(raw: Mapping[str, Any], kinds: Mapping[str, Kind]) -> Row:
    """A row in our values; what is not in it is missing at the platform."""
    return {name: _value(raw.get(name), kind) for name, kind in kinds.items()}


def _value(value: Any, kind: Kind) -> Any:
    match kind:
        case "text":
            return text(value)
        case "ms":
            return time_ms(value)
        case "number":
            return amount(value)
        case "flag":
            return value is True
        case "texts":
            return [str(one) for one in value if one is not None] if isinstance(value, list) else None
        case "day" | "json":
            return value


def text(value: Any) -> str | None:
    """A value as the database writes it."""
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def time_ms(value: Any) -> int | None:
    """A time as milliseconds since 1970; None for none, and for one that no calendar knows."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        if at is None:
            return None
        return ((at if at.tzinfo is not None else at.replace(tzinfo=UTC)) - _EPOCH) // _MS
    except (ValueError, OverflowError):
        return None
