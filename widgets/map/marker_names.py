"""Names beside vehicles and drivers' phones: which are shown, and where nothing stands yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF
from PySide6.QtGui import QColor, QPainter, QPixmap
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from widgets.map.base_map import WORLD_RECT, viewport_of
from widgets.map.labels import TakenSpace, TextSprites, TextStyle
from widgets.map.markers import CLUSTERS_FROM, MarkersItem
from widgets.map.palette import MapPalette
from widgets.map.states import VehicleState

NAMES_UP_TO = 150  # of one kind on screen that still get their names
ALL_NAMES_BELOW_M_PX = 160.0  # closer than this names are shown whatever the number
FEW = 60  # of one kind on screen that get names at any scale
PLATE_ALPHA = 225
ALARM_HALF_PX = 13  # its circle is wider than other markers


class MarkerNamesItem(QGraphicsItem):
    """Paints the names of what the items painted last; those of the first item find their places first."""

    def __init__(self, items: Sequence[MarkersItem], sprites: TextSprites, palette: MapPalette) -> None:
        super().__init__()
        self._items = items
        self._sprites = sprites
        self._palette = palette
        self.setZValue(101)

    def set_palette(self, palette: MapPalette) -> None:
        self._palette = palette
        self.update()

    def boundingRect(self) -> QRectF:
        return WORLD_RECT

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if widget is None:
            return
        metres_per_px = viewport_of(painter, widget.width(), widget.height()).metres_per_px
        painter.resetTransform()
        shown = [item for item in self._items if item.isVisible() and len(item.screen.index) < CLUSTERS_FROM]
        named_of = [(item, _named(item, metres_per_px)) for item in shown]
        if not any(len(named) for _item, named in named_of):
            return
        taken = TakenSpace(512)
        for item in shown:
            is_alarm = item.vehicles.state[item.screen.index] == VehicleState.ALARM
            halves = np.where(is_alarm, ALARM_HALF_PX, item.look.half_px)
            for x, y, half in zip(item.screen.x, item.screen.y, halves, strict=True):
                taken.cover(x - half, y - half, x + half, y + half)
        for item, named in named_of:
            for name, state, x, y, gap in _in_order(item, named):
                sprite = self._sprites.get(name, self._style(item, state), widget.devicePixelRatioF())
                _place_name(painter, taken, sprite, x, y, gap)

    def _style(self, item: MarkersItem, state: VehicleState) -> TextStyle:
        backing = QColor(self._palette.paper)
        backing.setAlpha(PLATE_ALPHA)
        color = item.look.name_color(state, self._palette)
        return TextStyle(11, 600, color, self._palette.paper, plate=backing.name(QColor.NameFormat.HexArgb))


def _named(item: MarkersItem, metres_per_px: float) -> NDArray[np.int64]:
    """Which of an item's screen get their names, as places in it."""
    index = item.screen.index
    has_room = metres_per_px < ALL_NAMES_BELOW_M_PX or len(index) <= FEW
    if has_room and len(index) <= NAMES_UP_TO:
        return np.arange(len(index))
    # whatever the number, the chosen one and those that need somebody
    urgent = (index == item.selected) | (item.vehicles.state[index] == VehicleState.ALARM)
    return np.flatnonzero(urgent)[:NAMES_UP_TO]


def _in_order(item: MarkersItem, named: NDArray[np.int64]) -> Iterator[tuple[str, VehicleState, float, float, int]]:
    """Name, state, pixels and how far off to write it: the chosen one first, then by urgency."""
    screen, vehicles = item.screen, item.vehicles
    for at in sorted(named, key=lambda at: (screen.index[at] != item.selected, vehicles.state[screen.index[at]])):
        index = screen.index[at]
        state = VehicleState(vehicles.state[index])
        is_ringed = index == item.selected or state is VehicleState.ALARM
        gap = item.look.ring_px if is_ringed else item.look.half_px
        yield vehicles.names[index], state, float(screen.x[at]), float(screen.y[at]), gap


def _place_name(painter: QPainter, taken: TakenSpace, sprite: QPixmap, px: float, py: float, gap: float) -> None:
    """Beside, below or above the marker, at ``gap`` pixels from its middle, where nothing stands yet."""
    width, height = sprite.width() / sprite.devicePixelRatio(), sprite.height() / sprite.devicePixelRatio()
    beside, middle = py - height / 2, px - width / 2
    spots = ((px + gap, beside), (px - gap - width, beside), (middle, py + gap), (middle, py - gap - height))
    for left, top in spots:
        if taken.take(left + 2, top + 3, left + width - 2, top + height - 3):
            painter.drawPixmap(QPointF(round(left), round(top)), sprite)
            return
