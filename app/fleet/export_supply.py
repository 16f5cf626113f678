"""Facilities, items, stock, requisitions and shipments as tables of an export, in the units of their lists.

What a peer no longer has is left out, except among facilities, where ``gone_at`` tells when it went.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from app.clock import utc_now
from app.fleet.export_pages import PAGE_ROWS, ExportTable, Wanted
from app.fleet.times import iso, iso_ms
from app.store.store import Store
from app.store.tables import FacilityRow
from app.supply.filters import Horizon, Levels, SupplyFilter
from app.supply.paging import After
from app.supply.queries_items import page_of_items
from app.supply.queries_lines import requisition_lines, shipment_lines
from app.supply.queries_papers import page_of_requisitions, page_of_shipments
from app.supply.queries_stock import page_of_stock

Row = Mapping[str, Any]
ReadPage = Callable[[Connection, SupplyFilter, After | None], tuple[Sequence[Any], After | None]]

FACILITY_COLUMNS = (
    "id", "integration_id", "peer_id", "code", "name", "kind", "is_ours", "is_active", "zone", "lat", "lon",
    "attributes", "gone_at",
)  # fmt: skip
ITEM_COLUMNS = (
    "id", "integration_id", "peer_id", "code", "name", "unit", "pack_size", "is_active", "programs", "units",
    "usable_units", "average_monthly_units", "months_of_stock", "stock_class", "facilities", "earliest_expiry",
    "expired_units", "expiring_units", "read_at",
)  # fmt: skip
STOCK_COLUMNS = (
    "id", "integration_id", "peer_id", "facility", "facility_name", "item", "item_code", "item_name", "unit", "units",
    "available_units", "batch", "expires_on", "expiry", "pack_size", "location", "program", "is_on_hold",
    "average_monthly_units", "read_at",
)  # fmt: skip
REQUISITION_COLUMNS = (
    "id", "integration_id", "peer_id", "number", "side", "status", "stage", "facility", "supplier", "program", "period",
    "is_emergency", "created_at", "sent_at", "closed_at", "changed_at", "reference", "comment", "lines", "pending",
    "waiting_lines", "read_at",
)  # fmt: skip
REQUISITION_LINE_COLUMNS = (
    "id", "integration_id", "requisition", "number", "created_at", "peer_id", "item", "item_code", "item_name", "unit",
    "requested_units", "approved_units", "supply_units", "suggested_units", "stock_units", "opening_units",
    "received_units", "consumed_units", "adjusted_units", "stockout_days", "average_monthly_units", "comment",
    "pending",
)  # fmt: skip
SHIPMENT_COLUMNS = (
    "id", "integration_id", "peer_id", "number", "side", "status", "stage", "sender", "receiver",
    "requisition_number", "program", "is_on_hold", "created_at", "allocated_at", "picked_at", "shipped_at",
    "delivered_at", "received_at", "verified_at", "expected_on", "transport_reference", "reference", "received_by",
    "delivered_by", "received_on", "comment", "lines", "pending", "waiting_lines", "read_at",
)  # fmt: skip
SHIPMENT_LINE_COLUMNS = (
    "id", "integration_id", "shipment", "number", "created_at", "peer_id", "item", "item_code", "item_name", "unit",
    "units", "batch", "expires_on", "pack_size", "accepted_units", "rejected_units", "rejection_reason",
    "is_placeholder", "comment", "pending",
)  # fmt: skip


def _facilities(store: Store, wanted: Wanted) -> Iterator[Row]:
    facility = FacilityRow
    query = select(facility.__table__).order_by(facility.key).limit(PAGE_ROWS)
    if wanted.where.get("integration_id"):
        query = query.where(facility.integration_id == wanted.where["integration_id"])
    after = 0
    while True:
        with store.read() as connection:
            rows = connection.execute(query.where(facility.key > after)).all()
        for row in rows:
            own = row._mapping
            gone_at = None if row.gone_at is None else iso(row.gone_at)
            yield {name: gone_at if name == "gone_at" else own[name] for name in FACILITY_COLUMNS}
        if len(rows) < PAGE_ROWS:
            return
        after = rows[-1].key


def _items(store: Store, wanted: Wanted) -> Iterator[Row]:
    horizon, levels = Horizon(utc_now().date()), Levels()

    def read(connection: Connection, what: SupplyFilter, after: After | None) -> tuple[Sequence[Any], After | None]:
        return page_of_items(connection, what, horizon, levels, after=after, limit=PAGE_ROWS)

    for item in _every(store, wanted, read):
        told = {"months_of_stock": item.months, "stock_class": item.stock_class(levels).value}
        yield _row(item, ITEM_COLUMNS, told)


def _stock(store: Store, wanted: Wanted) -> Iterator[Row]:
    horizon = Horizon(utc_now().date())

    def read(connection: Connection, what: SupplyFilter, after: After | None) -> tuple[Sequence[Any], After | None]:
        return page_of_stock(connection, what, horizon, after=after, limit=PAGE_ROWS)

    for line in _every(store, wanted, read):
        yield _row(line, STOCK_COLUMNS, {"expiry": line.expiry(horizon).value})


def _requisitions(store: Store, wanted: Wanted) -> Iterator[Row]:
    return (_row(paper, REQUISITION_COLUMNS, {}) for paper in _every(store, wanted, _page_of_requisitions))


def _shipments(store: Store, wanted: Wanted) -> Iterator[Row]:
    return (_row(paper, SHIPMENT_COLUMNS, {}) for paper in _every(store, wanted, _page_of_shipments))


def _requisition_lines(store: Store, wanted: Wanted) -> Iterator[Row]:
    for paper in _every(store, wanted, _page_of_requisitions):
        with store.read() as connection:
            lines = requisition_lines(connection, paper.integration_id, paper.peer_id)
        told = {**_of_paper(paper), "requisition": paper.peer_id}
        yield from (_row(line, REQUISITION_LINE_COLUMNS, told) for line in lines)


def _shipment_lines(store: Store, wanted: Wanted) -> Iterator[Row]:
    for paper in _every(store, wanted, _page_of_shipments):
        with store.read() as connection:
            lines = shipment_lines(connection, paper.integration_id, paper.peer_id)
        told = {**_of_paper(paper), "shipment": paper.peer_id}
        yield from (_row(line, SHIPMENT_LINE_COLUMNS, told) for line in lines)


def _page_of_requisitions(
    connection: Connection, what: SupplyFilter, after: After | None
) -> tuple[Sequence[Any], After | None]:
    return page_of_requisitions(connection, what, descending=False, after=after, limit=PAGE_ROWS)


def _page_of_shipments(
    connection: Connection, what: SupplyFilter, after: After | None
) -> tuple[Sequence[Any], After | None]:
    return page_of_shipments(connection, what, descending=False, after=after, limit=PAGE_ROWS)


def _every(store: Store, wanted: Wanted, read: ReadPage) -> Iterator[Any]:
    """All rows of a list, a page per transaction."""
    what = SupplyFilter(
        integration_id=wanted.where.get("integration_id") or None,
        since_ms=wanted.since_ms,
        until_ms=wanted.until_ms,
    )
    after: After | None = None
    while True:
        with store.read() as connection:
            rows, after = read(connection, what, after)
        yield from rows
        if after is None:
            return


def _of_paper(paper: Any) -> Row:
    return {"integration_id": paper.integration_id, "number": paper.number, "created_at": iso_ms(paper.created_ms)}


def _row(listing: Any, columns: Sequence[str], told: Row) -> Row:
    """A listing as columns: ``…_at`` is a ``…_ms`` of it, ``read_at`` how old what is shown is."""
    return {name: told[name] if name in told else _value(listing, name) for name in columns}


def _value(listing: Any, name: str) -> Any:
    if name == "read_at":
        return iso_ms(listing.age.last_read_ms)
    if name.endswith("_at"):
        return iso_ms(getattr(listing, f"{name.removesuffix('_at')}_ms"))
    value = getattr(listing, name)
    return dict(value) if name == "pending" else value


SUPPLY_TABLES: Mapping[str, ExportTable] = {
    "facilities": ExportTable(FACILITY_COLUMNS, _facilities),
    "items": ExportTable(ITEM_COLUMNS, _items),
    "stock": ExportTable(STOCK_COLUMNS, _stock),
    "requisitions": ExportTable(REQUISITION_COLUMNS, _requisitions, "created_at"),
    "requisition-lines": ExportTable(REQUISITION_LINE_COLUMNS, _requisition_lines, "created_at"),
    "shipments": ExportTable(SHIPMENT_COLUMNS, _shipments, "created_at"),
    "shipment-lines": ExportTable(SHIPMENT_LINE_COLUMNS, _shipment_lines, "created_at"),
}
