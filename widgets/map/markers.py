"""Vehicles, or drivers' phones, as one graphics item: sprites, grid clusters, or dots, by how many are on screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pyqtgraph.Qt.internals import PrimitiveArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from widgets.map.atlas import DRAWN_STATES, VEHICLE_LOOK, Look, build_atlas
from widgets.map.base_map import WORLD_RECT, viewport_of
from widgets.map.clusters import Clusters, grid_clusters, paint_dots
from widgets.map.labels import FAMILY
from widgets.map.palette import MapPalette
from widgets.map.projection import FloatArray, Viewport
from widgets.map.states import VehicleState

CLUSTERS_FROM = 2_000
DOTS_FROM = 20_000
HIT_PX = 14.0
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
    """What lies under a click: the index of one, or a cluster at pixels with its count; ``away_px`` how near."""

    index: int | None = None
    cluster_at: tuple[float, float] | None = None
    count: int = 1
    away_px: float = 0.0


class MarkersItem(QGraphicsItem):
    """Paints :class:`Vehicles` in pixels on top of the map, without their names."""

    def __init__(self, palette: MapPalette, look: Look = VEHICLE_LOOK) -> None:
        super().__init__()
        self.look = look
        self.vehicles = NO_VEHICLES
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
        opaque = (QColor(self.look.color_of(state, palette)).rgb() for state in VehicleState)
        self._dot_colors = np.fromiter(opaque, np.uint32, len(VehicleState))
        self.update()

    def set_vehicles(self, vehicles: Vehicles, selected: int = -1) -> None:
        """Replace what is drawn; ``selected`` is an index into it or -1."""
        if len(vehicles.names) != len(self.vehicles.names):
            self.screen = Screen()  # its indices are those of another fleet
        self.vehicles = vehicles
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
            clusters = grid_clusters(px, py, self.vehicles.state[index], (float(anchor[0]), float(anchor[1])))
            self.screen = Screen(px, py, index, clusters)
            alone = clusters.member[clusters.count == 1]
            self._paint_sprites(painter, Screen(px[alone], py[alone], index[alone]), widget.devicePixelRatioF())
            self._paint_clusters(painter, clusters, widget.devicePixelRatioF())
        else:
            self.screen = Screen(px, py, index)
            self._paint_sprites(painter, self.screen, widget.devicePixelRatioF())
        self._paint_selected(painter, viewport, widget.devicePixelRatioF())

    def _on_screen(self, viewport: Viewport) -> tuple[FloatArray, FloatArray, NDArray[np.int64]]:
        """Whole pixels of the pictures in view, and their indices; those without a position are left out."""
        vehicles = self.vehicles
        px, py = viewport.to_px(vehicles.x, vehicles.y)
        py = py - self.look.lift_px
        edge = self.look.cell_px / 2
        seen = (px > -edge) & (py > -edge) & (px < viewport.width + edge) & (py < viewport.height + edge)
        seen &= vehicles.state < len(DRAWN_STATES)
        index = np.flatnonzero(seen)
        return np.round(px[index]), np.round(py[index]), index

    def _paint_sprites(self, painter: QPainter, screen: Screen, dpr: float) -> None:
        if self._atlas is None or self._atlas_dpr != dpr:
            self._atlas, self._atlas_dpr = build_atlas(self.look, self._palette, dpr), dpr
        index = screen.index
        if len(index) == 0:
            return
        cell = round(self.look.cell_px * dpr)
        state = self.vehicles.state[index]
        order = np.argsort(-state, kind="stable")  # the urgent ones on top
        self._fragments.resize(len(index))
        packed = self._fragments.ndarray()
        packed[:, 0] = screen.x[order]
        packed[:, 1] = screen.y[order]
        packed[:, 2] = self.vehicles.column[index][order] * float(cell)
        packed[:, 3] = state[order] * float(cell)
        packed[:, 4:6] = cell
        packed[:, 6:8] = 1.0 / dpr
        packed[:, 8] = 0.0
        packed[:, 9] = 1.0
        first, count = self._fragments.drawargs()
        painter.drawPixmapFragments(first, count, self._atlas)

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
            sprite = draw_cluster(count, VehicleState(worst), self.look, self._palette, dpr)
            self._cluster_sprites[count, worst] = sprite
        return sprite

    def _paint_dots(
        self, painter: QPainter, viewport: Viewport, px: FloatArray, py: FloatArray, index: NDArray[np.int64]
    ) -> None:
        if self._canvas.shape != (viewport.height, viewport.width):
            self._canvas = np.zeros((viewport.height, viewport.width), np.uint32)
        self._canvas.fill(0)
        paint_dots(self._canvas, px, py, self.vehicles.state[index], self._dot_colors)
        image = QImage(self._canvas.data, viewport.width, viewport.height, QImage.Format.Format_ARGB32_Premultiplied)
        painter.drawImage(0, 0, image)

    def _paint_selected(self, painter: QPainter, viewport: Viewport, dpr: float) -> None:
        vehicles = self.vehicles
        if not 0 <= self.selected < len(vehicles.x) or vehicles.state[self.selected] >= len(DRAWN_STATES):
            return
        px, py = viewport.to_px(vehicles.x[self.selected], vehicles.y[self.selected])
        center = QPointF(round(float(px)), round(float(py) - self.look.lift_px))
        if len(self.screen.index) >= CLUSTERS_FROM:
            only = np.array([self.selected])
            self._paint_sprites(painter, Screen(np.array([center.x()]), np.array([center.y()]), only), dpr)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(self._palette.paper), 4.5))
        painter.drawEllipse(center, self.look.ring_px, self.look.ring_px)
        painter.setPen(QPen(QColor(self._palette.primary), 2.2))
        painter.drawEllipse(center, self.look.ring_px, self.look.ring_px)

    def hit(self, px: float, py: float) -> Hit | None:
        """What is under a pixel, as it was last painted; the nearest within reach, the urgent one on a tie."""
        clusters = self.screen.clusters
        if clusters is not None:
            distance = np.hypot(clusters.x - px, clusters.y - py) - cluster_radius(clusters.count)
            if len(distance) == 0 or distance.min() > 2:
                return None
            at = int(distance.argmin())
            if clusters.count[at] == 1:
                return Hit(int(self.screen.index[clusters.member[at]]))
            return Hit(cluster_at=(float(clusters.x[at]), float(clusters.y[at])), count=int(clusters.count[at]))
        if len(self.screen.index) == 0:
            return None
        distance = np.hypot(self.screen.x - px, self.screen.y - py)
        nearest = distance.min()
        if nearest > HIT_PX:
            return None
        ties = np.flatnonzero(distance <= nearest + 0.5)
        urgent = ties[np.argmin(self.vehicles.state[self.screen.index[ties]])]
        return Hit(int(self.screen.index[urgent]), away_px=float(nearest))


def cluster_radius(count: NDArray[np.int64]) -> FloatArray:
    """Pixels; grows with the number of digits rather than the number, so that neighbours do not touch."""
    radius: FloatArray = 13.0 + 3.2 * np.log10(np.maximum(count, 1))
    return radius


def draw_cluster(count: int, worst: VehicleState, look: Look, palette: MapPalette, dpr: float) -> QPixmap:
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
    painter.setPen(QPen(QColor(look.color_of(worst, palette)), 2.4))
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
