"""The base map as one graphics item: drawn into a pixmap at rest, moved and scaled while panning and zooming."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QBrush, QColor, QPainter, QPainterPath, QPen, QPixmap, QTransform
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from widgets.map.base_data import WINDOW, BaseData
from widgets.map.labels import TextSprites
from widgets.map.names import NamePainter
from widgets.map.palette import MapPalette
from widgets.map.projection import HALF_WORLD_M, FloatArray, Viewport, to_world

REST_MS = 80  # without input for this long the map is drawn anew (ui.md 3.6)
MARGIN_SHARE = 0.2  # drawn beyond each edge, so that a pan rarely needs a redraw
WORLD_RECT = QRectF(-2 * HALF_WORLD_M, -2 * HALF_WORLD_M, 4 * HALF_WORLD_M, 4 * HALF_WORLD_M)


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
        west, south, east, north = WINDOW
        (left, right), (bottom, top) = to_world([south, north], [west, east])
        self._window = QRectF(left, bottom, right - left, top - bottom)
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
        pixmap.fill(QColor(self._palette.land))  # beyond the shipped data nothing is claimed to be sea
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
            NamePainter(painter, viewport, self._sprites, self._palette, dpr).draw(self._data.places)
        painter.end()
        return viewport, dpr, pixmap

    def _draw_ground(self, painter: QPainter, viewport: Viewport) -> None:
        painter.setTransform(world_transform(viewport))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.fillRect(self._window, QColor(self._palette.sea))
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
