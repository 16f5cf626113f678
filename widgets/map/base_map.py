"""The base map as one graphics item: drawn into a pixmap at rest, moved and scaled while the operator pans and zooms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen, QPixmap, QTransform
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from widgets.map.base_data import BaseData
from widgets.map.labels import TakenSpace, TextSprites, TextStyle
from widgets.map.palette import MapPalette
from widgets.map.projection import HALF_WORLD_M, FloatArray, Viewport

REST_MS = 80  # without input for this long the map is drawn anew (ui.md 3.6)
MARGIN_SHARE = 0.2  # drawn beyond each edge, so that a pan rarely needs a redraw
WORLD_RECT = QRectF(-2 * HALF_WORLD_M, -2 * HALF_WORLD_M, 4 * HALF_WORLD_M, 4 * HALF_WORLD_M)
TOWN_GAP_PX = 6.0


class MapLayer(Protocol):
    """A user's layer, painted into the base map's pixmap."""

    visible: bool
    covers: bool  # True for raster tiles, painted below lines and names

    def paint(self, painter: QPainter, viewport: Viewport, palette: MapPalette) -> None:
        """Paint in pixels of ``viewport``."""
        ...


@dataclass
class BaseOptions:
    """What of the shipped map is shown."""

    names: bool = True
    rivers: bool = True
    state_borders: bool = True


def viewport_of(painter: QPainter, width: int, height: int) -> Viewport:
    """The part of the world that a painter of an item in an upright view draws on."""
    transform = painter.transform()
    scale = transform.m11()
    return Viewport(scale, -transform.dx() / scale, transform.dy() / scale, width, height)


class BaseMapItem(QGraphicsItem):
    """Paints land, water, borders, user layers and names. World metres, north up."""

    def __init__(self, data: BaseData, sprites: TextSprites, palette: MapPalette) -> None:
        super().__init__()
        self._data = data
        self._sprites = sprites
        self._palette = palette
        self.options = BaseOptions()
        self.layers: Sequence[MapLayer] = ()
        self._paths = {name: _path(*line) for name, line in data.lines.items()}
        self._drawn: tuple[Viewport, float, QPixmap] | None = None
        self._dirty = True
        self.redraws = 0
        self._rest = QTimer()
        self._rest.setSingleShot(True)
        self._rest.setInterval(REST_MS)
        self._rest.timeout.connect(self.redraw)
        self.setZValue(-100)

    def set_palette(self, palette: MapPalette) -> None:
        self._palette = palette
        self.redraw()

    def redraw(self) -> None:
        """Draw anew at the next paint: options, layers, palette or tiles changed."""
        self._rest.stop()
        self._dirty = True
        self.update()

    def close(self) -> None:
        self._rest.stop()
        self._drawn = None

    def boundingRect(self) -> QRectF:
        return WORLD_RECT

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if widget is None:
            return
        viewport = viewport_of(painter, widget.width(), widget.height())
        dpr = widget.devicePixelRatioF()
        painter.resetTransform()
        drawn = self._drawn
        if self._dirty or drawn is None or drawn[1] != dpr or not drawn[0].contains(viewport):
            drawn = self._drawn = self._draw(viewport.widened(MARGIN_SHARE), dpr)
            self._dirty = False
            self._rest.stop()
        elif drawn[0].scale != viewport.scale or not _is_whole_shift(drawn[0], viewport):
            self._rest.start()
        source, _, pixmap = drawn
        left, top = viewport.to_px(source.left, source.top)
        if source.scale == viewport.scale:
            painter.drawPixmap(QPointF(round(float(left)), round(float(top))), pixmap)
        else:
            zoom = viewport.scale / source.scale
            target = QRectF(float(left), float(top), source.width * zoom, source.height * zoom)
            painter.drawPixmap(target, pixmap, QRectF(pixmap.rect()))

    def _draw(self, viewport: Viewport, dpr: float) -> tuple[Viewport, float, QPixmap]:
        self.redraws += 1
        pixmap = QPixmap(round(viewport.width * dpr), round(viewport.height * dpr))
        pixmap.setDevicePixelRatio(dpr)
        pixmap.fill(QColor(self._palette.sea))
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_ground(painter, viewport)
        for layer in self.layers:
            if layer.visible and layer.covers:
                layer.paint(painter, viewport, self._palette)
        self._draw_lines(painter, viewport)
        for layer in self.layers:
            if layer.visible and not layer.covers:
                layer.paint(painter, viewport, self._palette)
        if self.options.names:
            draw_names(painter, viewport, self._data, self._sprites, self._palette, dpr)
        painter.end()
        return viewport, dpr, pixmap

    def _draw_ground(self, painter: QPainter, viewport: Viewport) -> None:
        painter.setTransform(world_transform(viewport))
        painter.setPen(Qt.PenStyle.NoPen)
        for name, color in (
            ("land", self._palette.land),
            ("nigeria", self._palette.home),
            ("lakes", self._palette.water),
        ):
            painter.setBrush(QBrush(QColor(color)))
            painter.drawPath(self._paths[name])
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.resetTransform()

    def _draw_lines(self, painter: QPainter, viewport: Viewport) -> None:
        palette = self._palette
        lines: list[tuple[str, str, float]] = []
        if self.options.state_borders:
            lines += [("states_neighbours", palette.faint_border, 1.0), ("states_nigeria", palette.state_border, 1.0)]
        if self.options.rivers:
            lines += [("rivers", palette.river, 1.0), ("lakes", palette.river, 1.0)]
        lines.append(("country_borders", palette.border, 1.0))
        painter.setTransform(world_transform(viewport))
        for name, color, width in lines:
            pen = QPen(QColor(color), width)
            pen.setCosmetic(True)
            painter.setPen(pen)
            painter.drawPath(self._paths[name])
        painter.resetTransform()


def world_transform(viewport: Viewport) -> QTransform:
    """World metres to pixels of ``viewport``."""
    scale = viewport.scale
    return QTransform(scale, 0, 0, -scale, -viewport.left * scale, viewport.top * scale)


def _path(x: FloatArray, y: FloatArray) -> QPainterPath:
    path: QPainterPath = pg.arrayToQPath(x, y, connect="finite")
    return path


def _is_whole_shift(a: Viewport, b: Viewport) -> bool:
    """Whether the old picture lies on whole pixels of the new view, so that nothing looks blurred."""
    dx, dy = b.to_px(a.left, a.top)
    return bool(abs(dx - np.round(dx)) < 0.02 and abs(dy - np.round(dy)) < 0.02)


def draw_names(
    painter: QPainter, viewport: Viewport, data: BaseData, sprites: TextSprites, palette: MapPalette, dpr: float
) -> None:
    """Countries, states and towns that fit, heaviest first; towns are kept clear of one another."""
    taken = TakenSpace()
    for place in data.places:
        if place.kind == "town":
            if place.weight < least_town(viewport.metres_per_px):
                break
            _draw_town(painter, viewport, taken, place.name, place.x, place.y, place.weight, sprites, palette, dpr)
    country = TextStyle(13, 600, palette.area_text, palette.halo, 2.0, 0.6)
    state = TextStyle(10, 600, palette.area_text, palette.halo, 2.0, 0.4)
    for place in data.places:
        if place.kind == "country" and 250 < viewport.metres_per_px < 12_000:
            style = country
            if place.name == "NIGERIA" and viewport.metres_per_px < 2_600:
                continue
        elif place.kind == "state" and 60 < viewport.metres_per_px < 1_900:
            style = state
        else:
            continue
        px, py = viewport.to_px(place.x, place.y)
        sprite = sprites.get(place.name, style, dpr)
        _place_sprite(painter, viewport, taken, sprite, float(px), float(py), centred=True)


def least_town(metres_per_px: float) -> float:
    """The weight from which towns are named at a scale: about twenty over the whole country, all of them at 60 m/px."""
    if metres_per_px <= 60:
        return 0.0
    return 520.0 * (metres_per_px / 10) ** 1.5 if metres_per_px > 300 else 2.4 * (metres_per_px / 3) ** 2.4


def _draw_town(
    painter: QPainter,
    viewport: Viewport,
    taken: TakenSpace,
    name: str,
    x: float,
    y: float,
    weight: float,
    sprites: TextSprites,
    palette: MapPalette,
    dpr: float,
) -> None:
    px, py = (round(float(value)) for value in viewport.to_px(x, y))
    if not (-20 < px < viewport.width + 20 and -20 < py < viewport.height + 20):
        return
    is_large = weight >= 900_000
    style = TextStyle(13 if is_large else 12, 600 if is_large else 500, palette.town_text, palette.halo)
    sprite = sprites.get(name, style, dpr)
    if not _place_sprite(painter, viewport, taken, sprite, px, py, centred=False):
        return
    radius = 2.6 if is_large else 2.0
    painter.setPen(QPen(QColor(palette.halo), 1.0))
    painter.setBrush(QColor(palette.town))
    painter.drawEllipse(QPointF(px, py), radius, radius)


def _place_sprite(
    painter: QPainter, viewport: Viewport, taken: TakenSpace, sprite: QPixmap, px: float, py: float, *, centred: bool
) -> bool:
    """Draw a text at the first free side of its point; False when there is none or it lies outside."""
    width, height = sprite.width() / sprite.devicePixelRatio(), sprite.height() / sprite.devicePixelRatio()
    top = py - height / 2
    lefts = (px - width / 2,) if centred else (px + TOWN_GAP_PX - 2, px - width - TOWN_GAP_PX + 2)
    if px + width < 0 or px - width > viewport.width or top + height < 0 or top > viewport.height:
        return False
    for left in lefts:
        near = left if centred else min(left, px - 4)
        far = left + width if centred else max(left + width, px + 4)
        if taken.take(near - 2, top + 2, far + 2, top + height - 2):
            painter.drawPixmap(QPointF(round(left), round(top)), sprite)
            return True
    return False
