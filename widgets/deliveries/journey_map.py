"""The way of a batch on a small map: the vehicle's track, the stops by number, and where fuel went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPen
from PySide6.QtWidgets import QGraphicsItem, QStyleOptionGraphicsItem, QVBoxLayout, QWidget

from app.deliveries.batch import StopListing
from app.fuel.events import StoredEvent
from resources import resource_path
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.deliveries.journey_read import Road
from widgets.map.base_data import load_base_data
from widgets.map.base_map import WORLD_RECT, viewport_of
from widgets.map.events import EventMark, EventsItem
from widgets.map.labels import FAMILY
from widgets.map.map_view import Bounds, MapView, Under
from widgets.map.palette import MapPalette, palette_for
from widgets.map.projection import to_world
from widgets.map.track_item import TrackItem

REACH_PX = 12.0
DISC_PX = 9.5
STEM_PX = 22.0
"""The disc stands above its place, so that what happened at the stop stays visible under it."""


@dataclass(frozen=True, slots=True)
class StopMark:
    """One stop with a place; ``state`` is done, failed or open."""

    number: int
    name: str
    state: str
    lat: float
    lon: float


class StopsItem(QGraphicsItem):
    """Numbered discs; what failed has a square, what is open is hollow, so that colour is never the only sign."""

    def __init__(self, palette: MapPalette) -> None:
        super().__init__()
        self._palette = palette
        self._stops: Sequence[StopMark] = ()
        self._x = self._y = np.empty(0)
        self._at = (np.empty(0), np.empty(0))
        self.setZValue(50)

    def set_palette(self, palette: MapPalette) -> None:
        self._palette = palette
        self.update()

    def set_stops(self, stops: Sequence[StopMark]) -> None:
        self._stops = stops
        self._x, self._y = to_world([stop.lat for stop in stops], [stop.lon for stop in stops])
        self._at = (np.empty(0), np.empty(0))
        self.update()

    def hit(self, px: float, py: float) -> StopMark | None:
        """The stop under a pixel, as last painted."""
        if len(self._at[0]) != len(self._stops) or not self._stops:
            return None
        apart = np.hypot(self._at[0] - px, self._at[1] - STEM_PX - py)
        nearest = int(apart.argmin())
        return self._stops[nearest] if apart[nearest] <= REACH_PX else None

    def boundingRect(self) -> QRectF:
        return WORLD_RECT

    def paint(self, painter: QPainter, _option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if widget is None or not self._stops:
            return
        viewport = viewport_of(painter, widget.width(), widget.height())
        painter.resetTransform()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._at = viewport.to_px(self._x, self._y)
        font = QFont(FAMILY)
        font.setPixelSize(11)
        font.setWeight(QFont.Weight.Bold)
        painter.setFont(font)
        for stop, px, py in zip(self._stops, self._at[0].tolist(), self._at[1].tolist(), strict=True):
            self._paint_stop(painter, stop, QPointF(px, py))

    def _paint_stop(self, painter: QPainter, stop: StopMark, at: QPointF) -> None:
        palette = self._palette
        color = QColor({"done": palette.moving, "failed": palette.alarm}.get(stop.state, palette.ink))
        is_open = stop.state == "open"
        painter.setPen(QPen(color, 1.8))
        painter.setBrush(QColor(palette.paper) if is_open else color)
        top = at.y() - STEM_PX
        painter.drawLine(at, QPointF(at.x(), top))
        box = QRectF(at.x() - DISC_PX, top - DISC_PX, 2 * DISC_PX, 2 * DISC_PX)
        if stop.state == "failed":
            painter.drawRoundedRect(box, 3, 3)
        else:
            painter.drawEllipse(box)
        painter.setPen(color if is_open else QColor(palette.paper))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, str(stop.number))


class JourneyMap(QWidget):
    """The map of one road."""

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self._context = context
        palette = palette_for(context.theme.tokens["name"])
        self.map = MapView(load_base_data(resource_path("mapdata")), palette)
        self.map.plot.setAccessibleName(tr("Map of the journey"))
        self.track = TrackItem(palette)
        self.stops = StopsItem(palette)
        self.fuel = EventsItem(palette)
        self._items = (self.track, self.stops, self.fuel)
        for item in self._items:
            self.map.add_item(item)
        self.map.describe = self._describe
        self._bounds: Bounds | None = None
        self.map.on_fit = self.fit
        self.road: Road | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.map)
        context.theme.changed.connect(self._restyle)

    def show_road(self, road: Road | None) -> None:
        """Draw it; a view that the operator chose is kept while it is the same batch."""
        shown = self.road
        is_same = road is not None and shown is not None and _batch_id(road) == _batch_id(shown)
        is_same = is_same and (shown is None or shown.is_read)
        self.road = road
        self.track.set_track(None if road is None else road.track)
        stops = [] if road is None else stop_marks(road.batch.details.stops)
        fuel = [] if road is None else fuel_marks(road)
        self.stops.set_stops(stops)
        self.fuel.set_events(fuel)
        if not is_same:
            self._bounds = bounds_of(road, stops, fuel)
            self.fit()

    def show_moment(self, at_s: float) -> None:
        """Where the vehicle was at a moment that is pointed at elsewhere."""
        track = None if self.road is None else self.road.track
        self.track.set_moment(None if track is None else track.moment(round(at_s * 1000)))

    def fit(self) -> None:
        if self._bounds is None:
            self.map.fit_home()
        else:
            self.map.fit(self._bounds)

    def _describe(self, under: Under) -> str:
        px, py = under.px, under.py
        if (event := self.fuel.hit(px, py)) is not None:
            return f"{event.text}, {self._context.formats.time(event.occurred_at_ms)}"
        if (stop := self.stops.hit(px, py)) is not None:
            return f"{stop.number}. {stop.name}"
        track = None if self.road is None else self.road.track
        if track is not None and (fix := self.track.hit(px, py)) is not None:
            speed = self._context.formats.speed(float(track.speed_km_h[fix]))
            return f"{self._context.formats.time(int(track.fixed_at_ms[fix]))}, {speed}"
        return ""

    def _restyle(self) -> None:
        palette = palette_for(self._context.theme.tokens["name"])
        self.map.set_palette(palette)
        for item in self._items:
            item.set_palette(palette)

    def close_map(self) -> None:
        self._context.theme.changed.disconnect(self._restyle)
        self.map.close_map()


def stop_marks(stops: Sequence[StopListing]) -> list[StopMark]:
    """Stops whose place is known."""
    found = []
    for stop in stops:
        if stop.lat is not None and stop.lon is not None:
            state = "failed" if stop.stage in ("failed", "skipped") else "done" if stop.is_done else "open"
            found.append(StopMark(stop.sequence, stop.label, state, stop.lat, stop.lon))
    return found


def fuel_mark(event: StoredEvent, is_loss: bool) -> EventMark | None:
    """A fuel event as the map marks events; None where its place is not known."""
    if event.lat is None or event.lon is None:
        return None
    words = tr("{litres} L lost") if event.kind == "drain" else tr("{litres} L filled")
    text = words.format(litres=f"{event.litres:,.0f}")
    return EventMark(0, event.tank, event.kind, text, event.start_ms, event.lat, event.lon, is_alarm=is_loss)


def fuel_marks(road: Road) -> list[EventMark]:
    """The fuel events of a road whose place is known."""
    return [mark for one in road.batch.fuel if (mark := fuel_mark(one.event, one.is_loss))]


def bounds_of(road: Road | None, stops: Sequence[StopMark], fuel: Sequence[EventMark]) -> Bounds | None:
    """What of the world holds a whole way with its marks; None where no place of it is known."""
    marks: list[StopMark | EventMark] = [*stops, *fuel]
    lat, lon = [mark.lat for mark in marks], [mark.lon for mark in marks]
    if road is not None and road.track is not None:
        lat += road.track.lat[road.track.is_counted].tolist()
        lon += road.track.lon[road.track.is_counted].tolist()
    if not lat:
        return None
    x, y = to_world(lat, lon)
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _batch_id(road: Road) -> str:
    return road.batch.details.batch.id
