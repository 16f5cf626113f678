"""Everything about one integration: state, streams, thirty days, what was set aside, its log; with a way back."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.catalogue import Entry
from app.engine.phases import Phase
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.integrations.figures import FigureCards
from widgets.integrations.log_panel import LogPanel
from widgets.integrations.reading import Details, SetAside, read_details
from widgets.integrations.state_cards import CountersCard, StateCard, StreamsCard
from widgets.integrations.words import icon_of, phase_pill
from widgets.page import PAGE_MARGIN, Page, scroll_area
from widgets.primitives import (
    CardGrid,
    IconButton,
    IconTile,
    SegmentedTabs,
    StatusPill,
    exact_height,
    outline_button,
    primary_button,
    text_label,
)
from widgets.rows_model import Column, RowsModel

SCROLL_ROOM = 16
QWIDGETSIZE_MAX = 16_777_215  # Qt's own "no limit", which PySide does not export
OVERVIEW, LOG, SET_ASIDE = "overview", "log", "set_aside"


class DetailView(QWidget):
    """One view for whichever integration is opened. ``wanted`` carries an act and the id, as in the list."""

    wanted = Signal(str, str)
    closed = Signal()

    def __init__(self, context: ConsoleContext, page: Page) -> None:
        super().__init__()
        self._context = context
        self.details: Details | None = None
        self.integration_id = ""
        self._entry: Entry | None = None
        theme = context.theme
        self.back = IconButton(theme, "arrow-left", tr("Back to the integrations (Escape)"), framed=True)
        self.tile = IconTile(theme, "plug")
        self.name = exact_height(text_label("", "title", wrap=True))
        self.pill = StatusPill(theme)
        self.kind = exact_height(text_label("", "muted", wrap=True))
        self.sign_in = primary_button(theme, tr("Sign in again"), "key-round")
        self.sync = outline_button(theme, tr("Sync now"), "refresh-cw")
        self.diagnostics = outline_button(theme, tr("Diagnostics"), "file-text")
        self.configure = outline_button(theme, tr("Configure"), "settings")
        self.tabs = SegmentedTabs([(OVERVIEW, tr("Overview")), (LOG, tr("Log")), (SET_ASIDE, tr("Set aside"))])
        self.state = StateCard(context)
        self.streams = StreamsCard(context)
        self.counters = CountersCard(context)
        self.figures = FigureCards(theme, context.formats)
        self.log = LogPanel(context, page)
        self.set_aside = _set_aside_table(context)
        self._stack = QStackedWidget()
        self._pages = {OVERVIEW: self._overview(), LOG: _inset(self.log), SET_ASIDE: _inset(in_card(self.set_aside))}
        self._lay_out()
        self._connect()

    async def open(self, integration_id: str, entry: Entry | None) -> None:
        """Show another integration, from the top. Raises UnknownIntegration, StoreError."""
        self.integration_id, self._entry = integration_id, entry
        self.tabs.choose(OVERVIEW)
        await self.refresh(frozenset())
        await self.log.show_integration(integration_id)

    async def refresh(self, topics: frozenset[str]) -> None:
        """Read it again; of the log only what is new. Raises UnknownIntegration once it was removed."""
        wanted = self.integration_id
        manifest = self._entry.manifest if self._entry is not None else None
        details = await self._context.bridge.read(partial(read_details, integration_id=wanted, manifest=manifest))
        if wanted != self.integration_id:
            return
        self.details = details
        self._show(details)
        if "logs" in topics:
            await self.log.read_new()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Back, unless what has the focus had a use for the key: the search is cleared first."""
        if event.key() == Qt.Key.Key_Escape or event.matches(QKeySequence.StandardKey.Back):
            self.closed.emit()
        else:
            super().keyPressEvent(event)

    def current_table(self) -> DataTable[Any] | None:
        """What Ctrl+E exports."""
        if self.tabs.value == LOG:
            return self.log.table
        return self.set_aside if self.tabs.value == SET_ASIDE else None

    def show_syncing(self, is_syncing: bool) -> None:
        """Whether a run that was asked for is under way."""
        self.sync.setEnabled(not is_syncing)
        self.sync.setText(tr("Syncing…") if is_syncing else tr("Sync now"))

    def _show(self, details: Details) -> None:
        row, entry = details.row, self._entry
        manifest = entry.manifest if entry is not None else None
        self.tile.set_icon(icon_of(entry), "primary")
        self.name.setText(row.name)
        level, word = phase_pill(row.phase)
        self.pill.set_state(level, word, row.reason)
        self.kind.setText(entry.name if entry is not None else row.type)
        pulls = manifest is not None and "pull" in manifest.modes
        self.sync.setVisible(pulls and row.phase != Phase.DISABLED)
        self.sign_in.setVisible(row.phase == Phase.NEEDS_SIGN_IN)
        self.state.show_details(details, entry)
        self.streams.show_details(details, manifest)
        if details.figures is not None:
            self.counters.show_counters(details.figures.counters)
            self.figures.show_figures(details.figures, pulls=pulls)
        self.set_aside.model.apply(details.set_aside)
        count = details.set_aside_count
        self.tabs.set_label(SET_ASIDE, tr("Set aside  {count}", count=f"{count:,}") if count else tr("Set aside"))

    def _connect(self) -> None:
        self.back.clicked.connect(self.closed)
        for button, act in (
            (self.sign_in, "sign_in"),
            (self.sync, "sync"),
            (self.diagnostics, "diagnostics"),
            (self.configure, "configure"),
        ):
            button.clicked.connect(partial(self._ask, act))
        self.state.trackers.clicked.connect(lambda: self._context.open_page("trackers", source=self.name.text()))
        self.state.map.clicked.connect(lambda: self._context.open_page("map", source=self.name.text()))
        self.tabs.chosen.connect(lambda value: self._stack.setCurrentWidget(self._pages[value]))

    def _ask(self, act: str) -> None:
        self.wanted.emit(act, self.integration_id)

    def _overview(self) -> QWidget:
        area, column = scroll_area(margin=0)
        column.setSpacing(16)
        top = QWidget()
        grid = CardGrid(top, min_width=420, gap=16, max_columns=2)
        grid.addWidget(self.state)
        grid.addWidget(self.streams)
        column.addWidget(top)
        column.addWidget(text_label(tr("Last 30 days"), "heading"))
        column.addWidget(self.figures)
        column.addWidget(self.counters)
        content = column.parentWidget()
        if content is not None:
            content.setMaximumWidth(QWIDGETSIZE_MAX)  # as wide as the heading above and the tables beside it
        bar = area.verticalScrollBar()

        def keep_clear() -> None:
            taken = bar.sizeHint().width() if bar.maximum() > 0 else 0
            column.setContentsMargins(0, 0, max(0, SCROLL_ROOM - taken), PAGE_MARGIN)

        bar.rangeChanged.connect(lambda _low, _high: keep_clear())
        keep_clear()
        return area

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        # The scroll bar stands in the page's margin, so that cards end where the heading ends.
        column.setContentsMargins(PAGE_MARGIN, PAGE_MARGIN, PAGE_MARGIN - SCROLL_ROOM, 0)
        column.setSpacing(18)
        head = QHBoxLayout()
        head.setContentsMargins(0, 0, SCROLL_ROOM, 0)
        head.setSpacing(12)
        head.addWidget(self.back, 0, Qt.AlignmentFlag.AlignVCenter)
        head.addWidget(self.tile, 0, Qt.AlignmentFlag.AlignVCenter)
        words = QVBoxLayout()
        words.setSpacing(2)
        title = QHBoxLayout()
        title.setSpacing(12)
        title.addWidget(self.name)
        title.addWidget(self.pill, 0, Qt.AlignmentFlag.AlignVCenter)
        title.addStretch(1)
        words.addLayout(title)
        words.addWidget(self.kind)
        head.addLayout(words, 1)
        for button in (self.sign_in, self.sync, self.diagnostics, self.configure):
            head.addWidget(button, 0, Qt.AlignmentFlag.AlignVCenter)
        column.addLayout(head)
        column.addWidget(self.tabs, 0, Qt.AlignmentFlag.AlignLeft)
        for page in self._pages.values():
            self._stack.addWidget(page)
        column.addWidget(self._stack, 1)


def _inset(widget: QWidget) -> QWidget:
    """As wide as the heading: what does not scroll leaves the scroll bar's room free."""
    host = QWidget()
    row = QHBoxLayout(host)
    row.setContentsMargins(0, 0, SCROLL_ROOM, PAGE_MARGIN)
    row.addWidget(widget)
    return host


def _set_aside_table(context: ConsoleContext) -> DataTable[SetAside]:
    formats = context.formats
    columns = (
        Column[SetAside]("at", tr("When"), lambda row: formats.time(row.at), sort=lambda row: row.id, width=190),
        Column[SetAside](
            "key", tr("Record"), lambda row: row.record_key, tooltip=lambda row: row.record_key, width=200
        ),
        Column[SetAside]("why", tr("Why"), lambda row: row.why, tooltip=lambda row: row.why, width=420),
        Column[SetAside](
            "sample", tr("Sample"), lambda row: row.sample, tooltip=lambda row: row.sample, width=260, is_mono=True
        ),
    )
    table = DataTable(context.theme, RowsModel(columns, lambda row: row.id), tr("Set aside"), multiple=True)
    table.set_empty(
        "circle-check",
        tr("Nothing was set aside"),
        tr("A record that cannot be read or is refused waits here with the reason, and the others go on."),
    )
    table.view.horizontalHeader().setStretchLastSection(True)
    table.sort_by("at", descending=True)
    return table
