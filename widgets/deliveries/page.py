"""Deliveries: the board of batches by state and day, one batch with everything on it, and proofs of delivery."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QStackedWidget, QWidget
from sqlalchemy import Connection

from app.deliveries.batch import RunListing
from app.deliveries.batch_desk import BatchDesk, batch_desk
from app.deliveries.batches import BatchFilter, stage_counts
from app.deliveries.board import BoardRow, gaps_by_batch
from app.deliveries.drivers import list_drivers
from app.deliveries.errors import NotFound
from app.deliveries.proof_list import ProofFilter
from app.deliveries.proofs import ProofListing, proofs_of_batch
from app.deliveries.rows import integration_names
from app.deliveries.vehicles import list_fleet
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import DataTable
from widgets.deliveries import batch_panel, proof_panel, words
from widgets.deliveries.acts import DeliveryActs
from widgets.deliveries.batch_panel import BatchPanel
from widgets.deliveries.filters import FilterBar
from widgets.deliveries.gaps_view import GapsView
from widgets.deliveries.lists import BOARD, PROOFS, Reader, board_kind, proof_kind
from widgets.deliveries.proof_panel import ProofPanel
from widgets.deliveries.twins_view import TwinsView
from widgets.page import Page, PageHeader
from widgets.primitives import IconButton, SearchField, SegmentedTabs
from widgets.supply.store_list import StoreList

if TYPE_CHECKING:
    from widgets.deliveries.journey_view import JourneyView

JOURNEY, GAPS, TWINS = batch_panel.JOURNEY, "gaps", "twins"
TABS = {
    BOARD: tr("Board"),
    PROOFS: tr("Proofs"),
    JOURNEY: tr("Journeys"),
    GAPS: tr("Custody gaps"),
    TWINS: tr("Twin trackers"),
}
EVERY_STAGE = ""
GAPS_EVERY_S = 60.0
"""Gaps look at every open delivery: they are found again no sooner than after so long."""
ETA_EVERY_S = 30.0
MENU_AFTER_MS = 80  # after the panel came: what its coming brings about would close the menu
READ_SHARE = 0.2  # of the time may go into reading the lists again while a first reading fills them
READ_PAUSE_S = 0.5


class DeliveriesPage(Page):
    key = "deliveries"
    title = "Deliveries"
    icon = "truck"
    topics = frozenset(
        {"batches", "drivers", "deliveries", "vehicles", "outbox", "integrations", "facilities", "proof_files"}
    )

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        theme = context.theme
        self.acts = DeliveryActs(context, self)
        self.reader = Reader(context, context.services.clock.now_ms)
        self.tabs = SegmentedTabs(list(TABS.items()))
        self.stages = SegmentedTabs(
            [(EVERY_STAGE, tr("All")), *((key, word) for key, (_level, word) in words.STAGES.items())]
        )
        self.search = SearchField(theme, tr("Batch, driver, plate…"))
        self.columns = IconButton(theme, "columns-3", tr("Choose the columns"), framed=True)
        self.filters = FilterBar()
        self.board: StoreList[BoardRow] = StoreList(context, board_kind(self.reader), self.spawn)
        self.proofs: StoreList[ProofListing] = StoreList(context, proof_kind(self.reader), self.spawn)
        self.lists: Mapping[str, StoreList[Any]] = {BOARD: self.board, PROOFS: self.proofs}
        self.gaps = GapsView(context)
        self.twins = TwinsView(context)
        self.views: dict[str, QWidget] = {**self.lists, GAPS: self.gaps, TWINS: self.twins}
        self._journey: JourneyView | None = None
        self.panel = BatchPanel(context)
        self.proof_panel = ProofPanel(context)
        self.stack = QStackedWidget()
        self._chosen = ""
        self._stale = set(self.lists)
        self._next_read_s = self._gaps_read_s = self._etas_read_s = 0.0
        self._reading = asyncio.Lock()
        self._wanted: dict[str, Any] = {}
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        column = self.column()
        column.addWidget(
            PageHeader(tr("Deliveries"), tr("Batches on their way, what stands against them, and what was delivered"))
        )
        bar = QHBoxLayout()
        bar.setSpacing(10)
        bar.addWidget(self.tabs)
        bar.addStretch(1)
        bar.addWidget(self.search)
        bar.addWidget(self.columns)
        column.addLayout(bar)
        column.addWidget(self.filters)
        column.addWidget(self.stages, 0, Qt.AlignmentFlag.AlignLeft)
        row = QHBoxLayout()
        row.setSpacing(16)
        for view in self.views.values():
            self.stack.addWidget(view)
        row.addWidget(self.stack, 1)
        row.addWidget(self.panel)
        row.addWidget(self.proof_panel)
        column.addLayout(row, 1)

    def _connect(self) -> None:
        self.tabs.chosen.connect(self._on_tab)
        self.stages.chosen.connect(self._on_wanted)
        self.search.searched.connect(self._on_wanted)
        self.filters.changed.connect(self._on_wanted)
        self.columns.clicked.connect(self._choose_columns)
        self.board.chosen.connect(self._on_batch)
        self.proofs.chosen.connect(self._on_proof)
        for one, panel in ((self.board, self.panel), (self.proofs, self.proof_panel)):
            one.table.activated.connect(partial(self._focus_panel, panel))
            panel.closed.connect(self._close_panels)
        self.board.table.menu_wanted.connect(lambda row, where: self.spawn(self._menu(row, where), "menu"))
        self.proofs.table.menu_wanted.connect(self._proof_menu)
        self.panel.act_wanted.connect(self.do)
        self.gaps.filtered.connect(self._on_wanted)
        self.gaps.journey_wanted.connect(self.open_journey)
        self.panel.run_wanted.connect(self._on_run)
        self.proof_panel.act_wanted.connect(self._on_proof_act)
        self.context.formats.ticked.connect(self._on_ticked)
        self.context.formats.changed.connect(self._redraw)

    # What the store says

    def wanted(self, tab: str) -> BatchFilter | ProofFilter:
        """What is asked for in a tab now; days are those of the operator's zone."""
        today = self.context.now().astimezone(self.context.formats.zone).date()
        if tab == PROOFS:
            return self.filters.proofs(self.search.text(), today)
        return self.filters.batches(self.search.text(), today, self.stages.value)

    async def refresh(self, topics: frozenset[str]) -> None:
        if topics & {"integrations", "drivers", "vehicles"} or not self.refresh_count:
            await self._read_choices()
        self._stale |= set(self.lists)
        if self.refresh_count:
            await asyncio.sleep(max(0.0, self._next_read_s - time.monotonic()))
        began = time.monotonic()
        await self._read_front()
        if self._wanted:
            await self._show_wanted()
        self._next_read_s = time.monotonic() + max(READ_PAUSE_S, (time.monotonic() - began) / READ_SHARE)

    async def _read_choices(self) -> None:
        now_ms = self.context.services.clock.now_ms()
        integrations, drivers, vehicles, has_platform = await self.context.bridge.read(
            partial(_read_choices, now_ms=now_ms)
        )
        self.filters.show_choices(integrations, drivers, vehicles)
        how = tr("The driver platform is set up and has told no batch yet. Its page says how it does.")
        for one in self.lists.values():
            one.say_how(how if has_platform else one.kind.empty[2])

    async def _read_front(self) -> None:
        """The list in front, when something of it moved; the other waits until it is looked at."""
        async with self._reading:  # one after the other: the last question's answer is the one that stays
            await self._read_tab(self.tabs.value)

    async def _read_tab(self, tab: str) -> None:
        if tab == JOURNEY:
            await self.journey.refresh()
            return
        if tab not in self.lists:
            await self._read_view(self.gaps if tab == GAPS else self.twins)
            return
        wanted, front = self.wanted(tab), self.lists[tab]
        if tab in self._stale or front.wanted != wanted or not front.is_loaded:
            self._stale.discard(tab)
            await self._read_gaps()
            if front.is_loaded and front.wanted == wanted:
                await front.read_again()
            else:
                await front.show_wanted(wanted)
            self._etas_read_s = time.monotonic()
        if tab == BOARD:
            await self._count_stages()
        await self._follow_panels()

    async def _read_view(self, view: GapsView | TwinsView) -> None:
        rows: Any = await self.context.bridge.read(view.read)
        view.show_rows(rows)

    @property
    def journey(self) -> JourneyView:
        """Made, and its map loaded, when a journey is first looked at."""
        if self._journey is None:
            from widgets.deliveries.journey_view import JourneyView

            self._journey = JourneyView(self.context)
            self._journey.batch_wanted.connect(self._on_batch_wanted)
            self.views[JOURNEY] = self._journey
            self.stack.addWidget(self._journey)
        return self._journey

    def open_journey(self, record_id: str) -> None:
        """The journey of a shipment or of a batch, by the id of its row."""
        self.journey.record_id = record_id
        if self.tabs.value == JOURNEY:
            self.journey.open_record(record_id)
        else:
            self.tabs.choose(JOURNEY)

    def _on_batch_wanted(self, batch_id: str, kind: str) -> None:
        if kind == "proof" and self._journey is not None and self._journey.road is not None:
            self._show_proofs(self._journey.road.batch.details.batch.name)
        else:
            self.show_item(tab=BOARD, batch_id=batch_id)

    def _show_proofs(self, batch_name: str) -> None:
        self.search.setText(batch_name)
        self.filters.days.setCurrentIndex(self.filters.days.findData(words.EVERY))
        self.tabs.choose(PROOFS)

    async def _read_gaps(self) -> None:
        if not self._gaps_read_s or time.monotonic() - self._gaps_read_s > GAPS_EVERY_S:
            self._gaps_read_s = time.monotonic()
            now_ms = self.context.services.clock.now_ms()
            self.reader.gaps = await self.context.bridge.read(partial(gaps_by_batch, now_ms=now_ms))

    async def _count_stages(self) -> None:
        """The numbers on the states: of everything else that is asked for, by the same question as the list."""
        today = self.context.now().astimezone(self.context.formats.zone).date()
        wanted = self.filters.batches(self.search.text(), today)
        counts = await self.context.bridge.read(partial(stage_counts, wanted=wanted))
        total = sum(counts.values())
        self.stages.set_label(EVERY_STAGE, f"{tr('All')}  {total:,}" if total else tr("All"))
        for stage, (_level, word) in words.STAGES.items():
            count = counts.get(stage, 0)
            self.stages.set_label(stage, f"{word}  {count:,}" if count else word)
            is_rare = stage == "unknown"
            self.stages.button(stage).setVisible(not is_rare or bool(count) or self.stages.value == stage)

    async def _follow_panels(self) -> None:
        """The chosen batch or proof as it is now, and gone when nobody has it any more."""
        if not self.panel.isHidden() and self.panel.desk is not None:
            await self._show_batch(self.panel.desk.batch.id)
        row = self.proof_panel.row
        if not self.proof_panel.isHidden() and row is not None:
            now_ms = self.context.services.clock.now_ms()
            found = await self.context.bridge.read(partial(_read_proof, row=row, now_ms=now_ms))
            if found is None:
                self._close_panels()
            elif self.proof_panel.row is not None and self.proof_panel.row.id == row.id:
                self.proof_panel.show_proof(found)

    async def _read_desk(self, batch_id: str) -> BatchDesk | None:
        catalogue = await asyncio.to_thread(lambda: self.context.services.catalogue)
        now_ms = self.context.services.clock.now_ms()
        try:
            return await self.context.bridge.read(
                partial(batch_desk, catalogue=catalogue, batch_id=batch_id, now_ms=now_ms)
            )
        except NotFound:
            return None

    async def _show_batch(self, batch_id: str) -> None:
        desk = await self._read_desk(batch_id)
        if self._chosen != batch_id or self.tabs.value != BOARD:
            return  # another one was chosen meanwhile
        if desk is None:
            self._close_panels()
        else:
            self.panel.show_desk(desk)

    # What is shown

    @property
    def front(self) -> StoreList[Any]:
        """The list that is shown; the board's where something else is."""
        return self.lists.get(self.tabs.value, self.board)

    def table(self) -> DataTable[Any] | None:
        if self.tabs.value in (GAPS, TWINS):
            return (self.gaps if self.tabs.value == GAPS else self.twins).table
        return self.journey.table if self.tabs.value == JOURNEY else self.front.table

    def show_item(self, **arguments: Any) -> None:
        """``open_page("deliveries", tab="board", batch_id=…, text=…)``, or ``journey=`` a shipment's or batch's id."""
        if arguments.get("journey"):
            self.open_journey(str(arguments["journey"]))
            return
        self._wanted = arguments
        if self.refresh_count:
            self.spawn(self.context.quietly(self._show_wanted), "wanted")

    async def _show_wanted(self) -> None:
        wanted, self._wanted = self._wanted, {}
        self.filters.clear()
        self.stages.choose(EVERY_STAGE)
        self.search.setText(str(wanted.get("text", "")))
        self.tabs.choose(str(wanted["tab"]) if wanted.get("tab") in TABS else BOARD)
        await self._read_front()
        batch_id = str(wanted.get("batch_id") or "")
        if batch_id and self.tabs.value == BOARD and not self.board.table.select_key(batch_id):
            self._chosen = batch_id
            await self._show_batch(batch_id)
            if self.panel.isHidden():
                self.context.notify("warn", tr("This batch is not in the store: the platform may not have it."))

    def _on_tab(self, tab: str) -> None:
        self._close_panels()
        self.stack.setCurrentWidget(self.journey if tab == JOURNEY else self.views[tab])
        for part in (self.search, self.columns, self.filters):
            part.setVisible(tab in self.lists)
        self.filters.show_for(proofs=tab == PROOFS)
        self.stages.setVisible(tab == BOARD)
        self._on_wanted()

    def _on_wanted(self, *_value: object) -> None:
        self.spawn(self.context.quietly(self._read_front), "wanted")

    def _choose_columns(self) -> None:
        self.front.table.columns_menu().popup(self.columns.mapToGlobal(self.columns.rect().bottomLeft()))

    def _on_batch(self, row: BoardRow | None) -> None:
        if row is None:
            self._chosen = ""
            self.panel.hide()
            return
        if self._chosen == row.id:
            return  # it is being read, or shown
        self._chosen = row.id
        self.spawn(self.context.quietly(partial(self._show_batch, row.id)), "batch")

    def _on_proof(self, row: ProofListing | None) -> None:
        if row is None:
            self.proof_panel.hide()
        else:
            self.proof_panel.show_proof(row)

    @staticmethod
    def _focus_panel(panel: BatchPanel | ProofPanel, _row: object) -> None:
        panel.close_button.setFocus(Qt.FocusReason.TabFocusReason)

    def _close_panels(self) -> None:
        self._chosen = ""
        for panel in (self.panel, self.proof_panel):
            panel.hide()
        for one in self.lists.values():
            one.table.view.clearSelection()

    # What the operator does

    def do(self, act: str, desk: BatchDesk) -> None:
        """One of the acts of the batch's panel."""
        batch = desk.batch
        if act == batch_panel.JOURNEY:
            self.open_journey(batch.id)
        elif act == batch_panel.PROOFS:
            self._show_proofs(batch.name)
        elif act == batch_panel.ON_MAP:
            if batch.vehicle_id:
                self.context.open_page("map", vehicle_id=batch.vehicle_id)
            elif desk.eta.place is not None:
                self.context.open_page("map", place=(desk.eta.place.lat, desk.eta.place.lon), name=batch.name)
        else:
            self.spawn(getattr(self.acts, act)(desk), act)

    def _on_run(self, run: RunListing, name: str) -> None:
        self.spawn(self.acts.move_run(run, name), name)

    def _on_proof_act(self, act: str, row: ProofListing) -> None:
        if act == proof_panel.JOURNEY:
            self.open_journey(row.batch_id)
        elif act == proof_panel.BATCH:
            self.show_item(tab=BOARD, batch_id=row.batch_id, text=row.batch_name)
        elif (place := self.proof_panel.map_place()) is not None:
            self.context.open_page("map", place=place, name=row.label)

    async def _menu(self, row: BoardRow, where: QPoint) -> None:
        """The acts of the panel, once it shows this batch."""
        was_shown = not self.panel.isHidden()
        self._chosen = row.id
        self.board.table.select_key(row.id)
        await self.context.quietly(partial(self._show_batch, row.id))
        desk = self.panel.desk
        if desk is None or desk.batch.id != row.id:
            return
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for act, button in self.panel.offered():
            entry = menu.addAction(button.text() or button.accessibleName(), partial(self.do, act, desk))
            entry.setEnabled(button.isEnabled())
            entry.setToolTip(button.toolTip())
        menu.addSeparator()
        menu.addAction(tr("Copy"), self.board.table.copy_selection)
        menu.aboutToHide.connect(menu.deleteLater)
        QTimer.singleShot(0 if was_shown else MENU_AFTER_MS, menu, partial(menu.popup, where))

    def _proof_menu(self, row: ProofListing, where: QPoint) -> None:
        self.proofs.table.select_key(row.id)
        self.proof_panel.show_proof(row)
        menu = QMenu(self)
        for act, button in self.proof_panel.buttons.items():
            if button.isHidden():
                continue
            menu.addAction(button.text(), partial(self._on_proof_act, act, row)).setEnabled(button.isEnabled())
        menu.addSeparator()
        menu.addAction(tr("Copy"), self.proofs.table.copy_selection)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(where)

    def _on_ticked(self) -> None:
        """Ages grow, and arrivals are reckoned again from newer positions now and then."""
        if not self.isVisible():
            return
        self.panel.tick()
        if self.refresh_count and time.monotonic() - self._etas_read_s > ETA_EVERY_S:
            self._etas_read_s = time.monotonic()
            self._stale.add(self.tabs.value)
            self._on_wanted()

    def _redraw(self) -> None:
        """Zone or units changed."""
        for one in self.lists.values():
            one.model.redraw()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.panel.fit_into(self.width())
        self.proof_panel.fit_into(self.width())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape closes the details, unless the search has a use for it."""
        if event.key() == Qt.Key.Key_Escape and not (self.panel.isHidden() and self.proof_panel.isHidden()):
            self._close_panels()
            return
        super().keyPressEvent(event)

    def close_page(self) -> None:
        self.context.formats.ticked.disconnect(self._on_ticked)
        self.context.formats.changed.disconnect(self._redraw)
        for one in self.lists.values():
            one.close_list()
        self.gaps.close_view()
        self.twins.close_view()
        if self._journey is not None:
            self._journey.close_view()
        self.panel.close_panel()
        self.proof_panel.close_panel()
        super().close_page()


Choices = tuple[list[tuple[str, str]], list[tuple[str, str]], list[tuple[str, str]], bool]


def _read_choices(connection: Connection, now_ms: int) -> Choices:
    """Platforms, drivers and vehicles to narrow the lists to, and whether there is a platform at all."""
    drivers, fleet = list_drivers(connection, now_ms), list_fleet(connection)
    names = integration_names(connection)
    used = {one.integration_id for one in drivers} | {one.integration_id for one in fleet}
    platforms = sorted(((key, names[key]) for key in used if key in names), key=lambda pair: pair[1])
    return (
        platforms,
        [(one.id, one.name) for one in drivers],
        [(one.id, one.plate) for one in fleet if one.plate],
        bool(used),
    )


def _read_proof(connection: Connection, row: ProofListing, now_ms: int) -> ProofListing | None:
    try:
        found = proofs_of_batch(connection, row.batch_id, now_ms)
    except NotFound:
        return None
    return next((one for one in found if one.id == row.id), None)
