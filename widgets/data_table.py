"""The table of every page: sorting, filtering, choice of columns, export as seen, and words when it is empty."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Generic, TypeVar

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFont, QKeySequence, QPainter, QShortcut
from PySide6.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QMenu,
    QPushButton,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from resources.i18n import tr
from widgets.export import Sheet
from widgets.primitives import Card, EmptyState, paint_pill
from widgets.primitives.status import pill_width
from widgets.rows_model import BADGE_ROLE, RowsModel
from widgets.theme import Theme, mono_font, tabular
from widgets.ui_state import UiState

R = TypeVar("R")
ROW_HEIGHT = 40
CELL_PAD = 10


class DataTable(QWidget, Generic[R]):
    """A view on a :class:`RowsModel`.

    ``activated`` carries a row on double click or Enter, ``selected`` the list of chosen rows. ``sheet`` is what is
    seen: shown columns in their order, shown rows in theirs.
    """

    activated = Signal(object)
    selected = Signal(object)
    menu_wanted = Signal(object, QPoint)

    def __init__(self, theme: Theme, model: RowsModel[R], name: str, *, multiple: bool = False) -> None:
        """``name`` is the table's accessible name, e.g. ``Trackers``."""
        super().__init__()
        self.model = model
        self.name = name
        self._theme = theme
        self._chosen: list[Hashable] = []
        self._sort_shown = (-1, Qt.SortOrder.AscendingOrder)
        self.view = QTableView()
        self._stack = QStackedLayout(self)
        self._stack.setContentsMargins(0, 0, 0, 0)
        self._stack.addWidget(self.view)
        self._empty = EmptyState(theme, "inbox", tr("Nothing here yet"))
        self._no_match = EmptyState(
            theme, "search", tr("Nothing matches"), tr("Change or clear the search and the filters.")
        )
        self._stack.addWidget(self._empty)
        self._stack.addWidget(self._no_match)
        self._set_up_view(multiple=multiple)
        self._set_up_header()
        model.counted.connect(self._on_counted)
        model.modelAboutToBeReset.connect(self._remember)
        model.modelReset.connect(self._recall)
        self._on_counted(len(model.rows), model.total)

    def set_empty(self, icon: str, title: str, text: str, button: QPushButton | None = None) -> None:
        """What stands here when there are no rows at all, and the next step."""
        was_shown = self._stack.currentWidget() is self._empty
        self._stack.removeWidget(self._empty)
        self._empty.deleteLater()
        self._empty = EmptyState(self._theme, icon, title, text, button)
        self._stack.addWidget(self._empty)
        if was_shown:
            self._stack.setCurrentWidget(self._empty)

    def sort_by(self, key: str, *, descending: bool = False) -> None:
        """Order by a column's key. Raises ValueError for a key no column has."""
        order = Qt.SortOrder.DescendingOrder if descending else Qt.SortOrder.AscendingOrder
        self.view.sortByColumn([column.key for column in self.model.columns].index(key), order)

    def selected_rows(self) -> list[R]:
        indexes = sorted(index.row() for index in self.view.selectionModel().selectedRows())
        return [self.model.rows[place] for place in indexes]

    def select_key(self, key: Hashable) -> bool:
        """Select one row and bring it into view; False when it is not shown."""
        index = self.model.index_of(key)
        if not index.isValid():
            return False
        self.view.selectRow(index.row())
        self.view.scrollTo(index)
        return True

    def remember_in(self, ui_state: UiState, name: str) -> None:
        """Keep column order, widths, choice and sorting under ``name``."""
        ui_state.register(name, self.state, self.restore)

    def state(self) -> dict[str, Any]:
        header = self.view.horizontalHeader()
        keys = [column.key for column in self.model.columns]
        order = sorted(range(len(keys)), key=header.visualIndex)
        return {
            "order": [keys[place] for place in order],
            "hidden": [keys[place] for place in order if header.isSectionHidden(place)],
            "widths": {key: header.sectionSize(place) for place, key in enumerate(keys) if header.sectionSize(place)},
            "sort": [keys[header.sortIndicatorSection()], header.sortIndicatorOrder().value]
            if 0 <= header.sortIndicatorSection() < len(keys)
            else None,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Columns that are no more are passed over, new ones keep their place. Raises for what is no state at all."""
        header = self.view.horizontalHeader()
        places = {column.key: place for place, column in enumerate(self.model.columns)}
        known = [key for key in state["order"] if key in places]
        for visual, key in enumerate(known):
            header.moveSection(header.visualIndex(places[key]), visual)
        for key, width in state["widths"].items():
            if key in places and 24 <= int(width) <= 2000:
                header.resizeSection(places[key], int(width))
        if known:
            hidden = set(state["hidden"]) & set(known)
            for key in known:
                header.setSectionHidden(places[key], key in hidden and len(hidden) < len(places))
        if state["sort"] and state["sort"][0] in places:
            self.view.sortByColumn(places[state["sort"][0]], Qt.SortOrder(state["sort"][1]))

    def sheet(self, title: str = "") -> Sheet:
        """What is seen now, for export and print."""
        header = self.view.horizontalHeader()
        shown = [place for place in range(len(self.model.columns)) if not header.isSectionHidden(place)]
        shown.sort(key=header.visualIndex)
        columns = [self.model.columns[place] for place in shown]
        return Sheet(
            title=title or self.name,
            headings=tuple(column.title for column in columns),
            rows=tuple(tuple((column.export or column.text)(row) for column in columns) for row in self.model.rows),
        )

    def copy_selection(self) -> None:
        """Put the selected rows, as seen, on the clipboard, cells divided by tabs."""
        sheet = self.sheet()
        places = sorted(index.row() for index in self.view.selectionModel().selectedRows())
        lines = ["\t".join("" if cell is None else str(cell) for cell in sheet.rows[place]) for place in places]
        QApplication.clipboard().setText("\n".join(lines))

    def _set_up_view(self, *, multiple: bool) -> None:
        view = self.view
        view.setModel(self.model)
        view.setAccessibleName(self.name)
        view.setShowGrid(False)
        view.setWordWrap(False)
        view.setAlternatingRowColors(False)
        view.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        mode = QAbstractItemView.SelectionMode
        view.setSelectionMode(mode.ExtendedSelection if multiple else mode.SingleSelection)
        view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        view.setTabKeyNavigation(False)  # Tab leaves the table; the arrows move in it
        view.setFont(tabular(self.font()))
        view.setItemDelegate(_CellDelegate(self._theme, self.model, view))
        view.verticalHeader().hide()
        view.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        view.activated.connect(self._on_activated)
        view.selectionModel().selectionChanged.connect(self._on_selection_changed)
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._on_context_menu)
        copy = QShortcut(QKeySequence.StandardKey.Copy, view)
        copy.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        copy.activated.connect(self.copy_selection)
        self._theme.changed.connect(self.view.viewport().update)

    def _set_up_header(self) -> None:
        header = self.view.horizontalHeader()
        header.setSectionsMovable(True)
        header.setStretchLastSection(True)
        header.setHighlightSections(False)
        header.setMinimumSectionSize(48)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header.customContextMenuRequested.connect(self._on_header_menu)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setSortIndicatorClearable(True)
        self.view.setSortingEnabled(True)
        for place, column in enumerate(self.model.columns):
            header.resizeSection(place, column.width)
            header.setSectionHidden(place, not column.is_shown)

    def columns_menu(self) -> QMenu:
        """One checkable entry per column; the last shown one cannot be hidden."""
        header = self.view.horizontalHeader()
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        shown = header.count() - header.hiddenSectionCount()
        for place, column in enumerate(self.model.columns):
            action = menu.addAction(column.title)
            action.setCheckable(True)
            action.setChecked(not header.isSectionHidden(place))
            action.setEnabled(not (action.isChecked() and shown == 1))
            action.toggled.connect(lambda on, place=place: header.setSectionHidden(place, not on))
        return menu

    def _on_header_menu(self, where: QPoint) -> None:
        self.columns_menu().popup(self.view.horizontalHeader().mapToGlobal(where))

    def _on_context_menu(self, where: QPoint) -> None:
        row = self.model.row_at(self.view.indexAt(where))
        if row is not None:
            self.menu_wanted.emit(row, self.view.viewport().mapToGlobal(where))

    def _on_activated(self, index: QModelIndex) -> None:
        row = self.model.row_at(index)
        if row is not None:
            self.activated.emit(row)

    def _on_selection_changed(self) -> None:
        self.selected.emit(self.selected_rows())

    def _on_counted(self, shown: int, total: int) -> None:
        self._stack.setCurrentWidget(self.view if shown else self._no_match if total else self._empty)

    def _remember(self) -> None:
        self._chosen = [self.model.key(row) for row in self.selected_rows()]

    def _recall(self) -> None:
        selection = self.view.selectionModel()
        flags = selection.SelectionFlag.Select | selection.SelectionFlag.Rows
        for key in self._chosen:
            index = self.model.index_of(key)
            if index.isValid():
                selection.select(index, flags)


def in_card(table: QWidget) -> Card:
    """The table in a card of its own, clear of the rounded corners."""
    card = Card(margin=0)
    card.body.setContentsMargins(1, 5, 1, 9)
    card.body.addWidget(table)
    return card


class _CellDelegate(QStyledItemDelegate):
    """Paints the state pill; everything else is the style's."""

    def __init__(self, theme: Theme, model: RowsModel[Any], parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._model = model
        self._mono = mono_font()

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        if self._model.columns[index.column()].is_mono:
            option.font = QFont(self._mono)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        badge = index.data(BADGE_ROLE)
        if badge is None:
            super().paint(painter, option, index)
            return
        self.initStyleOption(option, index)
        option.text = ""
        style = option.widget.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
        painter.save()
        painter.setFont(option.font)
        rect: QRect = option.rect.adjusted(CELL_PAD, 0, -4, 0)
        paint_pill(painter, rect, self._theme, badge[0], badge[1])
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        badge = index.data(BADGE_ROLE)
        hint = super().sizeHint(option, index)
        if badge is None:
            return hint
        return QSize(pill_width(option.font, badge[1]) + 2 * CELL_PAD, hint.height())
