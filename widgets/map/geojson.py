"""A user's GeoJSON file as a layer: lines, areas and named points (RFC 7946, degrees WGS 84).

The file is somebody's download: everything in it is bounded, checked and plain text, and the refusal names the place.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from resources.i18n import tr
from widgets.map.base_map import world_transform
from widgets.map.labels import TakenSpace, TextSprites, TextStyle
from widgets.map.layer_errors import LayerRefused
from widgets.map.palette import MapPalette
from widgets.map.projection import FloatArray, Viewport, to_world

LARGEST_FILE_BYTES = 16 * 1024 * 1024
MOST_VERTICES = 300_000
MOST_POINTS = 20_000
DEEPEST_COLLECTION = 4
LONGEST_NAME = 60
NAME_KEYS = ("name", "Name", "NAME", "title", "label")
POINTS_NAMED_UP_TO = 400  # points in view

Ring = tuple[FloatArray, FloatArray]


@dataclass
class GeoShapes:
    """World metres: ``lines`` and ``areas`` (outer ring first), points with their names."""

    lines: list[Ring] = field(default_factory=list)
    areas: list[list[Ring]] = field(default_factory=list)
    point_x: list[float] = field(default_factory=list)
    point_y: list[float] = field(default_factory=list)
    point_names: list[str] = field(default_factory=list)
    vertices: int = 0
    left_out: int = 0  # features without a geometry


def read_geojson(path: Path) -> GeoShapes:
    """Read and check a file. Raises LayerRefused. Blocks: call it off the UI thread."""
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE_BYTES:
            raise LayerRefused(
                tr(
                    "{file} has {size} MB; a GeoJSON layer may have {most}. Simplify it, or make raster tiles of it.",
                    file=path.name,
                    size=size // 2**20,
                    most=LARGEST_FILE_BYTES // 2**20,
                )
            )
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as err:
        raise LayerRefused(tr("{file} is not UTF-8 text, so it is no GeoJSON.", file=path.name)) from err
    except OSError as err:
        reason = err.strerror or str(err)
        raise LayerRefused(tr("{file} cannot be read: {reason}.", file=path.name, reason=reason)) from err
    try:
        return parse_geojson(text)
    except LayerRefused as err:
        raise LayerRefused(tr("{file} was not added: {reason}", file=path.name, reason=err)) from err


def parse_geojson(text: str) -> GeoShapes:
    """The shapes of a GeoJSON text. Raises LayerRefused with the place of the fault."""
    try:
        document = json.loads(text)
    except RecursionError as err:
        raise LayerRefused(tr("it is nested too deeply.")) from err
    except ValueError as err:
        raise LayerRefused(tr("it is not JSON ({reason}).", reason=err)) from err
    shapes = GeoShapes()
    for number, feature in enumerate(_features(document), start=1):
        try:
            _add_feature(shapes, feature)
        except LayerRefused as err:
            raise LayerRefused(tr("feature {n}: {reason}", n=number, reason=err)) from err
    if not (shapes.lines or shapes.areas or shapes.point_x):
        raise LayerRefused(tr("it holds nothing that can be drawn."))
    return shapes


def _features(document: Any) -> Iterator[Any]:
    kind = document.get("type") if isinstance(document, dict) else None
    if kind == "FeatureCollection":
        features = document.get("features")
        if not isinstance(features, list):
            raise LayerRefused(tr("its list of features is missing."))
        yield from features
    elif kind == "Feature":
        yield document
    elif isinstance(kind, str):
        yield {"type": "Feature", "geometry": document, "properties": None}
    else:
        raise LayerRefused(tr("it is JSON but not GeoJSON."))


def _add_feature(shapes: GeoShapes, feature: Any) -> None:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise LayerRefused(tr("it is not a feature."))
    geometry = feature.get("geometry")
    if geometry is None:
        shapes.left_out += 1
        return
    properties = feature.get("properties")
    name = ""
    if isinstance(properties, dict):
        name = next((str(properties[key]) for key in NAME_KEYS if isinstance(properties.get(key), (str, int))), "")
    _add_geometry(shapes, geometry, " ".join(name.split())[:LONGEST_NAME], 0)


def _add_geometry(shapes: GeoShapes, geometry: Any, name: str, depth: int) -> None:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind == "GeometryCollection":
        if depth >= DEEPEST_COLLECTION:
            raise LayerRefused(tr("its collections are nested too deeply."))
        for part in _list(geometry.get("geometries")):
            _add_geometry(shapes, part, name, depth + 1)
        return
    coordinates = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if kind == "Point":
        _add_points(shapes, [coordinates], name)
    elif kind == "MultiPoint":
        _add_points(shapes, _list(coordinates), name)
    elif kind == "LineString":
        shapes.lines.append(_ring(shapes, coordinates, 2))
    elif kind == "MultiLineString":
        shapes.lines.extend(_ring(shapes, line, 2) for line in _list(coordinates))
    elif kind == "Polygon":
        shapes.areas.append([_ring(shapes, ring, 3) for ring in _list(coordinates)])
    elif kind == "MultiPolygon":
        shapes.areas.extend([_ring(shapes, ring, 3) for ring in _list(area)] for area in _list(coordinates))
    else:
        raise LayerRefused(tr("its geometry type {kind} is unknown.", kind=str(kind)[:40]))


def _add_points(shapes: GeoShapes, coordinates: list[Any], name: str) -> None:
    x, y = _ring(shapes, coordinates, 1)
    shapes.point_x.extend(x.tolist())
    shapes.point_y.extend(y.tolist())
    shapes.point_names.extend([name] * len(x))
    if len(shapes.point_x) > MOST_POINTS:
        raise LayerRefused(tr("there are more than {n} points; split the file.", n=MOST_POINTS))


def _ring(shapes: GeoShapes, coordinates: Any, least: int) -> Ring:
    positions = _list(coordinates)
    shapes.vertices += len(positions)
    if shapes.vertices > MOST_VERTICES:
        raise LayerRefused(tr("there are more than {n} corners; simplify the file.", n=MOST_VERTICES))
    if len(positions) < least:
        raise LayerRefused(tr("a line or area has too few corners."))
    lon = [_degree(position, 0, 180.0) for position in positions]
    lat = [_degree(position, 1, 90.0) for position in positions]
    return to_world(lat, lon)


def _degree(position: Any, index: int, most: float) -> float:
    value: Any = position[index] if isinstance(position, list) and len(position) >= 2 else None
    # The size first: Python's integers can be too large for isfinite; NaN passes the first test and fails the second.
    if type(value) not in {int, float} or not abs(value) <= most or not math.isfinite(value):
        raise LayerRefused(tr("a coordinate is not in degrees of longitude and latitude (WGS 84)."))
    return float(value)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise LayerRefused(tr("a list of coordinates is missing."))
    return value


class GeoJsonLayer:
    """Shapes painted in one colour over the base map."""

    covers = False

    def __init__(self, shapes: GeoShapes, sprites: TextSprites) -> None:
        self.visible = True
        self.shapes = shapes
        self._sprites = sprites
        self._lines = _joined([[line] for line in shapes.lines], is_closed=False)
        self._areas = _joined(shapes.areas, is_closed=True)
        self._x, self._y = np.array(shapes.point_x), np.array(shapes.point_y)

    def close(self) -> None:
        """Nothing is held open."""

    def paint(self, painter: QPainter, viewport: Viewport, palette: MapPalette) -> None:
        painter.setTransform(world_transform(viewport))
        pen = QPen(QColor(palette.fence), 1.0)
        pen.setCosmetic(True)
        fill = QColor(palette.fence)
        fill.setAlpha(26)
        painter.setPen(pen)
        painter.setBrush(fill)
        painter.drawPath(self._areas)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(self._lines)
        painter.resetTransform()
        self._paint_points(painter, viewport, palette)

    def _paint_points(self, painter: QPainter, viewport: Viewport, palette: MapPalette) -> None:
        px, py = viewport.to_px(self._x, self._y)
        seen = np.flatnonzero((px > -10) & (py > -10) & (px < viewport.width + 10) & (py < viewport.height + 10))
        painter.setPen(QPen(QColor(palette.paper), 1.0))
        painter.setBrush(QColor(palette.fence))
        taken = TakenSpace()
        style = TextStyle(11, 500, palette.fence, palette.paper)
        dpr = painter.device().devicePixelRatioF()
        for index in seen:
            x, y = float(px[index]), float(py[index])
            painter.drawRect(QRectF(x - 3, y - 3, 6, 6))
            name = self.shapes.point_names[index]
            if not name or len(seen) > POINTS_NAMED_UP_TO:
                continue
            sprite = self._sprites.get(name, style, dpr)
            width, height = sprite.width() / dpr, sprite.height() / dpr
            if taken.take(x - 4, y - height / 2 + 2, x + 5 + width, y + height / 2 - 2):
                painter.drawPixmap(QPointF(round(x + 4), round(y - height / 2)), sprite)


def _joined(parts: list[list[Ring]], *, is_closed: bool) -> QPainterPath:
    path = QPainterPath()
    path.setFillRule(Qt.FillRule.OddEvenFill)  # later rings of an area are holes
    for rings in parts:
        for x, y in rings:
            points = zip(x.tolist(), y.tolist(), strict=True)
            path.moveTo(*next(points))
            for point in points:
                path.lineTo(*point)
            if is_closed:
                path.closeSubpath()
    return path
