"""Two layouts Qt lacks: chips that wrap, and a grid of equal cards."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QMargins, QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QFormLayout, QLayout, QLayoutItem, QSizePolicy, QWidget

FIELD_HEIGHT_PX = 36
"""What the style sheet makes of a field of one line."""


def centre_labels(form: QFormLayout) -> None:
    """Set each label of a form on the middle of its field: Qt writes it at the field's top."""
    for at in range(form.rowCount()):
        item = form.itemAt(at, QFormLayout.ItemRole.LabelRole)
        label = None if item is None else item.widget()
        if label is not None:
            label.setMinimumHeight(FIELD_HEIGHT_PX)


class _ItemLayout(QLayout):
    """Holds items in order; subclasses place them for a width and say how high that is."""

    def __init__(self, parent: QWidget | None = None, gap: int = 6) -> None:
        super().__init__(parent)
        self.gap = gap
        self._items: list[QLayoutItem] = []
        self.setContentsMargins(0, 0, 0, 0)
        if parent is not None:
            policy = parent.sizePolicy()
            policy.setHeightForWidth(True)
            parent.setSizePolicy(policy)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._place(QRect(0, 0, width, 0), is_dry=True)

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._place(rect, is_dry=False)

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _place(self, rect: QRect, *, is_dry: bool) -> int:
        raise NotImplementedError


class FlowLayout(_ItemLayout):
    """Left to right, then the next line; what is lower than its line stands in the middle of it."""

    def minimumSize(self) -> QSize:
        size = QSize()
        for item in self._shown():
            size = size.expandedTo(item.minimumSize())
        margins = self.contentsMargins()
        return size.grownBy(QMargins(margins))

    def _place(self, rect: QRect, *, is_dry: bool) -> int:
        inner = rect.marginsRemoved(self.contentsMargins())
        x, y = inner.x(), inner.y()
        line: list[tuple[QLayoutItem, int, QSize]] = []
        for item in self._shown():
            hint = item.sizeHint()
            if x > inner.x() and x + hint.width() > inner.right() + 1:
                y += _set_line(line, y, is_dry=is_dry) + self.gap
                x, line = inner.x(), []
            line.append((item, x, hint))
            x += hint.width() + self.gap
        return y + _set_line(line, y, is_dry=is_dry) - rect.y() + self.contentsMargins().bottom()


def _set_line(line: Sequence[tuple[QLayoutItem, int, QSize]], y: int, *, is_dry: bool) -> int:
    """Place the items of a line on its middle; its height."""
    height = max((hint.height() for _item, _x, hint in line), default=0)
    if not is_dry:
        for item, x, hint in line:
            item.setGeometry(QRect(QPoint(x, y + (height - hint.height()) // 2), hint))
    return height


class CardGrid(_ItemLayout):
    """Equal columns as wide as possible, at least ``min_width``; each row as high as its tallest card."""

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        min_width: int = 300,
        gap: int = 16,
        max_columns: int = 4,
        is_balanced: bool = False,
    ) -> None:
        """``is_balanced``: rows of nearly equal length (2 + 2 instead of 3 + 1), for sets that never change."""
        super().__init__(parent, gap)
        self.min_width = min_width
        self.max_columns = max_columns
        self.is_balanced = is_balanced

    def columns_for(self, width: int) -> int:
        """How many columns fit, none narrower than ``min_width`` or the widest card needs."""
        shown = self._shown()
        narrowest = max([self.min_width, *(item.minimumSize().width() for item in shown)])
        columns = max(1, min(self.max_columns, (width + self.gap) // (narrowest + self.gap)))
        if self.is_balanced and len(shown) > columns:
            columns = math.ceil(len(shown) / math.ceil(len(shown) / columns))
        return columns

    def minimumSize(self) -> QSize:
        height = max((item.minimumSize().height() for item in self._shown()), default=0)
        return QSize(min(self.min_width, 200), height)

    def sizeHint(self) -> QSize:
        return QSize(self.min_width, self.heightForWidth(self.min_width))

    def _place(self, rect: QRect, *, is_dry: bool) -> int:
        columns = self.columns_for(rect.width())
        width = (rect.width() - (columns - 1) * self.gap) // columns
        y = rect.y()
        shown = self._shown()
        for start in range(0, len(shown), columns):
            row = shown[start : start + columns]
            height = max(_height_for(item, width) for item in row)
            if not is_dry:
                for column, item in enumerate(row):
                    item.setGeometry(QRect(rect.x() + column * (width + self.gap), y, width, height))
            y += height + self.gap
        return max(0, y - self.gap - rect.y())


class ScrollHost(QWidget):
    """What scrolls in a QScrollArea: as high as its content needs at the width it has.

    Qt would ask for the height at the content's smallest width and show a scroll bar that is not needed.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("surface", "clear")

    def minimumSizeHint(self) -> QSize:
        hint = super().minimumSizeHint()
        layout = self.layout()
        return QSize(hint.width(), 0) if layout is not None and layout.hasHeightForWidth() else hint


def _height_for(item: QLayoutItem, width: int) -> int:
    hint = item.heightForWidth(width) if item.hasHeightForWidth() else item.sizeHint().height()
    return max(hint, item.minimumSize().height())


def clear_layout(layout: QLayout) -> None:
    """Take everything out and delete the widgets once the event is over."""
    while (item := layout.takeAt(0)) is not None:
        widget = item.widget()
        inner = item.layout()
        if widget is not None:
            widget.setVisible(False)
            widget.deleteLater()
        elif inner is not None:
            clear_layout(inner)


def fixed_policy() -> QSizePolicy:
    return QSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
