"""Items over a pyramid: they take as many points as the visible span has pixels for, whenever that span moves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from pyqtgraph.Qt.internals import PrimitiveArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QBrush, QPainter, QPen

from widgets.charts.pyramid import Floats, Pyramid

_NOTHING: Floats = np.zeros(0)
Span = tuple[float, float, int]


class _Follower:
    """The visible span of a view box: start, end, pixels; and the series that is shown in it."""

    def __init__(self, box: Any, on_move: Any) -> None:
        self.series = Pyramid(_NOTHING, _NOTHING)
        self._box = box
        self._shown: Span | None = None
        self._on_move = on_move
        box.sigXRangeChanged.connect(self.follow)
        box.sigResized.connect(self.follow)

    def set_series(self, pyramid: Pyramid) -> None:
        self.series, self._shown = pyramid, None
        self.follow()

    def follow(self, *_unused: object) -> None:
        (start, end), _y = self._box.viewRange()
        wanted = (start, end, max(int(self._box.width()), 1))
        if wanted != self._shown:
            self._shown = wanted
            self._on_move(*self.series.between(*wanted))


class LongLine(pg.PlotCurveItem):  # type: ignore[misc]  # pyqtgraph carries no types
    """A line with breaks at NaN. Pens stay one pixel wide: wider ones leave Qt's fast way of drawing lines."""

    def __init__(self, box: Any) -> None:
        super().__init__(connect="finite")
        self._span = _Follower(box, self.setData)

    @property
    def series(self) -> Pyramid:
        return self._span.series

    def set_series(self, pyramid: Pyramid) -> None:
        """Show another series."""
        self._span.set_series(pyramid)


class StateBand(pg.GraphicsObject):  # type: ignore[misc]
    """A series of 0 and 1 as bars over its lane: filling rectangles is cheap, filling paths is not."""

    def __init__(self, box: Any) -> None:
        super().__init__()
        self._box = box
        self._bars = PrimitiveArray(QRectF, 4)
        self._brush = QBrush()
        self._span = _Follower(box, self._take)

    @property
    def series(self) -> Pyramid:
        return self._span.series

    def set_series(self, pyramid: Pyramid) -> None:
        """Show another series."""
        self._span.set_series(pyramid)

    def setPen(self, _pen: QPen) -> None:
        """Bars have no outline."""

    def setBrush(self, brush: Any) -> None:
        self._brush = QBrush(brush)
        self.update()

    def _take(self, x: Floats, y: Floats) -> None:
        (low, high), _y = self._box.viewRange()
        pixel = (high - low) / max(self._box.width(), 1)
        from_s, to_s = runs(x, np.nan_to_num(y) > 0.5, pixel)
        self._bars.resize(len(from_s))
        bars = self._bars.ndarray()
        bars[:, 0], bars[:, 1], bars[:, 2], bars[:, 3] = from_s, 0.0, np.maximum(to_s - from_s, pixel), 1.0
        self.prepareGeometryChange()
        self.update()

    def boundingRect(self) -> QRectF:
        (start, end), (low, high) = self._box.viewRange()
        return QRectF(start, low, end - start, high - low)

    def paint(self, painter: QPainter, *_unused: object) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._brush)
        painter.drawRects(*self._bars.drawargs())


def runs(x: Floats, is_on: NDArray[np.bool_], gap: float) -> tuple[Floats, Floats]:
    """Where a state begins and ends; what is less than ``gap`` apart is one run."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], is_on, [False])).astype(np.int8)))
    if not len(edges):
        return _NOTHING, _NOTHING
    begins, ends = x[edges[::2]], x[np.minimum(edges[1::2], len(x) - 1)]
    is_apart = begins[1:] - ends[:-1] > gap
    return begins[np.append(True, is_apart)], ends[np.append(is_apart, True)]


class GridLines(pg.GraphicsObject):  # type: ignore[misc]
    """Horizontal lines at an axis' ticks; the axis' own grid is drawn with transparency and costs ten times as much."""

    def __init__(self, box: Any, axis: Any) -> None:
        super().__init__()
        self._box, self._axis = box, axis
        self._pen = QPen()
        self.setZValue(-10)
        box.sigRangeChanged.connect(self._on_range)

    def setPen(self, pen: QPen) -> None:
        self._pen = pen
        self.update()

    def _on_range(self, *_unused: object) -> None:
        self.prepareGeometryChange()
        self.update()

    def boundingRect(self) -> QRectF:
        (start, end), (low, high) = self._box.viewRange()
        return QRectF(start, low, end - start, high - low)

    def paint(self, painter: QPainter, *_unused: object) -> None:
        (start, end), (low, high) = self._box.viewRange()
        height = self._box.height()
        if height < 1 or high <= low:  # a lane without room has no ticks, and an error in here would end the program
            return
        painter.setPen(self._pen)
        for _spacing, values in self._axis.tickValues(low, high, height)[:1]:
            for value in values:
                painter.drawLine(QPointF(start, value), QPointF(end, value))
