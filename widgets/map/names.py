"""Which names of countries, states and towns stand on the map, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QPainter, QPen, QPixmap

from widgets.map.base_data import Place
from widgets.map.labels import TakenSpace, TextSprites, TextStyle
from widgets.map.palette import MapPalette
from widgets.map.projection import Viewport

LARGE_TOWN = 900_000
TOWN_GAP_PX = 4.0
HOME_COUNTRY = "NIGERIA"
HOME_NAMED_ABOVE_M_PX = 2_600.0  # closer than this its states say it
COUNTRY_M_PX = (250.0, 12_000.0)
STATE_M_PX = (60.0, 1_900.0)


def least_town(metres_per_px: float) -> float:
    """The weight from which towns are named: about twenty over the whole country, all of them from 60 m/px on."""
    if metres_per_px <= 60:
        return 0.0
    return min(520.0 * float((metres_per_px / 10) ** 1.5), 0.0159 * float(metres_per_px**2.51))


@dataclass
class NamePainter:
    """Draws one map's names in pixels of ``viewport``, each where nothing stands yet."""

    painter: QPainter
    viewport: Viewport
    sprites: TextSprites
    palette: MapPalette
    dpr: float
    _taken: TakenSpace = field(default_factory=TakenSpace)

    def draw(self, places: Iterable[Place]) -> None:
        """``places``: the heaviest first within each kind. Towns go before areas, whose names can wait."""
        places = tuple(places)
        least = least_town(self.viewport.metres_per_px)
        for place in places:
            if place.kind == "town" and place.weight >= least:
                self._draw_town(place)
        for place in places:
            if place.kind != "town":
                self._draw_area(place)

    def _draw_area(self, place: Place) -> None:
        metres = self.viewport.metres_per_px
        low, high = COUNTRY_M_PX if place.kind == "country" else STATE_M_PX
        if not low < metres < high or (place.name == HOME_COUNTRY and metres < HOME_NAMED_ABOVE_M_PX):
            return
        size, spacing = (13, 0.6) if place.kind == "country" else (10, 0.4)
        style = TextStyle(size, 600, self.palette.area_text, self.palette.halo, 2.0, spacing)
        self._place(self.sprites.get(place.name, style, self.dpr), *self._pixel(place), is_centred=True)

    def _draw_town(self, place: Place) -> None:
        px, py = self._pixel(place)
        if not (-20 < px < self.viewport.width + 20 and -20 < py < self.viewport.height + 20):
            return
        is_large = place.weight >= LARGE_TOWN
        style = TextStyle(13 if is_large else 12, 600 if is_large else 500, self.palette.town_text, self.palette.halo)
        if self._place(self.sprites.get(place.name, style, self.dpr), px, py, is_centred=False):
            self.painter.setPen(QPen(QColor(self.palette.halo), 1.0))
            self.painter.setBrush(QColor(self.palette.town))
            radius = 2.8 if is_large else 2.2
            self.painter.drawEllipse(QPointF(px, py), radius, radius)

    def _pixel(self, place: Place) -> tuple[float, float]:
        px, py = self.viewport.to_px(place.x, place.y)
        return round(float(px)), round(float(py))

    def _place(self, sprite: QPixmap, px: float, py: float, *, is_centred: bool) -> bool:
        """Draw a text at the first free side of its point; False when there is none or it lies outside."""
        width, height = sprite.width() / sprite.devicePixelRatio(), sprite.height() / sprite.devicePixelRatio()
        top = py - height / 2
        if px + width < 0 or px - width > self.viewport.width or top + height < 0 or top > self.viewport.height:
            return False
        for left in (px - width / 2,) if is_centred else (px + TOWN_GAP_PX, px - width - TOWN_GAP_PX):
            near = left if is_centred else min(left, px - 4)
            far = left + width if is_centred else max(left + width, px + 4)
            if self._taken.take(near - 2, top + 2, far + 2, top + height - 2):
                self.painter.drawPixmap(QPointF(round(left), round(top)), sprite)
                return True
        return False
