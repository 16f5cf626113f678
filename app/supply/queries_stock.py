"""Stock lines: what one facility holds of one item, batch and pack size, with names from other tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select

from app.clock import utc_now
from app.store.tables import FacilityRow, Integration, ItemRow, ProgramRow, StockLineRow
from app.supply.ages import UNREAD, Age, data_ages
from app.supply.filters import Expiry, Horizon, Place, SupplyFilter
from app.supply.paging import After, Sort, count_up_to, holds_words, rows_after
from app.supply.queries import joined

SORTS = ("expires_on", "item", "facility", "units", "batch")


@dataclass(frozen=True, slots=True)
class StockListing:
    """One stock line. Names are the peer ids where the peer never told of what they point at."""

    key: int
    id: str
    integration_id: str
    source: str
    peer_id: str
    facility: str
    facility_name: str
    item: str
    item_code: str
    item_name: str
    unit: str
    units: float
    available_units: float | None
    batch: str
    expires_on: str | None
    pack_size: float
    location: str
    program: str
    is_on_hold: bool
    average_monthly_units: float | None
    is_gone: bool
    age: Age

    def expiry(self, horizon: Horizon) -> Expiry:
        return horizon.of(self.expires_on)


def page_of_stock(
    connection: Connection,
    wanted: SupplyFilter,
    horizon: Horizon,
    *,
    item: Place | None = None,
    sort: str = "expires_on",
    descending: bool = False,
    after: After | None = None,
    limit: int = 200,
) -> tuple[list[StockListing], After | None]:
    """One page of stock lines, of one ``item`` only where it is given. ``sort`` is one of :data:`SORTS`."""
    line = StockLineRow
    column = {
        "expires_on": Sort(line.expires_on, True, descending),
        "item": Sort(ItemRow.name, True, descending),
        "facility": Sort(FacilityRow.name, True, descending),
        "units": Sort(line.units, False, descending),
        "batch": Sort(line.batch, False, descending),
    }[sort]
    rows, further = rows_after(connection, _lines(wanted, horizon, item), line.key, column, after, limit)
    ages = data_ages(connection, "stock")
    return [_listing(row, ages.get(row.integration_id, UNREAD)) for row in rows], further


def find_stock(connection: Connection, line_id: str) -> StockListing | None:
    """One stock line as it is now, by its id."""
    today = Horizon(utc_now().date())
    query = _lines(SupplyFilter(includes_gone=True), today, None).where(StockLineRow.id == line_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else _listing(row, data_ages(connection, "stock").get(row.integration_id, UNREAD))


def count_stock(connection: Connection, wanted: SupplyFilter, horizon: Horizon) -> int:
    """How many stock lines a filter finds, at most ``COUNT_STOPS``."""
    return count_up_to(connection, _lines(wanted, horizon, None))


def _called(wanted: SupplyFilter) -> list[ColumnElement[bool]]:
    line = StockLineRow
    called = holds_words(wanted.words, (ItemRow.name, ItemRow.code, line.batch, FacilityRow.name, line.location))
    return [or_(and_(*called), ItemRow.id.in_(wanted.partner_items))] if wanted.partner_items else called


def _lines(wanted: SupplyFilter, horizon: Horizon, item: Place | None) -> Select[Any]:
    line = StockLineRow
    columns: tuple[Any, ...] = (
        line.key,
        line.id,
        line.integration_id,
        Integration.name.label("source"),
        line.peer_id,
        line.facility,
        FacilityRow.name.label("facility_name"),
        line.item,
        ItemRow.code.label("item_code"),
        ItemRow.name.label("item_name"),
        ItemRow.unit.label("unit"),
        line.units,
        line.available_units,
        line.batch,
        line.expires_on,
        line.pack_size,
        line.location,
        line.program,
        ProgramRow.name.label("program_name"),
        line.is_on_hold,
        line.average_monthly_units,
        line.gone_at,
    )
    query = (
        select(*columns)
        .join(Integration, Integration.id == line.integration_id)
        .outerjoin(ItemRow, joined(ItemRow, line.integration_id, line.item))
        .outerjoin(FacilityRow, joined(FacilityRow, line.integration_id, line.facility))
        .outerjoin(ProgramRow, joined(ProgramRow, line.integration_id, line.program))
        .where(*_called(wanted))
    )
    if not wanted.includes_gone:
        query = query.where(line.gone_at.is_(None), Integration.removed_at.is_(None))
    if wanted.integration_id is not None:
        query = query.where(line.integration_id == wanted.integration_id)
    if wanted.facility is not None:
        query = query.where(
            or_(
                *((line.integration_id == one.integration_id) & (line.facility == one.peer_id) for one in wanted.places)
            )
        )
    if wanted.program is not None:
        program = wanted.program
        query = query.where(line.integration_id == program.integration_id, line.program == program.peer_id)
    if item is not None:
        query = query.where(line.integration_id == item.integration_id, line.item == item.peer_id)
    if wanted.expiry == "expired":
        query = query.where(line.expires_on < horizon.first_good, line.units > 0)
    elif wanted.expiry == "soon":
        query = query.where(line.expires_on >= horizon.first_good, line.expires_on <= horizon.last_soon, line.units > 0)
    return query


def _listing(row: Any, age: Age) -> StockListing:
    return StockListing(
        row.key,
        row.id,
        row.integration_id,
        row.source,
        row.peer_id,
        row.facility,
        row.facility_name or row.facility,
        row.item,
        row.item_code or "",
        row.item_name or row.item,
        row.unit or "",
        row.units,
        row.available_units,
        row.batch,
        row.expires_on,
        row.pack_size,
        row.location,
        row.program_name or row.program,
        row.is_on_hold,
        row.average_monthly_units,
        row.gone_at is not None,
        age,
    )
