"""What devices reported, where they reported it: alarms as red marks, everything else as small rings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QWidget

from widgets.map.base_map import WORLD_RECT, viewport_of
from widgets.map.labels import FAMILY
from widgets.map.palette import MapPalette
from widgets.map.projection import to_world

REACH_PX = 10.0
SPRITE_PX = 22
ALL_BELOW_M_PX = 400.0  # further out only alarms are drawn; ignitions and starts would hide the fleet


@dataclass(frozen=True, slots=True)
class EventMark:
    """One event with a place. ``event_id`` leads to its raw frame."""

    event_id: int
    name: str  # of the vehicle or tracker
    kind: str
    text: str
    occurred_at_ms: int
    lat: float
    lon: float
    is_alarm: bool


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a tracker last raised the alarm for, and when."""

    at_ms: int
    text: str


class EventsItem(QGraphicsItem):
    """Paints events under the vehicles; the newest on top."""

    def __init__(self, palette: MapPalette) -> None:
        super().__init__()
        self._events: Sequence[EventMark] = ()
        self._x = self._y = np.empty(0)
        self._at = (np.empty(0), np.empty(0))
        self._is_alarm = np.empty(0, bool)
        self._shows_all = True
        self._sprites: dict[tuple[bool, float], QPixmap] = {}
        self.set_palette(palette)
        self.setZValue(60)

    @property
    def events(self) -> Sequence[EventMark]:
        return self._events

    def set_palette(self, palette: MapPalette) -> None:
        self._palette = palette
        self._sprites.clear()
        self.update()

    def set_events(self, events: Sequence[EventMark]) -> None:
        """``events`` in the order of time, the newest last."""
        self._events = events
        self._is_alarm = np.fromiter((event.is_alarm for event in events), bool, len(events))
        self._x, self._y = to_world([event.lat for event in events], [event.lon for event in events])
        self.update()

    def hit(self, px: float, py: float) -> EventMark | None:
        """The newest event within reach of a pixel, as last painted."""
        if not self.isVisible() or len(self._at[0]) != len(self._events):
            return None
        near = np.flatnonzero(self._drawn & (np.hypot(self._at[0] - px, self._at[1] - py) <= REACH_PX))
        return self._events[int(near[-1])] if len(near) else None

    @property
    def _drawn(self) -> NDArray[np.bool_]:
        return self._is_alarm | self._shows_all

    def boundingRect(self) -> QRectF:
        return WORLD_RECT

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if widget is None:
            return
        viewport = viewport_of(painter, widget.width(), widget.height())
        painter.resetTransform()
        self._shows_all = viewport.metres_per_px < ALL_BELOW_M_PX
        self._at = viewport.to_px(self._x, self._y)
        px, py = np.round(self._at[0]), np.round(self._at[1])
        half = SPRITE_PX / 2
        seen = (px > -half) & (py > -half) & (px < viewport.width + half) & (py < viewport.height + half)
        for index in np.flatnonzero(seen & self._drawn).tolist():
            sprite = self._sprite(self._events[index].is_alarm, widget.devicePixelRatioF())
            painter.drawPixmap(QPointF(px[index] - half, py[index] - half), sprite)

    def _sprite(self, is_alarm: bool, dpr: float) -> QPixmap:
        sprite = self._sprites.get((is_alarm, dpr))
        if sprite is None:
            sprite = self._sprites[is_alarm, dpr] = _draw_event(is_alarm, self._palette, dpr)
        return sprite


def _draw_event(is_alarm: bool, palette: MapPalette, dpr: float) -> QPixmap:
    sprite = QPixmap(round(SPRITE_PX * dpr), round(SPRITE_PX * dpr))
    sprite.setDevicePixelRatio(dpr)
    sprite.fill(Qt.GlobalColor.transparent)
    painter = QPainter(sprite)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    center = QPointF(SPRITE_PX / 2, SPRITE_PX / 2)
    if is_alarm:
        painter.setPen(QPen(QColor(palette.paper), 1.4))
        painter.setBrush(QColor(palette.alarm))
        painter.drawEllipse(center, 7, 7)
        font = QFont(FAMILY)
        font.setPixelSize(10)
        font.setWeight(QFont.Weight.Bold)
        painter.setFont(font)
        painter.setPen(QColor(palette.paper))
        painter.drawText(QRectF(0, 0, SPRITE_PX, SPRITE_PX), Qt.AlignmentFlag.AlignCenter, "!")
    else:
        painter.setPen(QPen(QColor(palette.silent), 1.6))
        painter.setBrush(QColor(palette.paper))
        painter.drawEllipse(center, 4, 4)
    painter.end()
    return sprite
