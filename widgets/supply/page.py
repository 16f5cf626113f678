"""Supply: items, stock, requisitions and shipments of every system that holds them, and what waits to be sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QWidget
from sqlalchemy import Connection

from app.identity.partners import Partner, paper_partners, partners_at, partners_of
from app.supply.ages import UNREAD, Age, data_ages
from app.supply.filters import Horizon, Levels, Place, SupplyFilter
from app.supply.queries import Choices, list_choices
from app.supply.queries_items import ItemListing, find_item
from app.supply.queries_lines import requisition_lines, shipment_lines
from app.supply.queries_papers import RequisitionListing, find_requisition, find_shipment
from app.supply.queries_stock import StockListing, find_stock, page_of_stock
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import DataTable
from widgets.identity.panel import IdentityPanel
from widgets.page import Page, PageHeader
from widgets.primitives import Banner, IconButton, SearchField, SegmentedTabs
from widgets.supply.details import Line, Listing, SupplyPanel
from widgets.supply.filters import ITEMS, REQUISITIONS, SHIPMENTS, STOCK, FilterBar
from widgets.supply.lists import Reader, list_kinds
from widgets.supply.store_list import StoreList

SUPPLY_KINDS = frozenset({"supply_chain", "government"})
"""Categories of the catalogue whose integrations hold supply records."""
SOON_DAYS = 90
READ_SHARE = 0.2  # of the time may go into reading lists again while a first reading fills them
READ_PAUSE_S = 0.5
MOST_BATCHES = 500
MOST_SOURCES = 3
MATCHING = "matching"
_OF_TAB: Mapping[str, frozenset[str]] = {
    ITEMS: frozenset({"items", "stock", "streams", "identities"}),
    STOCK: frozenset({"stock", "items", "facilities", "streams", "identities"}),
    REQUISITIONS: frozenset({"requisitions", "facilities", "streams", "identities"}),
    SHIPMENTS: frozenset({"shipments", "requisitions", "facilities", "streams", "identities"}),
}


class SupplyPage(Page):
    key = "supply"
    title = "Supply"
    icon = "package"
    topics = IdentityPanel.topics.union({"integrations"}, *_OF_TAB.values())

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        theme = context.theme
        self.reader = Reader(context, context.services.clock.now_ms, self.horizon, Levels())
        self.tabs = SegmentedTabs(
            [
                (ITEMS, tr("Items")),
                (STOCK, tr("Stock")),
                (REQUISITIONS, tr("Requisitions")),
                (SHIPMENTS, tr("Shipments")),
                (MATCHING, tr("Matching")),
            ]
        )
        self.search = SearchField(theme, tr("Item, code, batch, number…"))
        self.columns = IconButton(theme, "columns-3", tr("Choose the columns"), framed=True)
        self.filters = FilterBar(self.horizon())
        self.lists: dict[str, StoreList[Any]] = {
            kind.key: StoreList(context, kind, self.spawn) for kind in list_kinds(self.reader)
        }
        self.panel = SupplyPanel(self.reader)
        self.matching = IdentityPanel(context, self.spawn)
        self.trouble = Banner(theme, "warn", "")
        self.choices = Choices((), (), (), 0)
        self.ages: Mapping[str, Age] = {}
        self._stale = set(self.lists)
        self._next_read_s = 0.0
        self._wanted: dict[str, Any] = {}
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        column = self.column()
        subtitle = tr("What the supply systems hold, as they last told it, and what waits to be sent to them")
        column.addWidget(PageHeader(tr("Supply"), subtitle))
        bar = QHBoxLayout()
        bar.setSpacing(10)
        bar.addWidget(self.tabs)
        bar.addStretch(1)
        bar.addWidget(self.search)
        bar.addWidget(self.columns)
        column.addLayout(bar)
        column.addWidget(self.filters)
        column.addWidget(self.trouble)
        self.trouble.hide()
        row = QHBoxLayout()
        row.setSpacing(16)
        self.stack = QStackedWidget()
        for one in self.lists.values():
            self.stack.addWidget(one)
        self.stack.addWidget(self.matching)
        row.addWidget(self.stack, 1)
        row.addWidget(self.panel)
        column.addLayout(row, 1)

    def _connect(self) -> None:
        self.tabs.chosen.connect(self._on_tab)
        self.search.searched.connect(self._on_searched)
        self.filters.changed.connect(self._on_wanted)
        self.columns.clicked.connect(self._choose_columns)
        for one in self.lists.values():
            one.chosen.connect(self._on_chosen)
            one.table.activated.connect(lambda _row: self.panel.close_button.setFocus(Qt.FocusReason.TabFocusReason))
        self.panel.closed.connect(self._close_panel)
        self.panel.stock_wanted.connect(partial(self._go_to, STOCK))
        self.panel.change_wanted.connect(lambda record, row_id: self.spawn(self._change(record, row_id), "change"))
        self.context.formats.ticked.connect(self._on_ticked)
        self.context.formats.changed.connect(self._redraw)

    async def _change(self, record: str, row_id: str) -> None:
        await self.context.doors.dialogs["change_record"](self.context, self, record, row_id)

    def horizon(self) -> Horizon:
        """Today in the operator's zone, and how far ahead counts as soon."""
        now = self.context.now()
        return Horizon(now.astimezone(self.context.formats.zone).date(), SOON_DAYS)

    # What the store says

    async def refresh(self, topics: frozenset[str]) -> None:
        if topics & {"integrations", "facilities"} or not self.refresh_count:
            await self._read_choices()
        self._stale |= {tab for tab, own in _OF_TAB.items() if own & topics}
        if topics & IdentityPanel.topics:
            self._stale.add(MATCHING)
        if self.refresh_count:
            await asyncio.sleep(max(0.0, self._next_read_s - time.monotonic()))
        began = time.monotonic()
        await self._read_front()
        if self._wanted:
            await self._show_wanted()
        self._next_read_s = time.monotonic() + max(READ_PAUSE_S, (time.monotonic() - began) / READ_SHARE)

    async def _read_choices(self) -> None:
        kinds = await asyncio.to_thread(self._supply_kinds)  # the catalogue imports its adapters when first asked
        self.choices = await self.context.bridge.read(partial(list_choices, kinds=kinds))
        self.filters.show_choices(self.choices)
        self._show_empty(self.choices.sources > 0)

    def _supply_kinds(self) -> list[str]:
        return [entry.key for entry in self.context.services.catalogue.entries() if entry.category in SUPPLY_KINDS]

    async def _read_front(self) -> None:
        """The list in front, when something of it moved; the others wait until they are looked at."""
        tab = self.tabs.value
        if tab not in self._stale:
            return
        self._stale.discard(tab)
        if tab == MATCHING:
            self.trouble.hide()
            await self.matching.refresh()
            return
        front, wanted = self.lists[tab], self.filters.wanted(self.search.text())
        if front.is_loaded and front.wanted == wanted:
            await front.read_again()
        else:
            await front.show_wanted(wanted)
        self.ages = await self.context.bridge.read(partial(data_ages, topic=tab))
        self._show_ages()
        await self._follow_panel()

    def _show_ages(self) -> None:
        """One sentence for each source, under the list; a row's own column says it as well."""
        formats = self.context.formats
        parts = []
        for integration_id, name in self.choices.integrations:
            age = self.ages.get(integration_id, UNREAD)
            if age.last_read_ms is None:
                parts.append(tr("{name}: never read to the end", name=name))
            else:
                parts.append(tr("{name}: read {ago}", name=name, ago=formats.ago(age.last_read_ms)))
        self.front.ages.setText("   ".join(parts[:MOST_SOURCES]))
        troubles = [age.trouble for age in self.ages.values() if age.trouble]
        self.trouble.words.setText(" ".join(troubles))
        self.trouble.setVisible(bool(troubles))

    async def _follow_panel(self) -> None:
        """The chosen record as it is now, and gone when nobody has it any more."""
        row = self.panel.row
        if row is not None and not self.panel.isHidden():
            await self._show_details(row)

    async def _show_details(self, row: Listing) -> None:
        now, lines, partners = await self.context.bridge.read(partial(read_details, row=row, horizon=self.horizon()))
        if self.panel.row is not None and self.panel.row.id != row.id:
            return  # another one was chosen meanwhile
        if now is None:
            self._close_panel()
        else:
            self.panel.show_row(now, lines, partners)

    # What is shown

    @property
    def front(self) -> StoreList[Any]:
        """The list that is shown, or was before the matching was."""
        widget = self.stack.currentWidget()
        return widget if isinstance(widget, StoreList) else self.lists[ITEMS]

    def table(self) -> DataTable[Any]:
        lines = self.panel.table
        if lines is not None and not self.panel.isHidden() and lines.view.hasFocus():
            return lines
        return self.matching.table() if self.tabs.value == MATCHING else self.front.table

    def show_item(self, **arguments: Any) -> None:
        """``open_page("supply", tab="requisitions", text="1042", id=…, facility=(integration, peer id))``."""
        self._wanted = arguments
        if self.refresh_count:
            self.spawn(self.context.quietly(self._show_wanted), "wanted")

    async def _show_wanted(self) -> None:
        wanted, self._wanted = self._wanted, {}
        self.filters.clear()
        self.search.setText(str(wanted.get("text", "")))
        if wanted.get("facility"):
            at = self.filters.facilities.findData(Place(*wanted["facility"]))
            self.filters.facilities.setCurrentIndex(max(0, at))
        if wanted.get("tab") in (*self.lists, MATCHING):
            self.tabs.choose(wanted["tab"])
        self._stale.add(self.tabs.value)
        await self._read_front()
        record_id = wanted.get("id")
        if record_id and not self.front.table.select_key(record_id):
            self.context.notify("warn", tr("This record is not among those shown: its peer may not have it any more."))

    def _show_empty(self, has_sources: bool) -> None:
        """What an empty list says: how records get here."""
        how = tr("The supply systems are set up and have told none yet. Their page says how they do.")
        for one in self.lists.values():
            one.say_how(how if has_sources else one.kind.empty[2])

    # What the operator does

    def _on_tab(self, tab: str) -> None:
        is_list = tab in self.lists
        self.stack.setCurrentWidget(self.lists[tab] if is_list else self.matching)
        for part in (self.search, self.columns, self.filters):
            part.setVisible(is_list)
        self._close_panel()
        if not is_list:
            self._stale.add(MATCHING)
            self.spawn(self.context.quietly(self._read_front), "tab")
            return
        self.filters.show_tab(tab)
        if self.lists[tab].wanted != self.filters.wanted(self.search.text()):
            self._stale.add(tab)
        self.spawn(self.context.quietly(self._read_front), "tab")

    def _on_searched(self, _text: str) -> None:
        self._on_wanted()

    def _on_wanted(self) -> None:
        if self.front.wanted != self.filters.wanted(self.search.text()) or not self.front.is_loaded:
            self._stale.add(self.tabs.value)
            self.spawn(self.context.quietly(self._read_front), "wanted")

    def _choose_columns(self) -> None:
        self.front.table.columns_menu().popup(self.columns.mapToGlobal(self.columns.rect().bottomLeft()))

    def _on_chosen(self, row: Listing | None) -> None:
        if row is None:
            self.panel.hide()
            return
        self.panel.row = row
        self.spawn(self.context.quietly(partial(self._show_details, row)), "details")

    def _go_to(self, tab: str, text: str) -> None:
        """Show in another list what belongs to the chosen record; its filters stay."""
        self.search.setText(text)
        self.tabs.choose(tab)

    def _close_panel(self) -> None:
        self.panel.hide()
        self.panel.close_panel()
        for one in self.lists.values():
            one.table.view.clearSelection()

    def _on_ticked(self) -> None:
        if self.isVisible():
            self._redraw()

    def _redraw(self) -> None:
        """Ages grew, or zone and units changed."""
        if self.tabs.value == MATCHING:
            return
        self.front.model.redraw()
        self._show_ages()
        self.panel.tick()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.panel.fit_into(self.width())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes the details, unless the search has a use for it."""
        if event.key() == Qt.Key.Key_Escape and not self.panel.isHidden():
            self._close_panel()
            return
        super().keyPressEvent(event)

    def close_page(self) -> None:
        self.context.formats.ticked.disconnect(self._on_ticked)
        self.context.formats.changed.disconnect(self._redraw)
        for one in self.lists.values():
            one.close_list()
        self.panel.close_panel()
        self.matching.close_panel()
        super().close_page()


Details = tuple[Listing | None, Sequence[Line], Mapping[str, Sequence[Partner]]]


def read_details(connection: Connection, row: Listing, horizon: Horizon) -> Details:
    """A record as it is now, with its lines, of an item its stock, and what other systems call it and its places.

    None where the store does not know it any more.
    """
    now, lines = _read_record(connection, row, horizon)
    return now, lines, read_partners(connection, row)


def read_partners(connection: Connection, row: Listing) -> Mapping[str, Sequence[Partner]]:
    """Partners by what they are partners of: ``item``, ``facility``, ``sender``, ``receiver``."""

    def at(kind: str, peer_id: str) -> Sequence[Partner]:
        place = Place(row.integration_id, peer_id)
        return partners_at(connection, kind, [place]).get(place, ()) if peer_id else ()

    if isinstance(row, ItemListing):
        return {"item": partners_of(connection, "item", [row.id]).get(row.id, ())}
    if isinstance(row, StockListing):
        return {"item": at("item", row.item), "facility": at("facility", row.facility)}
    if isinstance(row, RequisitionListing):
        return paper_partners(connection, "requisition", row.id)
    return paper_partners(connection, "shipment", row.id)


def _read_record(connection: Connection, row: Listing, horizon: Horizon) -> tuple[Listing | None, Sequence[Line]]:
    if isinstance(row, ItemListing):
        item = Place(row.integration_id, row.peer_id)
        batches, _ = page_of_stock(connection, SupplyFilter(), horizon, item=item, limit=MOST_BATCHES)
        return find_item(connection, row.id, horizon), batches
    if isinstance(row, StockListing):
        return find_stock(connection, row.id), ()
    if isinstance(row, RequisitionListing):
        asked = requisition_lines(connection, row.integration_id, row.peer_id)
        return find_requisition(connection, row.id), asked
    return find_shipment(connection, row.id), shipment_lines(connection, row.integration_id, row.peer_id)
