"""Expressions over tables of which some columns may be missing: what is not there is read as nothing.

Times come as milliseconds, numbers as doubles, ids as texts, made by the server: infinite times and absurd years have
no Python value and would end a whole page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    Double,
    Select,
    Text,
    bindparam,
    case,
    cast,
    column,
    func,
    literal,
    null,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import NullType, UserDefinedType

from adapters.mod4.inventory import Inventory

LONGEST_JSON = 16_384
"""Bytes of a row's JSON as the server keeps it; what is larger is left out, the row is not."""
_FIRST_MS, _LAST_MS = -62_135_596_800_000, 253_402_300_799_999  # the years 1 to 9999


Query: TypeAlias = Select[*tuple[Any, ...]]


def choose(*columns: ColumnElement[Any]) -> Query:
    """A SELECT whose number of columns no type checker follows."""
    found: Query = select(*columns)
    return found


class Named(UserDefinedType[Any]):
    """A type of the platform, an enumeration for one, by the name that its catalogue gives."""

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_options: Any) -> str:
        return self.name


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

    def is_filled(self, name: str) -> bool:
        """Whether no row is without a value in this column."""
        return self.has(name) and self._inventory.tables[self.name].columns[name].is_filled

    def raw(self, name: str) -> ColumnElement[Any]:
        return self.table.c[name] if self.has(name) else null()

    def text(self, name: str) -> ColumnElement[Any]:
        return cast(self.raw(name), Text).label(name)

    def type_of(self, name: str) -> Named:
        facts = self._inventory.tables.get(self.name)
        found = facts.columns.get(name) if facts is not None else None
        return Named(found.type if found is not None else "text")

    def value(self, name: str, text: str | None) -> ColumnElement[Any]:
        """A value of a column's own type from its text, so that its index serves; another is refused."""
        return cast(literal(text, Text()), self.type_of(name))

    def equals(self, name: str, text: str) -> ColumnElement[bool]:
        return self.raw(name) == self.value(name, text)

    def among(self, name: str, texts: Sequence[str]) -> ColumnElement[bool]:
        wanted = cast(literal(list(texts), ARRAY(Text())), ARRAY(self.type_of(name)))
        return self.raw(name) == func.any(wanted)

    def ms(self, name: str) -> ColumnElement[Any]:
        """A time as milliseconds since 1970, NULL for none and for one beyond the calendar."""
        if not self.has(name):
            return cast(null(), BigInteger).label(name)
        return self.ms_of(self.table.c[name], name)

    @staticmethod
    def ms_of(at: ColumnElement[Any], label: str) -> ColumnElement[Any]:
        """A time of any expression, as :meth:`ms`. An infinite one has no epoch that a whole number could hold."""
        ms = func.floor(func.extract("epoch", at) * 1000)
        safe = case((func.isfinite(at), ms))
        return case((safe.between(_FIRST_MS, _LAST_MS), cast(safe, BigInteger))).label(label)

    def number(self, name: str) -> ColumnElement[Any]:
        return cast(self.raw(name), Double).label(name)

    def day(self, name: str) -> ColumnElement[Any]:
        """A date as text; NULL for one that is infinite."""
        if not self.has(name):
            return cast(null(), Text).label(name)
        return case((func.isfinite(self.table.c[name]), cast(self.table.c[name], Text))).label(name)

    def json(self, name: str) -> ColumnElement[Any]:
        """A JSON value, NULL for one beyond :data:`LONGEST_JSON`."""
        if not self.has(name):
            return null().label(name)
        return case((func.pg_column_size(self.table.c[name]) <= LONGEST_JSON, self.table.c[name])).label(name)

    def flag(self, name: str) -> ColumnElement[bool]:
        """A yes or no; no where there is none."""
        found = func.coalesce(self.raw(name), literal(False)) if self.has(name) else literal(False)
        return found.label(name)

    def texts(self, name: str) -> ColumnElement[Any]:
        """An array, as texts."""
        return cast(self.raw(name), ARRAY(Text())).label(name)


def function_call(name: str, arguments: Mapping[str, str]) -> Any:
    """``public.name(argument => 'text', …)``: literals without a type, which the server reads as what it takes."""
    parts = [
        column(argument).op("=>")(bindparam(f"of_{argument}", value, type_=NullType()))
        for argument, value in arguments.items()
    ]
    return getattr(func.public, name)(*parts)


def word(row: Mapping[str, Any], name: str, longest: int = 300) -> str:
    """A text of a row, "" for none."""
    value = row.get(name)
    if type(value) is str and len(value) <= longest:  # a database of texts holds no NUL characters
        return value
    return "" if value is None else str(value)[:longest]


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
