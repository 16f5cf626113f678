"""What the lists beside the map share: how a row is painted, and how a choice survives another order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from PySide6.QtCore import QAbstractListModel, QModelIndex, QRect, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem

from widgets.theme import Level, Theme

ROW_HEIGHT_PX = 50
KEY_ROLE = Qt.ItemDataRole.UserRole.value
ROW_ROLE = KEY_ROLE + 1
MARK_WIDTH_PX = 46


@dataclass(frozen=True, slots=True)
class Lines:
    """The words of a row: name and age above, the state in its level's colour and notes below."""

    name: str
    age: str
    word: str
    level: Level
    notes: str


@contextmanager
def keep_selection(model: QAbstractListModel, before: Sequence[str], after: Sequence[str]) -> Iterator[None]:
    """Rows keyed ``before`` become rows keyed ``after`` within the block; what was chosen stays chosen."""
    model.layoutAboutToBeChanged.emit()
    indices = model.persistentIndexList()
    kept = [before[index.row()] for index in indices]
    yield
    place = {key: at for at, key in enumerate(after)}
    moved = [model.index(place[key]) if key in place else QModelIndex() for key in kept]
    model.changePersistentIndexList(indices, moved)
    model.layoutChanged.emit()


def paint_row(
    painter: QPainter, option: QStyleOptionViewItem, theme: Theme, mark: Callable[[QPainter], None], lines: Lines
) -> None:
    """``mark`` paints around the origin, which is then the middle of the space for it."""
    rect: QRect = option.rect
    flags: QStyle.StateFlag = option.state
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if flags & QStyle.StateFlag.State_Selected:
        painter.fillRect(rect, theme.color("selected"))
        painter.fillRect(QRect(rect.x(), rect.y(), 3, rect.height()), theme.color("primary"))
    elif flags & QStyle.StateFlag.State_MouseOver:
        painter.fillRect(rect, theme.color("hover"))
    painter.setPen(QPen(theme.color("border"), 1))
    painter.drawLine(rect.left() + MARK_WIDTH_PX, rect.bottom(), rect.right(), rect.bottom())
    painter.save()
    painter.translate(rect.x() + 25, rect.center().y())
    mark(painter)
    painter.restore()
    _paint_lines(painter, theme, rect.adjusted(MARK_WIDTH_PX, 6, -12, -6), lines)
    painter.restore()


def _paint_lines(painter: QPainter, theme: Theme, rect: QRect, lines: Lines) -> None:
    upper = QRect(rect.x(), rect.y(), rect.width(), rect.height() // 2)
    lower = upper.translated(0, upper.height())
    left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
    middle = Qt.AlignmentFlag.AlignVCenter
    small, bold = painter.font(), painter.font()
    small.setPixelSize(12)
    bold.setPixelSize(13)
    bold.setWeight(bold.Weight.DemiBold)
    painter.setFont(small)
    painter.setPen(theme.color("muted"))
    painter.drawText(upper, right | middle, lines.age)
    room = upper.width() - QFontMetrics(small).horizontalAdvance(lines.age) - 10
    painter.setFont(bold)
    painter.setPen(theme.color("text"))
    name = QFontMetrics(bold).elidedText(lines.name, Qt.TextElideMode.ElideRight, room)
    painter.drawText(upper, left | middle, name)
    painter.setFont(small)
    painter.setPen(theme.color(f"{lines.level}_text"))
    painter.drawText(lower, left | middle, lines.word)
    painter.setPen(theme.color("muted"))
    beside = lower.adjusted(QFontMetrics(small).horizontalAdvance(lines.word) + 8, 0, 0, 0)
    notes = QFontMetrics(small).elidedText(lines.notes, Qt.TextElideMode.ElideRight, beside.width())
    painter.drawText(beside, right | middle, notes)
