"""Lanes of series over one time axis: levels above, speed and ignition beneath, events and versions marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QVBoxLayout, QWidget

from widgets.charts.long_line import GridLines, LongLine, StateBand
from widgets.charts.menus import end_menus_with
from widgets.charts.pyramid import Pyramid
from widgets.charts.time_axis import TimeAxis
from widgets.theme import Theme

AXIS_WIDTH_PX = 52
TICK_FONT_PX = 11
STRIP_PX = 18
TIME_AXIS_PX = 26
SHORTEST_SPAN_S = 60.0
LANE_GAP_PX = 9  # the highest tick of a lane and the lowest of the one above it keep apart
LEAST_HEIGHT_PX = 128  # below it ticks and lines cannot be told apart
HEADROOM = 0.06


@dataclass(frozen=True, slots=True)
class Line:
    """One series of a lane. ``color`` is a token of the theme; ``filled`` paints bars where it is 1 (ignition)."""

    key: str
    label: str
    color: str
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Lane:
    """One plot of the stack. ``height`` is its share; a fixed ``y_range`` makes it a thin strip."""

    key: str
    label: str
    lines: tuple[Line, ...]
    height: int = 1
    y_range: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of time of the first lane that can be chosen, in a token's colour."""

    key: str
    start_s: float
    end_s: float
    color: str
    text: str


class TimeChart(QWidget):
    """``chosen`` carries a mark's key, ``cursor_moved`` and ``span_changed`` Unix seconds."""

    chosen = Signal(str)
    cursor_moved = Signal(float)
    span_changed = Signal(float, float)

    def __init__(self, theme: Theme, lanes: Sequence[Lane], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._lanes = tuple(lanes)
        self.view: Any = pg.GraphicsLayoutWidget()
        self.view.ci.setContentsMargins(0, 4, 6, 0)
        self.view.ci.setSpacing(LANE_GAP_PX)
        self.view.setFrameShape(self.view.Shape.NoFrame)
        self.axis = TimeAxis()
        self.plots: dict[str, Any] = {}
        self.lines: dict[str, LongLine | StateBand] = {}
        self._grids: list[GridLines] = []
        for row, lane in enumerate(self._lanes):
            self._add_lane(row, lane)
        self._first: Any = self.plots[self._lanes[0].key]
        self._box: Any = self._first.getViewBox()
        self._cursors = [self._add_cursor(plot) for plot in self.plots.values()]
        self._marks: dict[str, tuple[Mark, Any, Any]] = {}
        self._chosen = ""
        self._versions: list[Any] = []
        self._box.sigXRangeChanged.connect(self._on_range)
        self.view.scene().sigMouseClicked.connect(self._on_clicked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.view)
        self.setMinimumHeight(LEAST_HEIGHT_PX)
        theme.changed.connect(self._paint)
        self._paint()

    # What is shown

    def set_line(self, key: str, x: Any, y: Any) -> None:
        """Times in Unix seconds, rising, and values; NaN breaks the line. Raises KeyError for no such line."""
        self.set_series(key, Pyramid(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)))

    def set_series(self, key: str, pyramid: Pyramid) -> None:
        """The same with a pyramid that was built off the UI thread."""
        self.lines[key].set_series(pyramid)
        self._fit_values()

    def set_zone(self, zone: tzinfo) -> None:
        self.axis.set_zone(zone)

    def set_limits(self, start_s: float, end_s: float) -> None:
        """How far can be panned."""
        margin = max((end_s - start_s) * 0.01, SHORTEST_SPAN_S)
        self._box.setLimits(xMin=start_s - margin, xMax=end_s + margin, minXRange=SHORTEST_SPAN_S)

    def show_span(self, start_s: float, end_s: float) -> None:
        self._box.setRange(xRange=(start_s, max(end_s, start_s + SHORTEST_SPAN_S)), padding=0)

    @property
    def span(self) -> tuple[float, float]:
        (start, end), _values = self._box.viewRange()
        return float(start), float(end)

    def set_cursor(self, at_s: float) -> None:
        for cursor in self._cursors:
            cursor.setValue(at_s)
            cursor.show()

    def set_marks(self, marks: Sequence[Mark]) -> None:
        """Replace the marks of the first lane."""
        for _mark, region, label in self._marks.values():
            self._first.removeItem(region)
            self._first.removeItem(label)
        self._marks = {mark.key: (mark, *self._add_mark(mark)) for mark in marks}
        self._paint_marks()

    def choose_mark(self, key: str) -> None:
        """Show one mark as chosen, bringing it into view; "" for none."""
        self._chosen = key
        self._paint_marks()
        if key in self._marks:
            mark = self._marks[key][0]
            start, end = self.span
            if mark.end_s < start or mark.start_s > end:
                half = (end - start) / 2
                middle = (mark.start_s + mark.end_s) / 2
                self.show_span(middle - half, middle + half)

    def set_versions(self, versions: Sequence[tuple[float, str]]) -> None:
        """Moments from which another calibration holds, each with its name."""
        for line in self._versions:
            self._first.removeItem(line)
        self._versions = [
            pg.InfiniteLine(
                pos=at_s,
                angle=90,
                label=text,
                labelOpts={"position": 0.06, "movable": False, "anchors": [(0, 0.5)] * 2},
            )
            for at_s, text in versions
        ]
        for line in self._versions:
            line.setZValue(4)
            self._first.addItem(line, ignoreBounds=True)
        self._paint()

    # Building

    def _add_lane(self, row: int, lane: Lane) -> None:
        is_last = row == len(self._lanes) - 1
        axes = {"bottom": self.axis} if is_last else {}
        plot: Any = self.view.addPlot(row=row, col=0, axisItems=axes, enableMenu=False)
        end_menus_with(plot, self)
        self.view.ci.layout.setRowStretchFactor(row, lane.height)
        plot.hideButtons()
        plot.setMouseEnabled(x=True, y=False)
        plot.setLabel("left", lane.label)
        plot.getAxis("left").setWidth(AXIS_WIDTH_PX)
        if not is_last:
            plot.hideAxis("bottom")
        box = plot.getViewBox()
        box.disableAutoRange()
        if lane.y_range is None:
            grid = GridLines(box, plot.getAxis("left"))
            plot.addItem(grid, ignoreBounds=True)
            self._grids.append(grid)
        else:
            plot.getAxis("left").setStyle(showValues=False)
            plot.getAxis("left").setTicks([])
            plot.setFixedHeight(STRIP_PX + (TIME_AXIS_PX if is_last else 0))
        if self.plots:
            plot.setXLink(next(iter(self.plots.values())))
        if lane.y_range is not None:
            box.setRange(yRange=lane.y_range, padding=0)
        for line in lane.lines:
            item: LongLine | StateBand = StateBand(box) if line.filled else LongLine(box)
            plot.addItem(item, ignoreBounds=True)
            self.lines[line.key] = item
        self.plots[lane.key] = plot

    @staticmethod
    def _add_cursor(plot: Any) -> Any:
        cursor = pg.InfiniteLine(angle=90, movable=False)
        cursor.setZValue(20)
        cursor.hide()
        plot.addItem(cursor, ignoreBounds=True)
        return cursor

    def _add_mark(self, mark: Mark) -> tuple[Any, Any]:
        region = pg.LinearRegionItem((mark.start_s, mark.end_s), movable=False)
        region.setZValue(-5)
        label = pg.TextItem(mark.text, anchor=(0, 0))
        label.setZValue(8)
        self._first.addItem(region, ignoreBounds=True)
        self._first.addItem(label, ignoreBounds=True)
        return region, label

    # Keeping it in view

    def _on_range(self, *_unused: object) -> None:
        self._fit_values()
        self._place_labels()
        self.span_changed.emit(*self.span)

    def _fit_values(self) -> None:
        """Values of what is visible fill each lane that has no natural ends; they start at zero."""
        start, end = self.span
        for lane in self._lanes:
            if lane.y_range is not None:
                continue
            extents = [self.lines[line.key].series.extent(start, end) for line in lane.lines]
            tops = [extent[1] for extent in extents if extent is not None]
            top = max(tops, default=0.0)
            self.plots[lane.key].getViewBox().setRange(yRange=(0, max(top * (1 + HEADROOM), 1.0)), padding=0)

    def _place_labels(self) -> None:
        (start, end), (_low, high) = self._box.viewRange()
        per_pixel = (end - start) / max(self._box.width(), 1)
        taken_until = -np.inf
        for mark, _region, label in sorted(self._marks.values(), key=lambda entry: entry[0].start_s):
            is_free = mark.start_s > taken_until and start <= mark.end_s <= end
            label.setVisible(is_free or mark.key == self._chosen)
            if is_free:
                taken_until = mark.end_s + label.boundingRect().width() * per_pixel
            label.setPos(mark.end_s, high)

    def _on_clicked(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        for plot in self.plots.values():
            box = plot.getViewBox()
            if not box.sceneBoundingRect().contains(event.scenePos()):
                continue
            at_s = float(box.mapSceneToView(QPointF(event.scenePos())).x())
            self.set_cursor(at_s)
            self.cursor_moved.emit(at_s)
            key = self._mark_at(at_s) if plot is self._first else ""
            if key:
                self.choose_mark(key)
                self.chosen.emit(key)

    def _mark_at(self, at_s: float) -> str:
        """The nearest mark within a few pixels."""
        start, end = self.span
        slack = (end - start) / max(self._box.width(), 1) * 6
        near = [
            (max(mark.start_s - at_s, at_s - mark.end_s, 0.0), mark.key)
            for mark, _region, _label in self._marks.values()
            if mark.start_s - slack <= at_s <= mark.end_s + slack
        ]
        return min(near)[1] if near else ""

    # Colours

    def _paint(self) -> None:
        theme = self._theme
        self.view.setBackground(theme.tokens["card"])
        for lane in self._lanes:
            for line in lane.lines:
                self._paint_line(line)
            plot = self.plots[lane.key]
            for side in ("left", "bottom"):
                axis = plot.getAxis(side)
                axis.setPen(pg.mkPen(theme.tokens["border_strong"]))
                axis.setTextPen(theme.tokens["muted"])
                font = self.font()
                font.setPixelSize(TICK_FONT_PX)
                axis.setTickFont(font)
            plot.setLabel("left", lane.label, color=theme.tokens["muted"], **{"font-size": f"{TICK_FONT_PX}px"})
        for grid in self._grids:
            grid.setPen(pg.mkPen(theme.tokens["border"], width=1))
        for cursor in self._cursors:
            cursor.setPen(pg.mkPen(theme.tokens["primary"], width=1))
        for version in self._versions:
            version.setPen(pg.mkPen(theme.tokens["muted"], width=1, style=Qt.PenStyle.DashLine))
            version.label.setColor(theme.tokens["muted"])
        self._paint_marks()

    def _paint_line(self, line: Line) -> None:
        item = self.lines[line.key]
        color = self._theme.color(line.color)
        item.setPen(pg.mkPen(color, width=1))
        if line.filled:
            item.setBrush(color)

    def _paint_marks(self) -> None:
        for mark, region, label in self._marks.values():
            color = self._theme.color(mark.color)
            label.setColor(color)
            strong = QColor(color)
            strong.setAlpha(255 if mark.key == self._chosen else 110)
            soft = QColor(color)
            soft.setAlpha(70 if mark.key == self._chosen else 34)
            region.setBrush(soft)
            for edge in region.lines:
                edge.setPen(pg.mkPen(strong, width=1))
        self._place_labels()
