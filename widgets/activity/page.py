"""Activity: one search over the log, events of devices, operators' acts and records set aside."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QWidget
from sqlalchemy import Connection, select

from app.clock import utc_now
from app.store.tables import Integration
from resources.i18n import tr
from widgets.activity.acts_view import ActsView, acts_sheet
from widgets.activity.chain import ChainBar
from widgets.activity.detail import EntryPanel
from widgets.activity.events_view import EventsView
from widgets.activity.feed import Feed
from widgets.activity.filters import FilterBar
from widgets.activity.log_view import LogView
from widgets.activity.rejected_view import RejectedView
from widgets.activity.view import Names, View
from widgets.context import ConsoleContext
from widgets.data_table import DataTable
from widgets.export_as import export_as
from widgets.map.raw_inspector import FrameWindows
from widgets.page import Page, PageHeader
from widgets.primitives import IconButton, SearchField, SegmentedTabs
from widgets.trackers.reads import read_frame


class ActivityPage(Page):
    key = "activity"
    title = "Activity"
    icon = "activity"
    topics = frozenset({"integrations", *LogView.topics, *EventsView.topics, *ActsView.topics, *RejectedView.topics})

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self.names = Names()
        self._listed: list[tuple[str, str]] = []
        views: tuple[View[Any], ...] = (
            LogView(context, self.names),
            EventsView(context, self.names),
            ActsView(context, self.names),
            RejectedView(context, self.names),
        )
        self.feeds: dict[str, Feed[Any]] = {view.key: Feed(context, view, self.spawn) for view in views}
        self.tabs = SegmentedTabs([(view.key, view.title) for view in views])
        self.search = SearchField(context.theme, tr("Words, or #number…"))
        self.columns = IconButton(context.theme, "columns-3", tr("Choose the columns"), framed=True)
        self.filters = FilterBar()
        self.chain = ChainBar(context)
        self.panel = EntryPanel(context)
        self.frames = FrameWindows(context, self)
        self.stack = QStackedWidget()
        self._lay_out()
        self._connect()
        self._show_view()

    def _lay_out(self) -> None:
        column = self.column()
        column.setSpacing(14)
        column.addWidget(
            PageHeader(tr("Activity"), tr("What ran, what was reported, what operators did, what was set aside"))
        )
        bar = QHBoxLayout()
        bar.setSpacing(10)
        bar.addWidget(self.tabs)
        bar.addStretch(1)
        bar.addWidget(self.search, 1)
        bar.addWidget(self.columns)
        self.search.setMaximumWidth(420)
        column.addLayout(bar)
        column.addWidget(self.filters)
        column.addWidget(self.chain)
        row = QHBoxLayout()
        row.setSpacing(16)
        for feed in self.feeds.values():
            self.stack.addWidget(feed)
        row.addWidget(self.stack, 1)
        row.addWidget(self.panel)
        column.addLayout(row, 1)

    def _connect(self) -> None:
        self.tabs.chosen.connect(self._on_tab)
        self.search.searched.connect(lambda _text: self.look())
        self.filters.changed.connect(self.look)
        self.columns.clicked.connect(self._choose_columns)
        self.chain.button.clicked.connect(lambda: self.spawn(self.chain.verify(), "verify the chain"))
        self.chain.copy.clicked.connect(lambda: self.spawn(self.chain.copy_outside(), "copy the checkpoints"))
        self.chain.export.clicked.connect(lambda: self.spawn(self.context.quietly(self._export_acts), "export acts"))
        for feed in self.feeds.values():
            feed.chosen.connect(self._on_chosen)
        self.panel.closed.connect(self._close_panel)
        self.panel.act_wanted.connect(self._do)
        self.context.formats.ticked.connect(self._on_ticked)
        self.context.formats.changed.connect(self._redraw)

    # What the store says

    async def refresh(self, topics: frozenset[str]) -> None:
        if "integrations" in topics:
            self._listed = await self.context.bridge.read(self._read_names)
            self._redraw()
        await self._show_integrations()
        if not self.feed.is_loaded:
            self.look()
        elif topics & self.feed.view.topics:
            self.feed.follow()
        if "acts" in topics:
            await self.chain.note_change()
        if self.tabs.value == "acts":
            await self.chain.look()

    def _read_names(self, connection: Connection) -> list[tuple[str, str]]:
        query = select(Integration.id, Integration.name, Integration.removed_at).order_by(Integration.name)
        rows = connection.execute(query).all()
        self.names.of = {row.id: row.name for row in rows}
        return [(row.id, row.name) for row in rows if row.removed_at is None]

    async def _show_integrations(self) -> None:
        counts = await self.context.bridge.read(self.feed.view.counts)
        self.filters.show_integrations(self._listed, counts)
        if self.tabs.value == "acts":
            self.filters.show_people(await self.context.bridge.read(self.feed.view.people))

    # What is shown

    @property
    def is_ready(self) -> bool:
        return self.refresh_count > 0 and self.feed.is_loaded

    @property
    def feed(self) -> Feed[Any]:
        return self.feeds[self.tabs.value]

    def table(self) -> DataTable[Any]:
        return self.feed.table

    def look(self) -> None:
        """Search what is shown for what is typed and chosen now."""
        self.feed.search(self.filters.wanted(self.search.text(), utc_now(), self.context.formats.zone))

    def show_item(self, **arguments: Any) -> None:
        """``open_page("activity", integration_id=…, text=…, view="log" | "events" | "acts" | "rejected")``."""
        self.filters.clear()
        if arguments.get("view") in self.feeds:
            self.tabs.choose(str(arguments["view"]))
        if arguments.get("integration_id"):
            self.filters.choose_integration(str(arguments["integration_id"]))
        self.search.setText(str(arguments.get("text") or ""))
        self.search.returnPressed.emit()
        self.look()

    def _show_view(self) -> None:
        self.stack.setCurrentWidget(self.feed)
        self.filters.show_view(self.feed.view)
        self.chain.setVisible(self.tabs.value == "acts")

    def _redraw(self) -> None:
        for feed in self.feeds.values():
            feed.model.redraw()

    # What the operator does

    def _on_tab(self, _key: str) -> None:
        self._show_view()
        self._close_panel()
        if self.isVisible():
            self.look()
            self.spawn(self.context.quietly(self._show_integrations), "integrations")
            if self.tabs.value == "acts":
                self.spawn(self.context.quietly(self.chain.look), "newest checkpoint")

    def _on_chosen(self, row: Any) -> None:
        if row is None:
            self.panel.hide()
        else:
            self.panel.show_entry(self.feed.view.detail(row))

    def _choose_columns(self) -> None:
        self.table().columns_menu().popup(self.columns.mapToGlobal(self.columns.rect().bottomLeft()))

    def _do(self, act: str) -> None:
        rows = self.table().selected_rows()
        if not rows:
            return
        row = rows[0]
        if act in {"acts_on", "acts_by"}:
            self._narrow(act, row)
        elif act == "integration":
            self.context.open_page("integrations", details=row.integration_id)
        elif act == "tracker":
            self.context.open_page("trackers", imei=row.device)
        elif act == "map":
            self.context.open_page("map", device=row.vehicle or row.device)
        elif act == "frame":
            title = f"{row.vehicle or row.device}: {row.text}"
            query = partial(read_frame, raw_frame_id=row.raw_frame_id, title=title)
            self.spawn(self.context.quietly(partial(self.frames.show, query, title)), "raw frame")

    def _narrow(self, act: str, row: Any) -> None:
        """Show the acts on the same record, or of the same person, from what is chosen already."""
        if act == "acts_by":
            self.filters.choose_person(row.who)
        else:
            self.search.setText(row.subject)
            self.search.returnPressed.emit()  # so that it counts as searched, and clearing it at once is a change
            self.look()

    async def _export_acts(self) -> None:
        """Every act that is looked for now, not only those that were scrolled to."""
        wanted, store = self.feed.wanted, self.context.bridge.store
        sheet, is_cut = await asyncio.to_thread(acts_sheet, store, wanted)
        if is_cut:
            count = f"{len(sheet.rows):,}"
            self.context.notify(
                "warn", tr("Only the newest {count} acts are written. “export acts” writes all.", count=count)
            )
        await export_as(self, self.context, sheet)

    def _close_panel(self) -> None:
        self.panel.hide()
        self.table().view.clearSelection()

    def _on_ticked(self) -> None:
        """A new day turns today's times into dates."""
        if not self.isVisible():
            return
        self.table().view.viewport().update()
        self.chain.show_age()
        if self.tabs.value == "acts" and self.chain.is_look_due:
            self.spawn(self.context.quietly(self.chain.look), "newest checkpoint")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes the details, unless the search has a use for it."""
        if event.key() == Qt.Key.Key_Escape and not self.panel.isHidden():
            self._close_panel()
            return
        super().keyPressEvent(event)

    def close_page(self) -> None:
        self.context.formats.ticked.disconnect(self._on_ticked)
        self.context.formats.changed.disconnect(self._redraw)
        for feed in self.feeds.values():
            feed.close_feed()
        self.frames.close()
        super().close_page()
