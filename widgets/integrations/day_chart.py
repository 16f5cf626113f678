"""Thirty small bars: one figure per day, painted by hand so that no chart library has to be loaded for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QHelpEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from widgets.theme import Level, Theme

HEIGHT = 64
GAP = 2.0
BAR_MIN = 2.0
RADIUS = 2.0


@dataclass(frozen=True, slots=True)
class Bar:
    """``value`` None: nothing is known of the day. ``part`` of it is drawn in the chart's second colour."""

    value: float | None
    words: str
    part: float = 0.0


class DayChart(QWidget):
    """The oldest day at the left. What a bar says stands in its tool tip, and in the accessible description."""

    def __init__(self, theme: Theme, name: str, part_level: Level = "error") -> None:
        super().__init__()
        self._theme = theme
        self._part_level = part_level
        self._hovered = -1
        self.bars: tuple[Bar, ...] = ()
        self.setAccessibleName(name)
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.update)

    def set_bars(self, bars: Sequence[Bar]) -> None:
        self.bars = tuple(bars)
        self.setAccessibleDescription("; ".join(bar.words for bar in self.bars if bar.value is not None))
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, HEIGHT)

    def bar_at(self, x: float) -> int:
        """The index of the day below ``x``, -1 beside them."""
        if not self.bars or not 0 <= x < self.width():
            return -1
        return min(len(self.bars) - 1, int(x / self.width() * len(self.bars)))

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            index = self.bar_at(event.pos().x())
            if index >= 0:
                QToolTip.showText(event.globalPos(), self.bars[index].words, self)
            return True
        return super().event(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hover(self.bar_at(event.position().x()))

    def leaveEvent(self, _event: QEvent) -> None:
        self._hover(-1)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        floor = self.height() - 1.5
        painter.setPen(QPen(self._theme.color("border"), 1))
        painter.drawLine(QPointF(0, floor + 0.5), QPointF(self.width(), floor + 0.5))
        painter.setPen(Qt.PenStyle.NoPen)
        most = max((bar.value or 0.0 for bar in self.bars), default=0.0)
        if most <= 0:
            return
        slot = self.width() / len(self.bars)
        width = max(BAR_MIN, slot - GAP)
        for index, bar in enumerate(self.bars):
            if not bar.value:
                continue
            height = max(BAR_MIN, bar.value / most * (floor - 4))
            left = index * slot + (slot - width) / 2
            painter.setOpacity(1.0 if index == self._hovered else 0.85)
            self._draw(painter, QRectF(left, floor - height, width, height), "primary")
            if bar.part > 0:
                part = max(BAR_MIN, height * min(1.0, bar.part / bar.value))
                self._draw(painter, QRectF(left, floor - part, width, part), self._part_level)

    def _draw(self, painter: QPainter, rect: QRectF, color: str) -> None:
        painter.setBrush(self._theme.color(color))
        painter.drawRoundedRect(rect, RADIUS, RADIUS)

    def _hover(self, index: int) -> None:
        if index != self._hovered:
            self._hovered = index
            self.update()
