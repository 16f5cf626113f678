"""The details of what is chosen: facts, what waits to be sent beside the peer's value, and the lines."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QHeaderView, QVBoxLayout, QWidget

from app.identity.partners import Partner
from app.supply.queries_items import ItemListing
from app.supply.queries_lines import RequisitionLineListing, ShipmentLineListing
from app.supply.queries_papers import RequisitionListing, ShipmentListing
from app.supply.queries_stock import StockListing
from resources.i18n import tr, trn
from widgets.data_table import DataTable
from widgets.formats import NOTHING
from widgets.primitives import Banner, clear_layout, link_button, outline_button, text_label
from widgets.primitives.tips import plain_tip
from widgets.rows_model import Column, RowsModel
from widgets.side_panel import Facts, SidePanel, section
from widgets.supply import words
from widgets.supply.lists import Reader

Listing = ItemListing | StockListing | RequisitionListing | ShipmentListing
Line = StockListing | RequisitionLineListing | ShipmentLineListing
FactRow = tuple[str, str | None]
BothFacts = tuple[list[FactRow], list[FactRow]]

NARROW_PX, WIDE_PX = 430, 580
SHARE = 0.34  # of the page's width, between the two
SCROLL_BAR_PX = 14
LINE_HEIGHT_PX = 34
HEADER_PX = 34
MOST_LINES_SHOWN = 12


class SupplyPanel(SidePanel):
    """``item_wanted`` and ``stock_wanted`` carry the text by which the other list finds what belongs to this one.

    ``change_wanted`` carries what is to be changed (``requisition``, ``shipment_line`` …) and its id.
    """

    item_wanted = Signal(str)
    stock_wanted = Signal(str)
    change_wanted = Signal(str, str)

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader.context.theme, tr("Details"))
        self.fit_into(0)
        self.row: Listing | None = None
        self.lines: Sequence[Line] = ()
        self.table: DataTable[Any] | None = None
        self._reader = reader
        self._had_waiting = False
        self._partners: Mapping[str, Sequence[Partner]] = {}
        self.trouble = Banner(reader.context.theme, "warn", "")
        self.facts = QVBoxLayout()
        self.more = QVBoxLayout()
        self.waiting = QWidget()
        self.waiting_rows = QVBoxLayout(self.waiting)
        self.lines_part = QWidget()
        self.lines_rows = QVBoxLayout(self.lines_part)
        for layout in (self.facts, self.more, self.waiting_rows, self.lines_rows):
            layout.setContentsMargins(0, 0, 0, 0)
            layout.setSpacing(8)
        self.column.addWidget(self.trouble)
        self.column.addWidget(self.waiting)
        self.column.addLayout(self.facts)
        self.column.addWidget(self.lines_part)
        self.column.addLayout(self.more)
        self.column.addStretch(1)
        theme = reader.context.theme
        self.change = outline_button(theme, tr("Change…"), "pencil")
        self.change_line = outline_button(theme, tr("Change the line…"), "list")
        self.change.clicked.connect(self._on_change)
        self.change_line.clicked.connect(self._on_change_line)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.change, 1)
        buttons.addWidget(self.change_line, 1)
        self.foot.addLayout(buttons)

    def fit_into(self, page_px: int) -> None:
        """Take a share of the page: lines need room, the list beside them too."""
        self.setFixedWidth(min(max(round(page_px * SHARE), NARROW_PX), WIDE_PX))

    def show_row(
        self, row: Listing, lines: Sequence[Line], partners: Mapping[str, Sequence[Partner]] | None = None
    ) -> None:
        """Show a row with its lines: of an item its stock, of a paper what it asks for or carries."""
        is_same = self.row is not None and self.row.id == row.id
        self.row, self.lines, self._partners = row, lines, partners or {}
        level, word = self._head(row)
        self.pill.set_state(level, word)
        self._show_trouble(row)
        self._show_facts(row)
        self._show_waiting(row)
        self._show_lines(row, lines, keep=is_same)
        is_paper = isinstance(row, RequisitionListing | ShipmentListing)
        self.change.setVisible(is_paper)
        self.change_line.setVisible(is_paper and bool(lines))
        self._on_line_chosen()
        self.show()

    def tick(self) -> None:
        """Ages grew, or zone and units changed."""
        if self.row is not None and not self.isHidden():
            self._show_facts(self.row)

    def _head(self, row: Listing) -> words.Pill:
        if isinstance(row, ItemListing):
            self.show_head(row.name, row.code)
            return words.stock_pill(row, self._reader.levels)
        if isinstance(row, StockListing):
            self.show_head(row.item_name, tr("in {facility}", facility=row.facility_name))
            pill = words.expiry_pill(row.expires_on, self._reader.horizon())
            return pill or ("neutral", tr("No day of expiry"))
        if isinstance(row, RequisitionListing):
            self.show_head(tr("Requisition {number}", number=row.number or row.peer_id), _from_to(row))
            return words.requisition_pill(row.stage)
        self.show_head(tr("Shipment {number}", number=row.number or row.peer_id), _from_to(row))
        return words.shipment_pill(row.stage)

    def _show_trouble(self, row: Listing) -> None:
        self.trouble.words.setText(row.age.trouble)
        self.trouble.setVisible(bool(row.age.trouble))

    def _show_facts(self, row: Listing) -> None:
        """What is asked for first above the lines, where the record comes from below them."""
        first, more = _FACTS[type(row)](row, self._reader)
        for layout, facts in (
            (self.facts, first),
            (self.more, [*more, *_partner_facts(self._partners), *_common(row, self._reader)]),
        ):
            clear_layout(layout)
            known = [(name, text) for name, text in facts if text]
            grid = Facts([(name, name) for name, _text in known])
            for name, text in known:
                grid.show_fact(name, text)
            layout.addWidget(grid)

    def _show_waiting(self, row: Listing) -> None:
        """The peer's value and ours, side by side; nothing is said to be done that is not."""
        clear_layout(self.waiting_rows)
        pending: Mapping[str, Any] = getattr(row, "pending", {})
        self.waiting.setVisible(bool(pending))
        if not pending:
            return
        formats = self._reader.context.formats
        self.waiting_rows.addWidget(section(tr("Waits to be sent")))
        grid = Facts([(name, words.FIELDS.get(name, name)) for name in pending])
        for name, value in pending.items():
            theirs = words.field_value(name, getattr(row, name, None), formats)
            ours = words.field_value(name, value, formats)
            grid.show_fact(name, tr("{ours}, the peer has {theirs}", ours=ours, theirs=theirs))
        self.waiting_rows.addWidget(grid)

    def _show_lines(self, row: Listing, lines: Sequence[Line], *, keep: bool) -> None:
        waits = any(getattr(line, "pending", None) for line in lines)
        if keep and self.table is not None and lines and waits == self._had_waiting:
            self.table.model.apply(lines)
            self._fit(self.table, len(lines))
            return
        clear_layout(self.lines_rows)
        self.table, self._had_waiting = None, waits
        self.lines_part.setVisible(not isinstance(row, StockListing))
        if isinstance(row, StockListing):
            return
        heading, columns, nothing = self._line_words(row, lines)
        self.lines_rows.addWidget(section(heading))
        if not lines:
            self.lines_rows.addWidget(text_label(nothing, "small", wrap=True))
            return
        model: RowsModel[Any] = RowsModel(columns, key=lambda line: line.id)
        table: DataTable[Any] = DataTable(self._reader.context.theme, model, heading)
        model.setParent(table)
        table.view.verticalHeader().setDefaultSectionSize(LINE_HEIGHT_PX)
        model.apply(lines)
        self._fit(table, len(lines))
        self.table = table
        table.selected.connect(self._on_line_chosen)
        table.activated.connect(self._on_change_line)
        self.lines_rows.addWidget(table)
        if isinstance(row, ItemListing):
            button = link_button(self._reader.context.theme, tr("Show these in Stock"), "layers", small=True)
            button.clicked.connect(lambda: self.stock_wanted.emit(row.code or row.name))
            self.lines_rows.addWidget(button)

    def _on_change(self) -> None:
        if self.row is not None:
            kind = "requisition" if isinstance(self.row, RequisitionListing) else "shipment"
            self.change_wanted.emit(kind, self.row.id)

    def _on_change_line(self, *_row: object) -> None:
        chosen = self.table.selected_rows() if self.table is not None else []
        if chosen and isinstance(self.row, RequisitionListing | ShipmentListing):
            kind = "requisition_line" if isinstance(self.row, RequisitionListing) else "shipment_line"
            self.change_wanted.emit(kind, chosen[0].id)

    def _on_line_chosen(self, *_rows: object) -> None:
        self.change_line.setEnabled(self.table is not None and bool(self.table.selected_rows()))

    def _fit(self, table: DataTable[Any], count: int) -> None:
        """As high as its lines, up to a dozen; more are scrolled."""
        header = table.view.horizontalHeader()
        header.setFixedHeight(HEADER_PX)
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)  # names need the room that numbers leave
        off, needed = Qt.ScrollBarPolicy.ScrollBarAlwaysOff, Qt.ScrollBarPolicy.ScrollBarAsNeeded
        table.view.setVerticalScrollBarPolicy(off if count <= MOST_LINES_SHOWN else needed)
        table.setFixedHeight(HEADER_PX + LINE_HEIGHT_PX * min(count, MOST_LINES_SHOWN) + SCROLL_BAR_PX)

    def _line_words(self, row: Listing, lines: Sequence[Line]) -> tuple[str, list[Column[Any]], str]:
        count, waits = len(lines), any(getattr(line, "pending", None) for line in lines)
        if isinstance(row, ItemListing):
            heading = trn("In stock, {count} batch", "In stock, {count} batches", count)
            return heading, _batch_columns(self._reader), tr("No facility that this account sees has it in stock.")
        heading = trn("{count} line", "{count} lines", count)
        if isinstance(row, RequisitionListing):
            return (
                heading,
                _requisition_line_columns(self._reader, lines, waits),
                tr("It has no lines, or they were not read yet."),
            )
        return heading, _shipment_line_columns(self._reader, waits), tr("It has no lines, or they were not read yet.")

    def close_panel(self) -> None:
        self.row, self.lines, self.table = None, (), None


def _from_to(row: RequisitionListing | ShipmentListing) -> str:
    if isinstance(row, RequisitionListing):
        return tr("{facility} asks {supplier}", facility=row.facility, supplier=row.supplier or NOTHING)
    return tr("{sender} to {receiver}", sender=row.sender, receiver=row.receiver)


_PARTNER_WORDS = {
    "item": tr("Same item"),
    "facility": tr("Same facility"),
    "supplier": tr("Same supplier"),
    "sender": tr("Same sender"),
    "receiver": tr("Same receiver"),
}


def _partner_facts(partners: Mapping[str, Sequence[Partner]]) -> list[FactRow]:
    """What other systems call it, one line for each; nothing where it is joined with nothing."""
    return [
        (_PARTNER_WORDS[what], "\n".join(f"{one.name or one.code}{_code(one)}, {one.source}" for one in some))
        for what, some in partners.items()
        if some
    ]


def _code(one: Partner) -> str:
    return f" ({one.code})" if one.code and one.name else ""


def _common(row: Listing, reader: Reader) -> list[FactRow]:
    formats = reader.context.formats
    age = words.age_word(row.age, reader.now_ms(), formats)
    if row.age.last_read_ms is not None:
        age = tr("{age} old, read {time}", age=age, time=formats.time(row.age.last_read_ms))
    return [(tr("Integration"), row.source), (tr("Data"), age), (tr("Id there"), row.peer_id)]


def _item_facts(row: Any, reader: Reader) -> BothFacts:
    formats = reader.context.formats
    why = words.stock_tip(row, reader.levels, formats)
    first: list[FactRow] = [
        (tr("In stock"), words.units(row.units, formats)),
        (tr("Usable"), words.units(row.usable_units, formats) if row.expired_units else None),
        (tr("Monthly use"), words.units(row.average_monthly_units, formats)),
        (tr("Months of stock"), words.months(row.months, formats)),
        (tr("Why"), why),
        (tr("Expired"), words.units(row.expired_units, formats) if row.expired_units else None),
        (
            tr("Expires in {n} days", n=reader.horizon().days),
            words.units(row.expiring_units, formats) if row.expiring_units else None,
        ),
    ]
    more: list[FactRow] = [
        (tr("Unit"), row.unit),
        (tr("Usual pack"), words.units(row.pack_size, formats)),
        (tr("Programmes"), ", ".join(row.programs)),
        (tr("In use"), None if row.is_active else tr("no, the catalogue has retired it")),
    ]
    return first, more


def _stock_facts(row: Any, reader: Reader) -> BothFacts:
    formats = reader.context.formats
    packs = row.units / row.pack_size if row.pack_size > 0 else None
    first: list[FactRow] = [
        (tr("Units"), words.units(row.units, formats)),
        (tr("Unit"), row.unit),
        (tr("Packs"), f"{words.units(packs, formats)} × {words.units(row.pack_size, formats)}"),
        (tr("Available"), words.units(row.available_units, formats)),
        (tr("Batch"), row.batch),
        (tr("Expiry"), row.expires_on),
    ]
    more: list[FactRow] = [
        (tr("Location"), row.location),
        (tr("Programme"), row.program),
        (tr("On hold"), tr("yes") if row.is_on_hold else None),
        (tr("Monthly use"), words.units(row.average_monthly_units, formats)),
        (tr("Code"), row.item_code),
    ]
    return first, more


def _requisition_facts(row: Any, reader: Reader) -> BothFacts:
    first: list[FactRow] = [
        (tr("Not sent yet"), _waiting_lines(row)),
        (tr("Side"), words.SIDES.get(row.side, row.side)),
        (tr("Peer's word"), row.status),
        (tr("Programme"), row.program),
        (tr("Period"), row.period),
        (tr("Emergency"), tr("yes") if row.is_emergency else None),
        (tr("Made"), _time(row.created_ms, reader)),
        (tr("Sent"), _time(row.sent_ms, reader)),
        (tr("Closed"), _time(row.closed_ms, reader)),
    ]
    more: list[FactRow] = [
        (tr("Reference"), row.reference),
        (tr("Comment"), row.comment),
    ]
    return first, more


def _shipment_facts(row: Any, reader: Reader) -> BothFacts:
    first: list[FactRow] = [
        (tr("Not sent yet"), _waiting_lines(row)),
        (tr("Side"), words.SIDES.get(row.side, row.side)),
        (tr("Peer's word"), row.status),
        (tr("Requisition"), row.requisition_number),
        (tr("Transport"), row.transport_reference),
        (tr("Programme"), row.program),
        (tr("On hold"), tr("yes") if row.is_on_hold else None),
        (tr("Made"), _time(row.created_ms, reader)),
        (tr("Allocated"), _time(row.allocated_ms, reader)),
        (tr("Picked"), _time(row.picked_ms, reader)),
        (tr("Shipped"), _time(row.shipped_ms, reader)),
        (tr("Expected"), row.expected_on),
        (tr("Delivered"), _time(row.delivered_ms, reader)),
        (tr("Received"), _time(row.received_ms, reader)),
        (tr("Verified"), _time(row.verified_ms, reader)),
        (tr("Received by"), row.received_by),
        (tr("Delivered by"), row.delivered_by),
        (tr("Received on"), row.received_on),
    ]
    more: list[FactRow] = [
        (tr("Reference"), row.reference),
        (tr("Comment"), row.comment),
    ]
    return first, more


def _waiting_lines(row: Any) -> str | None:
    if not row.waiting_lines:
        return None
    return trn("changes of {count} line", "changes of {count} lines", row.waiting_lines)


def _time(ms: int | None, reader: Reader) -> str | None:
    return None if ms is None else reader.context.formats.time(ms)


_FACTS: Mapping[type[Any], Callable[[Any, Reader], BothFacts]] = {
    ItemListing: _item_facts,
    StockListing: _stock_facts,
    RequisitionListing: _requisition_facts,
    ShipmentListing: _shipment_facts,
}


# Lines


def _batch_columns(reader: Reader) -> list[Column[Any]]:
    formats, horizon = reader.context.formats, reader.horizon
    return [
        Column(
            "facility",
            tr("Facility"),
            lambda line: line.facility_name,
            tooltip=lambda line: plain_tip(line.facility_name),
            width=108,
        ),
        Column(
            "expiry",
            tr("Expiry"),
            lambda line: words.expiry_word(line.expires_on, horizon()),
            lambda line: line.expires_on,
            badge=lambda line: words.expiry_pill(line.expires_on, horizon()),
            width=146,
        ),
        Column(
            "units",
            tr("Units"),
            lambda line: words.units(line.units, formats),
            lambda line: line.units,
            align="right",
            width=64,
        ),
        Column("batch", tr("Batch"), lambda line: line.batch or NOTHING, is_mono=True, width=80),
    ]


def _requisition_line_columns(reader: Reader, lines: Sequence[Any], waits: bool) -> list[Column[Any]]:
    """What waits stands right behind what was asked for; a quantity that no line tells takes no room."""
    told = [
        _line_units(reader, field, title)
        for field, title in (("approved_units", tr("Approved")), ("supply_units", tr("Supply")))
        if any(getattr(line, field) is not None for line in lines)
    ]
    asked = _line_units(reader, "requested_units", tr("Asked"))
    return [_line_item(), asked, *([_line_waits(reader)] if waits else []), *told]


def _shipment_line_columns(reader: Reader, waits: bool) -> list[Column[Any]]:
    horizon = reader.horizon
    return [
        _line_item(),
        _line_units(reader, "units", tr("Units")),
        *([_line_waits(reader)] if waits else []),
        Column(
            "expiry",
            tr("Expiry"),
            lambda line: words.expiry_word(line.expires_on, horizon()),
            lambda line: line.expires_on,
            badge=lambda line: words.expiry_pill(line.expires_on, horizon()),
            width=146,
        ),
        Column("batch", tr("Batch"), lambda line: line.batch or NOTHING, is_mono=True, width=80),
    ]


def _line_item() -> Column[Any]:
    return Column(
        "item",
        tr("Item"),
        lambda line: line.item_name,
        tooltip=lambda line: plain_tip(f"{line.item_code}  {line.item_name}"),
        width=118,
    )


def _line_units(reader: Reader, field: str, title: str) -> Column[Any]:
    formats = reader.context.formats
    return Column(
        field,
        title,
        lambda line: words.units(getattr(line, field), formats),
        lambda line: getattr(line, field),
        align="right",
        width=68,
    )


def _line_waits(reader: Reader) -> Column[Any]:
    formats = reader.context.formats

    def text(line: Any) -> str:
        return words.pending_words(line.pending, formats)

    return Column(
        "waits",
        tr("Not sent yet"),
        text,
        lambda line: text(line) or None,
        badge=lambda line: ("info", text(line)) if line.pending else None,
        tooltip=lambda line: plain_tip(tr("Waits to be sent: {what}", what=text(line))) if line.pending else "",
        width=150,
    )
