"""Items of every catalogue with what is in stock of them: how much, for how many months, until when."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, Subquery, Text, and_, case, cast, func, null, or_, select

from app.store.tables import Integration, ItemRow, ProgramRow, StockLineRow
from app.supply.ages import UNREAD, Age, data_ages
from app.supply.filters import Expiry, Horizon, Levels, Place, StockClass, SupplyFilter, stock_class
from app.supply.paging import After, Sort, count_up_to, few_with_words, holds_words, rows_after

SORTS = ("name", "code", "units", "months", "earliest_expiry", "expired_units", "expiring_units")
LEAST_MONTHLY = 1e-9
"""A consumption below this is none: units divided by it are no number that a database can hold."""
_OF_ITEM = frozenset({"name", "code"})
_SEARCHED = (ItemRow.name, ItemRow.code)


@dataclass(frozen=True, slots=True)
class ItemListing:
    """One item of one catalogue.

    ``units`` is all that is in stock, None where no stock line speaks of the item; ``usable_units`` leaves out what
    has expired. ``months`` is how long the usable stock lasts where consumption is told, by the average monthly
    consumption of the facilities that tell one. ``earliest_expiry`` is the earliest day of a batch that is there.
    ``also_in`` are the systems that know the same item by the identity map, where whoever reads fills it in.
    """

    key: int
    id: str
    integration_id: str
    source: str
    peer_id: str
    code: str
    name: str
    unit: str
    pack_size: float
    is_active: bool
    programs: Sequence[str]
    units: float | None
    usable_units: float | None
    average_monthly_units: float | None
    months: float | None
    facilities: int
    earliest_expiry: str | None
    expired_units: float
    expiring_units: float
    is_gone: bool
    age: Age
    also_in: tuple[str, ...] = ()

    def stock_class(self, levels: Levels) -> StockClass:
        return stock_class(self.usable_units, self.months, levels)

    def expiry(self, horizon: Horizon) -> Expiry:
        """The worst that can be said of a batch."""
        return horizon.of(self.earliest_expiry)


def page_of_items(
    connection: Connection,
    wanted: SupplyFilter,
    horizon: Horizon,
    levels: Levels,
    *,
    sort: str = "name",
    descending: bool = False,
    after: After | None = None,
    limit: int = 200,
) -> tuple[list[ItemListing], After | None]:
    """One page of items, and where the next begins. ``sort`` is one of :data:`SORTS`."""
    if _needs_stock(wanted) or sort not in _OF_ITEM:
        return _page_by_stock(connection, wanted, horizon, levels, sort, descending, after, limit)
    query = _items(wanted, _few(connection, wanted))
    column = Sort(getattr(ItemRow, sort), descending=descending)
    rows, further = rows_after(connection, query, ItemRow.key, column, after, limit)
    stock = _stock_of(connection, rows, horizon)
    return _listings(connection, [(row, stock.get((row.integration_id, row.peer_id))) for row in rows]), further


def count_items(connection: Connection, wanted: SupplyFilter, horizon: Horizon, levels: Levels) -> int:
    """How many items a filter finds, at most ``COUNT_STOPS``."""
    if not _needs_stock(wanted):
        return count_up_to(connection, _items(wanted, _few(connection, wanted)))
    return count_up_to(connection, _with_stock(wanted, horizon, levels)[0])


def find_item(connection: Connection, item_id: str, horizon: Horizon) -> ItemListing | None:
    """One item as it is now, by its id."""
    rows = connection.execute(_select_items().where(ItemRow.id == item_id)).all()
    stock = _stock_of(connection, rows, horizon)
    found = _listings(connection, [(row, stock.get((row.integration_id, row.peer_id))) for row in rows])
    return found[0] if found else None


def _needs_stock(wanted: SupplyFilter) -> bool:
    return wanted.facility is not None or wanted.stock_class is not None or bool(wanted.expiry)


def _select_items() -> Select[Any]:
    item = ItemRow
    return select(
        item.key,
        item.id,
        item.integration_id,
        Integration.name.label("source"),
        item.peer_id,
        item.code,
        item.name,
        item.unit,
        item.pack_size,
        item.is_active,
        item.programs,
        item.gone_at,
    ).join(Integration, Integration.id == item.integration_id)


def _few(connection: Connection, wanted: SupplyFilter) -> list[int] | None:
    """The only items that the words can mean, where they are few; also those that partners call so."""
    few = few_with_words(connection, ItemRow.key, wanted.words, _SEARCHED)
    if few is None or not wanted.partner_items:
        return few
    partners = select(ItemRow.key).where(ItemRow.id.in_(wanted.partner_items))
    return [*few, *connection.execute(partners).scalars()]


def _items(wanted: SupplyFilter, few: Sequence[int] | None = None) -> Select[Any]:
    """Items by what they are themselves. ``few`` are the keys of the only ones that can be meant, where known."""
    item = ItemRow
    called = holds_words(wanted.words, _SEARCHED)
    if wanted.partner_items:  # only then: an OR costs the index its order
        called = [or_(and_(*called), item.id.in_(wanted.partner_items))]
    query = _select_items().where(*called)
    if few is not None:
        query = query.where(item.key.in_(few))
    if not wanted.includes_gone:
        query = query.where(item.gone_at.is_(None), Integration.removed_at.is_(None))
    if wanted.integration_id is not None:
        query = query.where(item.integration_id == wanted.integration_id)
    if wanted.program is not None:
        program = json.dumps(wanted.program.peer_id, ensure_ascii=False)
        in_program = cast(item.programs, Text).contains(program, autoescape=True)
        query = query.where(item.integration_id == wanted.program.integration_id, in_program)
    return query


def _sums(horizon: Horizon, places: Sequence[Place], *conditions: Any) -> Subquery:
    """Stock by integration and item. A facility's consumption stands in each of its batches and counts once."""
    line = StockLineRow
    is_there = line.units > 0
    is_expired = and_(line.expires_on.is_not(None), line.expires_on < horizon.first_good)
    is_soon = and_(line.expires_on >= horizon.first_good, line.expires_on <= horizon.last_soon)
    by_facility = (
        select(
            line.integration_id,
            line.item,
            func.sum(line.units).label("units"),
            func.sum(case((is_expired, 0.0), else_=line.units)).label("usable"),
            func.max(line.average_monthly_units).label("consumed"),
            func.min(case((is_there, line.expires_on))).label("earliest"),
            func.sum(case((and_(is_there, is_expired), line.units), else_=0.0)).label("expired"),
            func.sum(case((and_(is_there, is_soon), line.units), else_=0.0)).label("expiring"),
        )
        .where(line.gone_at.is_(None), *conditions)
        .group_by(line.integration_id, line.item, line.facility)
    )
    if places:
        by_facility = by_facility.where(
            or_(*((line.integration_id == one.integration_id) & (line.facility == one.peer_id) for one in places))
        )
    each = by_facility.subquery()
    covered = func.sum(case((each.c.consumed.is_not(None), each.c.usable)))
    consumed = func.sum(each.c.consumed)
    return (
        select(
            each.c.integration_id,
            each.c.item,
            func.sum(each.c.units).label("units"),
            func.sum(each.c.usable).label("usable"),
            consumed.label("consumed"),
            case((consumed > LEAST_MONTHLY, covered / consumed)).label("months"),
            func.count().label("facilities"),
            func.min(each.c.earliest).label("earliest"),
            func.sum(each.c.expired).label("expired"),
            func.sum(each.c.expiring).label("expiring"),
        )
        .group_by(each.c.integration_id, each.c.item)
        .subquery()
    )


def _stock_of(connection: Connection, rows: Sequence[Any], horizon: Horizon) -> Mapping[tuple[str, str], Any]:
    """The sums for the items of one page."""
    by_integration: dict[str, list[str]] = {}
    for row in rows:
        by_integration.setdefault(row.integration_id, []).append(row.peer_id)
    found: dict[tuple[str, str], Any] = {}
    for integration_id, ids in by_integration.items():
        line = StockLineRow
        sums = _sums(horizon, (), line.integration_id == integration_id, line.item.in_(ids))
        for row in connection.execute(select(sums)):
            found[row.integration_id, row.item] = row
    return found


_SUMS = ("units", "usable", "consumed", "months", "facilities", "earliest", "expired", "expiring")
_SORTED_SUMS = {
    "units": "units",
    "months": "months",
    "earliest_expiry": "earliest",
    "expired_units": "expired",
    "expiring_units": "expiring",
}


def _with_stock(wanted: SupplyFilter, horizon: Horizon, levels: Levels) -> tuple[Select[Any], Subquery]:
    """Items with the sums of their stock, narrowed by these."""
    sums = _sums(horizon, wanted.places)
    c = sums.c
    matches = and_(c.integration_id == ItemRow.integration_id, c.item == ItemRow.peer_id)
    only_stocked = wanted.facility is not None or bool(wanted.expiry)
    query = _items(wanted).join(sums, matches, isouter=not only_stocked).add_columns(*(c[name] for name in _SUMS))
    if wanted.expiry:
        query = query.where((c.expired if wanted.expiry == "expired" else c.expiring) > 0)
    if wanted.stock_class is not None:
        query = query.where(_is_of_class(wanted.stock_class, c, levels))
    return query, sums


def _is_of_class(wanted: StockClass, c: Any, levels: Levels) -> Any:
    """As :func:`app.supply.filters.stock_class` says it of one item."""
    least, most = levels.least_months, levels.most_months
    return {
        StockClass.STOCKED_OUT: c.usable <= 0,
        StockClass.UNDER: and_(c.usable > 0, c.months < least),
        StockClass.ADEQUATE: and_(c.usable > 0, c.months >= least, c.months <= most),
        StockClass.OVER: and_(c.usable > 0, c.months > most),
        StockClass.UNKNOWN: or_(c.usable.is_(null()), and_(c.usable > 0, c.months.is_(null()))),
    }[wanted]


def _page_by_stock(
    connection: Connection,
    wanted: SupplyFilter,
    horizon: Horizon,
    levels: Levels,
    sort: str,
    descending: bool,
    after: After | None,
    limit: int,
) -> tuple[list[ItemListing], After | None]:
    query, sums = _with_stock(wanted, horizon, levels)
    is_of_item = sort in _OF_ITEM
    column = getattr(ItemRow, sort) if is_of_item else sums.c[_SORTED_SUMS[sort]]
    by = Sort(column, is_optional=not is_of_item, descending=descending)
    rows, further = rows_after(connection, query, ItemRow.key, by, after, limit)
    return _listings(connection, [(row, row if row.units is not None else None) for row in rows]), further


def _listings(connection: Connection, rows: Sequence[tuple[Any, Any]]) -> list[ItemListing]:
    ages = data_ages(connection, "stock")
    names = _program_names(connection, {row.integration_id for row, _ in rows})
    return [
        ItemListing(
            row.key,
            row.id,
            row.integration_id,
            row.source,
            row.peer_id,
            row.code,
            row.name,
            row.unit,
            row.pack_size,
            row.is_active,
            [names.get((row.integration_id, one), one) for one in row.programs or ()],
            stock.units if stock else None,
            stock.usable if stock else None,
            stock.consumed if stock else None,
            stock.months if stock else None,
            stock.facilities if stock else 0,
            stock.earliest if stock else None,
            stock.expired if stock else 0.0,
            stock.expiring if stock else 0.0,
            row.gone_at is not None,
            ages.get(row.integration_id, UNREAD),
        )
        for row, stock in rows
    ]


def _program_names(connection: Connection, integrations: set[str]) -> Mapping[tuple[str, str], str]:
    program = ProgramRow
    query = select(program.integration_id, program.peer_id, program.name).where(
        program.integration_id.in_(integrations)
    )
    return {(row.integration_id, row.peer_id): row.name for row in connection.execute(query)}
