"""A list beside the map: rows of a snapshot of arrays, chosen and ordered, each found by its key.

What it shows is read from the arrays when a row is painted, so that a list of thousands costs what is seen of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QListView, QStackedLayout, QStyledItemDelegate, QStyleOptionViewItem, QVBoxLayout, QWidget

from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.map.list_rows import KEY_ROLE, ROW_HEIGHT_PX, ROW_ROLE, Lines, keep_selection, paint_row
from widgets.primitives import EmptyState, text_label

Index = QModelIndex | QPersistentModelIndex
Mark = Callable[[QPainter], None]


class KeyedRows(QAbstractListModel):
    """Rows of a snapshot; a subclass says which, in what order, and how each is called."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._order: NDArray[np.int64] = np.empty(0, np.int64)
        self._keys: list[str] = []

    def arranged(self) -> NDArray[np.int64]:
        """Rows of the snapshot that are wanted, in their order."""
        raise NotImplementedError

    def key_of(self, row: int) -> str:
        raise NotImplementedError

    def told(self, row: int) -> str:
        """A row in words, for whoever does not see it painted."""
        raise NotImplementedError

    def arrange(self) -> None:
        """Choose and order anew; the view is told only when that changes anything."""
        order = self.arranged()
        keys = [self.key_of(int(row)) for row in order]
        if keys == self._keys:
            self._order = order  # a new snapshot may have renumbered the rows
            if keys:
                self.dataChanged.emit(self.index(0), self.index(len(keys) - 1))
            return
        with keep_selection(self, self._keys, keys):
            self._order, self._keys = order, keys

    def key_at(self, place: int) -> str:
        return self._keys[place]

    def index_of(self, key: str) -> QModelIndex:
        """The index of a key, invalid for one that is filtered out."""
        return self.index(self._keys.index(key)) if key in self._keys else QModelIndex()

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self._keys)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row = int(self._order[index.row()])
        if role == KEY_ROLE:
            return self._keys[index.row()]
        if role == ROW_ROLE:
            return row
        if role in {Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole}:
            return self.told(row)
        return None


class RowDelegate(QStyledItemDelegate):
    """Two lines beside the mark that stands on the map; ``describe`` gives both for a row of the snapshot."""

    def __init__(self, context: ConsoleContext, describe: Callable[[int], tuple[Mark, Lines]], parent: QObject) -> None:
        super().__init__(parent)
        self._context = context
        self._describe = describe

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        return QSize(200, ROW_HEIGHT_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        mark, lines = self._describe(int(index.data(ROW_ROLE)))
        paint_row(painter, option, self._context.theme, mark, lines)


Model = TypeVar("Model", bound=KeyedRows)


class KeyedList(QWidget, Generic[Model]):
    """``picked`` carries the key of the row that was clicked or reached by keyboard."""

    picked = Signal(str)

    def __init__(self, context: ConsoleContext, model: Model, name: str, nothing: EmptyState) -> None:
        super().__init__()
        self._context = context
        self._is_quiet = False
        self.model = model
        model.setParent(self)
        self.view = QListView()
        self.view.setModel(model)
        self.view.setItemDelegate(RowDelegate(context, self.describe, self.view))
        self.view.setUniformItemSizes(True)
        self.view.setMouseTracking(True)
        self.view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setAccessibleName(name)
        self.summary = text_label("", "small")
        self.head = QVBoxLayout()
        self.head.setContentsMargins(12, 0, 12, 8)
        self.head.setSpacing(8)
        self.head.addWidget(self.summary)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self.head)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.view)
        self._stack.addWidget(nothing)
        column.addLayout(self._stack, 1)
        self.view.selectionModel().currentChanged.connect(self._on_current_changed)
        self.view.clicked.connect(lambda index: self.picked.emit(index.data(KEY_ROLE)))
        context.formats.ticked.connect(self._on_ticked)

    def describe(self, row: int) -> tuple[Mark, Lines]:
        """What is painted of a row of the snapshot."""
        raise NotImplementedError

    def total(self) -> tuple[int, str, int]:
        """How many there are, that in words, and when the newest fix was, in ms; 0 for never."""
        raise NotImplementedError

    def select(self, key: str, *, scroll: bool = True) -> None:
        """Show a row as chosen without announcing it; "" chooses nothing."""
        index = self.model.index_of(key)
        self._is_quiet = True
        self.view.setCurrentIndex(index)
        if index.isValid() and scroll:
            self.view.scrollTo(index)
        self._is_quiet = False

    def close_list(self) -> None:
        self._context.formats.ticked.disconnect(self._on_ticked)

    def quietly(self, change: Callable[[], None]) -> None:
        """Change what is shown; that another row becomes the current one is nobody's choice."""
        self._is_quiet = True
        change()
        self._is_quiet = False
        self.show_summary()

    def show_summary(self) -> None:
        total, text, newest_ms = self.total()
        shown = self.model.rowCount()
        text = text if shown == total else tr("{shown} of {all}", shown=f"{shown:,}", all=text)
        if newest_ms:
            text = tr("{text}, newest position {age}", text=text, age=self._context.formats.ago(newest_ms))
        self.summary.setText(text)
        self._stack.setCurrentIndex(1 if total and not shown else 0)

    def _on_current_changed(self, current: QModelIndex, _before: QModelIndex) -> None:
        if current.isValid() and not self._is_quiet and self.view.hasFocus():
            self.picked.emit(current.data(KEY_ROLE))

    def _on_ticked(self) -> None:
        if self.isVisible():
            self.view.viewport().update()
            self.show_summary()
