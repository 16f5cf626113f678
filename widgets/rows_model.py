"""One table model for every table: keyed rows, described columns, sorting and filtering in the model itself.

Rows are whatever the query returned; a column says how to read them. ``apply`` works out what came, went, changed
and moved, so that selection and scroll survive. Sorting and filtering live here and not in a proxy: Python's sort
over 100,000 keys takes a tenth of a second, a proxy calling back into Python per comparison several seconds
(docs/decisions/0051).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from widgets.primitives.tips import plain_tip
from widgets.theme import Level

R = TypeVar("R")
ROW_ROLE = Qt.ItemDataRole.UserRole.value
BADGE_ROLE = ROW_ROLE + 1
SORT_RANGES_MAX = 64  # more separate places than this are one reset: cheaper for the view than as many signals
_ARROWS = {Qt.SortOrder.AscendingOrder: " ↑", Qt.SortOrder.DescendingOrder: " ↓"}
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Column(Generic[R]):
    """``text`` is what is shown, searched and exported. ``sort`` gives the key to order by (default: the text);
    None keys come last. ``badge`` gives (level, word) to paint a state pill. ``width`` is in pixels.
    ``note`` is asked each time the heading is painted and stands behind it, e.g. the zone of times.
    """

    key: str
    title: str
    text: Callable[[R], str]
    sort: Callable[[R], Any] | None = None
    align: Literal["left", "right"] = "left"
    tooltip: Callable[[R], str] | None = None
    badge: Callable[[R], tuple[Level, str] | None] | None = None
    icon: Callable[[R], Any] | None = None
    width: int = 140
    is_shown: bool = True
    is_mono: bool = False
    help: str = ""
    export: Callable[[R], str | int | float | None] | None = None
    note: Callable[[], str] | None = None


class RowsModel(QAbstractTableModel, Generic[R]):
    """``rows`` are those shown, in order. ``counted`` carries (shown, all) after each change."""

    counted = Signal(int, int)

    def __init__(
        self, columns: Sequence[Column[R]], key: Callable[[R], Hashable], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.columns = tuple(columns)
        self.key = key
        self.rows: list[R] = []
        self._keys: list[Hashable] = []
        self._all: dict[Hashable, R] = {}
        self._order = (-1, Qt.SortOrder.AscendingOrder)
        self._words: tuple[str, ...] = ()
        self._predicate: Callable[[R], bool] | None = None
        self._haystacks: dict[Hashable, tuple[R, str]] = {}

    def apply(self, rows: Iterable[R]) -> None:
        """Show these rows and no others. Rows that compare equal to what is shown cost nothing."""
        self._all = {self.key(row): row for row in rows}
        self._haystacks = {key: found for key, found in self._haystacks.items() if key in self._all}
        self._show()

    def merge(self, rows: Iterable[R], gone: Iterable[Hashable] = ()) -> None:
        """Add or replace these rows, take out those keys, leave the others."""
        for row in rows:
            self._all[self.key(row)] = row
        for key in gone:
            self._all.pop(key, None)
            self._haystacks.pop(key, None)
        self._show()

    def set_filter(self, text: str) -> None:
        """Show rows whose columns hold every word of ``text``, in any case and order."""
        words = tuple(text.casefold().split())
        if words != self._words:
            self._words = words
            self._show()

    def set_predicate(self, predicate: Callable[[R], bool] | None) -> None:
        """Beside the text: show only rows for which this is true."""
        self._predicate = predicate
        self._show()

    def redraw(self) -> None:
        """Ages, zone or units moved: the same rows read differently."""
        self._haystacks.clear()
        if self.rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self.rows) - 1, len(self.columns) - 1))

    @property
    def total(self) -> int:
        """Rows before filtering."""
        return len(self._all)

    def row_at(self, index: Index) -> R | None:
        return self.rows[index.row()] if index.isValid() and index.row() < len(self.rows) else None

    def index_of(self, key: Hashable) -> QModelIndex:
        """Where a key is shown; invalid when it is not."""
        try:
            return self.index(self._keys.index(key), 0)
        except ValueError:
            return QModelIndex()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self.columns)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid():
            return None
        row, column = self.rows[index.row()], self.columns[index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.text(row)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.align == "right" else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(column.tooltip(row)) if column.tooltip else None
        if role == Qt.ItemDataRole.DecorationRole:
            return column.icon(row) if column.icon else None
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{column.title}: {column.text(row)}"
        if role == BADGE_ROLE:
            return column.badge(row) if column.badge else None
        return row if role == ROW_ROLE else None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            title = column.title if column.note is None else f"{column.title} ({column.note()})"
            return title + (_ARROWS[self._order[1]] if section == self._order[0] else "")
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.help or None
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.align == "right" else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Order by a column; -1 is the order in which the rows came."""
        if (column, order) != self._order:
            self._order = (column, order)
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(self.columns) - 1)
            self._show()

    def _show(self) -> None:
        wanted = self._sorted(self._filtered())
        keys = [self.key(row) for row in wanted]
        if keys == self._keys:
            self._replace(wanted)
        else:
            self._change_to(keys, wanted)
        self.counted.emit(len(self.rows), len(self._all))

    def _filtered(self) -> list[R]:
        rows = list(self._all.values())
        if self._predicate is not None:
            rows = [row for row in rows if self._predicate(row)]
        if self._words:
            rows = [row for row in rows if self._holds_words(row)]
        return rows

    def _holds_words(self, row: R) -> bool:
        key = self.key(row)
        known = self._haystacks.get(key)
        if known is None or known[0] is not row:
            known = (row, "\n".join(column.text(row) for column in self.columns).casefold())
            self._haystacks[key] = known
        return all(word in known[1] for word in self._words)

    def _sorted(self, rows: list[R]) -> list[R]:
        section, order = self._order
        if not 0 <= section < len(self.columns):
            return rows
        column = self.columns[section]
        read: Callable[[R], Any] = column.sort or (lambda row: column.text(row).casefold())
        keyed = [(read(row), row) for row in rows]
        known = [pair for pair in keyed if pair[0] is not None]
        known.sort(key=lambda pair: pair[0], reverse=order == Qt.SortOrder.DescendingOrder)
        return [row for _, row in known] + [row for key, row in keyed if key is None]

    def _replace(self, wanted: list[R]) -> None:
        """Same keys in the same order: tell the view which rows changed."""
        changed = [place for place, (old, new) in enumerate(zip(self.rows, wanted, strict=True)) if old != new]
        self.rows = wanted
        last_column = len(self.columns) - 1
        for first, last in _ranges(changed):
            self.dataChanged.emit(self.index(first, 0), self.index(last, last_column))

    def _change_to(self, keys: list[Hashable], wanted: list[R]) -> None:
        stay, have = set(keys), set(self._keys)
        gone = _ranges([place for place, key in enumerate(self._keys) if key not in stay])
        came = _ranges([place for place, key in enumerate(keys) if key not in have])
        if len(gone) + len(came) > SORT_RANGES_MAX:
            self.beginResetModel()
            self.rows, self._keys = wanted, keys
            self.endResetModel()
            return
        for first, last in reversed(gone):
            self.beginRemoveRows(QModelIndex(), first, last)
            del self.rows[first : last + 1], self._keys[first : last + 1]
            self.endRemoveRows()
        self._move([key for key in keys if key in have])
        for first, last in came:
            self.beginInsertRows(QModelIndex(), first, last)
            self.rows[first:first] = wanted[first : last + 1]
            self._keys[first:first] = keys[first : last + 1]
            self.endInsertRows()
        self._replace(wanted)

    def _move(self, keys: list[Hashable]) -> None:
        """Put the rows that stayed into the new order, and whatever points at them with them."""
        if keys == self._keys:
            return
        self.layoutAboutToBeChanged.emit()
        rows = dict(zip(self._keys, self.rows, strict=True))
        place = {key: number for number, key in enumerate(keys)}
        before = self.persistentIndexList()
        after = [self.index(place[self._keys[index.row()]], index.column()) for index in before]
        self.rows, self._keys = [rows[key] for key in keys], list(keys)
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()


def _ranges(places: list[int]) -> list[tuple[int, int]]:
    """Ascending numbers as (first, last) runs."""
    runs: list[tuple[int, int]] = []
    for place in places:
        if runs and runs[-1][1] == place - 1:
            runs[-1] = (runs[-1][0], place)
        else:
            runs.append((place, place))
    return runs
