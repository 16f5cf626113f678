"""One place that another page points to: a pin with its name, until another one is shown."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from widgets.map.base_map import WORLD_RECT, viewport_of
from widgets.map.labels import FAMILY
from widgets.map.palette import MapPalette
from widgets.map.projection import to_world

AROUND_M = 3_000.0
"""What is shown on each side of the place: the road there, and the next village."""
NAME_PX = 12
MOST_CHARS = 60


class PlaceItem(QGraphicsItem):
    """Paints nothing until a place is set."""

    def __init__(self, palette: MapPalette) -> None:
        super().__init__()
        self.at: tuple[float, float] | None = None
        self.name = ""
        self._palette = palette
        self.setZValue(95)

    def set_palette(self, palette: MapPalette) -> None:
        self._palette = palette
        self.update()

    def set_place(self, place: tuple[float, float], name: str) -> tuple[float, float, float, float]:
        """Mark a place in degrees; returns what of the world to look at, in metres (left, bottom, right, top)."""
        x, y = (float(value) for value in to_world(*place))
        self.at, self.name = (x, y), name[:MOST_CHARS]
        self.update()
        return x - AROUND_M, y - AROUND_M, x + AROUND_M, y + AROUND_M

    def boundingRect(self) -> QRectF:
        return WORLD_RECT

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if widget is None or self.at is None:
            return
        viewport = viewport_of(painter, widget.width(), widget.height())
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        px, py = ((value - origin) * viewport.scale * sign for value, origin, sign in (
            (self.at[0], viewport.left, 1), (self.at[1], viewport.top, -1)))  # fmt: skip
        self._pin(painter, QPointF(round(px), round(py)))

    def _pin(self, painter: QPainter, tip: QPointF) -> None:
        paper, colour = QColor(self._palette.paper), QColor(self._palette.primary)
        painter.setPen(QPen(paper, 1.5))
        painter.setBrush(colour)
        painter.drawPolygon(QPolygonF([tip, tip + QPointF(-7, -14), tip + QPointF(7, -14)]))
        painter.drawEllipse(tip + QPointF(0, -18), 9, 9)
        painter.setBrush(paper)
        painter.drawEllipse(tip + QPointF(0, -18), 3.5, 3.5)
        if not self.name:
            return
        font = QFont(FAMILY)
        font.setPixelSize(NAME_PX)
        font.setWeight(QFont.Weight.DemiBold)
        painter.setFont(font)
        wide = painter.fontMetrics().horizontalAdvance(self.name) + 14
        box = QRectF(tip.x() - wide / 2, tip.y() + 5, wide, 20)
        paper.setAlpha(225)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(paper)
        painter.drawRoundedRect(box, 5, 5)
        painter.setPen(QColor(self._palette.ink))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self.name)
