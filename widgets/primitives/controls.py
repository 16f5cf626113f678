"""Buttons, the search field and the row of choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QButtonGroup,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from resources.i18n import tr
from widgets.theme import Theme

SEARCH_PAUSE_MS = 150
SEARCH_WIDTH = 240
SEARCH_WIDTH_MIN = 200
SPIN_TEXT_INSET = 12


def primary_button(theme: Theme, text: str, icon: str = "") -> QPushButton:
    """The one main act of a place."""
    return _button(theme, text, icon, "primary", "on_primary")


def outline_button(theme: Theme, text: str, icon: str = "", *, small: bool = False) -> QPushButton:
    """Any other act."""
    return _button(theme, text, icon, "outline", "text", small=small)


def destructive_button(theme: Theme, text: str, icon: str = "") -> QPushButton:
    """An act that loses something."""
    return _button(theme, text, icon, "destructive", "on_error")


def link_button(theme: Theme, text: str, icon: str = "", *, small: bool = False) -> QPushButton:
    """An act beside a text, without a frame."""
    return _button(theme, text, icon, "link", "primary_text", small=small)


def _button(theme: Theme, text: str, icon: str, kind: str, color: str, *, small: bool = False) -> QPushButton:
    button = QPushButton(text)
    button.setProperty("kind", kind)
    if small:
        button.setProperty("scale", "small")  # "size" is Qt's own
    button.setCursor(Qt.CursorShape.PointingHandCursor)
    button.setAutoDefault(False)
    if icon:
        theme.follow(button, icon, color, 16)
    return button


class IconButton(QToolButton):
    """A button that is only an icon; ``name`` is its tool tip and accessible name. ``framed`` draws a border."""

    def __init__(
        self,
        theme: Theme,
        icon: str,
        name: str,
        *,
        framed: bool = False,
        color: str = "text",
        size: int = 16,
        menu: QMenu | None = None,
    ) -> None:
        super().__init__()
        self._theme = theme
        self.setProperty("framed", "true" if framed else "false")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.set_name(name)
        theme.follow(self, icon, color, size)
        side = size + 18
        self.setFixedSize(side, side)
        if menu is not None:
            self.setMenu(menu)
            self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)

    def set_name(self, name: str) -> None:
        self.setToolTip(name)
        self.setAccessibleName(name)

    def set_icon(self, icon: str, color: str = "text") -> None:
        self._theme.follow(self, icon, color, self.iconSize().width())


class SearchField(QLineEdit):
    """Emits ``searched`` when typing rests for a moment, on Enter and on clearing; Escape clears."""

    searched = Signal(str)

    def __init__(self, theme: Theme, placeholder: str) -> None:
        super().__init__()
        self._theme = theme
        self.setProperty("search", "true")
        self.setMinimumWidth(SEARCH_WIDTH_MIN)
        self.setPlaceholderText(placeholder)
        self.setAccessibleName(placeholder.rstrip("…."))
        self._glass = QAction(self)
        self.addAction(self._glass, QLineEdit.ActionPosition.LeadingPosition)
        self._clear = QAction(tr("Clear the search"), self)
        self.addAction(self._clear, QLineEdit.ActionPosition.TrailingPosition)
        self._clear.setVisible(False)
        self._clear.triggered.connect(self.clear)
        self._pause = QTimer(self, singleShot=True, interval=SEARCH_PAUSE_MS)
        self._pause.timeout.connect(self._emit)
        self._last = ""
        self.textChanged.connect(self._on_text_changed)
        self.returnPressed.connect(self._emit)
        theme.changed.connect(self._paint_icons)
        self._paint_icons()

    def sizeHint(self) -> QSize:
        return super().sizeHint().expandedTo(QSize(SEARCH_WIDTH, 0))

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and self._wants(event):
            event.accept()  # the page's own use of Escape waits until the search is empty
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._wants(event):
            self.clear()
            return
        super().keyPressEvent(event)

    def _wants(self, event: QEvent) -> bool:
        return isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape and bool(self.text())

    def _paint_icons(self) -> None:
        self._glass.setIcon(self._theme.icon("search", "muted"))
        self._clear.setIcon(self._theme.icon("x", "muted"))

    def _on_text_changed(self, text: str) -> None:
        self._clear.setVisible(bool(text))
        if text:
            self._pause.start()
        else:
            self._emit()

    def _emit(self) -> None:
        self._pause.stop()
        if self.text() != self._last:
            self._last = self.text()
            self.searched.emit(self._last)


class SegmentedTabs(QFrame):
    """One of several, in a rounded frame. ``chosen`` carries the value; the arrow keys move, as in a radio group."""

    chosen = Signal(str)

    def __init__(self, choices: Sequence[tuple[str, str]], value: str | None = None) -> None:
        """``choices`` are (value, label) pairs; the first is chosen unless ``value`` says otherwise."""
        super().__init__()
        self.setProperty("segments", "true")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)  # words are never cut off
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(4, 4, 4, 4)
        self._row.setSpacing(2)
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._buttons: dict[str, QPushButton] = {}
        for key, label in choices:
            button = QPushButton(label)
            button.setCheckable(True)
            button.setProperty("segment", "true")
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            button.setAutoDefault(False)
            self._group.addButton(button)
            self._row.addWidget(button)
            self._buttons[key] = button
            button.toggled.connect(lambda on, key=key: self.chosen.emit(key) if on else None)
        if choices:
            self._buttons[value or choices[0][0]].setChecked(True)

    @property
    def value(self) -> str:
        return next(key for key, button in self._buttons.items() if button.isChecked())

    def choose(self, value: str) -> None:
        """Choose as a click does. Raises KeyError for a value that is not offered."""
        self._buttons[value].setChecked(True)

    def button(self, value: str) -> QPushButton:
        return self._buttons[value]

    def set_label(self, value: str, label: str) -> None:
        """E.g. with a count: ``Current Integrations  3``."""
        self._buttons[value].setText(label)


class _WheelGuard(QObject):
    """Child of an input that lets the wheel scroll the page unless the input has the focus."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)


def calm_wheel(widget: QWidget) -> QWidget:
    """Have a spin box or combo box take the wheel only while it has the focus; returns the widget.

    A spin box's text begins where those of other fields do.
    """
    if isinstance(widget, QAbstractSpinBox):
        for line in widget.findChildren(QLineEdit):
            line.setTextMargins(SPIN_TEXT_INSET, 0, 0, 0)  # the style sheet's padding does not reach inside
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    widget.installEventFilter(_WheelGuard(widget))
    return widget


def labelled(widget: QWidget, name: str, description: str = "") -> QWidget:
    """Give a widget its accessible name and description where it is made; returns the widget."""
    widget.setAccessibleName(name)
    if description:
        widget.setAccessibleDescription(description)
    return widget


def offer(box: QComboBox, choices: Sequence[tuple[Any, str]], otherwise: Any = None) -> None:
    """Offer these (value, word) instead, without a signal: what was chosen stays so while it is among them.

    ``otherwise`` is chosen where nothing was yet; the first choice where neither is there.
    """
    if [(box.itemData(at), box.itemText(at)) for at in range(box.count())] == list(choices):
        return
    chosen = otherwise if box.currentIndex() < 0 else box.currentData()
    was_blocked = box.blockSignals(True)
    box.clear()
    for value, word in choices:
        box.addItem(word, value)
    box.setCurrentIndex(next((at for at, (value, _word) in enumerate(choices) if value == chosen), 0))
    box.blockSignals(was_blocked)
