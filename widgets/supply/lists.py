"""The four lists of the supply page: their columns, and how the store is asked for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection

from app.identity.partners import partners_of, widened
from app.supply.filters import Horizon, Levels, SupplyFilter
from app.supply.paging import After
from app.supply.queries_items import ItemListing, count_items, page_of_items
from app.supply.queries_papers import (
    RequisitionListing,
    ShipmentListing,
    count_requisitions,
    count_shipments,
    page_of_requisitions,
    page_of_shipments,
)
from app.supply.queries_stock import StockListing, count_stock, page_of_stock
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.formats import NOTHING
from widgets.primitives.tips import plain_tip
from widgets.rows_model import Column
from widgets.supply import words
from widgets.supply.filters import ITEMS, REQUISITIONS, SHIPMENTS, STOCK
from widgets.supply.store_list import ListKind, Question

_EMPTY_HOW = tr("Add mSupply, OpenLMIS or NHLMIS on the integrations page: their records appear here when first read.")


@dataclass(frozen=True)
class Reader:
    """What columns read with. ``horizon`` moves on with the days."""

    context: ConsoleContext
    now_ms: Callable[[], int]
    horizon: Callable[[], Horizon]
    levels: Levels


def list_kinds(reader: Reader) -> tuple[ListKind[Any], ...]:
    return (_items(reader), _stock(reader), _requisitions(reader), _shipments(reader))


def _items(reader: Reader) -> ListKind[ItemListing]:
    def read(connection: Connection, asked: Question) -> tuple[Sequence[ItemListing], After | None]:
        rows, after = page_of_items(
            connection,
            widened(connection, asked.wanted),
            reader.horizon(),
            reader.levels,
            sort=asked.sort,
            descending=asked.descending,
            after=asked.after,
            limit=asked.limit,
        )
        return with_partners(connection, rows), after

    def count(connection: Connection, wanted: SupplyFilter) -> int:
        return count_items(connection, widened(connection, wanted), reader.horizon(), reader.levels)

    return ListKind(
        ITEMS,
        tr("Items"),
        "{count} item",
        "{count} items",
        _item_columns(reader),
        {
            "code": "code",
            "name": "name",
            "units": "units",
            "months": "months",
            "class": "months",
            "expiry": "earliest_expiry",
            "expired": "expired_units",
            "expiring": "expiring_units",
        },
        ("name", False),
        read,
        count,
        ("package", tr("No items yet"), _EMPTY_HOW),
    )


def with_partners(connection: Connection, rows: Sequence[ItemListing]) -> list[ItemListing]:
    """Items with the names of the systems that know the same ones."""
    partners = partners_of(connection, "item", [row.id for row in rows])
    also = {key: tuple(dict.fromkeys(one.source for one in some)) for key, some in partners.items()}
    return [replace(row, also_in=also[row.id]) if row.id in also else row for row in rows]


def also_tip(row: ItemListing) -> str:
    return tr("The same item in {names}, by the identity map.", names=", ".join(row.also_in)) if row.also_in else ""


def _item_columns(reader: Reader) -> list[Column[ItemListing]]:
    formats, levels, horizon = reader.context.formats, reader.levels, reader.horizon
    return [
        Column("code", tr("Code"), lambda row: row.code or NOTHING, is_mono=True, width=90),
        Column("name", tr("Item"), lambda row: row.name, tooltip=lambda row: plain_tip(row.name), width=240),
        Column(
            "also",
            tr("Also in"),
            lambda row: ", ".join(row.also_in),
            tooltip=lambda row: plain_tip(also_tip(row)),
            width=104,
            help=tr("Other systems that know the same item, as joined under Matching."),
        ),
        Column(
            "class",
            tr("Stock"),
            lambda row: words.stock_pill(row, levels)[1],
            badge=lambda row: words.stock_pill(row, levels),
            tooltip=lambda row: plain_tip(words.stock_tip(row, levels, formats)),
            width=134,
        ),
        Column(
            "months",
            tr("Months"),
            lambda row: words.months(row.months, formats),
            align="right",
            export=lambda row: row.months,
            width=80,
            help=tr("How long the unexpired stock lasts, by the average monthly consumption that facilities tell."),
        ),
        Column(
            "units",
            tr("In stock"),
            lambda row: words.units(row.units, formats),
            align="right",
            export=lambda row: row.units,
            width=92,
            help=tr("All units of all facilities that this account sees, expired ones as well."),
        ),
        _unit(),
        Column(
            "expiry",
            tr("First expiry"),
            lambda row: words.expiry_word(row.earliest_expiry, horizon()),
            badge=lambda row: words.expiry_pill(row.earliest_expiry, horizon()),
            export=lambda row: row.earliest_expiry,
            width=158,
            help=tr("The earliest day of expiry among the batches that are there."),
        ),
        Column(
            "expired",
            tr("Expired"),
            lambda row: words.units(row.expired_units or None, formats),
            align="right",
            export=lambda row: row.expired_units,
            width=86,
        ),
        Column(
            "expiring",
            tr("Expire soon"),
            lambda row: words.units(row.expiring_units or None, formats),
            align="right",
            export=lambda row: row.expiring_units,
            width=104,
        ),
        Column(
            "consumed",
            tr("Monthly use"),
            lambda row: words.units(row.average_monthly_units, formats),
            align="right",
            export=lambda row: row.average_monthly_units,
            is_shown=False,
            width=104,
        ),
        Column(
            "facilities",
            tr("Facilities"),
            lambda row: formats.number(row.facilities),
            align="right",
            export=lambda row: row.facilities,
            is_shown=False,
            width=90,
        ),
        Column("programs", tr("Programmes"), lambda row: ", ".join(row.programs), is_shown=False, width=140),
        *_provenance(reader),
    ]


def _stock(reader: Reader) -> ListKind[StockListing]:
    def read(connection: Connection, asked: Question) -> tuple[Sequence[StockListing], After | None]:
        return page_of_stock(
            connection,
            widened(connection, asked.wanted),
            reader.horizon(),
            sort=asked.sort,
            descending=asked.descending,
            after=asked.after,
            limit=asked.limit,
        )

    def count(connection: Connection, wanted: SupplyFilter) -> int:
        return count_stock(connection, widened(connection, wanted), reader.horizon())

    return ListKind(
        STOCK,
        tr("Stock"),
        "{count} stock line",
        "{count} stock lines",
        _stock_columns(reader),
        {"item": "item", "facility": "facility", "batch": "batch", "expiry": "expires_on", "units": "units"},
        ("expiry", False),
        read,
        count,
        ("layers", tr("No stock yet"), _EMPTY_HOW),
    )


def _stock_columns(reader: Reader) -> list[Column[StockListing]]:
    formats, horizon = reader.context.formats, reader.horizon
    return [
        Column("code", tr("Code"), lambda row: row.item_code or NOTHING, is_mono=True, width=90),
        Column("item", tr("Item"), lambda row: row.item_name, tooltip=lambda row: plain_tip(row.item_name), width=236),
        Column("facility", tr("Facility"), lambda row: row.facility_name, width=160),
        Column("batch", tr("Batch"), lambda row: row.batch or NOTHING, is_mono=True, width=90),
        Column(
            "expiry",
            tr("Expiry"),
            lambda row: words.expiry_word(row.expires_on, horizon()),
            badge=lambda row: words.expiry_pill(row.expires_on, horizon()),
            export=lambda row: row.expires_on,
            width=158,
        ),
        Column(
            "units",
            tr("Units"),
            lambda row: words.units(row.units, formats),
            align="right",
            export=lambda row: row.units,
            width=92,
        ),
        _unit(),
        Column(
            "available",
            tr("Available"),
            lambda row: words.units(row.available_units, formats),
            align="right",
            export=lambda row: row.available_units,
            width=94,
            help=tr("What no shipment has taken yet."),
        ),
        Column(
            "hold",
            tr("On hold"),
            lambda row: tr("On hold") if row.is_on_hold else "",
            badge=lambda row: ("warn", tr("On hold")) if row.is_on_hold else None,
            is_shown=False,
            width=100,
        ),
        Column(
            "pack",
            tr("Pack"),
            lambda row: words.units(row.pack_size, formats),
            align="right",
            export=lambda row: row.pack_size,
            is_shown=False,
            width=70,
        ),
        Column("location", tr("Location"), lambda row: row.location, is_shown=False, width=110),
        Column("program", tr("Programme"), lambda row: row.program, is_shown=False, width=130),
        *_provenance(reader),
    ]


def _requisitions(reader: Reader) -> ListKind[RequisitionListing]:
    def read(connection: Connection, asked: Question) -> tuple[Sequence[RequisitionListing], After | None]:
        return page_of_requisitions(
            connection,
            widened(connection, asked.wanted),
            sort=asked.sort,
            descending=asked.descending,
            after=asked.after,
            limit=asked.limit,
        )

    return ListKind(
        REQUISITIONS,
        tr("Requisitions"),
        "{count} requisition",
        "{count} requisitions",
        _requisition_columns(reader),
        {
            "number": "number",
            "stage": "stage",
            "facility": "facility",
            "supplier": "supplier",
            "created": "created_ms",
            "sent": "sent_ms",
        },
        ("created", True),
        read,
        count_requisitions,
        ("clipboard-list", tr("No requisitions yet"), _EMPTY_HOW),
    )


def _requisition_columns(reader: Reader) -> list[Column[RequisitionListing]]:
    return [
        Column("number", tr("Number"), lambda row: row.number or NOTHING, is_mono=True, width=132),
        Column(
            "stage",
            tr("Stage"),
            lambda row: words.requisition_pill(row.stage)[1],
            badge=lambda row: words.requisition_pill(row.stage),
            tooltip=lambda row: plain_tip(tr("The peer calls it {status}.", status=row.status)),
            width=124,
        ),
        _waiting(reader),
        Column("side", tr("Side"), lambda row: words.SIDES.get(row.side, row.side), width=96),
        Column("facility", tr("Asks"), lambda row: row.facility, width=180),
        Column("supplier", tr("Is asked"), lambda row: row.supplier or NOTHING, width=180),
        Column("program", tr("Programme"), lambda row: row.program or NOTHING, width=120),
        Column("period", tr("Period"), lambda row: row.period or NOTHING, width=130),
        _lines(reader),
        _moment(reader, "created", tr("Made"), lambda row: row.created_ms),
        _moment(reader, "sent", tr("Sent"), lambda row: row.sent_ms, is_shown=False),
        Column(
            "emergency",
            tr("Emergency"),
            lambda row: tr("Emergency") if row.is_emergency else "",
            badge=lambda row: ("warn", tr("Emergency")) if row.is_emergency else None,
            is_shown=False,
            width=120,
        ),
        Column("reference", tr("Reference"), lambda row: row.reference, is_shown=False, width=130),
        Column("comment", tr("Comment"), lambda row: row.comment, is_shown=False, width=160),
        Column("status", tr("Peer's word"), lambda row: row.status, is_mono=True, is_shown=False, width=130),
        *_provenance(reader),
    ]


def _shipments(reader: Reader) -> ListKind[ShipmentListing]:
    def read(connection: Connection, asked: Question) -> tuple[Sequence[ShipmentListing], After | None]:
        return page_of_shipments(
            connection,
            widened(connection, asked.wanted),
            sort=asked.sort,
            descending=asked.descending,
            after=asked.after,
            limit=asked.limit,
        )

    return ListKind(
        SHIPMENTS,
        tr("Shipments"),
        "{count} shipment",
        "{count} shipments",
        _shipment_columns(reader),
        {
            "number": "number",
            "stage": "stage",
            "sender": "sender",
            "receiver": "receiver",
            "created": "created_ms",
            "shipped": "shipped_ms",
            "expected": "expected_on",
        },
        ("created", True),
        read,
        count_shipments,
        ("truck", tr("No shipments yet"), _EMPTY_HOW),
    )


def _shipment_columns(reader: Reader) -> list[Column[ShipmentListing]]:
    return [
        Column("number", tr("Number"), lambda row: row.number or NOTHING, is_mono=True, width=132),
        Column(
            "stage",
            tr("Stage"),
            lambda row: words.shipment_pill(row.stage)[1],
            badge=lambda row: words.shipment_pill(row.stage),
            tooltip=lambda row: plain_tip(tr("The peer calls it {status}.", status=row.status)),
            width=116,
        ),
        _waiting(reader),
        Column("side", tr("Side"), lambda row: words.SIDES.get(row.side, row.side), width=96),
        Column("sender", tr("From"), lambda row: row.sender, width=180),
        Column("receiver", tr("To"), lambda row: row.receiver, width=180),
        Column("transport", tr("Transport"), lambda row: row.transport_reference or NOTHING, width=130),
        Column(
            "requisition", tr("Requisition"), lambda row: row.requisition_number or NOTHING, is_mono=True, width=100
        ),
        _lines(reader),
        _moment(reader, "created", tr("Made"), lambda row: row.created_ms),
        _moment(reader, "shipped", tr("Shipped"), lambda row: row.shipped_ms, is_shown=False),
        Column("expected", tr("Expected"), lambda row: row.expected_on or NOTHING, is_shown=False, width=104),
        Column("program", tr("Programme"), lambda row: row.program or NOTHING, is_shown=False, width=130),
        Column("reference", tr("Reference"), lambda row: row.reference, is_shown=False, width=130),
        Column("comment", tr("Comment"), lambda row: row.comment, is_shown=False, width=160),
        Column("status", tr("Peer's word"), lambda row: row.status, is_mono=True, is_shown=False, width=130),
        *_provenance(reader),
    ]


def _waiting(reader: Reader) -> Column[Any]:
    formats = reader.context.formats

    def tip(row: Any) -> str:
        parts = [words.pending_words(row.pending, formats)] if row.pending else []
        if row.waiting_lines:
            parts.append(tr("Changes of {n} lines wait.", n=f"{row.waiting_lines:,}"))
        return plain_tip("\n".join(parts))

    def pill(row: Any) -> words.Pill | None:
        return words.waiting_pill(row.pending, row.waiting_lines)

    def text(row: Any) -> str:
        found = pill(row)
        return "" if found is None else found[1]

    return Column(
        "waits",
        tr("Not sent yet"),
        text,
        tooltip=tip,
        badge=pill,
        width=146,
        help=tr("Saved here, and not yet accepted by the system that holds it."),
    )


def _unit() -> Column[Any]:
    return Column("unit", tr("Unit"), lambda row: row.unit or NOTHING, width=84, help=tr("What is counted."))


def _lines(reader: Reader) -> Column[Any]:
    formats = reader.context.formats
    return Column(
        "lines",
        tr("Lines"),
        lambda row: formats.number(row.lines),
        align="right",
        export=lambda row: row.lines,
        width=64,
    )


def _moment(
    reader: Reader, key: str, title: str, read: Callable[[Any], int | None], *, is_shown: bool = True
) -> Column[Any]:
    formats = reader.context.formats
    return Column(
        key,
        title,
        lambda row: formats.clock(read(row)),
        tooltip=lambda row: formats.time(read(row)),
        export=lambda row: formats.time(read(row)),
        note=formats.zone_name,
        is_shown=is_shown,
        width=132,
    )


def _provenance(reader: Reader) -> list[Column[Any]]:
    """Whose record it is and how old what is shown is: every row says so."""
    formats, now_ms = reader.context.formats, reader.now_ms
    return [
        Column("source", tr("Integration"), lambda row: row.source, width=130),
        Column(
            "age",
            tr("Data age"),
            lambda row: words.age_word(row.age, now_ms(), formats),
            badge=lambda row: words.age_pill(row.age, now_ms(), formats),
            tooltip=lambda row: plain_tip(words.age_tip(row.age, formats)),
            export=lambda row: formats.time(row.age.last_read_ms),
            width=110,
            help=tr("How long ago the peer was last asked for these records."),
        ),
    ]
