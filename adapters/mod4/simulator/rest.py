"""Requests to tables and functions as PostgREST reads them: filters, order, embedding, pages (its documentation).

What it says no to, it says as PostgREST does. Only what is asked for by somebody here is understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import sql

OPERATORS: Final = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "ilike": "ILIKE"}
RESERVED: Final = {"select", "order", "limit", "offset", "columns"}
_EMBED = re.compile(r"(\w+)!inner\((\w+)\)")

Item = tuple[str, str]


class Unread(Exception):
    """A request that PostgREST does not take, with its code and status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks of a table or function: the whole rows are ``source``, one of them ``t``."""

    columns: tuple[str, ...]
    embeds: Mapping[str, str]
    conditions: Sequence[sql.Composed]
    values: Sequence[Any]
    order: sql.Composable
    limit: int | None
    offset: int

    def where(self) -> sql.Composable:
        return sql.SQL(" WHERE ") + sql.SQL(" AND ").join(self.conditions) if self.conditions else sql.SQL("")

    def query(self, source: sql.Composable, keys: Mapping[str, str], most: int) -> tuple[sql.Composed, list[Any]]:
        """Rows as JSON under ``x``, in pages of at most ``most``; ``keys`` are the columns behind each embedding."""
        shown: list[sql.Composable] = [sql.SQL("t.*")] if not self.columns else [
            sql.SQL("t.{}").format(sql.Identifier(name)) for name in self.columns
        ]  # fmt: skip
        joins = [
            sql.SQL(" JOIN public.{0} ON {0}.id = t.{1}").format(sql.Identifier(name), sql.Identifier(keys[name]))
            for name in self.embeds
        ]
        shown += [
            sql.SQL("json_build_object({}, {}.{}) AS {}").format(
                sql.Literal(column), sql.Identifier(name), sql.Identifier(column), sql.Identifier(name)
            )
            for name, column in self.embeds.items()
        ]
        limit = most if self.limit is None else min(self.limit, most)
        inner = sql.SQL("SELECT {} FROM {} AS t{}{}{} LIMIT {} OFFSET {}").format(
            sql.SQL(", ").join(shown), source, sql.SQL("").join(joins), self.where(), self.order,
            sql.Literal(limit), sql.Literal(self.offset),
        )  # fmt: skip
        return sql.SQL("SELECT to_jsonb(page) AS x FROM ({}) AS page").format(inner), list(self.values)

    def count(self, source: sql.Composable, keys: Mapping[str, str]) -> tuple[sql.Composed, list[Any]]:
        """How many rows there are without pages."""
        joins = [
            sql.SQL(" JOIN public.{0} ON {0}.id = t.{1}").format(sql.Identifier(name), sql.Identifier(keys[name]))
            for name in self.embeds
        ]
        counted = sql.SQL("SELECT count(*) AS x FROM {} AS t{}{}").format(source, sql.SQL("").join(joins), self.where())
        return counted, list(self.values)


def wanted(items: Iterable[Item], arguments: Iterable[str] = ()) -> Wanted:
    """What the items of a query ask for; ``arguments`` of a function are none of it. Raises :class:`Unread`."""
    given = [(name, value) for name, value in items if name not in arguments]
    single = dict(given)
    conditions: list[sql.Composed] = []
    values: list[Any] = []
    for name, value in given:
        if name in RESERVED:
            continue
        if name in ("or", "and"):
            found, more = _group(name, value)
        else:
            found, more = _condition(name, value)
        conditions.append(found)
        values += more
    columns, embeds = _selected(single.get("select", "*"))
    limit = single.get("limit")
    return Wanted(
        columns, embeds, conditions, values, _order(single.get("order", "")), int(limit) if limit else None,
        int(single.get("offset", 0)),
    )  # fmt: skip


def _selected(text: str) -> tuple[tuple[str, ...], Mapping[str, str]]:
    parts = [] if text == "*" else split(text)
    embeds = {found[1]: found[2] for part in parts if (found := _EMBED.fullmatch(part))}
    return tuple(part for part in parts if not _EMBED.fullmatch(part)), embeds


def _name(text: str) -> sql.Composed:
    """A column, of an embedded table where one is named."""
    table, point, column = text.rpartition(".")
    return sql.SQL("{}.{}").format(sql.Identifier(table if point else "t"), sql.Identifier(column))


def _condition(name: str, text: str) -> tuple[sql.Composed, list[Any]]:
    operator, _, value = text.partition(".")
    if operator == "not":
        inner, values = _condition(name, value)
        return sql.SQL("NOT {}").format(inner), values
    if operator in OPERATORS:
        return sql.SQL("{} {} %s").format(_name(name), sql.SQL(OPERATORS[operator])), [_bare(value)]
    if operator == "in" and value.startswith("(") and value.endswith(")"):
        return sql.SQL("{}::text = ANY (%s)").format(_name(name)), [[_bare(one) for one in split(value[1:-1])]]
    if operator == "is" and value == "null":
        return sql.SQL("{} IS NULL").format(_name(name)), []
    raise Unread("PGRST100", f'"failed to parse filter ({text})" (line 1, column 1)')


def _group(word: str, text: str) -> tuple[sql.Composed, list[Any]]:
    """Conditions in brackets, joined by ``or`` or ``and``, some of which may be groups themselves."""
    if not (text.startswith("(") and text.endswith(")")):
        raise Unread("PGRST100", f'"failed to parse logic tree ({text})" (line 1, column 1)')
    found, values = [], list[Any]()
    for part in split(text[1:-1]):
        if part.startswith(("and(", "or(")):
            inner, bracket, rest = part.partition("(")
            one, more = _group(inner, bracket + rest)
        else:
            name, _, rest = part.partition(".")
            one, more = _condition(name, rest)
        found.append(one)
        values += more
    return sql.SQL("({})").format(sql.SQL(f" {word.upper()} ").join(found)), values


def split(text: str) -> list[str]:
    """Parts between commas, but for those in quotes and brackets."""
    parts, depth, quoted, part = list[str](), 0, False, ""
    escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\" and quoted:
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif not quoted:
            depth += (char == "(") - (char == ")")
            if char == "," and depth == 0:
                parts.append(part)
                part = ""
                continue
        part += char
    return [*parts, part] if part else parts


def _bare(value: str) -> str:
    """A value without its quotes."""
    if len(value) > 1 and value.startswith('"') and value.endswith('"'):
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def _order(text: str) -> sql.Composable:
    if not text:
        return sql.SQL("")
    words = {"asc": "ASC", "desc": "DESC", "nullsfirst": "NULLS FIRST", "nullslast": "NULLS LAST"}
    parts = []
    for part in text.split(","):
        column, *ways = part.split(".")
        if any(way not in words for way in ways):
            raise Unread("PGRST100", f'"failed to parse order ({text})" (line 1, column 1)')
        parts.append(sql.SQL("{} {}").format(_name(column), sql.SQL(" ".join(words[way] for way in ways))))
    return sql.SQL(" ORDER BY ") + sql.SQL(", ").join(parts)
