"""The window: side bar, pages made when first shown, panels, messages, the palette, and a clean way out."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from typing import Any

from PySide6.QtCore import QByteArray, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication, QResizeEvent
from PySide6.QtWidgets import (
    QDockWidget,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.store.errors import StoreError
from resources.i18n import tr
from widgets.command_palette import Command, CommandPalette
from widgets.context import ConsoleContext
from widgets.export_as import export_as, print_table
from widgets.garbage import UiThreadGarbage
from widgets.log_dock import LogPanel
from widgets.page import Page
from widgets.primitives import SearchField, ToastStrip, text_label
from widgets.problems_panel import Fix, ProblemsPanel, read_open_problems
from widgets.shortcuts import PAGE_SHORTCUTS, Shortcut
from widgets.side_bar import NavEntry, SideBar
from widgets.theme import Level, ThemeMode
from widgets.tray import Tray

SIDE_BAR_ORDER = (
    "integrations",
    "map",
    "trackers",
    "fuel",
    "workbench",
    "supply",
    "reports",
    "deliveries",
    "sync",
    "alarms",
    "activity",
    "settings",
)
FIRST_SIZE = QSize(1280, 800)
TITLE_BAR_PX = 40
COMPACT_BELOW = 920
COMPACT_BELOW_BESIDE_PANEL = 800  # what the problems leave of the window
_WORST: tuple[Level, ...] = ("neutral", "info", "ok", "warn", "error")
_THEMES: tuple[ThemeMode, ...] = ("light", "dark", "contrast")


@dataclass(frozen=True, slots=True)
class PageSpec:
    """A page before it exists. ``load`` imports its class; it is called at first showing only."""

    key: str
    title: str
    icon: str
    load: Callable[[], type[Page]]


class ConsoleWindow(QMainWindow):
    """Made once by the composition root; ``exit_event`` is set when the operator wants to close.

    ``fixes`` are the buttons of problems, by ``problems.fix``; ``log_lines`` gives the newest log lines.
    """

    help_wanted = Signal()
    about_wanted = Signal()
    page_shown = Signal(str)

    def __init__(
        self,
        context: ConsoleContext,
        pages: Sequence[PageSpec],
        *,
        fixes: Mapping[str, Fix],
        log_lines: Callable[[], Sequence[str]],
        is_demo: bool = False,
    ) -> None:
        super().__init__()
        self.context = context
        self.exit_event = asyncio.Event()
        self._specs = {spec.key: spec for spec in sorted(pages, key=_place_in_side_bar)}
        self._pages: dict[str, Page] = {}
        self._engine: tuple[Level, str] = ("neutral", "")
        self._alarms: tuple[Level, str] = ("ok", "")
        self._wants_narrow = False
        self._remembered_page = ""
        self._garbage: UiThreadGarbage | None = None
        self._fixes = fixes
        self.is_demo = is_demo
        title = tr("BIKO depot console")
        self.setWindowTitle(tr("Demo — {title}", title=title) if is_demo else title)
        self.side_bar = self._make_side_bar()
        self._stack = QStackedWidget()
        self._inner = QMainWindow()  # panels dock beside the pages and leave the side bar alone
        self._inner.setWindowFlags(Qt.WindowType.Widget)
        self._inner.setProperty("surface", "bg")
        self._inner.setCentralWidget(self._stack)
        self.problems = ProblemsPanel(context.theme, context.formats, fixes)
        self.log = LogPanel(context.theme, log_lines)
        self._problems_dock = self._dock("problems", self.problems, Qt.DockWidgetArea.RightDockWidgetArea)
        self._log_dock = self._dock("log", self.log, Qt.DockWidgetArea.BottomDockWidgetArea)
        self.problems.closed.connect(self._problems_dock.hide)
        self._problems_dock.visibilityChanged.connect(lambda _is_shown: self._fit_side_bar())
        self.log.closed.connect(self._log_dock.hide)
        self._lay_out()
        self.toasts = ToastStrip(context.theme, self._inner)
        self.palette_box = CommandPalette(context.theme, context.tasks, self)
        self.palette_box.add_provider(self._own_commands)
        self.tray = Tray(context.theme, self)
        self._wire()
        self.setMinimumSize(QSize(720, 480))
        self.resize(first_size())
        context.ui_state.register("window", self._take_state, self._give_state)

    # Pages

    @property
    def page(self) -> Page | None:
        """The page in front; None before the first."""
        page = self._stack.currentWidget()
        return page if isinstance(page, Page) else None

    @property
    def page_keys(self) -> tuple[str, ...]:
        return tuple(self._specs)

    def open_page(self, key: str, **arguments: Any) -> None:
        """Bring a page to the front, making it if need be. Raises KeyError for one that does not exist."""
        spec = self._specs[key]
        if key not in self._pages:
            page = spec.load()(self.context)
            self._pages[key] = page
            self._stack.addWidget(page)
        self._stack.setCurrentWidget(self._pages[key])
        self.side_bar.mark(key)
        if arguments:
            self._pages[key].show_item(**arguments)
        self.page_shown.emit(key)

    def made_page(self, key: str) -> Page | None:
        """A page if it was made already."""
        return self._pages.get(key)

    def start(self, key: str = "") -> None:
        """Show the window with a page (default: that of last time) and begin to read. Call on the running loop."""
        self.show()
        self.open_page(key if key in self._specs else self._last_page())
        self._read_problems(frozenset({"problems"}))
        self._garbage = UiThreadGarbage(self)

    # What others tell the window

    def notify(self, level: Level, text: str) -> None:
        """A short message in the strip."""
        self.toasts.show_message(level, text)

    def set_engine_state(self, level: Level, words: str, detail: str = "") -> None:
        """The engine's state at the foot of the side bar, e.g. ``ok``, ``Engine running``."""
        self._engine = (level, words)
        self.side_bar.engine.set_state(level, words, detail)
        self._show_worst()

    def set_alarms(self, level: Level, words: str, detail: str) -> None:
        """The worst alarm that stands and how many do, in the side bar and the tray."""
        self._alarms = (level, words)
        self.side_bar.set_alarms(level, words, detail)
        self._show_worst()

    def announce_alarms(self, titles: Sequence[str], *, is_high: bool) -> None:
        """Light up the line, and where the window is not looked at, say it on the desktop."""
        self.side_bar.flash_alarms()
        if not self.isVisible() or self.isMinimized() or not self.isActiveWindow():
            title = tr("Alarm of high priority") if is_high else tr("Alarm")
            self.tray.say(title, "\n".join(titles))

    def bring_to_front(self) -> None:
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def close_parts(self) -> None:
        """Save the window's state and end what the pages do; the loop must still run."""
        self.tray.close()
        for page in self._pages.values():
            page.close_page()
        self.context.tasks.cancel_owner(self)
        self.context.ui_state.close()
        if self._garbage is not None:
            self._garbage.stop()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Never close here: the main coroutine unwinds first, or tasks would lose their loop."""
        event.ignore()
        self.setEnabled(False)
        self.exit_event.set()

    # Making

    def _make_side_bar(self) -> SideBar:
        entries = [NavEntry(spec.key, spec.title, spec.icon) for spec in self._specs.values()]
        return SideBar(self.context.theme, tr("Depot Console"), entries)

    def _lay_out(self) -> None:
        host = QWidget()
        column = QVBoxLayout(host)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        self.demo_bar = _demo_bar()
        self.demo_bar.setVisible(self.is_demo)
        column.addWidget(self.demo_bar)
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self.side_bar)
        row.addWidget(self._inner, 1)
        column.addLayout(row, 1)
        self.setCentralWidget(host)

    def _dock(self, name: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(self._inner)
        dock.setObjectName(name)
        dock.setTitleBarWidget(QWidget())  # the panel has its own heading
        dock.setFeatures(QDockWidget.DockWidgetFeature.NoDockWidgetFeatures)
        dock.setWidget(widget)
        self._inner.addDockWidget(area, dock)
        dock.hide()
        return dock

    def _wire(self) -> None:
        context = self.context
        context.doors.notify = self.notify
        context.doors.open_page = self.open_page
        context.bridge.changed.connect(self._read_problems)
        context.theme.changed.connect(self._show_worst)
        context.preferences.changed.connect(self._on_preferences_changed)
        self.side_bar.chosen.connect(self.open_page)
        self.side_bar.search_wanted.connect(self.palette_box.open)
        self.side_bar.problems_wanted.connect(self.toggle_problems)
        self.side_bar.alarms_wanted.connect(lambda: self.open_page("alarms"))
        self.tray.show_wanted.connect(self.bring_to_front)
        self.tray.close_wanted.connect(self.close)
        for shortcut, act in self._acts().items():
            shortcut.bind(self, act)
        for number, shortcut in enumerate(PAGE_SHORTCUTS):
            shortcut.bind(self, partial(self._open_number, number))

    def _acts(self) -> dict[Shortcut, Callable[[], None]]:
        return {
            Shortcut.PALETTE: self.palette_box.open,
            Shortcut.REFRESH: self._refresh_page,
            Shortcut.SEARCH: self._focus_search,
            Shortcut.EXPORT: self._export,
            Shortcut.PRINT: self._print,
            Shortcut.PROBLEMS: self.toggle_problems,
            Shortcut.LOG: self.toggle_log,
            Shortcut.SIDE_BAR: self._toggle_side_bar,
            Shortcut.FULL_SCREEN: self._toggle_full_screen,
            Shortcut.THEME: self._next_theme,
            Shortcut.HELP: self.help_wanted.emit,
            Shortcut.CLOSE: self._close,
            Shortcut.NEXT_PAGE: lambda: self._step_page(1),
            Shortcut.PREVIOUS_PAGE: lambda: self._step_page(-1),
        }

    # Acts

    def toggle_problems(self) -> None:
        self._problems_dock.setVisible(self._problems_dock.isHidden())

    def toggle_log(self) -> None:
        self._log_dock.setVisible(self._log_dock.isHidden())

    def _close(self) -> None:
        self.close()

    def _open_number(self, number: int) -> None:
        if number < len(self._specs):
            self.open_page(self.page_keys[number])

    def _step_page(self, step: int) -> None:
        keys = self.page_keys
        now = keys.index(self.page.key) if self.page is not None else 0
        self.open_page(keys[(now + step) % len(keys)])

    def _refresh_page(self) -> None:
        if self.page is not None:
            self.page.request_refresh()

    def _focus_search(self) -> None:
        field = self.page.findChild(SearchField) if self.page is not None else None
        if isinstance(field, QLineEdit):
            field.setFocus(Qt.FocusReason.ShortcutFocusReason)
            field.selectAll()

    def _export(self) -> None:
        table = self.page.table() if self.page is not None else None
        if table is None:
            self.notify("info", tr("This page has no table to export."))
            return
        self._spawn(export_as(self, self.context, table.sheet()), "export")

    def _print(self) -> None:
        table = self.page.table() if self.page is not None else None
        if table is None:
            self.notify("info", tr("This page has no table to print."))
            return
        self._spawn(print_table(self, self.context, table.sheet()), "print")

    def _toggle_side_bar(self) -> None:
        self._wants_narrow = not self.side_bar.is_compact
        self._fit_side_bar()

    def _toggle_full_screen(self) -> None:
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def _next_theme(self) -> None:
        now = self.context.theme.tokens["name"]
        after = islice(cycle(_THEMES), [*_THEMES].index(now) + 1, None) if now in _THEMES else iter(_THEMES)
        self._spawn(self._choose_theme(next(after)), "theme")

    async def _choose_theme(self, mode: ThemeMode) -> None:
        self.context.theme.set_mode(mode)
        try:
            await self.context.preferences.change(theme=mode)
        except OSError as err:
            self.notify("warn", tr("The theme could not be kept for next time: {why}", why=err.strerror or err))

    def _on_preferences_changed(self) -> None:
        if self.context.theme.mode != self.context.preferences.choices.theme:
            self.context.theme.set_mode(self.context.preferences.choices.theme)

    # Problems, palette, tray

    def _read_problems(self, topics: frozenset[str]) -> None:
        if topics & {"problems", "integrations"}:
            self._spawn(self._refresh_problems(), "problems")

    async def _refresh_problems(self) -> None:
        try:
            problems = await self.context.bridge.read(read_open_problems)
        except StoreError as err:
            self.notify("warn", tr("The problems could not be read: {why}", why=err.why))
            return
        before = {problem.id for problem in self.problems.problems}
        self.problems.apply(problems)
        self.side_bar.set_problem_count(len(problems))
        self._show_worst()
        if not self.isVisible() or self.isMinimized():
            for problem in [found for found in problems if found.id not in before][:3]:
                self.tray.say(problem.title, problem.detail)

    def _show_worst(self) -> None:
        level, words = self._engine
        count = len(self.problems.problems)
        if count and _WORST.index(level) < _WORST.index("warn"):
            level, words = "warn", self.side_bar.problems.accessibleName()
        if _WORST.index(self._alarms[0]) > _WORST.index(level) and self._alarms[0] != "ok":
            level, words = self._alarms
        self.tray.set_state(level, words)

    async def _own_commands(self, _text: str) -> Sequence[Command]:
        pages = [
            Command(tr(spec.title), partial(self.open_page, spec.key), spec.icon, tr("Page"), words="open go page")
            for spec in self._specs.values()
        ]
        acts = [
            Command(tr(shortcut.meaning), act, "keyboard", "", shortcut.group, shortcut.label)
            for shortcut, act in self._acts().items()
            if shortcut is not Shortcut.PALETTE
        ]
        about = Command(tr("About this program"), self.about_wanted.emit, "info", words="version licence")
        return [*pages, *self._fix_commands(), *acts, about]

    def _fix_commands(self) -> list[Command]:
        """The buttons of the problems that stand, so that they can be reached by typing."""
        found = []
        for problem in self.problems.problems[:20]:
            fix = self._fixes.get(problem.fix)
            if fix is not None:
                found.append(Command(fix.label, partial(fix.act, problem), "wrench", problem.title))
        return found

    # Events and state

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_side_bar()

    def _fit_side_bar(self) -> None:
        panel = 0 if self._problems_dock.isHidden() else self._problems_dock.width()
        is_tight = self.width() < COMPACT_BELOW or self.width() - panel < COMPACT_BELOW_BESIDE_PANEL
        self.side_bar.set_compact(self._wants_narrow or is_tight)

    def _spawn(self, coroutine: Any, name: str) -> None:
        self.context.tasks.start(coroutine, name=f"window: {name}", owner=self)

    def _last_page(self) -> str:
        return self._remembered_page if self._remembered_page in self._specs else self.page_keys[0]

    def _take_state(self) -> dict[str, Any]:
        return {
            "geometry": _to_text(self.saveGeometry()),
            "panels": _to_text(self._inner.saveState()),
            "page": self.page.key if self.page is not None else self._remembered_page,
            "narrow": self._wants_narrow,
        }

    def _give_state(self, state: dict[str, Any]) -> None:
        self._remembered_page = str(state["page"])
        self._wants_narrow = bool(state["narrow"])
        self.restoreGeometry(_from_text(state["geometry"]))
        self._inner.restoreState(_from_text(state["panels"]))
        self._fit_side_bar()


def _place_in_side_bar(spec: PageSpec) -> int:
    return SIDE_BAR_ORDER.index(spec.key) if spec.key in SIDE_BAR_ORDER else len(SIDE_BAR_ORDER)


def _demo_bar() -> QFrame:
    bar = QFrame()
    bar.setProperty("demo", "true")
    row = QHBoxLayout(bar)
    row.setContentsMargins(16, 6, 16, 6)
    words = text_label(tr("Demo — the vehicles, trackers and servers are simulated; nothing leaves this computer."))
    words.setAlignment(Qt.AlignmentFlag.AlignCenter)
    row.addWidget(words)
    return bar


def _to_text(data: QByteArray) -> str:
    return b64encode(data.data()).decode("ascii")


def first_size() -> QSize:
    """The size before there is one to remember: no larger than the screen leaves room for, title bar included."""
    if QGuiApplication.platformName() == "offscreen":  # whose screen is no one's
        return FIRST_SIZE
    return FIRST_SIZE.boundedTo(QGuiApplication.primaryScreen().availableSize() - QSize(0, TITLE_BAR_PX))


def _from_text(text: str) -> QByteArray:
    return QByteArray(b64decode(text))
