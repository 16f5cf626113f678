"""What has identities: each kind's table, and its records in one form for the matching and the lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection, Select, and_, literal, or_, select

from app.identity.errors import IdentityError
from app.store.tables import DriverRow, FacilityRow, Integration, ItemRow, ProgramRow, Vehicle

Kind = Literal["facility", "item", "program", "vehicle", "driver"]
KINDS: tuple[Kind, ...] = ("facility", "item", "program", "vehicle", "driver")

OWN = ""
"""Where vehicles come from: this console."""

T = TypeVar("T")
_AT_ONCE = 500  # ids in one statement; SQLite takes 32,766 values, PostgreSQL 65,535
_GTIN_KEYS = ("gtin", "GTIN", "gtin13", "gtin14", "barcode", "ean")


@dataclass(frozen=True, slots=True)
class Known:
    """One record.

    ``source_id`` and ``source`` are its integration, both "" for what is this console's own. ``detail`` is what tells
    it from others of its name: unit and pack of an item, zone of a facility, model of a vehicle, address or phone of
    a driver. A driver's ``code`` is the licence number. ``gtin`` is "" where its system tells none. ``is_current``:
    its system still has it, and has it active.
    """

    id: str
    source_id: str
    source: str
    peer_id: str
    code: str
    name: str
    detail: str = ""
    zone: str = ""
    lat: float | None = None
    lon: float | None = None
    gtin: str = ""
    is_current: bool = True
    email: str = ""
    phone: str = ""

    @property
    def label(self) -> str:
        return self.name or self.code or self.peer_id


@dataclass(frozen=True, slots=True)
class KindTable:
    """``one_each``: a thing has at most one record in each system, so two of one system are never suggested."""

    table: Any
    one_each: bool = True


TABLES: Mapping[str, KindTable] = {
    "facility": KindTable(FacilityRow),
    "item": KindTable(ItemRow),
    "program": KindTable(ProgramRow),
    "vehicle": KindTable(Vehicle, one_each=False),
    "driver": KindTable(DriverRow, one_each=False),  # invited again under another address: two records there
}
TOPICS: Mapping[str, str] = {
    "facility": "facilities",
    "item": "items",
    "program": "facilities",
    "vehicle": "vehicles",
    "driver": "drivers",
}
"""The topic under which a kind's records move; programmes move with the facilities (app/supply/kinds.py)."""


def check_kind(kind: str) -> str:
    """Raises IdentityError for a word that is no kind."""
    if kind not in TABLES:
        raise IdentityError(f"There is no kind “{kind}” with identities. There are: {', '.join(KINDS)}.")
    return kind


def select_records(kind: str) -> Select[Any]:
    """All records of a kind with id, integration, source, peer_id, code, name, is_current, and what is its own."""
    if kind == "vehicle":
        own: tuple[Any, ...] = (
            Vehicle.id,
            literal(OWN).label("integration_id"),
            literal("").label("source"),
            Vehicle.id.label("peer_id"),
            Vehicle.plate.label("code"),
            Vehicle.name,
            Vehicle.make_model,
            Vehicle.removed_at.is_(None).label("is_current"),
        )
        return select(*own)
    table = TABLES[kind].table
    more: tuple[Any, ...] = ()
    if kind == "driver":
        more = (table.email, table.phone)
    elif kind == "facility":
        more = (table.zone, table.lat, table.lon)
    elif kind == "item":
        more = (table.unit, table.pack_size, table.attributes)
    return select(
        table.id,
        table.integration_id,
        Integration.name.label("source"),
        table.peer_id,
        code_column(kind).label("code"),
        table.name,
        current_condition(kind).label("is_current"),
        *more,
    ).join(Integration, Integration.id == table.integration_id)


def current_condition(kind: str) -> Any:
    """The condition for records that are there now; for statements made with :func:`select_records`."""
    table = TABLES[kind].table
    if kind == "vehicle":
        return table.removed_at.is_(None)
    conditions = [table.gone_at.is_(None), Integration.removed_at.is_(None)]
    if kind != "driver":
        conditions.append(table.is_active)
    return and_(*conditions)


def code_column(kind: str, table: Any = None) -> Any:
    """Where a kind has its code: a vehicle its plate, a driver the licence. ``table``: columns of an alias."""
    columns = TABLES[kind].table if table is None else table
    return getattr(columns, {"vehicle": "plate", "driver": "licence_number"}.get(kind, "code"))


def known(kind: str, row: Any) -> Known:
    """The record of a row of :func:`select_records`."""
    common = (row.id, row.integration_id, row.source, row.peer_id, row.code, row.name)
    current = bool(row.is_current)
    if kind == "facility":
        return Known(*common, row.zone, row.zone, row.lat, row.lon, is_current=current)
    if kind == "item":
        pack = f"{row.unit} × {row.pack_size:g}" if row.unit and row.pack_size != 1 else row.unit
        return Known(*common, pack, gtin=_gtin(row.attributes), is_current=current)
    if kind == "driver":
        detail = row.email or row.phone
        return Known(*common, detail, is_current=current, email=row.email, phone=row.phone)
    if kind == "vehicle":
        return Known(*common[:5], row.name or row.code, row.make_model, is_current=current)
    return Known(*common, is_current=current)


def load_records(connection: Connection, kind: str, record_ids: Iterable[str]) -> dict[str, Known]:
    """Records by id; what the store does not know is left out."""
    table = TABLES[kind].table
    found: dict[str, Known] = {}
    for some in in_chunks(record_ids):
        for row in connection.execute(select_records(kind).where(table.id.in_(some))):
            found[row.id] = known(kind, row)
    return found


def load_current(connection: Connection, kind: str) -> list[Known]:
    """Every record that is there now, in a stable order."""
    table = TABLES[kind].table
    query = select_records(kind).where(current_condition(kind)).order_by(table.id)
    return [known(kind, row) for row in connection.execute(query)]


def find_records(connection: Connection, kind: str, text: str, *, limit: int = 50) -> list[Known]:
    """Records whose name or code holds every word of ``text``, those that are there now first."""
    table = TABLES[kind].table
    code, name = code_column(kind), table.name
    query = select_records(kind)
    for word in text.split():
        query = query.where(or_(code.icontains(word, autoescape=True), name.icontains(word, autoescape=True)))
    query = query.where(current_condition(kind)).order_by(name, table.id).limit(limit)
    return [known(kind, row) for row in connection.execute(query)]


def in_chunks(values: Iterable[T], size: int = _AT_ONCE) -> Iterator[Sequence[T]]:
    """In pieces that one statement takes."""
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some


def _gtin(attributes: Any) -> str:
    """The trade item number that a system tells of an item (GS1 General Specifications, 2.1), as its 14 digits."""
    if not isinstance(attributes, Mapping):
        return ""
    for key in _GTIN_KEYS:
        digits = str(attributes.get(key) or "").strip().replace(" ", "").replace("-", "")
        if digits.isascii() and digits.isdigit() and len(digits) in (8, 12, 13, 14) and _is_checked(digits):
            return digits.zfill(14)
    return ""


def _is_checked(digits: str) -> bool:
    """The last digit is the check digit: weights 3 and 1 from the right (GS1 General Specifications, 7.9)."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(digits[:-1])))
    return (10 - total % 10) % 10 == int(digits[-1])
