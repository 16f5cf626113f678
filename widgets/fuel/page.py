"""Fuel: what each vehicle has in its tanks, when it was filled and drained, and what a dispatcher says about it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from app.fuel.events import StoredEvent, decide, list_events, note_event
from app.fuel.overview import Overview, VehicleFuel, fuel_overview
from app.fuel.receipts import remove_receipt
from app.fuel.reconcile import CONFIRMED, FALSE
from app.fuel.three_way import CheckedRefuel, three_way_check
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.fuel.below import EVENTS, Below
from widgets.fuel.chart_card import SPANS, ChartCard
from widgets.fuel.reads import ChartData, read_chart
from widgets.fuel.tables import Reader, VehicleTable, litres
from widgets.page import Page, PageHeader
from widgets.primitives import CardGrid, IconButton, SearchField, StatCard, outline_button

MONTH_MS = 31 * 86_400_000
LEFT_PX = 366
_CHART = frozenset({"fuel_readings", "calibrations", "fuel_events", "fuel_sensors", "tanks"})
_CHECK = frozenset({"fuel_receipts", "fuel_events", "fuel_days", "fuel_parameters", "tanks"})


class FuelPage(Page):
    key = "fuel"
    title = "Fuel"
    icon = "fuel"
    topics = _CHART - {"fuel_readings"} | _CHECK | {"vehicles"}

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        theme = context.theme
        self.reader = Reader(context, context.services.clock.now_ms)
        self.overview = Overview((), ())
        self.vehicle: VehicleFuel | None = None
        self.measured = StatCard(theme, tr("Vehicles measured"), "fuel", "ok")
        self.on_board = StatCard(theme, tr("Fuel on board"), "gauge", "primary")
        self.drains = StatCard(theme, tr("Drains, 7 days"), "droplets", "error")
        self.waiting = StatCard(theme, tr("Sensors waiting"), "inbox", "info")
        self.tanks = outline_button(theme, tr("Tanks and sensors…"), "settings")
        self.mappings = outline_button(theme, tr("Values from trackers…"), "satellite-dish")
        self.parameters = outline_button(theme, tr("Parameters…"), "sliders-horizontal")
        self.report = outline_button(theme, tr("Report…"), "file-text")
        self.search = SearchField(theme, tr("Plate…"))
        self.columns = IconButton(theme, "columns-3", tr("Choose the columns"), framed=True)
        self.vehicles = VehicleTable(context, self.reader)
        self.chart = ChartCard(context)
        self.below = Below(context, self.reader)
        self.events, self.panel, self.receipts = self.below.events, self.below.panel, self.below.receipts
        self._shown: ChartData | None = None
        self._wanted: dict[str, Any] = {}
        self._lay_out()
        self._connect()
        self._choose(None)

    def _lay_out(self) -> None:
        column = self.column()
        subtitle = tr("Levels, refuels, drains and their evidence")
        column.addWidget(PageHeader(tr("Fuel"), subtitle, [self.report, self.parameters, self.mappings, self.tanks]))
        cards = QWidget()
        grid = CardGrid(cards, min_width=200, is_balanced=True)
        for card in (self.measured, self.on_board, self.drains, self.waiting):
            grid.addWidget(card)
        column.addWidget(cards)
        left = QWidget()
        on_left = QVBoxLayout(left)
        on_left.setContentsMargins(0, 0, 0, 0)
        on_left.setSpacing(10)
        bar = QHBoxLayout()
        bar.setSpacing(8)
        bar.addWidget(self.search, 1)
        bar.addWidget(self.columns)
        on_left.addLayout(bar)
        on_left.addWidget(in_card(self.vehicles), 1)
        right = QSplitter(Qt.Orientation.Vertical)
        right.addWidget(self.chart)
        right.addWidget(self.below)
        right.setSizes([420, 240])
        self.split = QSplitter(Qt.Orientation.Horizontal)
        self.split.addWidget(left)
        self.split.addWidget(right)
        left.setMinimumWidth(LEFT_PX)
        self.split.setSizes([LEFT_PX, 800])
        self.split.setStretchFactor(1, 1)
        for splitter in (self.split, right):
            splitter.setChildrenCollapsible(False)
            splitter.setHandleWidth(12)
            splitter.setProperty("quiet", "true")
        column.addWidget(self.split, 1)
        self.events.set_empty("droplets", tr("No event"), tr("Refuels and drains are found by themselves."))
        self._show_empty()

    def _show_empty(self) -> None:
        how = tr("Add Fuel Monitoring on the integrations page, or put a sensor that waits into a vehicle's tank.")
        button = outline_button(self.context.theme, tr("Open Integrations"), "plug")
        button.clicked.connect(lambda: self.context.open_page("integrations"))
        self.vehicles.set_empty("fuel", tr("No vehicle has a tank yet"), how, button)

    def _connect(self) -> None:
        self.vehicles.selected.connect(self._on_vehicle)
        self.events.selected.connect(self._on_event)
        self.search.searched.connect(self.vehicles.model.set_filter)
        self.columns.clicked.connect(self._choose_columns)
        self.chart.span_wanted.connect(lambda _span: self._load_chart(keep_span=False))
        self.chart.event_chosen.connect(self._on_mark)
        self.panel.act_wanted.connect(self._do)
        self.below.turned.connect(lambda _which: self._load_check())
        self.receipts.add_wanted.connect(lambda row: self.spawn(self._add_receipt(row), "receipt"))
        self.receipts.remove_wanted.connect(lambda row: self.spawn(self._remove_receipts(row), "receipt"))
        self.receipts.table.selected.connect(self._on_checked)
        self.tanks.clicked.connect(lambda: self._open("fuel_tanks"))
        self.mappings.clicked.connect(lambda: self._open("fuel_mappings"))
        self.report.clicked.connect(lambda: self.spawn(self._report(), "report"))
        self.parameters.clicked.connect(lambda: self._open("fuel_parameters"))
        self.context.formats.ticked.connect(self._on_ticked)
        self.context.formats.changed.connect(self._on_formats)

    # What the store says

    async def refresh(self, topics: frozenset[str]) -> None:
        now_ms = self.reader.now_ms()
        self.overview = await self.context.bridge.read(partial(fuel_overview, now_ms=now_ms))
        self.vehicles.model.apply(self.overview.vehicles)
        self._count()
        if self._wanted:
            self._show_wanted()
        elif self.vehicle is None and self.overview.vehicles:
            self.vehicles.select_key(self.overview.vehicles[0].vehicle_id)
        elif self.vehicle is not None:
            found = (row for row in self.overview.vehicles if row.vehicle_id == self.vehicle.vehicle_id)
            self._choose(next(found, None))
            if topics & _CHART:
                await self._read_chart(keep_span=True)
            elif topics & _CHECK:
                await self._read_check()
        if self.vehicle is None:
            await self._read_events()
            self.chart.show_nothing()
            self.receipts.show_nothing()

    def _count(self) -> None:
        rows, formats = self.overview.vehicles, self.context.formats
        fresh = sum(row.state == "fresh" for row in rows)
        self.measured.set_value(f"{fresh}", trn("of {count} with a tank", "of {count} with a tank", len(rows)))
        known = [row.litres for row in rows if row.litres is not None]
        room = sum(row.capacity_l or 0.0 for row in rows if row.litres is not None)
        share = tr("{share} of their tanks", share=f"{sum(known) / room:.0%}") if room else tr("no level is known")
        self.on_board.set_value(litres(sum(known) if known else None, formats), share)
        drains = sum(row.drains_7d for row in rows)
        self.drains.set_value(f"{drains}", tr("none") if not drains else tr("confirm or mark false"))
        waiting = len(self.overview.waiting)
        self.waiting.set_value(f"{waiting}", tr("to be put into a tank") if waiting else tr("nobody waits"))

    def _choose(self, vehicle: VehicleFuel | None) -> None:
        self.vehicle = vehicle
        self.parameters.setEnabled(vehicle is not None)
        self.report.setEnabled(vehicle is not None)

    def _load_chart(self, *, keep_span: bool) -> None:
        self.spawn(self.context.quietly(partial(self._read_chart, keep_span=keep_span)), "chart")

    async def _read_chart(self, *, keep_span: bool) -> None:
        vehicle = self.vehicle
        if vehicle is None:
            return
        from_ms, now_ms = self._span_ms()
        data = await self.context.bridge.read(
            partial(read_chart, vehicle_id=vehicle.vehicle_id, from_ms=from_ms, to_ms=now_ms)
        )
        if self.vehicle is None or self.vehicle.vehicle_id != data.vehicle_id:
            return
        is_same = self._shown is not None and self._shown.vehicle_id == data.vehicle_id
        self._shown = data
        self.chart.show_chart(data, vehicle.plate, keep_span=keep_span and is_same)
        self.events.model.apply(data.events)
        self._follow_panel(data.events)
        await self._read_check()

    def _span_ms(self) -> tuple[int, int]:
        """From … to of what is shown: the span of the chart that ends now."""
        now_ms = self.reader.now_ms()
        return now_ms - int(SPANS[self.chart.spans.value] * 1000), now_ms

    def _load_check(self) -> None:
        self.spawn(self.context.quietly(self._read_check), "receipts")

    async def _read_check(self) -> None:
        """Receipts and norm, only while they are in front."""
        vehicle = self.vehicle
        if vehicle is None or not self.below.shows_receipts:
            return
        from_ms, now_ms = self._span_ms()
        read = partial(three_way_check, vehicle_id=vehicle.vehicle_id, since_ms=from_ms, until_ms=now_ms + 1)
        check = await self.context.bridge.read(read)
        if self.vehicle is not None and self.vehicle.vehicle_id == vehicle.vehicle_id:
            self.receipts.show_check(check)

    async def _read_events(self) -> None:
        since = self.reader.now_ms() - MONTH_MS
        events = await self.context.bridge.read(partial(list_events, since_ms=since))
        self.events.model.apply(events)
        self._follow_panel(events)

    def _follow_panel(self, events: Sequence[StoredEvent]) -> None:
        shown = self.panel.shown
        if shown is None or self.panel.isHidden():
            return
        now = next((event for event in events if event.id == shown.id), None)
        if now is None:
            self.panel.hide()
        else:
            self.panel.show_event(now)

    # What is shown

    def table(self) -> DataTable[Any]:
        if self.vehicles.view.hasFocus():
            return self.vehicles
        return self.receipts.table if self.below.shows_receipts else self.events

    @property
    def is_ready(self) -> bool:
        return self.refresh_count > 0 and (not self.overview.vehicles or self._shown is not None)

    def show_item(self, **arguments: Any) -> None:
        """``open_page("fuel", vehicle_id=…, event_id=…)``."""
        self._wanted = arguments
        if self.refresh_count:
            self._show_wanted()

    def _show_wanted(self) -> None:
        wanted, self._wanted = self._wanted, {}
        if wanted.get("vehicle_id"):
            self.vehicles.select_key(str(wanted["vehicle_id"]))
        if wanted.get("event_id"):
            self.spawn(self._choose_event(str(wanted["event_id"])), "event")

    async def _choose_event(self, event_id: str) -> None:
        await self.context.quietly(partial(self._read_chart, keep_span=True))
        self.events.select_key(event_id)

    def _on_vehicle(self, rows: Sequence[VehicleFuel]) -> None:
        if rows and (self.vehicle is None or rows[0].vehicle_id != self.vehicle.vehicle_id):
            self._choose(rows[0])
            self.panel.hide()
            self._load_chart(keep_span=False)

    def _on_event(self, rows: Sequence[StoredEvent]) -> None:
        self.panel.setVisible(len(rows) == 1)
        if len(rows) == 1:
            self.panel.show_event(rows[0])
            self.chart.chart.choose_mark(rows[0].id)

    def _on_mark(self, event_id: str) -> None:
        self.below.tabs.choose(EVENTS)
        self.events.select_key(event_id)

    def _on_checked(self, rows: Sequence[CheckedRefuel]) -> None:
        if len(rows) == 1 and rows[0].events:
            self.chart.chart.choose_mark(rows[0].events[0].id)

    def _choose_columns(self) -> None:
        self.vehicles.columns_menu().popup(self.columns.mapToGlobal(self.columns.rect().bottomLeft()))

    def _on_ticked(self) -> None:
        if self.isVisible():
            self.vehicles.model.redraw()

    def _on_formats(self) -> None:
        self.vehicles.model.redraw()
        self.events.model.redraw()
        self.receipts.table.model.redraw()
        self._load_chart(keep_span=True)

    # What the operator does

    def _open(self, dialog: str) -> None:
        """One of the dialogs about the chosen vehicle."""
        self.spawn(self._dialog(dialog), dialog)

    async def _dialog(self, name: str) -> None:
        vehicle_id = None if self.vehicle is None else self.vehicle.vehicle_id
        await self.context.quietly(partial(self.context.doors.dialogs[name], self.context, self, vehicle_id))

    def _do(self, act: str, event: StoredEvent) -> None:
        if act == "map":
            self.context.open_page("map", vehicle_id=event.vehicle_id)
        else:
            self.spawn(self._decide(act, event), act)

    async def _decide(self, act: str, event: StoredEvent) -> None:
        theme = self.context.theme
        if act == "confirm":
            await self.context.write(partial(decide, event_id=event.id, decision=CONFIRMED))
        elif act == "undo":
            await self.context.write(partial(decide, event_id=event.id, decision=""))
        elif act == "false":
            what = tr("Why is this no {kind}? It leaves the totals; nothing is erased.", kind=tr(event.kind))
            reason = await ask.text(self, theme, tr("Mark it false"), what, act=tr("Mark false"))
            if reason is not None:
                await self.context.write(partial(decide, event_id=event.id, decision=FALSE, reason=reason))
        elif act == "note":
            note = await ask.text(
                self, theme, tr("Note"), tr("What should others know about it?"), value=event.note, act=tr("Save")
            )
            if note is not None:
                await self.context.write(partial(note_event, event_id=event.id, note=note))

    async def _report(self) -> None:
        vehicle = self.vehicle
        if vehicle is None:
            return
        from_ms, to_ms = self._span_ms()
        if self._shown is not None:  # what is seen of it now
            from_ms, to_ms = (round(moment * 1000) for moment in self.chart.chart.span)
        show = self.context.doors.dialogs["fuel_report"]
        await show(self.context, self, vehicle.vehicle_id, vehicle.plate, from_ms, to_ms)

    async def _add_receipt(self, refuel: CheckedRefuel | None) -> None:
        vehicle = self.vehicle
        if vehicle is not None:
            at_ms = None if refuel is None else refuel.at_ms
            ask_for = self.context.doors.dialogs["fuel_receipt"]
            await ask_for(self.context, self, vehicle.vehicle_id, vehicle.plate, at_ms)

    async def _remove_receipts(self, row: CheckedRefuel) -> None:
        lines = (
            f"{self.context.formats.time(one.at_ms)}  {one.litres:,.1f} L  {one.reference}" for one in row.receipts
        )
        if await ask.confirm(
            self, self.context.theme, trn("Remove the receipt?", "Remove {count} receipts?", len(row.receipts)),
            tr("It leaves the check; the list of acts keeps what it said."), act=tr("Remove"),
            detail="\n".join(lines), destructive=True,
        ):  # fmt: skip
            for one in row.receipts:
                await self.context.write(partial(remove_receipt, receipt_id=one.id))
