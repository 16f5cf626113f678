"""Speed over a day's time, under the map and on the same clock as the replay."""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

import numpy as np
import pyqtgraph as pg
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from resources.i18n import tr
from widgets.charts.menus import end_menus_with
from widgets.charts.time_axis import TimeAxis
from widgets.formats import KM_PER_MILE
from widgets.map.palette import MapPalette
from widgets.map.track import Track


class SpeedGraph(QWidget):
    """``cursor_moved`` carries the time in ms that the operator dragged the cursor or clicked to."""

    cursor_moved = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._axis = TimeAxis()
        self.plot = pg.PlotWidget(axisItems={"bottom": self._axis}, enableMenu=False)
        self.plot.hideButtons()
        self.plot.setFrameShape(self.plot.Shape.NoFrame)
        self.plot.setAccessibleName(tr("Speed over time"))
        item = self.plot.getPlotItem()
        end_menus_with(item, self)
        item.setMouseEnabled(x=True, y=False)
        item.showGrid(x=False, y=True, alpha=0.15)
        item.getAxis("left").setWidth(38)
        self._box = item.getViewBox()
        self._box.disableAutoRange()
        self._line: Any = pg.PlotDataItem(connect="finite")
        self._line.setDownsampling(auto=True, method="peak")
        self._line.setClipToView(True)
        self._doubtful: Any = pg.ScatterPlotItem(size=7, pxMode=True)
        self._cursor: Any = pg.InfiniteLine(angle=90, movable=True)
        for part in (self._line, self._doubtful, self._cursor):
            item.addItem(part, ignoreBounds=True)
        self._cursor.sigDragged.connect(self._on_dragged)
        self.plot.scene().sigMouseClicked.connect(self._on_clicked)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)

    def show_track(self, track: Track, *, is_imperial: bool) -> None:
        """Counted fixes as a line with breaks at gaps, the others hollow."""
        per_unit = KM_PER_MILE if is_imperial else 1.0
        seconds, speed = track.speed_line
        self._line.setData(seconds, speed / per_unit)
        other = np.flatnonzero(~track.is_counted & np.isfinite(track.speed_km_h))
        self._doubtful.setData(track.fixed_at_ms[other] / 1000.0, np.minimum(track.speed_km_h[other], 160) / per_unit)
        finite = speed[np.isfinite(speed)]
        fastest = float(finite.max()) if len(finite) else 0.0
        self._box.setRange(yRange=(0, max(20.0, fastest / per_unit * 1.08)), padding=0)

    def set_span(self, start_ms: int, end_ms: int, zone: tzinfo) -> None:
        """The time that is shown and can be panned in."""
        self._axis.set_zone(zone)
        start_s, end_s = start_ms / 1000, max(end_ms, start_ms + 60_000) / 1000
        margin_s = (end_s - start_s) * 0.01
        self._box.setLimits(xMin=start_s - margin_s, xMax=end_s + margin_s, minXRange=60)
        self._box.setRange(xRange=(start_s - margin_s, end_s + margin_s), padding=0)

    def set_cursor(self, at_ms: int) -> None:
        self._cursor.setValue(at_ms / 1000)

    def set_palette(self, palette: MapPalette, background: str) -> None:
        self.plot.setBackground(background)
        self._line.setPen(pg.mkPen(palette.track, width=1))
        self._doubtful.setPen(pg.mkPen(palette.stale, width=1.4))
        self._doubtful.setBrush(None)
        self._cursor.setPen(pg.mkPen(palette.primary, width=1.6))
        self._cursor.setHoverPen(pg.mkPen(palette.primary, width=3))
        for side in ("left", "bottom"):
            axis = self.plot.getPlotItem().getAxis(side)
            axis.setPen(pg.mkPen(palette.state_border))
            axis.setTextPen(palette.silent)
            font = self.font()
            font.setPixelSize(11)
            axis.setTickFont(font)

    def _on_dragged(self, line: Any) -> None:
        self.cursor_moved.emit(round(line.value() * 1000))

    def _on_clicked(self, event: Any) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._box.sceneBoundingRect().contains(event.scenePos()):
            self.cursor_moved.emit(round(self._box.mapSceneToView(event.scenePos()).x() * 1000))
