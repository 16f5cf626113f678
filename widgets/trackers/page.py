"""Trackers: known ones, those that wait in the inbox, blocked ones; how each is doing and what can be done with it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QWidget

from app.clock import from_ms, to_ms
from app.fleet.listing import DeviceListing
from app.fleet.registry import BLOCKED, KNOWN, WAITING
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.data_table import in_card
from widgets.map.raw_inspector import FrameWindows
from widgets.page import Page, PageHeader
from widgets.primitives import IconButton, SearchField, SegmentedTabs, link_button, outline_button, text_label
from widgets.trackers.acts import SILENT_MS, TrackerActs
from widgets.trackers.detail import TrackerPanel
from widgets.trackers.reads import Sources, read_frame, read_sources, read_story, read_trackers
from widgets.trackers.statistics import Statistics
from widgets.trackers.tables import TABS, Reader, TrackerTable

READ_SHARE = 0.05  # of the time may go into reading states again; they move with every frame
READ_PAUSE_S = 1.0
_SOURCES = frozenset({"integrations", "integration_states"})


class TrackersPage(Page):
    key = "trackers"
    title = "Trackers"
    icon = "satellite-dish"
    topics = frozenset({"devices", "device_states", "vehicles", "events", *_SOURCES})

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        theme = context.theme
        self.names: dict[str, str] = {}
        self.reader = Reader(context, context.services.clock.now_ms, self.names)
        self.rows: list[DeviceListing] = []
        self.acts = TrackerActs(context, self)
        self.frames = FrameWindows(context, self)
        self.statistics = Statistics(theme)
        self.tabs = SegmentedTabs([(KNOWN, tr("Known")), (WAITING, tr("Waiting")), (BLOCKED, tr("Blocked"))])
        self.search = SearchField(theme, tr("Plate, IMEI, name, source…"))
        self.columns = IconButton(theme, "columns-3", tr("Choose the columns"), framed=True)
        self.tables = {state: TrackerTable(context, state, self.reader) for state in TABS}
        self.panel = TrackerPanel(self.reader)
        self.chosen = text_label("", "muted")
        self.block_many = outline_button(theme, tr("Block…"), "ban", small=True)
        self.unblock_many = outline_button(theme, tr("Unblock"), "lock-open", small=True)
        self.forget_many = outline_button(theme, tr("Forget…"), "trash-2", small=True)
        self.forget_silent = link_button(theme, "", small=True)
        self.stop = outline_button(theme, tr("Stop"), "circle-stop", small=True)
        self._wanted: dict[str, Any] = {}
        self._empty_words: tuple[str, ...] | None = None
        self._reading = asyncio.Lock()
        self._is_due = False
        self._next_read = 0.0
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        column = self.column()
        column.addWidget(
            PageHeader(tr("Trackers"), tr("What each tracker last said, and which of them this depot lets in"))
        )
        column.addWidget(self.statistics)
        bar = QHBoxLayout()
        bar.setSpacing(10)
        bar.addWidget(self.tabs)
        bar.addWidget(self.forget_silent)
        bar.addStretch(1)
        bar.addWidget(self.search)
        bar.addWidget(self.columns)
        column.addLayout(bar)
        self.many = QWidget()
        many = QHBoxLayout(self.many)
        many.setContentsMargins(0, 0, 0, 0)
        many.setSpacing(8)
        many.addWidget(self.chosen)
        for button in (self.block_many, self.unblock_many, self.forget_many, self.stop):
            many.addWidget(button)
        many.addStretch(1)
        column.addWidget(self.many)
        row = QHBoxLayout()
        row.setSpacing(16)
        self.stack = QStackedWidget()
        for state in TABS:
            self.stack.addWidget(in_card(self.tables[state]))
        row.addWidget(self.stack, 1)
        row.addWidget(self.panel)
        column.addLayout(row, 1)
        for widget in (self.many, self.stop, self.forget_silent):
            widget.hide()

    def _connect(self) -> None:
        context = self.context
        self.tabs.chosen.connect(self._on_tab)
        self.search.searched.connect(self._on_searched)
        self.columns.clicked.connect(self._choose_columns)
        for table in self.tables.values():
            table.selected.connect(self._on_selected)
            table.activated.connect(self._on_activated)
            table.menu_wanted.connect(self._on_menu_wanted)
        self.panel.closed.connect(self._close_panel)
        self.panel.act_wanted.connect(self._do)
        self.block_many.clicked.connect(lambda: self._do_many("block"))
        self.unblock_many.clicked.connect(lambda: self._do_many("unblock"))
        self.forget_many.clicked.connect(lambda: self._do_many("forget"))
        self.forget_silent.clicked.connect(self._forget_silent)
        self.stop.clicked.connect(self.acts.stop)
        self.acts.progress.connect(self._on_progress)
        context.formats.ticked.connect(self._on_ticked)
        context.formats.changed.connect(self._redraw)
        delete = QShortcut(QKeySequence("Delete"), self.stack)
        delete.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        delete.activated.connect(lambda: self._do_many("forget"))

    # What the store says

    async def refresh(self, topics: frozenset[str]) -> None:
        if topics & _SOURCES:
            sources = await self.context.bridge.read(read_sources)
            self.names.clear()
            self.names.update(sources.names)
            self._show_empty(sources)
        if topics & {"devices", "vehicles"} or not self.refresh_count:
            await self._read_rows()
        elif "device_states" in topics:
            self._is_due = True
        if topics & {"events", "devices"}:
            await self._read_story()

    async def _read_rows(self) -> None:
        async with self._reading:
            self._is_due = False
            began = time.monotonic()
            self.rows = await self.context.bridge.read(read_trackers)
            self._next_read = time.monotonic() + max(READ_PAUSE_S, (time.monotonic() - began) / READ_SHARE)
            for table in self.tables.values():
                table.model.apply([row for row in self.rows if row.state == table.state_shown])
            self._count()
            self._follow_panel()
            self._show_wanted()

    async def _read_story(self) -> None:
        row = self.panel.row
        if row is None or self.panel.isHidden():
            return
        local = from_ms(self.reader.now_ms()).astimezone(self.context.formats.zone)
        midnight = datetime(local.year, local.month, local.day, tzinfo=self.context.formats.zone)
        query = partial(read_story, device_key=row.key, since_ms=to_ms(midnight))
        story = await self.context.bridge.read(query)
        if self.panel.row is not None and self.panel.row.key == row.key:
            self.panel.show_story(story)

    # What is shown

    @property
    def shown_table(self) -> TrackerTable:
        return self.tables[self.tabs.value]

    def table(self) -> TrackerTable:
        return self.shown_table

    def show_item(self, **arguments: Any) -> None:
        """``open_page("trackers", device_id=… | imei=… | tab="waiting" | source=…)``; a source is an integration."""
        self._wanted = arguments
        if self.refresh_count:
            self._show_wanted()

    def _show_wanted(self) -> None:
        wanted, self._wanted = self._wanted, {}
        if wanted.get("tab") in TABS:
            self.tabs.choose(wanted.pop("tab"))
        if source := wanted.pop("source", None):
            self.search.setText(str(source))
        names = {str(value) for value in wanted.values()}
        if not names:
            return
        row = next((row for row in self.rows if row.id in names or row.unique_id in names), None)
        if row is None:
            self.context.notify("warn", tr("There is no tracker {name}.", name=", ".join(sorted(names))))
            return
        self.search.clear()
        self.tabs.choose(row.state)
        self.shown_table.select_key(row.id)
        self.shown_table.view.setFocus(Qt.FocusReason.OtherFocusReason)

    def _count(self) -> None:
        now_ms = self.reader.now_ms()
        self.statistics.show_counts(self.rows, now_ms)
        counts = {state: self.statistics.by_state.get(state, 0) for state in TABS}
        for state, label in ((KNOWN, tr("Known")), (WAITING, tr("Waiting")), (BLOCKED, tr("Blocked"))):
            self.tabs.set_label(state, f"{label}  {counts[state]:,}")
        silent = self._silent_count(now_ms)
        self.forget_silent.setText(trn("Forget {count} silent for a day…", "Forget {count} silent for a day…", silent))
        self.forget_silent.setVisible(silent > 0 and self.tabs.value == WAITING)
        if not self.refresh_count and counts[WAITING] and not counts[KNOWN]:
            self.tabs.choose(WAITING)

    def _silent_count(self, now_ms: int) -> int:
        return sum(row.state == WAITING and now_ms - (row.last_seen_ms or 0) > SILENT_MS for row in self.rows)

    def _follow_panel(self) -> None:
        """The chosen tracker as it is now, and gone when it is in this table no more."""
        row = self.panel.row
        if row is None or self.panel.isHidden():
            return
        now = next((found for found in self.rows if found.id == row.id), None)
        if now is None or now.state != self.tabs.value:
            self.panel.hide()
        elif now != row:
            self.panel.show_tracker(now)

    def _show_empty(self, sources: Sources) -> None:
        """What an empty table says: how a tracker gets here, with the addresses that listen now."""
        if sources.listening == self._empty_words:
            return
        self._empty_words = sources.listening
        theme, open_page = self.context.theme, self.context.open_page
        if sources.listening:
            where = " ".join(sources.listening)
            how = tr(
                "{where} Give a tracker the public address of this depot and that port, as its manual says. It appears "
                "here with its first frame and waits until you adopt it to a vehicle or block it.",
                where=where,
            )
            button = None
        else:
            how = tr("No integration listens for trackers now. Add or switch on one, for example GT02 Tracker.")
            button = outline_button(theme, tr("Open Integrations"), "plug")
            button.clicked.connect(lambda: open_page("integrations"))
        self.tables[WAITING].set_empty("inbox", tr("No tracker waits"), how, button)
        if sources.listening:
            next_step = outline_button(theme, tr("Show those that wait"), "inbox")
            next_step.clicked.connect(lambda: self.tabs.choose(WAITING))
        else:
            next_step = outline_button(theme, tr("Open Integrations"), "plug")
            next_step.clicked.connect(lambda: open_page("integrations"))
        known = tr("Trackers of our own listeners wait until they are adopted; those that a server lists are known.")
        self.tables[KNOWN].set_empty("satellite-dish", tr("No tracker is known yet"), known, next_step)
        blocked = tr("Block a tracker that is not yours: its frames are then counted and not stored.")
        self.tables[BLOCKED].set_empty("ban", tr("No tracker is blocked"), blocked)

    # What the operator does

    def _on_tab(self, state: str) -> None:
        self.stack.setCurrentIndex(TABS.index(state))
        self.tables[state].search(self.search.text())
        self._count()
        self._on_selected(self.tables[state].selected_rows())

    def _on_searched(self, text: str) -> None:
        self.shown_table.search(text)

    def _choose_columns(self) -> None:
        self.shown_table.columns_menu().popup(self.columns.mapToGlobal(self.columns.rect().bottomLeft()))

    def _on_selected(self, _rows: Sequence[DeviceListing]) -> None:
        rows = self.shown_table.selected_rows()
        self._show_many(rows)
        if len(rows) == 1:
            self.panel.show_tracker(rows[0])
            self.spawn(self.context.quietly(self._read_story), "story")
        else:
            self.panel.hide()

    def _show_many(self, rows: Sequence[DeviceListing]) -> None:
        state = self.tabs.value
        self.many.setVisible(len(rows) > 1)
        self.chosen.setText(trn("{count} tracker chosen", "{count} trackers chosen", len(rows)))
        self.block_many.setVisible(state != BLOCKED)
        self.unblock_many.setVisible(state == BLOCKED)
        self.forget_many.setVisible(state == WAITING)

    def _on_activated(self, row: DeviceListing) -> None:
        """Enter or double click: adopt what waits, else go to the details."""
        if row.state == WAITING:
            self._do("adopt", row)
        elif not self.panel.isHidden():
            self.panel.adopt.setFocus(Qt.FocusReason.TabFocusReason)

    def _on_menu_wanted(self, row: DeviceListing, where: QPoint) -> None:
        if self.panel.row != row or self.panel.isHidden():
            self.shown_table.select_key(row.id)
        menu = self.panel.menu()
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(where)

    def _do_many(self, act: str) -> None:
        rows = self.shown_table.selected_rows()
        if rows and (act != "forget" or self.tabs.value == WAITING):
            self.spawn(getattr(self.acts, act)(rows), act)

    def _do(self, act: str, row: DeviceListing) -> None:
        if act in {"block", "unblock", "forget"}:
            self.spawn(getattr(self.acts, act)([row]), act)
        elif act in {"adopt", "settings", "release"}:
            self.spawn(self.context.quietly(partial(self._do_and_follow, act, row)), act)
        elif act == "frame" and row.raw_frame_id is not None:
            title = tr("Last frame of {name}", name=row.label)
            query = partial(read_frame, raw_frame_id=row.raw_frame_id, title=title)
            self.spawn(self.context.quietly(partial(self.frames.show, query, title)), "raw frame")
        elif act == "frame":
            self.context.notify("info", tr("There are no bytes behind it: its server sends none."))
        elif act == "map":
            self.context.open_page("map", device=row.unique_id)
        elif act == "events":
            self.context.open_page("activity", view="events", text=row.unique_id)

    async def _do_and_follow(self, act: str, row: DeviceListing) -> None:
        """Show the tracker where it is after the act."""
        await getattr(self.acts, act)(row)
        await self._read_rows()
        now = next((found for found in self.rows if found.id == row.id), None)
        if now is not None and now.state != row.state:
            self.show_item(device_id=row.id)

    def _forget_silent(self) -> None:
        now_ms = self.reader.now_ms()
        self.spawn(self.acts.forget_silent(self._silent_count(now_ms), now_ms), "forget silent")

    def _on_progress(self, done: int, total: int) -> None:
        self.stop.setVisible(total > 0)
        if total:
            self.many.show()
            self.chosen.setText(tr("{done} of {all}…", done=f"{done:,}", all=f"{total:,}"))
        else:
            self._show_many(self.shown_table.selected_rows())

    def _close_panel(self) -> None:
        self.panel.hide()
        self.shown_table.view.clearSelection()

    def _on_ticked(self) -> None:
        if not self.isVisible():
            return
        self._redraw()
        if self._is_due and time.monotonic() >= self._next_read:
            self._is_due = False
            self.spawn(self.context.quietly(self._read_rows), "states")

    def _redraw(self) -> None:
        """Ages grew, or zone and units changed."""
        self.shown_table.model.redraw()
        self._count()
        self.panel.tick()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes the details, unless the search has a use for it."""
        if event.key() == Qt.Key.Key_Escape and not self.panel.isHidden():
            self._close_panel()
            return
        super().keyPressEvent(event)

    def close_page(self) -> None:
        self.context.formats.ticked.disconnect(self._on_ticked)
        self.context.formats.changed.disconnect(self._redraw)
        for state in TABS:
            self.context.ui_state.unregister(f"trackers.{state}")
        self.panel.close_panel()
        self.frames.close()
        super().close_page()
