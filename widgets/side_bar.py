"""The window's left edge: search, pages, and at the foot the problems and the engine's state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from resources import resource_text
from resources.i18n import tr, trn
from widgets.primitives import StatusDot, text_label
from widgets.primitives.tips import plain_tip
from widgets.shortcuts import PAGE_SHORTCUTS, Shortcut
from widgets.theme import Level, Theme, render_svg, restyle

WIDTH = 208
WIDTH_COMPACT = 64
ICON = 18
FLASH_MS = 350
FLASHES = 3
_ENGINE_WIDE = (15, 4, 4, 4)  # the dot stands under the middle of the icons above
_ENGINE_COMPACT = (0, 4, 1, 4)


@dataclass(frozen=True, slots=True)
class NavEntry:
    key: str
    title: str
    icon: str


class SideBar(QFrame):
    """``chosen`` carries a page's key when the operator picks it."""

    chosen = Signal(str)
    search_wanted = Signal()
    problems_wanted = Signal()
    alarms_wanted = Signal()
    engine_wanted = Signal()

    def __init__(self, theme: Theme, title: str, entries: Sequence[NavEntry]) -> None:
        super().__init__()
        self._theme = theme
        self._is_compact = False
        self._colors: dict[str, str] = {}
        self.setProperty("sidebar", "true")
        self.setAccessibleName(tr("Pages"))
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(12, 18, 12, 14)
        self._column.setSpacing(4)
        self._title = text_label(title, "brand")
        self._column.addWidget(self._brand())
        self._column.addSpacing(12)
        self.search = self._nav_button("search", tr("Find…"), Shortcut.PALETTE.label)
        self.search.setCheckable(False)
        self.search.clicked.connect(self.search_wanted)
        self._column.addWidget(self.search)
        self._column.addSpacing(6)
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._pages: dict[str, QPushButton] = {}
        self._icons: dict[QPushButton, str] = {self.search: "search"}
        for number, entry in enumerate(entries):
            self._add_page(entry, number)
        self._column.addStretch(1)
        self.alarms = self._nav_button("siren", tr("No alarms"))
        self.alarms.setObjectName("alarm-line")
        self.alarms.setCheckable(False)
        self.alarms.clicked.connect(self.alarms_wanted)
        self._icons[self.alarms] = "siren"
        self.alarms.setVisible("alarms" in self._pages)
        self._column.addWidget(self.alarms)
        self._flashes = 0
        self._flash = QTimer(self, interval=FLASH_MS)
        self._flash.timeout.connect(self._on_flash)
        self.problems = self._nav_button("bell", tr("Problems"), Shortcut.PROBLEMS.label)
        self.problems.setCheckable(False)
        self.problems.clicked.connect(self.problems_wanted)
        self._icons[self.problems] = "bell"
        self._column.addWidget(self.problems)
        self._column.addSpacing(4)
        self.engine = _EngineLine(theme)
        self._column.addWidget(self.engine)
        self.set_problem_count(0)
        self.setFixedWidth(WIDTH)

    def page_button(self, key: str) -> QPushButton:
        return self._pages[key]

    def mark(self, key: str) -> None:
        """Show which page is in front."""
        self._pages[key].setChecked(True)

    def set_problem_count(self, count: int) -> None:
        self._words(self.problems, trn("{count} problem", "{count} problems", count) if count else tr("No problems"))
        self._color(self.problems, "warn" if count else "muted")

    def set_alarms(self, level: Level, words: str, detail: str) -> None:
        """The worst that stands as colour and word, and how many; the icon is the shape."""
        self.alarms.setProperty("detail", detail)
        self._words(self.alarms, words)
        self.alarms.setAccessibleDescription(detail)
        self._color(self.alarms, "muted" if level == "ok" else f"{level}_text")

    def flash_alarms(self) -> None:
        """What a sound says to the ears: the line lights up three times."""
        self._flashes = 2 * FLASHES
        self._flash.start()
        self._on_flash()

    def _on_flash(self) -> None:
        restyle(self.alarms, flash="true" if self._flashes % 2 == 0 and self._flashes > 0 else "false")
        self._flashes -= 1
        if self._flashes < 0:
            self._flash.stop()

    @property
    def is_compact(self) -> bool:
        return self._is_compact

    def set_compact(self, on: bool) -> None:
        """Icons only; the words become tool tips."""
        if on == self._is_compact:
            return
        self._is_compact = on
        self.setFixedWidth(WIDTH_COMPACT if on else WIDTH)
        self._title.setVisible(not on)
        self.engine.set_compact(on)
        for button in self._icons:
            restyle(button, compact="true" if on else "false")
            self._words(button, str(button.property("words")))
            self._theme.follow(button, self._icons[button], self._colors[self._icons[button]], ICON)

    def _brand(self) -> QWidget:
        host = QWidget()
        row = QHBoxLayout(host)
        row.setContentsMargins(4, 0, 0, 0)
        row.setSpacing(10)
        logo = QLabel()
        logo.setPixmap(_logo(self.devicePixelRatioF()))
        row.addWidget(logo)
        row.addWidget(self._title, 1)
        return host

    def _nav_button(self, icon: str, words: str, keys: str = "") -> QPushButton:
        button = QPushButton()
        button.setCheckable(True)
        button.setProperty("nav", "true")
        button.setProperty("keys", keys)
        button.setCursor(Qt.CursorShape.PointingHandCursor)
        self._words(button, words)
        self._colors[icon] = "muted"
        self._theme.follow(button, icon, "muted", ICON)
        return button

    def _add_page(self, entry: NavEntry, number: int) -> None:
        keys = PAGE_SHORTCUTS[number].label if number < len(PAGE_SHORTCUTS) else ""
        button = self._nav_button(entry.icon, tr(entry.title), keys)
        button.setObjectName(f"nav-{entry.key}")
        self._icons[button] = entry.icon
        button.toggled.connect(lambda on, button=button: self._color(button, "primary_text" if on else "muted"))
        button.clicked.connect(lambda: self.chosen.emit(entry.key))
        self._group.addButton(button)
        self._pages[entry.key] = button
        self._column.addWidget(button)

    def _color(self, button: QPushButton, color: str) -> None:
        icon = self._icons[button]
        self._colors[icon] = color
        self._theme.follow(button, icon, color, ICON)

    def _words(self, button: QPushButton, words: str) -> None:
        button.setProperty("words", words)
        keys = button.property("keys")
        button.setAccessibleName(words)
        tip = f"{words}  ({keys})" if keys else words if self._is_compact else ""
        detail = button.property("detail")
        button.setToolTip(plain_tip("\n".join(part for part in (tip, detail) if part)) if detail else tip)
        button.setText("" if self._is_compact else f" {words}")


class _EngineLine(QWidget):
    """The dot and the words of the engine's state."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        row = QHBoxLayout(self)
        row.setContentsMargins(*_ENGINE_WIDE)
        row.setSpacing(14)
        self.dot = StatusDot(theme, "neutral")
        self.words = text_label("", "muted", wrap=True)
        row.addWidget(self.dot, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.words, 1)
        self.set_state("neutral", tr("Engine: not known yet"))

    def set_state(self, level: Level, words: str, detail: str = "") -> None:
        self.dot.set_level(level)
        self.words.setText(words)
        self.setToolTip(plain_tip(detail or words))
        self.setAccessibleName(words)
        self.setAccessibleDescription(detail)

    def set_compact(self, on: bool) -> None:
        self.words.setVisible(not on)
        layout = self.layout()
        if layout is not None:
            layout.setContentsMargins(*(_ENGINE_COMPACT if on else _ENGINE_WIDE))


def _logo(ratio: float) -> QPixmap:
    return render_svg(resource_text("icons/app.svg"), 30, ratio)
