"""The list of drivers beside the map: who is where since when, and what they are driving."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QListView, QStackedLayout, QStyledItemDelegate, QStyleOptionViewItem, QVBoxLayout, QWidget

from app.clock import from_ms
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.map.atlas import draw_phone
from widgets.map.drivers import Drivers
from widgets.map.list_rows import KEY_ROLE, ROW_HEIGHT_PX, ROW_ROLE, Lines, keep_selection, paint_row
from widgets.map.palette import palette_for
from widgets.map.states import LEVELS, VehicleState
from widgets.primitives import EmptyState, text_label

AVAILABLE = {"available": tr("available"), "unavailable": tr("not available"), "away": tr("away today")}
Index = QModelIndex | QPersistentModelIndex


class DriverModel(QAbstractListModel):
    """Rows of :class:`Drivers`, chosen and ordered; their arrays are read when a row is painted."""

    def __init__(self, drivers: Drivers, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.drivers = drivers
        self._text = ""
        self._order: NDArray[np.int64] = np.empty(0, np.int64)
        self._keys: list[str] = []

    def search(self, text: str) -> None:
        self._text = text.strip().casefold()
        self.arrange()

    def arrange(self) -> None:
        """Choose and order anew; the view is told only when that changes anything."""
        drivers = self.drivers
        rows = np.flatnonzero(drivers.matches(self._text)) if self._text else np.arange(len(drivers))
        order = drivers.in_order(rows)
        keys = [drivers.key_at(int(row)) for row in order]
        if keys == self._keys:
            self._order = order
            if keys:
                self.dataChanged.emit(self.index(0), self.index(len(keys) - 1))
            return
        with keep_selection(self, self._keys, keys):
            self._order, self._keys = order, keys

    def index_of(self, key: str) -> QModelIndex:
        """The index of a driver, invalid for one who is filtered out."""
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
            return f"{self.drivers.label(row)}, {self.drivers.word(row)}"
        return None


class DriverDelegate(QStyledItemDelegate):
    """Two lines: name and age, state and what the driver is doing, with the pin that stands on the map."""

    def __init__(self, context: ConsoleContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        return QSize(200, ROW_HEIGHT_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = index.model()
        assert isinstance(model, DriverModel)  # noqa: S101 - the list makes both
        row = int(index.data(ROW_ROLE))
        state = VehicleState(model.drivers.state[row])
        palette = palette_for(self._context.theme.tokens["name"])

        def mark(painter: QPainter) -> None:
            painter.translate(0, -7)  # the disc and its pin together stand in the middle of the row
            draw_phone(painter, state, None, palette)

        paint_row(painter, option, self._context.theme, mark, self._lines(model.drivers, row, state))

    def _lines(self, drivers: Drivers, row: int, state: VehicleState) -> Lines:
        fixed_at_ms = int(drivers.fixed_at_ms[row])
        age = self._context.formats.ago(from_ms(fixed_at_ms)) if fixed_at_ms > 0 else ""
        return Lines(drivers.label(row), age, drivers.word(row), LEVELS[state], notes_of(drivers, row, self._context))


def notes_of(drivers: Drivers, row: int, context: ConsoleContext) -> str:
    """What a driver is doing: far from the vehicle, else the batch under way, else whether there is time for one."""
    whereabouts = drivers.now(row)
    if drivers.is_far[row]:
        return tr("{distance} from vehicle", distance=context.formats.distance(float(drivers.apart_m[row]) / 1000))
    if whereabouts.errand is not None:
        return whereabouts.errand.name
    return AVAILABLE.get(whereabouts.availability, "")


class DriverList(QWidget):
    """``picked`` carries the key of the driver who was clicked or reached by keyboard."""

    picked = Signal(str)

    def __init__(self, context: ConsoleContext, drivers: Drivers, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._is_quiet = False
        self.model = DriverModel(drivers, self)
        self.view = QListView()
        self.view.setModel(self.model)
        self.view.setItemDelegate(DriverDelegate(context, self.view))
        self.view.setUniformItemSizes(True)
        self.view.setMouseTracking(True)
        self.view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setAccessibleName(tr("Drivers"))
        self.summary = text_label("", "small")
        self.summary.setContentsMargins(12, 0, 12, 8)
        self._nothing = EmptyState(context.theme, "search", tr("No driver matches"), tr("Change the search."))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.summary)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.view)
        self._stack.addWidget(self._nothing)
        column.addLayout(self._stack, 1)
        self.view.selectionModel().currentChanged.connect(self._on_current_changed)
        self.view.clicked.connect(lambda index: self.picked.emit(index.data(KEY_ROLE)))
        context.formats.ticked.connect(self._on_ticked)

    def show_drivers(self) -> None:
        """They changed: arrange anew, count anew."""
        self.model.arrange()
        self._show_summary()

    def search(self, text: str) -> None:
        self._is_quiet = True
        self.model.search(text)
        self._is_quiet = False
        self._show_summary()

    def select(self, key: str, *, scroll: bool = True) -> None:
        """Show a driver as chosen without announcing it; "" chooses nobody."""
        index = self.model.index_of(key)
        self._is_quiet = True
        self.view.setCurrentIndex(index)
        if index.isValid() and scroll:
            self.view.scrollTo(index)
        self._is_quiet = False

    def tip(self, row: int) -> str:
        """What the map says of a driver under the mouse."""
        drivers, formats = self.model.drivers, self._context.formats
        fixed_at_ms = int(drivers.fixed_at_ms[row])
        word = drivers.word(row)
        aged = f"{word}, {formats.ago(fixed_at_ms)}" if fixed_at_ms > 0 else word
        return "\n".join(part for part in (drivers.label(row), aged, notes_of(drivers, row, self._context)) if part)

    def close_list(self) -> None:
        self._context.formats.ticked.disconnect(self._on_ticked)

    def _show_summary(self) -> None:
        drivers = self.model.drivers
        shown, total = self.model.rowCount(), len(drivers)
        text = trn("{count} driver", "{count} drivers", total)
        text = text if shown == total else tr("{shown} of {all}", shown=f"{shown:,}", all=text)
        newest = int(drivers.fixed_at_ms.max(initial=0))
        if newest:
            text = tr("{text}, newest position {age}", text=text, age=self._context.formats.ago(newest))
        self.summary.setText(text)
        self._stack.setCurrentIndex(1 if total and not shown else 0)

    def _on_current_changed(self, current: QModelIndex, _before: QModelIndex) -> None:
        if current.isValid() and not self._is_quiet and self.view.hasFocus():
            self.picked.emit(current.data(KEY_ROLE))

    def _on_ticked(self) -> None:
        if self.isVisible():
            self.view.viewport().update()
            self._show_summary()
