"""The Integrations page: statistics, what can be added, what is configured, and one of them in detail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QMenu, QStackedWidget, QVBoxLayout, QWidget

from app.catalogue import Catalogue, Entry
from app.integrations import IntegrationRow, UnknownIntegration
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.data_table import DataTable
from widgets.integrations.acts import Acts
from widgets.integrations.available import AvailableTab
from widgets.integrations.current import CurrentTab
from widgets.integrations.reading import Overview, read_overview, setup_badge
from widgets.integrations.words import icon_of, phase_pill
from widgets.page import Page, PageHeader, scroll_area
from widgets.primitives import CardGrid, IconButton, SegmentedTabs, StatCard, primary_button
from widgets.theme import Level

if TYPE_CHECKING:
    from widgets.integrations.detail import DetailView
    from widgets.mod4.tab import Mod4Tab

AVAILABLE, CURRENT, SETUP = "available", "active", "mod4"
SETUP_TOPICS = frozenset({"drivers", "outbox", "streams", "mail", "integrations"})
"""What moves the lists of Mod4 Setup, and the number on its tab. Positions do not."""
DETAIL_TOPICS = frozenset({"integrations", "integration_states", "logs"})
REREAD_MS = 20_000
"""Trackers fall silent by time alone, without a row that changes."""

SETTINGS_DIALOG, DIAGNOSTICS_DIALOG, IMPORT_DIALOG = "integration_settings", "diagnostics", "import_settings"
"""Names in ``Doors.dialogs``."""


class IntegrationsPage(Page):
    key = "integrations"
    title = "Integrations"
    icon = "plug"
    topics = frozenset({"integrations", "integration_states", "devices", "device_states", "logs", *SETUP_TOPICS})

    def __init__(self, context: ConsoleContext, parent: QWidget | None = None) -> None:
        super().__init__(context, parent)
        self._catalogue: Catalogue | None = None
        self._wanted: dict[str, str] = {}
        self.overview: Overview | None = None
        self.acts = Acts(context, self, self._show_overview)
        self.add_button = primary_button(context.theme, tr("Add Integration"), "plus")
        self.more = IconButton(context.theme, "ellipsis", tr("Import and export settings"), framed=True, size=18)
        self.available = AvailableTab(context.theme)
        self.current = CurrentTab(context)
        self._detail: DetailView | None = None
        self.tabs = SegmentedTabs(
            [
                (AVAILABLE, tr("Available Integrations")),
                (CURRENT, tr("Current Integrations")),
                (SETUP, tr("Mod4 Setup")),
            ]
        )
        self._setup: Mod4Tab | None = None
        self._stack = QStackedWidget()
        self._make_statistics()
        self._lay_out()
        self._connect()
        self._reread = QTimer(self, interval=REREAD_MS)
        self._reread.timeout.connect(self.request_refresh)
        self._reread.start()

    # What the store says

    async def refresh(self, topics: frozenset[str]) -> None:
        if self._catalogue is None:
            self._catalogue = await asyncio.to_thread(lambda: self.context.services.catalogue)
            self.available.set_entries(self._catalogue.entries())
            self._make_add_menu(self._catalogue)
        if topics - {"logs"} or self.overview is None:
            now_ms = self.context.services.clock.now_ms()
            self.overview = await self.context.bridge.read(partial(read_overview, now_ms=now_ms))
            self._show_overview()
        if topics & SETUP_TOPICS:
            await self._show_badge(self._catalogue)
        if self._setup is not None and self.tabs.value == SETUP and topics & (SETUP_TOPICS | {"integration_states"}):
            await self._setup.refresh(with_lists=bool(topics & SETUP_TOPICS))
        if self.is_detail_shown and topics & DETAIL_TOPICS:
            await self._refresh_detail(topics)
        self._act_on_wish()

    async def _show_badge(self, catalogue: Catalogue) -> None:
        """How many things wait for somebody in Mod4 Setup, on its tab."""
        now_ms = self.context.services.clock.now_ms()
        waits = await self.context.bridge.read(partial(setup_badge, catalogue=catalogue, now_ms=now_ms))
        label = tr("Mod4 Setup")
        self.tabs.set_label(SETUP, f"{label}  {waits:,}" if waits else label)

    @property
    def setup(self) -> Mod4Tab:
        """Made, and its modules loaded, when it is first opened."""
        if self._setup is None:
            from widgets.mod4.tab import Mod4Tab

            self._setup = Mod4Tab(self.context)
            self._setup.add_wanted.connect(lambda: self.add("mod4"))
            self._setup.configure_wanted.connect(partial(self.act, "configure"))
            self._tab_stack.addWidget(self._setup)
        return self._setup

    @property
    def is_detail_shown(self) -> bool:
        return self._detail is not None and self._stack.currentWidget() is self._detail

    @property
    def detail(self) -> DetailView:
        """Made, and its modules loaded, when it is first opened."""
        if self._detail is None:
            from widgets.integrations.detail import DetailView

            self._detail = DetailView(self.context, self)
            self._detail.wanted.connect(self.act)
            self._detail.closed.connect(self.close_detail)
            self._stack.addWidget(self._detail)
        return self._detail

    def table(self) -> DataTable[Any] | None:
        return self.detail.current_table() if self.is_detail_shown else None

    def show_item(self, **arguments: Any) -> None:
        """``configure``, ``sign_in`` or ``details`` with an integration's id, ``add`` with a type's key, or ``tab``."""
        self._wanted = {name: str(value) for name, value in arguments.items() if value}
        self._act_on_wish()

    def close_page(self) -> None:
        self._reread.stop()
        if self._setup is not None:
            self._setup.close_tab()
        super().close_page()

    # Showing

    def _show_overview(self) -> None:
        overview = self.overview
        if overview is None or self._catalogue is None:
            return
        self._show_statistics(overview)
        self.available.show_overview(overview)
        entries = {entry.key: entry for entry in self._catalogue.entries()}
        self.current.show_rows(overview.rows, entries, self.acts.syncing)
        label = tr("Current Integrations")
        self.tabs.set_label(CURRENT, f"{label}  {len(overview.rows)}" if overview.rows else label)
        if self.is_detail_shown:
            self.detail.show_syncing(self.detail.integration_id in self.acts.syncing)

    def _show_statistics(self, overview: Overview) -> None:
        total = len(overview.rows)
        enabled = total - overview.disabled
        note = tr("{count} disabled", count=overview.disabled) if overview.disabled else ""
        if total and not note:
            note = tr("all of them enabled")
        self.active.set_value(f"{total:,}", note or tr("none added yet"))
        of_them = tr("of {count} enabled", count=enabled) if enabled else tr("none enabled")
        self.healthy.set_value(f"{overview.healthy:,}", of_them, "ok" if overview.healthy else "neutral")
        troubled = overview.troubled
        tint: Level = (
            "neutral"
            if not troubled
            else max((phase_pill(row.phase)[0] for row in troubled), key=("warn", "error").index)
        )
        first = troubled[0] if troubled else None
        words = tr("nothing to do") if first is None else _attention_words(troubled)
        self.attention.set_value(f"{len(troubled):,}", words, tint)
        fleet = overview.fleet
        silent = fleet.silent + fleet.stale + fleet.never
        silent_words = trn("{count} silent", "{count} silent", silent)
        if fleet.waiting:
            silent_words = tr("{silent}, {waiting} waiting", silent=silent_words, waiting=fleet.waiting)
        if not fleet.known and not fleet.waiting:
            silent_words = tr("none known yet")
        self.trackers.set_value(f"{fleet.reporting:,} / {fleet.known:,}", silent_words, "warn" if silent else "primary")

    async def _refresh_detail(self, topics: frozenset[str]) -> None:
        try:
            await self.detail.refresh(topics)
        except UnknownIntegration:
            self.close_detail()
            return
        self.detail.show_syncing(self.detail.integration_id in self.acts.syncing)

    async def _open_detail(self, row: IntegrationRow) -> None:
        try:
            await self.detail.open(row.id, self._entry_of(row))
        except UnknownIntegration as err:
            self.context.notify("warn", err.why)
            return
        self._stack.setCurrentWidget(self.detail)
        self.detail.back.setFocus()

    def close_detail(self) -> None:
        """Back to the list, with the focus where it was opened."""
        was = self.detail.integration_id
        self._stack.setCurrentIndex(0)
        self.tabs.choose(CURRENT)
        item = self.current.items.get(was)
        if item is not None:
            item.details.setFocus()

    # Acting

    def act(self, name: str, integration_id: str) -> None:
        """Begin an act on a configured integration: see ``ACTS`` of the list."""
        row = self._row(integration_id)
        if row is None:
            self.context.notify("warn", tr("This integration does not exist any more."))
            return
        acts: dict[str, Callable[[IntegrationRow], Coroutine[Any, Any, None]]] = {
            "details": self._open_detail,
            "configure": lambda row: self._dialog(SETTINGS_DIALOG, integration_id=row.id),
            "sign_in": lambda row: self._dialog(SETTINGS_DIALOG, integration_id=row.id, sign_in=True),
            "diagnostics": lambda row: self._dialog(DIAGNOSTICS_DIALOG, integration_id=row.id),
            "sync": self.acts.sync,
            "enable": self.acts.enable,
            "disable": self.acts.disable,
            "remove": self.acts.remove,
        }
        self.spawn(acts[name](row), f"{name} {row.name}")

    def add(self, key: str) -> None:
        """Open the dialog for a new integration of a type."""
        self.spawn(self._dialog(SETTINGS_DIALOG, key=key), f"add {key}")

    async def _dialog(self, name: str, **arguments: Any) -> None:
        """Dialogs are given by the composition root: a page must not know them (the layers of the house)."""
        opener: Callable[..., Awaitable[Any]] = self.context.doors.dialogs[name]
        saved = await opener(self.context, self.window(), **arguments)
        if name == SETTINGS_DIALOG and saved and arguments.get("key"):
            self.tabs.choose(CURRENT)

    def _act_on_wish(self) -> None:
        if self.overview is None:
            return  # nothing is known yet: the wish stands until something is
        wishes, self._wanted = self._wanted, {}
        for name, value in wishes.items():
            if name == "add":
                self.add(value)
            elif name == "tab":
                self.tabs.choose(value)
            elif name in {"configure", "sign_in", "details"}:
                if name == "configure" and not self.is_detail_shown:
                    self.tabs.choose(CURRENT)
                self.act(name, value)

    def _row(self, integration_id: str) -> IntegrationRow | None:
        rows = self.overview.rows if self.overview is not None else ()
        return next((row for row in rows if row.id == integration_id), None)

    def _entry_of(self, row: IntegrationRow) -> Entry | None:
        entries = self._catalogue.entries() if self._catalogue is not None else ()
        return next((entry for entry in entries if entry.key == row.type), None)

    # Making

    def _make_statistics(self) -> None:
        theme = self.context.theme
        self.active = StatCard(theme, tr("Active Integrations"), "activity")
        self.healthy = StatCard(theme, tr("Healthy"), "circle-check", "ok")
        self.attention = StatCard(theme, tr("Need attention"), "triangle-alert", "neutral")
        self.trackers = StatCard(theme, tr("Trackers reporting"), "satellite-dish")

    def _make_add_menu(self, catalogue: Catalogue) -> None:
        menu = QMenu(self)
        for entry in catalogue.entries():
            if entry.manifest is not None:
                action = menu.addAction(self.context.theme.icon(icon_of(entry)), entry.name.replace("&", "&&"))
                action.setObjectName(entry.key)
                action.triggered.connect(partial(self.add, entry.key))
        self.add_button.setMenu(menu)

    def _open_more(self) -> None:
        menu = QMenu(self)
        theme = self.context.theme
        export = menu.addAction(theme.icon("upload"), tr("Export settings…"))
        export.setObjectName("export")
        export.setEnabled(bool(self.overview and self.overview.rows))
        export.triggered.connect(lambda: self.spawn(self.acts.export(), "export settings"))
        import_ = menu.addAction(theme.icon("download"), tr("Import settings…"))
        import_.setObjectName("import")
        import_.triggered.connect(lambda: self.spawn(self._dialog(IMPORT_DIALOG), "import settings"))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.more.mapToGlobal(self.more.rect().bottomLeft()))

    def _lay_out(self) -> None:
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._stack)
        area, column = scroll_area()
        self._stack.addWidget(area)
        subtitle = tr("Connect trackers, servers and supply systems to this depot")
        column.addWidget(PageHeader(tr("Integrations"), subtitle, [self.more, self.add_button]))
        self._statistics = row = QWidget()
        grid = CardGrid(row, min_width=170, gap=16, max_columns=4, is_balanced=True)
        for card in (self.active, self.healthy, self.attention, self.trackers):
            grid.addWidget(card)
        column.addWidget(row)
        column.addWidget(self.tabs)
        self._tab_stack = _HeightOfCurrent()
        self._tab_stack.addWidget(self.available)
        self._tab_stack.addWidget(self.current)
        column.addWidget(self._tab_stack)

    def _connect(self) -> None:
        self.more.clicked.connect(self._open_more)
        self.tabs.chosen.connect(self._on_tab_chosen)
        self.available.add_wanted.connect(self.add)
        self.available.configure_wanted.connect(partial(self.act, "configure"))
        self.current.wanted.connect(self.act)
        self.current.browse_wanted.connect(self._on_browse_wanted)

    def _on_tab_chosen(self, value: str) -> None:
        self._statistics.setVisible(value != SETUP)  # that tab has its own
        if value == SETUP:
            self._tab_stack.show_widget(self.setup)
            self.spawn(self.setup.refresh(), "mod4 setup")
        else:
            self._tab_stack.show_widget(self.available if value == AVAILABLE else self.current)

    def _on_browse_wanted(self) -> None:
        self.available.clear_filter()
        self.tabs.choose(AVAILABLE)


class _HeightOfCurrent(QWidget):
    """A stack that is only as high as what it shows, so that a short tab does not scroll like the long one."""

    def __init__(self) -> None:
        super().__init__()
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)

    def addWidget(self, widget: QWidget) -> None:
        widget.setVisible(self._column.count() == 0)
        self._column.addWidget(widget)

    def show_widget(self, widget: QWidget) -> None:
        for place in range(self._column.count()):
            item = self._column.itemAt(place)
            other = item.widget() if item is not None else None
            if other is not None:
                other.setVisible(other is widget)


def _attention_words(rows: list[IntegrationRow]) -> str:
    """The words of the phases, each once, with how many there are of it."""
    words = [phase_pill(row.phase)[1].lower().removeprefix("needs ") for row in rows]
    counted = {word: words.count(word) for word in dict.fromkeys(words)}
    return ", ".join(f"{count} {word}" if len(words) > 1 else word for word, count in counted.items())
