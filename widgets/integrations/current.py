"""The tab of what is configured: one row each, with its phase, why, since when, and what can be done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from app.catalogue import Entry
from app.engine.phases import Phase
from app.integrations import IntegrationRow
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.integrations.words import explain, icon_of, phase_pill, times_line
from widgets.primitives import (
    Card,
    EmptyState,
    IconButton,
    IconTile,
    StatusPill,
    clear_layout,
    exact_height,
    line,
    outline_button,
    primary_button,
    text_label,
)

ACTS = ("details", "configure", "sign_in", "sync", "enable", "disable", "remove")


class CurrentTab(QWidget):
    """``wanted`` carries an act of ``ACTS`` and the id of an integration."""

    wanted = Signal(str, str)
    browse_wanted = Signal()

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self._context = context
        self.items: dict[str, CurrentItem] = {}
        self.browse = primary_button(context.theme, tr("Browse Integrations"))
        self.browse.clicked.connect(self.browse_wanted)
        self.empty = Card()
        self.empty.body.addWidget(
            EmptyState(
                context.theme,
                "activity",
                tr("No Active Integrations"),
                tr("Connect a tracker port or a server, and it is listed here with how it is doing."),
                self.browse,
            )
        )
        self.list = Card(margin=0)
        self.list.body.setSpacing(0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.empty)
        column.addWidget(self.list)
        column.addStretch(1)
        self.list.hide()
        context.formats.ticked.connect(self.tick)
        context.formats.changed.connect(self.tick)

    def show_rows(self, rows: Sequence[IntegrationRow], entries: Mapping[str, Entry], syncing: set[str]) -> None:
        if list(self.items) != [row.id for row in rows]:
            self._make_items(rows, entries)
        for row in rows:
            self.items[row.id].show_row(row, is_syncing=row.id in syncing)
        self.empty.setVisible(not rows)
        self.list.setVisible(bool(rows))

    def tick(self) -> None:
        """A second went by: ages and waiting times read differently."""
        if self.isVisible():
            for item in self.items.values():
                item.tick()

    def _make_items(self, rows: Sequence[IntegrationRow], entries: Mapping[str, Entry]) -> None:
        clear_layout(self.list.body)
        self.items = {}
        for number, row in enumerate(rows):
            if number:
                self.list.body.addWidget(line())
            item = CurrentItem(self._context, row, entries.get(row.type))
            item.wanted.connect(self.wanted)
            self.items[row.id] = item
            self.list.body.addWidget(item)


class CurrentItem(QWidget):
    """One configured integration."""

    wanted = Signal(str, str)

    def __init__(self, context: ConsoleContext, row: IntegrationRow, entry: Entry | None) -> None:
        super().__init__()
        self.row = row
        self._context = context
        self._entry = entry
        self._is_syncing = False
        self.setObjectName(f"item-{row.id}")
        theme = context.theme
        self.name = exact_height(text_label("", "card-title", wrap=True))
        self.pill = StatusPill(theme)
        self.why = exact_height(text_label("", "muted", wrap=True, selectable=True))
        self.times = exact_height(text_label("", "small", wrap=True))
        self.sign_in = primary_button(theme, tr("Sign in again"), "key-round")
        self.sign_in.setProperty("scale", "small")
        self.details = outline_button(theme, tr("Details"), small=True)
        self.configure = outline_button(theme, tr("Configure"), "settings", small=True)
        self.more = IconButton(theme, "ellipsis", tr("More"), framed=True)
        for act in ("sign_in", "details", "configure"):
            getattr(self, act).clicked.connect(self._asker(act))
        self.more.clicked.connect(self.open_menu)
        self._lay_out(icon_of(entry))

    def show_row(self, row: IntegrationRow, *, is_syncing: bool) -> None:
        self.row, self._is_syncing = row, is_syncing
        self.name.setText(row.name)
        level, word = phase_pill(row.phase)
        self.pill.set_state(level, word, row.reason)
        self.why.setText(explain(row, self._entry.description if self._entry is not None else ""))
        self.sign_in.setVisible(row.phase == Phase.NEEDS_SIGN_IN)
        self.setAccessibleName(f"{row.name}, {word}")
        for button, words in (
            (self.configure, tr("Configure {name}", name=row.name)),
            (self.details, tr("Details of {name}", name=row.name)),
            (self.sign_in, tr("Sign in to {name} again", name=row.name)),
            (self.more, tr("More for {name}", name=row.name)),
        ):
            button.setAccessibleName(words)
        self.tick()

    def tick(self) -> None:
        words = times_line(self.row, self._context.formats)
        self.times.setText(tr("{times} · syncing…", times=words) if self._is_syncing else words)
        self.times.setToolTip(
            tr("Last sync {at}", at=self._context.formats.time(self.row.last_sync)) if self.row.last_sync else ""
        )

    @property
    def can_sync(self) -> bool:
        """Where it fetches, and is switched on."""
        manifest = self._entry.manifest if self._entry is not None else None
        return manifest is not None and "pull" in manifest.modes and self.row.phase != Phase.DISABLED

    def menu(self) -> QMenu:
        """What can be done with it now."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        theme = self._context.theme
        is_disabled = self.row.phase == Phase.DISABLED

        def add(act: str, words: str, icon: str, color: str = "text") -> QAction:
            action = menu.addAction(theme.icon(icon, color), words)
            action.setObjectName(act)
            action.triggered.connect(self._asker(act))
            return action

        if self.can_sync:
            add("sync", tr("Sync now"), "refresh-cw").setEnabled(not self._is_syncing)
        add("details", tr("Details"), "info")
        add("configure", tr("Settings"), "settings")
        if self.row.phase == Phase.NEEDS_SIGN_IN:
            add("sign_in", tr("Sign in again"), "key-round")
        menu.addSeparator()
        if is_disabled:
            add("enable", tr("Enable"), "power")
        else:
            add("disable", tr("Disable…"), "power-off", "error")
        add("remove", tr("Remove…"), "trash-2", "error")
        return menu

    def open_menu(self) -> None:
        self.menu().popup(self.more.mapToGlobal(self.more.rect().bottomLeft()))

    def _asker(self, act: str) -> Callable[[], None]:
        return lambda: self.wanted.emit(act, self.row.id)

    def _lay_out(self, icon: str) -> None:
        row = QHBoxLayout(self)
        row.setContentsMargins(18, 16, 18, 16)
        row.setSpacing(14)
        row.addWidget(IconTile(self._context.theme, icon), 0, Qt.AlignmentFlag.AlignTop)
        words = QVBoxLayout()
        words.setSpacing(4)
        head = QHBoxLayout()
        head.setSpacing(10)
        head.addWidget(self.name, 0, Qt.AlignmentFlag.AlignVCenter)
        head.addWidget(self.pill, 0, Qt.AlignmentFlag.AlignVCenter)
        head.addStretch(1)
        words.addLayout(head)
        words.addWidget(self.why)
        words.addWidget(self.times)
        row.addLayout(words, 1)
        for button in (self.sign_in, self.details, self.configure, self.more):
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignVCenter)
