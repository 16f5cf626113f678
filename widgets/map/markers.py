"""The vehicles as one graphics item: sprites from an atlas, grid clusters, or dots, by how many are on screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pyqtgraph.Qt.internals import PrimitiveArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from widgets.map.atlas import CELL_PX, DRAWN_STATES, build_atlas
from widgets.map.base_map import WORLD_RECT, viewport_of
from widgets.map.clusters import Clusters, grid_clusters, paint_dots
from widgets.map.labels import FAMILY, TakenSpace, TextSprites, TextStyle
from widgets.map.palette import MapPalette
from widgets.map.projection import FloatArray, Viewport
from widgets.map.states import VehicleState, color_of

CLUSTERS_FROM = 2_000
DOTS_FROM = 20_000
HIT_PX = 14.0
NAMES_UP_TO = 150  # vehicles on screen that still get their names
ALL_NAMES_BELOW_M_PX = 160.0  # closer than this names are shown whatever the number
FEW = 60  # vehicles on screen that get names at any scale
PLATE_ALPHA = 225
FRAGMENT_FIELDS = 10  # x, y, sourceLeft, sourceTop, width, height, scaleX, scaleY, rotation, opacity


@dataclass(frozen=True, slots=True)
class Vehicles:
    """What is drawn: (n,) arrays of world metres, atlas columns and states, and the names in the same order."""

    x: FloatArray
    y: FloatArray
    column: NDArray[np.int16]
    state: NDArray[np.int8]
    names: Sequence[str]


NO_VEHICLES = Vehicles(np.empty(0), np.empty(0), np.empty(0, np.int16), np.empty(0, np.int8), ())


@dataclass
class Screen:
    """What the last paint put where, for hit tests: pixels, and the vehicle index or the cluster of each."""

    x: FloatArray = field(default_factory=lambda: np.empty(0))
    y: FloatArray = field(default_factory=lambda: np.empty(0))
    index: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    clusters: Clusters | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """What lies under a click: a vehicle's index, or a cluster at pixels with its count."""

    vehicle: int | None = None
    cluster_at: tuple[float, float] | None = None
    count: int = 1


class MarkersItem(QGraphicsItem):
    """Paints :class:`Vehicles` in pixels on top of the map."""

    def __init__(self, sprites: TextSprites, palette: MapPalette) -> None:
        super().__init__()
        self._sprites = sprites
        self._vehicles = NO_VEHICLES
        self._atlas: QPixmap | None = None
        self._atlas_dpr = 0.0
        self._fragments = PrimitiveArray(QPainter.PixmapFragment, FRAGMENT_FIELDS)
        self._canvas = np.zeros((0, 0), np.uint32)
        self._cluster_sprites: dict[tuple[int, int], QPixmap] = {}
        self.selected = -1
        self.screen = Screen()
        self.set_palette(palette)
        self.setZValue(100)

    def set_palette(self, palette: MapPalette) -> None:
        self._palette = palette
        self._atlas = None
        self._cluster_sprites.clear()
        opaque = (QColor(color_of(state, palette)).rgb() for state in VehicleState)
        self._dot_colors = np.fromiter(opaque, np.uint32, len(VehicleState))
        self.update()

    def set_vehicles(self, vehicles: Vehicles, selected: int = -1) -> None:
        """Replace what is drawn; ``selected`` is an index into it or -1."""
        self._vehicles = vehicles
        self.selected = selected
        self.update()

    def boundingRect(self) -> QRectF:
        return WORLD_RECT

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if widget is None:
            return
        viewport = viewport_of(painter, widget.width(), widget.height())
        painter.resetTransform()
        px, py, index = self._on_screen(viewport)
        if len(index) >= DOTS_FROM:
            self.screen = Screen(px, py, index)
            self._paint_dots(painter, viewport, px, py, index)
        elif len(index) >= CLUSTERS_FROM:
            anchor = viewport.to_px(0.0, 0.0)
            clusters = grid_clusters(px, py, self._vehicles.state[index], (float(anchor[0]), float(anchor[1])))
            self.screen = Screen(px, py, index, clusters)
            alone = clusters.member[clusters.count == 1]
            self._paint_sprites(painter, Screen(px[alone], py[alone], index[alone]), widget.devicePixelRatioF())
            self._paint_clusters(painter, clusters, widget.devicePixelRatioF())
        else:
            self.screen = Screen(px, py, index)
            self._paint_sprites(painter, self.screen, widget.devicePixelRatioF())
            self._paint_names(painter, self.screen, viewport.metres_per_px, widget.devicePixelRatioF())
        self._paint_selected(painter, viewport, widget.devicePixelRatioF())

    def _on_screen(self, viewport: Viewport) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
        """Whole pixels and indices of the vehicles in view, those without a position left out."""
        vehicles = self._vehicles
        px, py = viewport.to_px(vehicles.x, vehicles.y)
        edge = CELL_PX / 2
        seen = (px > -edge) & (py > -edge) & (px < viewport.width + edge) & (py < viewport.height + edge)
        seen &= vehicles.state < len(DRAWN_STATES)
        index = np.flatnonzero(seen)
        return np.round(px[index]), np.round(py[index]), index

    def _paint_sprites(self, painter: QPainter, screen: Screen, dpr: float) -> None:
        if self._atlas is None or self._atlas_dpr != dpr:
            self._atlas, self._atlas_dpr = build_atlas(self._palette, dpr), dpr
        index = screen.index
        if len(index) == 0:
            return
        cell = round(CELL_PX * dpr)
        state = self._vehicles.state[index]
        order = np.argsort(-state, kind="stable")  # the urgent ones on top
        self._fragments.resize(len(index))
        packed = self._fragments.ndarray()
        packed[:, 0] = screen.x[order]
        packed[:, 1] = screen.y[order]
        packed[:, 2] = self._vehicles.column[index][order] * float(cell)
        packed[:, 3] = state[order] * float(cell)
        packed[:, 4:6] = cell
        packed[:, 6:8] = 1.0 / dpr
        packed[:, 8] = 0.0
        packed[:, 9] = 1.0
        first, count = self._fragments.drawargs()
        painter.drawPixmapFragments(first, count, self._atlas)

    def _paint_names(self, painter: QPainter, screen: Screen, metres_per_px: float, dpr: float) -> None:
        index = screen.index
        has_room = metres_per_px < ALL_NAMES_BELOW_M_PX or len(index) <= FEW
        if has_room and len(index) <= NAMES_UP_TO:
            shown = np.arange(len(index))
        else:  # whatever the number, the chosen one and those that need somebody
            shown = np.flatnonzero((index == self.selected) | (self._vehicles.state[index] == VehicleState.ALARM))
            shown = shown[:NAMES_UP_TO]
        if len(shown) == 0:
            return
        taken = TakenSpace(512)
        for x, y in zip(screen.x, screen.y, strict=True):
            taken.cover(x - 8, y - 8, x + 8, y + 8)
        backing = QColor(self._palette.paper)
        backing.setAlpha(PLATE_ALPHA)
        plate = backing.name(QColor.NameFormat.HexArgb)
        style = TextStyle(11, 600, self._palette.ink, self._palette.paper, plate=plate)
        for at in sorted(shown, key=lambda at: (index[at] != self.selected, self._vehicles.state[index[at]])):
            sprite = self._sprites.get(self._vehicles.names[index[at]], style, dpr)
            is_ringed = index[at] == self.selected or self._vehicles.state[index[at]] == VehicleState.ALARM
            _place_name(painter, taken, sprite, float(screen.x[at]), float(screen.y[at]), 16 if is_ringed else 8)

    def _paint_clusters(self, painter: QPainter, clusters: Clusters, dpr: float) -> None:
        crowds = np.flatnonzero(clusters.count > 1)
        for at in crowds[np.argsort(clusters.count[crowds])]:
            sprite = self._cluster_sprite(int(clusters.count[at]), int(clusters.worst[at]), dpr)
            half = sprite.width() / dpr / 2
            painter.drawPixmap(QPointF(round(clusters.x[at] - half), round(clusters.y[at] - half)), sprite)

    def _cluster_sprite(self, count: int, worst: int, dpr: float) -> QPixmap:
        sprite = self._cluster_sprites.get((count, worst))
        if sprite is None or sprite.devicePixelRatio() != dpr:
            if len(self._cluster_sprites) > 2_000:
                self._cluster_sprites.clear()
            sprite = draw_cluster(count, VehicleState(worst), self._palette, dpr)
            self._cluster_sprites[count, worst] = sprite
        return sprite

    def _paint_dots(
        self, painter: QPainter, viewport: Viewport, px: FloatArray, py: FloatArray, index: NDArray[np.int64]
    ) -> None:
        if self._canvas.shape != (viewport.height, viewport.width):
            self._canvas = np.zeros((viewport.height, viewport.width), np.uint32)
        self._canvas.fill(0)
        paint_dots(self._canvas, px, py, self._vehicles.state[index], self._dot_colors)
        image = QImage(self._canvas.data, viewport.width, viewport.height, QImage.Format.Format_ARGB32_Premultiplied)
        painter.drawImage(0, 0, image)

    def _paint_selected(self, painter: QPainter, viewport: Viewport, dpr: float) -> None:
        vehicles = self._vehicles
        if not 0 <= self.selected < len(vehicles.x) or vehicles.state[self.selected] >= len(DRAWN_STATES):
            return
        px, py = viewport.to_px(vehicles.x[self.selected], vehicles.y[self.selected])
        center = QPointF(round(float(px)), round(float(py)))
        if len(self.screen.index) >= CLUSTERS_FROM:
            only = np.array([self.selected])
            self._paint_sprites(painter, Screen(np.array([center.x()]), np.array([center.y()]), only), dpr)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(self._palette.paper), 4.5))
        painter.drawEllipse(center, 16, 16)
        painter.setPen(QPen(QColor(self._palette.primary), 2.2))
        painter.drawEllipse(center, 16, 16)

    def hit(self, px: float, py: float) -> Hit | None:
        """What is under a pixel, as it was last painted; the nearest within reach, the urgent one on a tie."""
        clusters = self.screen.clusters
        if clusters is not None:
            distance = np.hypot(clusters.x - px, clusters.y - py) - cluster_radius(clusters.count)
            if len(distance) == 0 or distance.min() > 2:
                return None
            at = int(distance.argmin())
            if clusters.count[at] == 1:
                return Hit(vehicle=int(self.screen.index[clusters.member[at]]))
            return Hit(cluster_at=(float(clusters.x[at]), float(clusters.y[at])), count=int(clusters.count[at]))
        if len(self.screen.index) == 0:
            return None
        distance = np.hypot(self.screen.x - px, self.screen.y - py)
        nearest = distance.min()
        if nearest > HIT_PX:
            return None
        ties = np.flatnonzero(distance <= nearest + 0.5)
        urgent = ties[np.argmin(self._vehicles.state[self.screen.index[ties]])]
        return Hit(vehicle=int(self.screen.index[urgent]))


def cluster_radius(count: NDArray[np.int64]) -> FloatArray:
    """Pixels; grows with the number of digits rather than the number, so that neighbours do not touch."""
    radius: FloatArray = 13.0 + 3.2 * np.log10(np.maximum(count, 1))
    return radius


def draw_cluster(count: int, worst: VehicleState, palette: MapPalette, dpr: float) -> QPixmap:
    """A disc with a count, ringed in the colour of the most urgent state; a red mark when that is an alarm."""
    radius = float(cluster_radius(np.array([count]))[0])
    size = int(2 * radius + 8)
    sprite = QPixmap(round(size * dpr), round(size * dpr))
    sprite.setDevicePixelRatio(dpr)
    sprite.fill(Qt.GlobalColor.transparent)
    painter = QPainter(sprite)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    center = QPointF(size / 2, size / 2)
    painter.setBrush(QColor(palette.paper))
    painter.setPen(QPen(QColor(color_of(worst, palette)), 2.4))
    painter.drawEllipse(center, radius, radius)
    font = QFont(FAMILY)
    font.setPixelSize(11 if count < 1000 else 10)
    font.setWeight(font.Weight.DemiBold)
    painter.setFont(font)
    painter.setPen(QColor(palette.ink))
    painter.drawText(QRectF(0, 0, size, size), Qt.AlignmentFlag.AlignCenter, str(count))
    if worst is VehicleState.ALARM:
        painter.setPen(QPen(QColor(palette.paper), 1.4))
        painter.setBrush(QColor(palette.alarm))
        painter.drawEllipse(QPointF(size / 2 + radius * 0.72, size / 2 - radius * 0.72), 4.4, 4.4)
    painter.end()
    return sprite


def _place_name(painter: QPainter, taken: TakenSpace, sprite: QPixmap, px: float, py: float, gap: float) -> None:
    """Beside, below or above the marker, at ``gap`` pixels from its middle, where nothing stands yet."""
    width, height = sprite.width() / sprite.devicePixelRatio(), sprite.height() / sprite.devicePixelRatio()
    beside, middle = py - height / 2, px - width / 2
    spots = ((px + gap, beside), (px - gap - width, beside), (middle, py + gap), (middle, py - gap - height))
    for left, top in spots:
        if taken.take(left + 2, top + 3, left + width - 2, top + height - 3):
            painter.drawPixmap(QPointF(round(left), round(top)), sprite)
            return
