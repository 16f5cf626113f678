"""A day's track on the map: the way, its gaps dashed, doubtful fixes hollow, and where the replay is."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from widgets.map.atlas import ARROW
from widgets.map.base_map import WORLD_RECT, viewport_of
from widgets.map.palette import MapPalette
from widgets.map.projection import FloatArray, Viewport
from widgets.map.track import Moment, Track

FINEST_PX = 1.5  # fixes nearer than this to the one before add nothing to the line
DOT_SPACING_PX = 14  # where fixes lie further apart than this each is shown as a dot
REACH_PX = 10.0
MOST_DOUBTFUL = 2_000


class TrackItem(QGraphicsItem):
    """Paints one :class:`Track` in pixels, thinned to what the screen can show."""

    def __init__(self, palette: MapPalette) -> None:
        super().__init__()
        self._palette = palette
        self._track: Track | None = None
        self._moment: Moment | None = None
        self._thinned: tuple[Viewport, list[QPolygonF], list[tuple[QPointF, QPointF]]] | None = None
        self._viewport: Viewport | None = None
        self.setZValue(40)

    def set_palette(self, palette: MapPalette) -> None:
        self._palette = palette
        self.update()

    def set_track(self, track: Track | None) -> None:
        self._track = track
        self._moment = None
        self._thinned = None
        self.update()

    def set_moment(self, moment: Moment | None) -> None:
        """Where the replay is; None hides it."""
        self._moment = moment
        self.update()

    def hit(self, px: float, py: float) -> int | None:
        """The fix under a pixel, as last painted; doubtful ones included."""
        if self._track is None or self._viewport is None or len(self._track) == 0:
            return None
        x, y = self._viewport.to_px(*self._track.world)
        distance = np.hypot(x - px, y - py)
        nearest = int(distance.argmin())
        return nearest if distance[nearest] <= REACH_PX else None

    def boundingRect(self) -> QRectF:
        return WORLD_RECT

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        track = self._track
        if widget is None or track is None or len(track) == 0:
            return
        viewport = self._viewport = viewport_of(painter, widget.width(), widget.height())
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if len(track.counted):
            self._paint_way(painter, viewport, track)
            self._paint_dots(painter, viewport, track)
            self._paint_ends(painter, viewport, track)
        self._paint_doubtful(painter, viewport, track)
        if self._moment is not None:
            self._paint_moment(painter, viewport, self._moment)

    def _paint_way(self, painter: QPainter, viewport: Viewport, track: Track) -> None:
        if self._thinned is None or self._thinned[0] != viewport:
            self._thinned = (viewport, *thin(track, viewport))
        _, lines, gaps = self._thinned
        painter.setPen(QPen(QColor(self._palette.paper), 5.0, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        for line in lines:
            painter.drawPolyline(line)
        pen = QPen(QColor(self._palette.track), 2.6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        for line in lines:
            painter.drawPolyline(line)
        painter.setPen(QPen(QColor(self._palette.silent), 1.6, Qt.PenStyle.DashLine))
        for start, end in gaps:
            painter.drawLine(start, end)

    def _paint_dots(self, painter: QPainter, viewport: Viewport, track: Track) -> None:
        """Single fixes, once they are far enough apart to be told from the line."""
        x, y = _on_screen(track, track.counted, viewport)
        if len(x) < 2 or len(x) > 400 or float(np.median(np.hypot(np.diff(x), np.diff(y)))) < DOT_SPACING_PX:
            return
        painter.setPen(QPen(QColor(self._palette.paper), 1.0))
        painter.setBrush(QColor(self._palette.track))
        for px, py in zip(x.tolist(), y.tolist(), strict=True):
            painter.drawEllipse(QPointF(px, py), 3.2, 3.2)

    def _paint_ends(self, painter: QPainter, viewport: Viewport, track: Track) -> None:
        x, y = track.world
        painter.setPen(QPen(QColor(self._palette.paper), 1.6))
        for index, color in ((track.counted[0], self._palette.moving), (track.counted[-1], self._palette.ink)):
            px, py = viewport.to_px(x[index], y[index])
            painter.setBrush(QColor(color))
            painter.drawEllipse(QPointF(float(px), float(py)), 5.5, 5.5)

    def _paint_doubtful(self, painter: QPainter, viewport: Viewport, track: Track) -> None:
        x, y = _on_screen(track, np.flatnonzero(~track.is_counted)[:MOST_DOUBTFUL], viewport)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(self._palette.stale), 1.6))
        for px, py in zip(x.tolist(), y.tolist(), strict=True):
            painter.drawEllipse(QPointF(px, py), 4.0, 4.0)

    def _paint_moment(self, painter: QPainter, viewport: Viewport, moment: Moment) -> None:
        px, py = viewport.to_px(moment.x, moment.y)
        painter.translate(float(px), float(py))
        painter.setPen(QPen(QColor(self._palette.paper), 2.0))
        painter.setBrush(QColor(self._palette.silent if moment.is_gap else self._palette.primary))
        painter.drawEllipse(QPointF(0, 0), 11, 11)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._palette.paper))
        if math.isfinite(moment.course_deg):
            painter.rotate(moment.course_deg)
            painter.scale(0.72, 0.72)
            painter.drawPolygon(QPolygonF([QPointF(x, y) for x, y in ARROW]))
        else:
            painter.drawEllipse(QPointF(0, 0), 3.5, 3.5)
        painter.resetTransform()


def thin(track: Track, viewport: Viewport) -> tuple[list[QPolygonF], list[tuple[QPointF, QPointF]]]:
    """The driven lines and the gaps between them in pixels; fixes that fall on the pixel before are dropped."""
    x, y = viewport.to_px(*track.world)
    x, y = x[track.counted], y[track.counted]
    breaks = np.flatnonzero(track.is_gap)
    starts, ends = [0, *(breaks + 1).tolist()], [*(breaks + 1).tolist(), len(x)]
    lines = []
    for start, end in zip(starts, ends, strict=True):
        cell_x, cell_y = np.round(x[start:end] / FINEST_PX), np.round(y[start:end] / FINEST_PX)
        keep = np.ones(end - start, bool)
        keep[1:] = (np.diff(cell_x) != 0) | (np.diff(cell_y) != 0)
        keep[-1] = True
        points = zip(x[start:end][keep].tolist(), y[start:end][keep].tolist(), strict=True)
        lines.append(QPolygonF([QPointF(px, py) for px, py in points]))
    gaps = [(QPointF(x[at], y[at]), QPointF(x[at + 1], y[at + 1])) for at in breaks.tolist()]
    return lines, gaps


def _on_screen(track: Track, index: np.typing.NDArray[np.int64], viewport: Viewport) -> tuple[FloatArray, FloatArray]:
    x, y = track.world
    px, py = viewport.to_px(x[index], y[index])
    seen = (px > -10) & (py > -10) & (px < viewport.width + 10) & (py < viewport.height + 10)
    return px[seen], py[seen]
