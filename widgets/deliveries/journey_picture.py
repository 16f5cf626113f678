"""The map of a journey as a picture for a file: one size, light, and the whole way, whatever is looked at."""

from __future__ import annotations

import asyncio

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QSize, Qt
from PySide6.QtGui import QImage, QImageWriter

from resources import resource_path
from resources.i18n import tr
from widgets.deliveries.journey_map import StopsItem, bounds_of, fuel_marks, stop_marks
from widgets.deliveries.journey_read import Road
from widgets.map.base_data import BaseData, load_base_data
from widgets.map.events import EventsItem
from widgets.map.map_view import MapView
from widgets.map.palette import LIGHT
from widgets.map.track_item import TrackItem

SIZE = QSize(1200, 800)


async def picture_of(road: Road) -> bytes | None:
    """PNG; None where no place of the way is known. Only the drawing itself is done on the UI thread."""
    data = await asyncio.to_thread(load_base_data, resource_path("mapdata"))
    image = _draw(road, data)
    return None if image is None else await asyncio.to_thread(_png_of, image)


def _draw(road: Road, data: BaseData) -> QImage | None:
    stops, fuel = stop_marks(road.batch.details.stops), fuel_marks(road)
    bounds = bounds_of(road, stops, fuel)
    if bounds is None:
        return None
    view = MapView(data, LIGHT)
    view.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
    try:
        track, stops_item, events = TrackItem(LIGHT), StopsItem(LIGHT), EventsItem(LIGHT)
        for item in (track, stops_item, events):
            view.add_item(item)
        track.set_track(road.track)
        stops_item.set_stops(stops)
        events.set_events(fuel)
        view.resize(SIZE)
        view.show()  # lays it out; it never reaches a screen
        view.fit(bounds)
        image = view.grab().toImage()
    finally:
        view.close_map()
        view.close()
        view.deleteLater()
    return image if image.size() == SIZE else image.scaled(SIZE, mode=Qt.TransformationMode.SmoothTransformation)


def _png_of(image: QImage) -> bytes:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"png")).write(image)
    return bytes(buffer.data().data())


def why_none(road: Road | None) -> str:
    """The sentence that stands in a pack in place of the picture."""
    if road is None:
        return tr("No map: it is in no batch, so no way is known.")
    return tr("No map: no place of the way of {batch} is known.", batch=road.batch.details.batch.name)
