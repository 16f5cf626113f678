"""Every keyboard shortcut of the console, in one place; the help dialog lists them from here."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QWidget


class Shortcut(Enum):
    """Key sequence (Ctrl is Command on macOS), what it does, the group it is listed under."""

    PALETTE = ("Ctrl+K", "Find a vehicle, tracker, page or command", "Everywhere")
    REFRESH = ("F5", "Read this page again", "Everywhere")
    SEARCH = ("Ctrl+F", "Search on this page", "Everywhere")
    EXPORT = ("Ctrl+E", "Export this page's table", "Everywhere")
    PRINT = ("Ctrl+P", "Print this page's table", "Everywhere")
    PROBLEMS = ("F8", "Show or hide the problems", "Window")
    LOG = ("F9", "Show or hide the log", "Window")
    SIDE_BAR = ("Ctrl+B", "Make the side bar narrow or wide", "Window")
    FULL_SCREEN = ("F11", "Full screen on or off", "Window")
    THEME = ("Ctrl+Shift+L", "Next theme: light, dark, high contrast", "Window")
    HELP = ("F1", "Keyboard shortcuts", "Window")
    CLOSE = ("Ctrl+Q", "Close the console", "Window")
    NEXT_PAGE = ("Ctrl+PgDown", "Next page", "Pages")
    PREVIOUS_PAGE = ("Ctrl+PgUp", "Previous page", "Pages")
    PAGE_1 = ("Alt+1", "First page of the side bar", "Pages")
    PAGE_2 = ("Alt+2", "Second page", "Pages")
    PAGE_3 = ("Alt+3", "Third page", "Pages")
    PAGE_4 = ("Alt+4", "Fourth page", "Pages")
    PAGE_5 = ("Alt+5", "Fifth page", "Pages")
    PAGE_6 = ("Alt+6", "Sixth page", "Pages")
    PAGE_7 = ("Alt+7", "Seventh page", "Pages")
    PAGE_8 = ("Alt+8", "Eighth page", "Pages")
    PAGE_9 = ("Alt+9", "Ninth page", "Pages")
    PAGE_10 = ("Alt+0", "Tenth page", "Pages")

    @property
    def keys(self) -> QKeySequence:
        return QKeySequence(self.value[0])

    @property
    def meaning(self) -> str:
        return self.value[1]

    @property
    def group(self) -> str:
        return self.value[2]

    @property
    def label(self) -> str:
        """The keys as this system writes them."""
        return self.keys.toString(QKeySequence.SequenceFormat.NativeText)

    def bind(self, widget: QWidget, act: Callable[[], object]) -> QShortcut:
        """Have the keys do ``act`` while the window of ``widget`` is in front."""
        shortcut = QShortcut(self.keys, widget)
        shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
        shortcut.activated.connect(act)
        return shortcut


PAGE_SHORTCUTS = tuple(shortcut for shortcut in Shortcut if shortcut.name.startswith("PAGE_"))
