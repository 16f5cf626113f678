"""Areas of a peer (Traccar geofences) on the map: circles with their true radius, polygons, corridors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPainterPathStroker, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from widgets.map.base_map import WORLD_RECT, viewport_of, world_transform
from widgets.map.labels import TakenSpace, TextSprites, TextStyle
from widgets.map.palette import MapPalette
from widgets.map.projection import circle_on_ground, ground_scale, to_world

NAMED_FROM_PX = 44  # a fence smaller than this on screen keeps its name to itself
FILL_ALPHA = 34


@dataclass(frozen=True, slots=True)
class Fence:
    """One area: ``points`` are (lat, lon) in degrees, one for a circle; ``radius_m`` is half a corridor's width."""

    id: str
    name: str
    shape: Literal["circle", "polygon", "corridor"]
    points: Sequence[tuple[float, float]]
    radius_m: float | None = None


def fence_path(fence: Fence) -> QPainterPath:
    """The area in world metres; empty when the fence has too few points to be one.

    A corridor is as wide as it is on the ground in its middle; over the height of Nigeria that is true to 2 %.
    """
    path = QPainterPath()
    lat, lon = [point[0] for point in fence.points], [point[1] for point in fence.points]
    if fence.shape == "circle" and fence.points and fence.radius_m:
        lat, lon = (list(ring) for ring in circle_on_ground(lat[0], lon[0], fence.radius_m))
    elif len(fence.points) < (2 if fence.shape == "corridor" else 3):
        return path
    x, y = to_world(lat, lon)
    path.addPolygon(QPolygonF([QPointF(px, py) for px, py in zip(x.tolist(), y.tolist(), strict=True)]))
    if fence.shape != "corridor":
        path.closeSubpath()
        return path
    stroker = QPainterPathStroker()
    stroker.setWidth(2 * (fence.radius_m or 1.0) / ground_scale(float(y.mean())))
    stroker.setCapStyle(Qt.PenCapStyle.RoundCap)
    stroker.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    corridor = stroker.createStroke(path)
    corridor.setFillRule(Qt.FillRule.WindingFill)
    return corridor


class FencesItem(QGraphicsItem):
    """Paints fences below the vehicles, each with its name once it is large enough on screen."""

    def __init__(self, sprites: TextSprites, palette: MapPalette) -> None:
        super().__init__()
        self._sprites = sprites
        self._palette = palette
        self._shapes: list[tuple[Fence, QPainterPath, QRectF]] = []
        self.setZValue(10)

    @property
    def count(self) -> int:
        return len(self._shapes)

    def set_palette(self, palette: MapPalette) -> None:
        self._palette = palette
        self.update()

    def set_fences(self, fences: Sequence[Fence]) -> None:
        shapes = [(fence, fence_path(fence)) for fence in fences]
        self._shapes = [(fence, path, path.boundingRect()) for fence, path in shapes if not path.isEmpty()]
        self.update()

    def boundingRect(self) -> QRectF:
        return WORLD_RECT

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if widget is None or not self._shapes:
            return
        viewport = viewport_of(painter, widget.width(), widget.height())
        window = QRectF(viewport.left, viewport.bottom, viewport.right - viewport.left, viewport.top - viewport.bottom)
        seen = [shape for shape in self._shapes if shape[2].intersects(window)]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setTransform(world_transform(viewport))
        fill = QColor(self._palette.fence)
        fill.setAlpha(FILL_ALPHA)
        pen = QPen(QColor(self._palette.fence), 1.6)
        pen.setCosmetic(True)
        painter.setPen(pen)
        painter.setBrush(fill)
        for _fence, path, _bounds in seen:
            painter.drawPath(path)
        painter.resetTransform()
        taken = TakenSpace()
        style = TextStyle(11, 600, self._palette.fence, self._palette.paper)
        for fence, _path, bounds in seen:
            if max(bounds.width(), bounds.height()) * viewport.scale < NAMED_FROM_PX or not fence.name:
                continue
            px, py = (float(value) for value in viewport.to_px(bounds.center().x(), bounds.center().y()))
            sprite = self._sprites.get(fence.name[:60], style, widget.devicePixelRatioF())
            half_w, half_h = (side / sprite.devicePixelRatio() / 2 for side in (sprite.width(), sprite.height()))
            if taken.take(px - half_w, py - half_h, px + half_w, py + half_h):
                painter.drawPixmap(QPointF(round(px - half_w), round(py - half_h)), sprite)
