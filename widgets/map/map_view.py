"""The map as a widget: pan, zoom, keyboard, scale bar, credit; what is on it is added as graphics items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QObject, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QGraphicsItem, QLabel, QToolTip, QVBoxLayout, QWidget

from resources.i18n import tr
from widgets.charts.menus import end_menus_with
from widgets.map.atlas import PHONE_LOOK
from widgets.map.base_data import CREDIT, BaseData
from widgets.map.base_map import BaseMapItem
from widgets.map.labels import TextSprites
from widgets.map.marker_names import MarkerNamesItem
from widgets.map.markers import Hit, MarkersItem
from widgets.map.palette import MapPalette
from widgets.map.projection import HALF_WORLD_M, Viewport, ground_scale, nice_length
from widgets.primitives.tips import plain_tip

Bounds = tuple[float, float, float, float]  # left, bottom, right, top in world metres

ZOOM_STEP = 1.6
PAN_SHARE = 0.2
CLOSEST_M = 150.0  # width of the closest view
FIT_MARGIN_PX = 60
FIT_CLOSEST_M_PX = 8.0  # fitting one vehicle shows its surroundings, not its parking lot
CLUSTER_ZOOM = 3.0
OVERLAY_GAP_PX = 12
METRES_PER_MILE = 1609.344
METRES_PER_FOOT = 0.3048


@dataclass(frozen=True, slots=True)
class Under:
    """What stands under a pixel of the map, as last painted: a vehicle, a driver's phone, a cluster, or nothing."""

    px: float
    py: float
    hit: Hit | None = None
    is_phone: bool = False

    @property
    def vehicle(self) -> int | None:
        """The vehicle's index."""
        return None if self.hit is None or self.is_phone else self.hit.index

    @property
    def phone(self) -> int | None:
        """The index of a driver's phone."""
        return self.hit.index if self.hit is not None and self.is_phone else None


class MapView(QWidget):
    """``vehicle_clicked`` carries an index into the vehicles, ``phone_clicked`` one into the drivers' phones,
    ``map_clicked`` the pixel where neither was.
    """

    vehicle_clicked = Signal(int)
    phone_clicked = Signal(int)
    map_clicked = Signal(float, float)
    moved_by_hand = Signal()
    steered = Signal()  # moved or zoomed by the operator: the view is now their choice
    view_changed = Signal()

    def __init__(self, data: BaseData, palette: MapPalette, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._home = data.home_bounds
        self.plot = pg.PlotWidget(enableMenu=False)
        end_menus_with(self.plot.getPlotItem(), self)
        self.box = self._prepare_plot()
        self.sprites = TextSprites()
        self.base = BaseMapItem(data, self.sprites, palette)
        self.markers, self.phones = MarkersItem(palette), MarkersItem(palette, PHONE_LOOK)
        self.phones.setZValue(self.markers.zValue() - 1)  # a vehicle stands before the driver's pin at the same place
        self.names = MarkerNamesItem((self.markers, self.phones), self.sprites, palette)
        for item in (self.base, self.phones, self.markers, self.names):
            self.add_item(item)
        self.describe: Callable[[Under], str] = lambda _under: ""
        self.credit = QLabel(CREDIT, self)
        self.credit.setTextFormat(Qt.TextFormat.PlainText)
        self.scale_bar = ScaleBar(self)
        for overlay in (self.credit, self.scale_bar):
            overlay.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        self.credit.raise_()
        self.scale_bar.raise_()
        self.setFocusProxy(self.plot)
        self.plot.setAccessibleName(tr("Map"))
        self.plot.setAccessibleDescription(tr("Arrow keys move the map, plus and minus zoom, F fits the fleet"))
        self.plot.installEventFilter(self)
        self.plot.scene().sigMouseClicked.connect(self._on_clicked)
        self.plot.scene().sigMouseMoved.connect(self._on_hovered)
        self.box.sigRangeChanged.connect(self._on_range_changed)
        self.box.sigRangeChangedManually.connect(self._on_moved_by_hand)
        self.moved_by_hand.connect(self.steered)
        self.set_palette(palette)
        self._wanted: Bounds | None = self._home
        self.covered_px = 0  # at the right, by a card: what is centred or fitted is kept left of it
        self.on_fit: Callable[[], None] = self.fit_home

    def _prepare_plot(self) -> Any:
        self.plot.hideAxis("left")
        self.plot.hideAxis("bottom")
        self.plot.hideButtons()
        item = self.plot.getPlotItem()
        item.layout.setContentsMargins(0, 0, 0, 0)
        self.plot.setFrameShape(self.plot.Shape.NoFrame)
        box = item.getViewBox()
        box.setAspectLocked(True)
        box.disableAutoRange()
        box.setDefaultPadding(0.0)
        box.setLimits(
            xMin=-HALF_WORLD_M,
            xMax=HALF_WORLD_M,
            yMin=-HALF_WORLD_M,
            yMax=HALF_WORLD_M,
            minXRange=CLOSEST_M,
            maxXRange=2 * HALF_WORLD_M,
        )
        return box

    def add_item(self, item: QGraphicsItem) -> None:
        """Show an item that paints itself in world metres or, after ``viewport_of``, in pixels."""
        self.box.addItem(item, ignoreBounds=True)

    def remove_item(self, item: QGraphicsItem) -> None:
        self.box.removeItem(item)

    def set_palette(self, palette: MapPalette) -> None:
        self.plot.setBackground(palette.sea)
        for item in (self.base, self.phones, self.markers, self.names):
            item.set_palette(palette)
        backing = QColor(palette.paper)
        backing.setAlpha(215)
        self.credit.setStyleSheet(
            f"background: {backing.name(QColor.NameFormat.HexArgb)}; color: {palette.town_text};"
            " font-size: 11px; padding: 2px 7px; border-top-left-radius: 6px;"
        )
        self.scale_bar.set_palette(palette)

    def viewport(self) -> Viewport:
        """The part of the world on screen now."""
        (left, right), (_bottom, top) = self.box.viewRange()
        width = max(1, self.plot.width())
        return Viewport(width / (right - left), left, top, width, max(1, self.plot.height()))

    def fit(self, bounds: Bounds) -> None:
        """Show a rectangle of the world with some room around it; before the first layout it is remembered."""
        self._wanted = bounds
        width, height = self.plot.width(), self.plot.height()
        if not self.isVisible() or width < 2 * FIT_MARGIN_PX or height < 2 * FIT_MARGIN_PX:
            return
        self._wanted = None
        left, bottom, right, top = bounds
        free = max(width - self.covered_px - 2 * FIT_MARGIN_PX, FIT_MARGIN_PX)
        metres_per_px = max((right - left) / free, (top - bottom) / (height - 2 * FIT_MARGIN_PX), FIT_CLOSEST_M_PX)
        self.look_at((left + right) / 2, (bottom + top) / 2, metres_per_px)

    def fit_home(self) -> None:
        self.fit(self._home)

    def look_at(self, x: float, y: float, metres_per_px: float | None = None) -> None:
        """Centre what is not covered of the map on a point, at the present scale where none is given."""
        metres = metres_per_px or self.viewport().metres_per_px
        half_x, half_y = metres * self.plot.width() / 2, metres * self.plot.height() / 2
        x += metres * self.covered_px / 2
        self.box.setRange(xRange=(x - half_x, x + half_x), yRange=(y - half_y, y + half_y), padding=0)

    def zoom(self, factor: float, at: tuple[float, float] | None = None) -> None:
        """Come closer by ``factor``, keeping the world point ``at`` (the centre where none is given) in place."""
        center = QPointF(*at) if at is not None else None
        self.box.scaleBy((1 / factor, 1 / factor), center=center)
        self.steered.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_wanted()
        self._place_overlays()

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._fit_wanted()

    def close_map(self) -> None:
        self.base.close()

    def _fit_wanted(self) -> None:
        if self._wanted is not None:
            self.fit(self._wanted)

    def set_credit(self, more: Sequence[str] = ()) -> None:
        """The credit of the shipped map is always there; users' tiles may ask for more."""
        self.credit.setText("  ".join((CREDIT, *more)))
        self._place_overlays()

    def _place_overlays(self) -> None:
        self.credit.adjustSize()
        self.credit.move(self.width() - self.credit.width(), self.height() - self.credit.height())
        self.scale_bar.move(OVERLAY_GAP_PX, self.height() - self.scale_bar.height() - OVERLAY_GAP_PX // 2)

    def _on_range_changed(self, *_range: object) -> None:
        self.scale_bar.show_scale(self.viewport())
        self.view_changed.emit()

    def _on_moved_by_hand(self, *_axes: object) -> None:
        self.moved_by_hand.emit()

    def _on_clicked(self, event: Any) -> None:
        if event.button() != Qt.MouseButton.LeftButton:
            return
        under = self.under(event.scenePos())
        hit = under.hit
        if hit is not None and hit.cluster_at is not None:
            self.zoom(CLUSTER_ZOOM, self.viewport().to_world(*hit.cluster_at))
            self.moved_by_hand.emit()
        elif event.double() and hit is None:
            self.zoom(ZOOM_STEP, self.viewport().to_world(under.px, under.py))
        elif under.vehicle is not None:
            self.vehicle_clicked.emit(under.vehicle)
        elif under.phone is not None:
            self.phone_clicked.emit(under.phone)
        else:
            self.map_clicked.emit(under.px, under.py)

    def under(self, position: QPointF) -> Under:
        """What stands under a pixel; of a vehicle and a phone the nearer one, of two as near the vehicle."""
        px, py = position.x(), position.y()
        hits = [
            (hit.away_px, item is self.phones, hit)
            for item in (self.markers, self.phones)
            if item.isVisible() and (hit := item.hit(px, py)) is not None
        ]
        if not hits:
            return Under(px, py)
        _away, is_phone, hit = min(hits, key=lambda one: one[:2])
        return Under(px, py, hit, is_phone=is_phone)

    def _on_hovered(self, position: QPointF) -> None:
        under = self.under(position)
        if under.hit is not None and under.hit.cluster_at is not None:
            count = under.hit.count
            many = tr("{n} drivers", n=count) if under.is_phone else tr("{n} vehicles", n=count)
            text = tr("{many}, click to come closer", many=many)
        else:
            text = self.describe(under)
        shape = Qt.CursorShape.PointingHandCursor if text else Qt.CursorShape.ArrowCursor
        self.plot.viewport().setCursor(shape)
        if text:
            QToolTip.showText(self.plot.mapToGlobal(position.toPoint()), plain_tip(text), self.plot)
        elif QToolTip.isVisible():
            QToolTip.hideText()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self.plot and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            return self._on_key(event)
        return super().eventFilter(watched, event)

    def _on_key(self, event: QKeyEvent) -> bool:
        key = event.key()
        steps = {
            Qt.Key.Key_Left: (-1, 0),
            Qt.Key.Key_Right: (1, 0),
            Qt.Key.Key_Up: (0, 1),
            Qt.Key.Key_Down: (0, -1),
        }
        if key in steps:
            viewport = self.viewport()
            step_x, step_y = steps[Qt.Key(key)]
            share = PAN_SHARE / viewport.scale
            self.box.translateBy(x=step_x * share * viewport.width, y=step_y * share * viewport.height)
            self.moved_by_hand.emit()
        elif key in {Qt.Key.Key_Plus, Qt.Key.Key_Equal}:
            self.zoom(ZOOM_STEP)
        elif key == Qt.Key.Key_Minus:
            self.zoom(1 / ZOOM_STEP)
        elif key == Qt.Key.Key_F and not event.modifiers():
            self.on_fit()
        else:
            return False
        return True


class ScaleBar(QWidget):
    """A round length on the ground at the middle of the map, in the chosen units."""

    WIDEST_PX = 110

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.resize(self.WIDEST_PX + 12, 26)
        self.is_imperial = False
        self._length_px = 0.0
        self.text = ""
        self._ink, self._halo = QColor("black"), QColor("white")

    def set_palette(self, palette: MapPalette) -> None:
        self._ink, self._halo = QColor(palette.ink), QColor(palette.paper)
        self.update()

    def show_scale(self, viewport: Viewport) -> None:
        metres_per_px = viewport.metres_per_px * ground_scale(viewport.center[1])
        unit_m, unit = (1.0, "m")
        widest_m = metres_per_px * self.WIDEST_PX
        if self.is_imperial:
            unit_m, unit = (METRES_PER_MILE, "mi") if widest_m >= METRES_PER_MILE else (METRES_PER_FOOT, "ft")
        elif widest_m >= 1000:
            unit_m, unit = (1000.0, "km")
        length = nice_length(widest_m / unit_m)
        self._length_px = length * unit_m / metres_per_px
        self.text = f"{length:g} {unit}"
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        font = painter.font()
        font.setPixelSize(11)
        painter.setFont(font)
        base = self.height() - 4.0
        for color, width in ((self._halo, 4.0), (self._ink, 1.6)):
            painter.setPen(QPen(color, width))
            end = 2 + self._length_px
            painter.drawPolyline([QPointF(2, base - 5), QPointF(2, base), QPointF(end, base), QPointF(end, base - 5)])
        text_box = QRectF(6, 0, self.WIDEST_PX, base - 4)
        painter.setPen(self._halo)
        for dx, dy in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            painter.drawText(text_box.translated(dx, dy), Qt.AlignmentFlag.AlignLeft, self.text)
        painter.setPen(self._ink)
        painter.drawText(text_box, Qt.AlignmentFlag.AlignLeft, self.text)
