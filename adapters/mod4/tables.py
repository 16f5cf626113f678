"""Expressions over tables of which some columns may be missing: what is not there is read as nothing.

Times come as milliseconds, numbers as doubles, ids as texts, made by the server: infinite times and absurd years have
no Python value and would end a whole page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import BigInteger, Double, Text, case, cast, column, func, literal, null, table
from sqlalchemy.sql.elements import ColumnElement

from adapters.mod4.inventory import Inventory

LONGEST_JSON = 16_384
"""Bytes of a row's JSON as the server keeps it; what is larger is left out, the row is not."""
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999


class Rows:
    """One table as this role sees it; columns that are missing or may not be read are NULL."""

    def __init__(self, inventory: Inventory, name: str, schema: str = "public") -> None:
        self._inventory = inventory
        self.name = name
        facts = inventory.tables.get(name)
        names = tuple(facts.columns) if facts is not None else ()
        self.table = table(name, *(column(one) for one in names), schema=schema)

    def has(self, name: str) -> bool:
        return self._inventory.has(self.name, name)

    def raw(self, name: str) -> ColumnElement[Any]:
        return self.table.c[name] if self.has(name) else null()

    def text(self, name: str) -> ColumnElement[str]:
        return cast(self.raw(name), Text).label(name)

    def ms(self, name: str) -> ColumnElement[int]:
        """A time as milliseconds since 1970, NULL for none and for one beyond the calendar."""
        if not self.has(name):
            return cast(null(), BigInteger).label(name)
        at = self.table.c[name]
        ms = func.floor(func.extract("epoch", at) * 1000)
        return case((func.isfinite(at) & ms.between(_FIRST_MS, _LAST_MS), cast(ms, BigInteger))).label(name)

    def number(self, name: str) -> ColumnElement[float]:
        return cast(self.raw(name), Double).label(name)

    def day(self, name: str) -> ColumnElement[str]:
        """A date as text; NULL for one that is infinite."""
        if not self.has(name):
            return cast(null(), Text).label(name)
        return case((func.isfinite(self.table.c[name]), cast(self.table.c[name], Text))).label(name)

    def json(self, name: str) -> ColumnElement[Any]:
        """A JSON value, NULL for one beyond :data:`LONGEST_JSON`."""
        if not self.has(name):
            return null().label(name)
        return case((func.pg_column_size(self.table.c[name]) <= LONGEST_JSON, self.table.c[name])).label(name)

    def flag(self, name: str, default: bool = False) -> ColumnElement[bool]:
        return (
            func.coalesce(self.raw(name), literal(default)).label(name)
            if self.has(name)
            else literal(default).label(name)
        )


def word(row: Mapping[str, Any], name: str, longest: int = 300) -> str:
    """A text of a row, "" for none, without NUL characters."""
    value = row.get(name)
    return "" if value is None else str(value).replace("\x00", "")[:longest]


def day(row: Mapping[str, Any], name: str) -> str | None:
    """An ISO day, None for one outside four-digit years."""
    value = row.get(name)
    return value if isinstance(value, str) and len(value) == 10 and value[:4].isdigit() else None


def amount(value: Any) -> float | None:
    """A finite number, None for anything else; texts of JSON count where they are numbers."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def place(lat: Any, lon: Any) -> tuple[float | None, float | None]:
    """A place on earth, or none: a pair is taken whole."""
    north, east = amount(lat), amount(lon)
    if north is None or east is None or not (-90 <= north <= 90 and -180 <= east <= 180):
        return None, None
    return north, east
