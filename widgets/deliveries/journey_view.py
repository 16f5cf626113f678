"""One journey on one screen: its steps as a time line, the way on a map, the fuel over it; and choosing one."""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QMenu,
    QSplitter,
    QStackedLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.clock import to_ms
from app.deliveries.errors import NotFound
from app.deliveries.join_acts import LastDecision
from app.deliveries.journeys import JourneyListing, list_journeys
from app.deliveries.steps import Step
from resources.i18n import tr, trn
from widgets.charts.time_chart import Lane, Line, TimeChart
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.deliveries.journey_acts import JourneyActs
from widgets.deliveries.journey_map import JourneyMap
from widgets.deliveries.journey_read import Journey, Road, read_journey
from widgets.deliveries.journey_steps import StepsView
from widgets.deliveries.papers import TITLES
from widgets.formats import Formats
from widgets.fuel.chart_card import mark_of
from widgets.primitives import (
    Card,
    EmptyState,
    IconButton,
    SearchField,
    StatusPill,
    link_button,
    offer,
    outline_button,
    text_label,
)
from widgets.primitives.tips import plain_tip
from widgets.rows_model import Column, RowsModel
from widgets.theme import Level

_LEADS_OF_BATCH = ("batch", "check", "proof")
SEARCH_WIDTH = 340  # so wide is what it says it finds
_SUPPLY_TABS = {"order": "requisitions", "shipment": "shipments", "receipt": "shipments"}


class JourneyView(QWidget):
    """:meth:`open_record` shows a shipment or a batch. ``batch_wanted`` carries (batch id, kind of the step)."""

    batch_wanted = Signal(str, str)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self._context = context
        self.acts = JourneyActs(context, self)
        self.record_id = ""
        self.journey: Journey | None = None
        self.search = SearchField(context.theme, tr("Shipment, order, batch, place, plate, driver…"))
        self.search.setMinimumWidth(SEARCH_WIDTH)
        self.table = self._make_table()
        self.stack = QStackedWidget()
        self.stack.addWidget(self._lay_out_choice())
        self.stack.addWidget(self._lay_out_journey())
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.stack)
        self._connect()

    # Laying out

    def _make_table(self) -> DataTable[JourneyListing]:
        model = RowsModel[JourneyListing](_columns(self._context), key=lambda row: row.id)
        table = DataTable[JourneyListing](self._context.theme, model, tr("Journeys"))
        model.setParent(table)
        table.remember_in(self._context.ui_state, "deliveries.journeys")
        table.set_empty(
            "route",
            tr("No journey yet"),
            tr("Shipments that leave us and batches of the driver platform stand here once they were read."),
        )
        return table

    def _lay_out_choice(self) -> QWidget:
        host = QWidget()
        column = QVBoxLayout(host)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        bar = QHBoxLayout()
        bar.addWidget(self.search)
        bar.addWidget(text_label(tr("Enter or a double click opens the journey of a shipment or batch"), "muted"))
        bar.addStretch(1)
        column.addLayout(bar)
        column.addWidget(in_card(self.table), 1)
        return host

    def _lay_out_journey(self) -> QWidget:
        theme = self._context.theme
        self.back = IconButton(theme, "arrow-left", tr("All journeys (Escape)"), framed=True)
        self.title = text_label("", "heading")
        self.state = StatusPill(theme)
        self.roads = QComboBox()
        self.roads.setAccessibleName(tr("Batch that is drawn"))
        self.evidence = outline_button(theme, tr("Evidence pack…"), "shield-check")
        self.papers = outline_button(theme, tr("Papers"), "printer")
        self.papers.setMenu(self._papers_menu())
        head = QHBoxLayout()
        head.setSpacing(10)
        left: tuple[QWidget, ...] = (self.back, self.title, self.state)
        for part in left:
            head.addWidget(part, 0, Qt.AlignmentFlag.AlignVCenter)
        head.addStretch(1)
        right: tuple[QWidget, ...] = (self.roads, self.papers, self.evidence)
        for part in right:
            head.addWidget(part, 0, Qt.AlignmentFlag.AlignVCenter)
        self.steps = StepsView(self._context)
        steps = Card(margin=14)
        steps.body.addWidget(self.steps)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setChildrenCollapsible(False)
        split.setHandleWidth(16)
        split.setProperty("quiet", "true")
        split.addWidget(steps)
        split.addWidget(self._lay_out_road())
        split.setSizes([480, 560])
        split.setStretchFactor(1, 1)
        host = QWidget()
        column = QVBoxLayout(host)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(10)
        column.addLayout(head)
        column.addLayout(self._lay_out_join())
        column.addWidget(split, 1)
        return host

    def _lay_out_join(self) -> QHBoxLayout:
        """Why a shipment is in its batch, and saying that it is not."""
        theme = self._context.theme
        self.joined = text_label("", "muted", selectable=True)
        self.decline = link_button(theme, tr("Not in this batch…"), small=True)
        self.undo = link_button(theme, tr("Undo"), "rotate-ccw", small=True)
        self.join = outline_button(theme, tr("Join with a batch…"), "plus", small=True)
        row = QHBoxLayout()
        row.setSpacing(8)
        for part in (self.joined, self.decline, self.join, self.undo):
            row.addWidget(part, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addStretch(1)
        return row

    def _lay_out_road(self) -> QWidget:
        theme = self._context.theme
        self.map = JourneyMap(self._context)
        self.chart = TimeChart(
            theme,
            (
                Lane(
                    "level",
                    tr("Litres"),
                    (Line("raw", tr("Raw"), "neutral"), Line("smooth", tr("Smoothed"), "primary")),
                    height=3,
                ),
                Lane("speed", tr("km/h"), (Line("speed", tr("Speed"), "ok"),), height=2),
            ),
        )
        self.chart.setAccessibleName(tr("Fuel and speed over the journey"))
        self.no_chart = EmptyState(theme, "fuel", tr("No fuel readings"), "")
        host = QWidget()
        self._chart_stack = QStackedLayout(host)
        self._chart_stack.addWidget(self.chart)
        self._chart_stack.addWidget(self.no_chart)
        map_card, chart_card = Card(margin=6), Card(margin=8)
        map_card.body.addWidget(self.map)
        chart_card.body.addWidget(host)
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.setHandleWidth(12)
        split.setProperty("quiet", "true")
        split.addWidget(map_card)
        split.addWidget(chart_card)
        split.setSizes([360, 240])
        split.setStretchFactor(0, 1)
        return split

    def _papers_menu(self) -> QMenu:
        menu = QMenu(self)
        for kind, title in TITLES.items():
            menu.addAction(tr("{title} as PDF…", title=title)).triggered.connect(
                lambda _on=False, kind=kind: self._on_paper(kind, self.acts.save_paper)
            )
        menu.addSeparator()
        for kind, title in TITLES.items():
            menu.addAction(tr("Print: {title}…", title=title)).triggered.connect(
                lambda _on=False, kind=kind: self._on_paper(kind, self.acts.print_paper)
            )
        return menu

    def _connect(self) -> None:
        self.search.searched.connect(lambda _text: self._start(self.refresh(), "search"))
        self.table.activated.connect(lambda row: self.open_record(row.id))
        self.back.clicked.connect(self.show_all)
        self.roads.activated.connect(self._on_road_chosen)
        self.steps.lead_wanted.connect(self.lead)
        self.chart.cursor_moved.connect(self.map.show_moment)
        self.chart.chosen.connect(self._on_mark_chosen)
        self.evidence.clicked.connect(lambda: self._start(self._make_evidence(), "evidence"))
        self.decline.clicked.connect(lambda: self._start(self._decline(), "decline"))
        self.join.clicked.connect(lambda: self._start(self._join(), "join"))
        self.undo.clicked.connect(lambda: self._start(self._undo(), "undo"))

    def _start(self, coro: Coroutine[Any, Any, Any], name: str) -> None:
        self._context.tasks.start(coro, name=f"journey: {name}", owner=self)

    # Showing

    def open_record(self, record_id: str) -> None:
        """Show the journey of a shipment or of a batch, by the id of its row."""
        if record_id != self.record_id:
            self.roads.clear()
        self.record_id = record_id
        self._start(self.refresh(), "open")

    def show_all(self) -> None:
        """Back to choosing."""
        self.record_id, self.journey = "", None
        self.stack.setCurrentIndex(0)
        self._start(self.refresh(), "all")

    async def refresh(self) -> None:
        """Read what is shown anew."""
        await self._context.quietly(self._read_journey if self.record_id else self._read_all)

    async def _read_all(self) -> None:
        text = self.search.text()
        rows = await self._context.bridge.read(partial(list_journeys, text=text))
        if text == self.search.text() and not self.record_id:
            self.table.model.apply(rows)
            self.stack.setCurrentIndex(0)

    async def _read_journey(self) -> None:
        wanted, now_ms = self.record_id, self._context.services.clock.now_ms()

        drawn = str(self.roads.currentData() or "")
        read = partial(read_journey, record_id=wanted, now_ms=now_ms, drawn=drawn)
        try:
            journey: Journey = await self._context.bridge.read(read)
        except NotFound as err:
            self._context.notify("warn", err.why)
            self.show_all()
            return
        if wanted != self.record_id or drawn != str(self.roads.currentData() or ""):
            return  # something else was chosen meanwhile, and is being read
        self.journey = journey
        self._show_journey(journey)

    def _show_journey(self, journey: Journey) -> None:
        thread = journey.thread
        self.title.setText(thread.title)
        level, word = state_of(journey)
        self.state.set_state(level, word)
        self.steps.show_steps(thread.steps, journey.read_ms)
        names = [(road.batch.details.batch.id, road.batch.details.batch.name) for road in journey.roads]
        offer(self.roads, names)
        self.roads.setVisible(len(names) > 1)
        self.papers.setEnabled(bool(names))
        self._show_join(journey)
        self._show_road()
        self.stack.setCurrentIndex(1)

    def _show_join(self, journey: Journey) -> None:
        is_shipment = journey.thread.shipment is not None
        road = self.road
        reason = "" if road is None else road.batch.joined
        self.joined.setText(tr("Why this batch: {reason}", reason=reason) if reason else "")
        self.joined.setVisible(bool(reason))
        self.decline.setVisible(is_shipment and road is not None)
        self.join.setText(tr("Join with a batch…") if road is None else tr("Add to another batch…"))
        self.join.setVisible(is_shipment)
        self.undo.setVisible(journey.last is not None)
        self.undo.setToolTip("" if journey.last is None else plain_tip(_undone(journey.last, self._context.formats)))

    @property
    def road(self) -> Road | None:
        """The batch that is drawn."""
        roads = () if self.journey is None else self.journey.roads
        chosen = self.roads.currentData()
        return next((road for road in roads if road.batch.details.batch.id == chosen), roads[0] if roads else None)

    def _show_road(self) -> None:
        road = self.road
        self.map.show_road(road)
        chart = None if road is None else road.chart
        if chart is None:
            self.no_chart.set_words(tr("No fuel readings"), _why_no_chart(road))
            self._chart_stack.setCurrentWidget(self.no_chart)
            return
        self.chart.set_zone(self._context.formats.zone)
        self.chart.set_limits(chart.from_s, chart.to_s)
        for key in ("raw", "smooth", "speed"):
            self.chart.set_series(key, chart.series[key])
        self.chart.show_span(chart.from_s, chart.to_s)
        self.chart.set_marks([mark_of(event) for event in chart.events])
        self._chart_stack.setCurrentWidget(self.chart)

    def _on_road_chosen(self, _at: int) -> None:
        """Stops at once; the way and the fuel once they are read."""
        if self.journey is not None:
            self._show_join(self.journey)
            self._show_road()
            self._start(self.refresh(), "another batch")

    # Acting

    def lead(self, step: Step) -> None:
        """To the source of a step: another page, or the batch on the board."""
        road = self.road
        if step.kind in _LEADS_OF_BATCH and road is not None:
            self.batch_wanted.emit(road.batch.details.batch.id, step.kind)
        elif step.kind in _SUPPLY_TABS:
            self._context.open_page("supply", tab=_SUPPLY_TABS[step.kind], id=step.record_id)
        elif step.kind == "fuel" and road is not None:
            self._context.open_page("fuel", vehicle_id=road.batch.details.batch.vehicle_id, event_id=step.record_id)
        elif step.kind == "track" and road is not None:
            self._context.open_page("map", vehicle_id=road.batch.details.batch.vehicle_id)

    def _on_paper(self, kind: str, act: Any) -> None:
        road = self.road
        if road is not None:
            self._start(act(road.batch.details.batch.id, kind), f"paper {kind}")

    def _on_mark_chosen(self, event_id: str) -> None:
        """Its step; the chart also shows what was shortly before and after the batch, which has none."""
        self.chart.choose_mark(event_id)
        if not self.steps.bring("fuel", event_id):
            self._context.notify("info", tr("This was before or after the batch, so it is no step of the journey."))

    async def _make_evidence(self) -> None:
        if self.road is not None and not self.road.is_read:
            await self.refresh()
        if self.journey is not None:
            await self.acts.evidence(self.record_id, self.journey.thread.title, self.road)

    async def _decline(self) -> None:
        road = self.road
        if self.journey is None or road is None:
            return
        what = f"{self.journey.thread.title}, {road.batch.details.batch.name}"
        if await self.acts.decline(self.record_id, road.batch.details.batch.id, what):
            await self.refresh()

    async def _join(self) -> None:
        journey = self.journey
        if journey is None:
            return
        taken = tuple(road.batch.details.batch.id for road in journey.roads)
        if await self.acts.join(journey.record_id, journey.thread.title, taken):
            await self.refresh()

    async def _undo(self) -> None:
        """What was refused was changed by somebody else: it is shown as it is now, and can still be taken back."""
        if self.journey is not None and self.journey.last is not None:
            await self.acts.undo(self.journey.last)
            await self.refresh()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.record_id:
            self.show_all()
            return
        super().keyPressEvent(event)

    def close_view(self) -> None:
        """End its work; the page calls it before it goes."""
        self._context.ui_state.unregister("deliveries.journeys")
        self._context.tasks.cancel_owner(self)
        self.map.close_map()


def state_of(journey: Journey) -> tuple[Level, str]:
    """The whole in one word: what is missing comes before what is not right, and that before what is open."""
    steps = journey.thread.steps
    gaps = len(journey.thread.gaps)
    if gaps:
        return "error", trn("{count} gap", "{count} gaps", gaps)
    doubts = sum(step.state == "warning" for step in steps)
    if doubts:
        return "warn", trn("{count} step not as it should be", "{count} steps not as they should be", doubts)
    if any(step.state == "open" for step in steps):
        return "info", tr("under way")
    return "ok", tr("complete")


def _undone(last: LastDecision, formats: Formats) -> str:
    """What the undo takes back, and whose decision it was."""
    what = {"manual": tr("joined"), "declined": tr("declined")}.get(last.how, tr("taken back"))
    return tr("Takes back: {subject}, {what} by {who}, {time}", subject=last.subject, what=what, who=last.who,
              time=formats.clock(to_ms(last.at)))  # fmt: skip


def _why_no_chart(road: Road | None) -> str:
    if road is None:
        return tr("It is in no batch, so no vehicle is known.")
    batch = road.batch.details.batch
    if not road.is_read:
        return tr("They are being read.")
    if not batch.vehicle_id:
        return tr("No vehicle here has the plate {plate}.", plate=batch.plate or "–")
    if batch.started_ms is None:
        return tr("The batch has not left yet.")
    return tr("No sensor of {plate} was heard while it was under way.", plate=batch.plate)


def _columns(context: ConsoleContext) -> list[Column[JourneyListing]]:
    formats = context.formats
    words = {"shipment": tr("Shipment"), "batch": tr("Batch")}
    return [
        Column("at", tr("When"), lambda row: formats.clock(row.at_ms), lambda row: -(row.at_ms or 0), width=140,
               note=formats.zone_name),
        Column("kind", tr("What"), lambda row: words[row.kind], width=90),
        Column("number", tr("Number or name"), lambda row: row.number, width=160),
        Column("receiver", tr("Place"), lambda row: row.receiver, width=260),
        Column("stage", tr("State"), lambda row: row.stage.replace("_", " "), width=110),
        Column("other", tr("Travels with"), lambda row: row.other, width=170),
        Column("source", tr("Told by"), lambda row: row.source, width=140),
    ]  # fmt: skip
