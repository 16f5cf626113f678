"""Ctrl+K: pages, commands, plates, IMEIs and whatever else a provider knows, ranked as the operator types."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPoint,
    QRect,
    QSize,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.store.errors import StoreError
from app.tasks import Tasks
from resources.i18n import tr
from widgets.primitives import line, text_label
from widgets.theme import Theme

SHOWN_MAX = 30
PAUSE_MS = 60
WIDTH = 600
ROW = 44
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Command:
    """Something to go to or do. ``words`` are searched beside the title; ``keys`` is a shortcut to show."""

    title: str
    act: Callable[[], object]
    icon: str = "chevron-right"
    detail: str = ""
    words: str = ""
    keys: str = ""


Provider = Callable[[str], Awaitable[Sequence[Command]]]
"""Asked with what was typed; reads off the UI thread and may return too much: the palette ranks and cuts."""


def rank(command: Command, text: str) -> int:
    """How well a command fits what was typed; 0 does not fit. Each word must be found somewhere."""
    title = command.title.casefold()
    rest = f"{command.detail} {command.words}".casefold()
    total = 0
    for word in text.casefold().split():
        found = _rank_word(title, rest, word)
        if not found:
            return 0
        total += found
    return total or 1


def _rank_word(title: str, rest: str, word: str) -> int:
    if title == word:
        return 100
    if title.startswith(word):
        return 80
    if any(part.startswith(word) for part in title.replace("-", " ").split()):
        return 60
    if word in title:
        return 40
    if any(part.startswith(word) for part in rest.split()):
        return 30
    plain = title.replace("-", "").replace(" ", "")  # "kan100" finds "KAN-100"
    return 25 if word.replace("-", "") in plain else 20 if word in rest else 0


class CommandPalette(QFrame):
    """An overlay of its host. ``ran`` is emitted after a command was chosen."""

    ran = Signal()

    def __init__(self, theme: Theme, tasks: Tasks, host: QWidget) -> None:
        super().__init__(host)
        self._tasks = tasks
        self._host = host
        self._providers: list[Provider] = []
        self._back_to: QWidget | None = None
        self.setProperty("overlay", "true")
        self.setAccessibleName(tr("Find"))
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 10, 10, 8)
        column.setSpacing(8)
        self.field = QLineEdit()
        self.field.setPlaceholderText(tr("Plate, IMEI, page or command"))
        self.field.setAccessibleName(tr("Find a plate, IMEI, page or command"))
        self.field.setProperty("quiet", "true")
        self.field.installEventFilter(self)
        self.model = _CommandModel(theme, self)
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setItemDelegate(_CommandDelegate(theme, self.list))
        self.list.setAccessibleName(tr("Found"))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setMouseTracking(True)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.clicked.connect(self._run)
        self.nothing = text_label(tr("Nothing found"), "muted")
        self.nothing.setContentsMargins(12, 8, 12, 10)
        for part in (self.field, line(), self.list, self.nothing):
            column.addWidget(part)
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._pause.timeout.connect(self._search)
        self.field.textChanged.connect(lambda _text: self._pause.start())
        host.installEventFilter(self)
        self.hide()

    def add_provider(self, provider: Provider) -> None:
        self._providers.append(provider)

    def open(self) -> None:
        """Show it, empty, with the cursor in its field."""
        self._back_to = self._host.window().focusWidget()
        self.field.clear()
        self._place()
        self.show()
        self.raise_()
        self.field.setFocus()
        self._search()

    def dismiss(self) -> None:
        """Hide it and give the focus back."""
        self._tasks.cancel_owner(self)
        self.hide()
        if self._back_to is not None and self._back_to.isVisible():
            self._back_to.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._host and event.type() == QEvent.Type.Resize:
            self._place()
        if watched is self.field and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            return self._on_key(event)
        if watched is self.field and event.type() == QEvent.Type.FocusOut and self.isVisible():
            QTimer.singleShot(0, self, self._dismiss_if_left)
        return super().eventFilter(watched, event)

    def _on_key(self, event: QKeyEvent) -> bool:
        steps = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 6, Qt.Key.Key_PageUp: -6}
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if self._pause.isActive():  # Enter came before the search for what was typed last
                self._pause.stop()
                self._search(run_first=True)
            else:
                self._run(self.list.currentIndex())
        elif event.key() in steps:
            last = self.model.rowCount() - 1
            row = max(0, min(last, self.list.currentIndex().row() + steps[Qt.Key(event.key())]))
            self.list.setCurrentIndex(self.model.index(row))
        else:
            return False
        return True

    def _dismiss_if_left(self) -> None:
        inside = self.field.hasFocus() or self.list.hasFocus()
        if self.isVisible() and not inside and self.window().isActiveWindow():
            self.dismiss()

    def _search(self, *, run_first: bool = False) -> None:
        self._tasks.cancel_owner(self)
        self._tasks.start(self._find(self.field.text().strip(), run_first=run_first), name="palette", owner=self)

    async def _find(self, text: str, *, run_first: bool) -> None:
        answers = await asyncio.gather(*(_ask(provider, text) for provider in self._providers))
        ranked = [(rank(command, text), command) for answer in answers for command in answer]
        best = sorted((pair for pair in ranked if pair[0]), key=lambda pair: -pair[0])
        self.model.apply([command for _, command in best[:SHOWN_MAX]])
        self.list.setCurrentIndex(self.model.index(0))
        self._place()
        if run_first:
            self._run(self.model.index(0))

    def _run(self, index: QModelIndex) -> None:
        command = self.model.command(index)
        if command is None:
            return
        self.dismiss()
        command.act()
        self.ran.emit()

    def _place(self) -> None:
        count = self.model.rowCount()
        self.list.setVisible(count > 0)
        self.nothing.setVisible(count == 0)
        self.list.setFixedHeight(min(count, 8) * ROW + 4)
        width = min(WIDTH, self._host.width() - 40)
        self.setFixedWidth(width)
        self.adjustSize()
        self.move((self._host.width() - width) // 2, min(90, self._host.height() // 8))


async def _ask(provider: Provider, text: str) -> Sequence[Command]:
    try:
        return await provider(text)
    except StoreError as err:  # the others still answer
        return [Command(tr("The store could not be searched"), lambda: None, "triangle-alert", err.why, words=text)]


class _CommandModel(QAbstractListModel):
    def __init__(self, theme: Theme, parent: QObject) -> None:
        super().__init__(parent)
        self._theme = theme
        self._commands: list[Command] = []

    def apply(self, commands: list[Command]) -> None:
        self.beginResetModel()
        self._commands = commands
        self.endResetModel()

    def command(self, index: Index) -> Command | None:
        return self._commands[index.row()] if index.isValid() and index.row() < len(self._commands) else None

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._commands)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        command = self.command(index)
        if command is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return command.title
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{command.title}. {command.detail}" if command.detail else command.title
        return command if role == Qt.ItemDataRole.UserRole else None


class _CommandDelegate(QStyledItemDelegate):
    """Icon, title, muted detail, and the shortcut at the right."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        return QSize(200, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        command: Command = index.data(Qt.ItemDataRole.UserRole)
        rect: QRect = option.rect
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            chosen = bool(option.state & QStyle.StateFlag.State_Selected)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.color("selected" if chosen else "hover"))
            painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), 8, 8)
        painter.drawPixmap(QPoint(rect.x() + 14, rect.center().y() - 8), self._theme.pixmap(command.icon, "muted", 17))
        words = rect.adjusted(44, 0, -14, 0)
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setPen(self._theme.color("muted"))
        if command.keys:
            painter.drawText(words, middle | Qt.AlignmentFlag.AlignRight, command.keys)
            words.setRight(words.right() - option.fontMetrics.horizontalAdvance(command.keys) - 14)
        painter.setPen(self._theme.color("text"))
        title = option.fontMetrics.elidedText(command.title, Qt.TextElideMode.ElideRight, words.width())
        painter.drawText(words, middle, title)
        words.setLeft(words.left() + option.fontMetrics.horizontalAdvance(title) + 12)
        painter.setPen(self._theme.color("muted"))
        detail = option.fontMetrics.elidedText(command.detail, Qt.TextElideMode.ElideRight, words.width())
        painter.drawText(words, middle, detail)
        painter.restore()
