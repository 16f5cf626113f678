"""The list beside the map: every vehicle with its state and age, filtered by text and state, sorted as chosen."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QListView,
    QStackedLayout,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from app.clock import from_ms
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.map.atlas import HEADINGS, NO_HEADING, draw_marker
from widgets.map.fleet import Fleet, subject_key
from widgets.map.list_rows import KEY_ROLE, ROW_HEIGHT_PX, ROW_ROLE, Lines, keep_selection, paint_row
from widgets.map.palette import palette_for
from widgets.map.states import LEVELS, WORDS, VehicleState
from widgets.primitives import EmptyState, labelled, offer, text_label

ALL = -1
SORTS = ("state", "name", "newest")
Index = QModelIndex | QPersistentModelIndex


class VehicleModel(QAbstractListModel):
    """Rows of a :class:`Fleet`, chosen and ordered; the fleet's arrays are read when a row is painted."""

    def __init__(self, fleet: Fleet, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.fleet = fleet
        self.disagreeing: set[str] = set()
        self.integrations: dict[str, str] = {}  # names by id
        self._text = ""
        self._state = ALL
        self._sort = SORTS[0]
        self._order: NDArray[np.int64] = np.empty(0, np.int64)
        self._keys: list[str] = []
        self._folded: tuple[list[str], NDArray[np.str_]] = ([], np.empty(0, np.str_))

    def choose(self, *, text: str | None = None, state: int | None = None, sort: str | None = None) -> None:
        """Change what is shown; what is not given stays."""
        self._text = self._text if text is None else text.strip().casefold()
        self._state = self._state if state is None else state
        self._sort = self._sort if sort is None else sort
        self.arrange()

    def arrange(self) -> None:
        """Choose and order anew; the view is told only when that changes anything."""
        order = self._arranged()
        keys = [self.fleet.subjects[row] for row in order]
        if keys == self._keys:
            self._order = order  # a new snapshot may have renumbered the rows
            if keys:
                self.dataChanged.emit(self.index(0), self.index(len(keys) - 1))
            return
        with keep_selection(self, self._keys, keys):
            self._order, self._keys = order, keys

    def _arranged(self) -> NDArray[np.int64]:
        fleet = self.fleet
        chosen = np.ones(len(fleet.subjects), bool) if self._state == ALL else fleet.state == self._state
        names = self._names()
        if self._text:
            chosen = chosen & self._matches()
        rows = np.flatnonzero(chosen)
        if self._sort == "name":
            return rows[np.argsort(names[rows], kind="stable")]
        if self._sort == "newest":
            return rows[np.lexsort((names[rows], -fleet.fixed_at_ms[rows]))]
        return rows[np.lexsort((names[rows], fleet.state[rows]))]

    def _names(self) -> NDArray[np.str_]:
        """Labels for comparing, made once per snapshot."""
        if self._folded[0] is not self.fleet.labels:
            folded = [label.casefold() for label in self.fleet.labels]
            self._folded = (self.fleet.labels, np.array(folded, np.str_) if folded else np.empty(0, np.str_))
        return self._folded[1]

    def _matches(self) -> NDArray[np.bool_]:
        found = np.zeros(len(self.fleet.subjects), bool)
        for tracker in self.fleet.trackers:
            source = self.integrations.get(tracker.integration_id, "")
            if self._text in f"{tracker.vehicle or ''}\n{tracker.name}\n{tracker.unique_id}\n{source}".casefold():
                found[self.fleet.row_of(subject_key(tracker))] = True
        return found

    def key_at(self, row: int) -> str:
        return self._keys[row]

    def index_of(self, key: str) -> QModelIndex:
        """The index of a subject, invalid when it is filtered out."""
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
            return f"{self.fleet.labels[row]}, {tr(WORDS[VehicleState(self.fleet.state[row])])}"
        return None


class VehicleDelegate(QStyledItemDelegate):
    """Two lines: name and age, state word and speed, with the marker that stands on the map."""

    def __init__(self, context: ConsoleContext, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._context = context

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        return QSize(200, ROW_HEIGHT_PX)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = index.model()
        assert isinstance(model, VehicleModel)  # noqa: S101 - the list makes both
        row = int(index.data(ROW_ROLE))
        state = VehicleState(model.fleet.state[row])
        palette = palette_for(self._context.theme.tokens["name"])
        course = _course(model.fleet, row) if state in {VehicleState.MOVING, VehicleState.ALARM} else None
        fixed_at_ms = int(model.fleet.fixed_at_ms[row])
        lines = Lines(
            model.fleet.labels[row],
            self._context.formats.ago(from_ms(fixed_at_ms)) if fixed_at_ms > 0 else "",
            tr(WORDS[state]),
            LEVELS[state],
            _notes(model, row, self._context),
        )
        mark = partial(draw_marker, state=state, course_deg=course, palette=palette)
        paint_row(painter, option, self._context.theme, mark, lines)


def _notes(model: VehicleModel, row: int, context: ConsoleContext) -> str:
    fleet = model.fleet
    if fleet.subjects[row] in model.disagreeing:
        return tr("sources disagree")
    speed = float(fleet.speed_km_h[row])
    return context.formats.speed(speed) if fleet.state[row] in {VehicleState.MOVING, VehicleState.ALARM} else ""


def _course(fleet: Fleet, row: int) -> float | None:
    column = int(fleet.drawn.column[row])
    return None if column == NO_HEADING else column * 360 / HEADINGS


class VehicleList(QWidget):
    """``picked`` carries the key of the subject that was clicked or reached by keyboard."""

    picked = Signal(str)

    def __init__(self, context: ConsoleContext, fleet: Fleet, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self._is_quiet = False
        self.model = VehicleModel(fleet, self)
        self.states = QComboBox()
        labelled(self.states, tr("Show only one state"))
        self.sorts = QComboBox()
        labelled(self.sorts, tr("Order of the list"))
        for key, word in zip(SORTS, (tr("By state"), tr("By name"), tr("Newest first")), strict=True):
            self.sorts.addItem(word, key)
        self.view = QListView()
        self.view.setModel(self.model)
        self.view.setItemDelegate(VehicleDelegate(context, self.view))
        self.view.setUniformItemSizes(True)
        self.view.setMouseTracking(True)
        self.view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.setAccessibleName(tr("Vehicles"))
        self.summary = text_label("", "small")
        self._nothing = EmptyState(context.theme, "search", tr("No vehicle matches"), tr("Change the filter."))
        self._lay_out()
        self.states.currentIndexChanged.connect(lambda _at: self._choose(state=self.states.currentData()))
        self.sorts.currentIndexChanged.connect(lambda _at: self._choose(sort=self.sorts.currentData()))
        self.view.selectionModel().currentChanged.connect(self._on_current_changed)
        self.view.clicked.connect(lambda index: self.picked.emit(index.data(KEY_ROLE)))
        context.formats.ticked.connect(self._on_ticked)
        self.show_fleet()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        head = QVBoxLayout()
        head.setContentsMargins(12, 0, 12, 8)
        head.setSpacing(8)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.states, 3)
        row.addWidget(self.sorts, 2)
        head.addLayout(row)
        head.addWidget(self.summary)
        column.addLayout(head)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.view)
        self._stack.addWidget(self._nothing)
        column.addLayout(self._stack, 1)

    def show_fleet(self) -> None:
        """The fleet changed: arrange anew, count anew."""
        self.model.arrange()
        if not self.states.view().isVisible():  # what somebody is choosing from does not change under the mouse
            self._count_states()
        self._show_summary()

    def _count_states(self) -> None:
        counts = self.model.fleet.counts()
        wanted = [(ALL, tr("All states"))] + [
            (int(state), f"{tr(WORDS[state])}  {number:,}") for state, number in counts.items() if number
        ]
        chosen = self.states.currentData()
        if chosen is not None and chosen != ALL and not counts[VehicleState(chosen)]:
            wanted.append((chosen, f"{tr(WORDS[VehicleState(chosen)])}  0"))
        offer(self.states, wanted, ALL)

    def search(self, text: str) -> None:
        self._choose(text=text)

    def select(self, key: str, *, scroll: bool = True) -> None:
        """Show a subject as chosen without announcing it; "" chooses nothing."""
        index = self.model.index_of(key)
        self._is_quiet = True
        self.view.setCurrentIndex(index)
        if index.isValid() and scroll:
            self.view.scrollTo(index)
        self._is_quiet = False

    def close_list(self) -> None:
        self._context.formats.ticked.disconnect(self._on_ticked)

    def _choose(self, **choice: Any) -> None:
        self._is_quiet = True
        self.model.choose(**choice)
        self._is_quiet = False
        self._show_summary()

    def _show_summary(self) -> None:
        shown, total = self.model.rowCount(), len(self.model.fleet.subjects)
        text = trn("{count} vehicle", "{count} vehicles", total)
        text = text if shown == total else tr("{shown} of {all}", shown=f"{shown:,}", all=text)
        newest = int(self.model.fleet.fixed_at_ms.max(initial=0))
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
