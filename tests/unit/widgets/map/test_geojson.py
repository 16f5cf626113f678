"""A user's GeoJSON: what is drawn, and that hostile files cost a clear sentence and nothing else."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage, QPainter

from widgets.map import geojson
from widgets.map.geojson import GeoJsonLayer, parse_geojson, read_geojson
from widgets.map.labels import TextSprites
from widgets.map.layer_errors import LayerRefused
from widgets.map.palette import LIGHT
from widgets.map.projection import Viewport, to_world


def a_feature(kind: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": {"type": kind, "coordinates": coordinates}}


def a_collection(*features: Any) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features})


SQUARE = [[7.0, 9.0], [8.0, 9.0], [8.0, 10.0], [7.0, 10.0], [7.0, 9.0]]
HOLE = [[7.4, 9.4], [7.6, 9.4], [7.6, 9.6], [7.4, 9.6], [7.4, 9.4]]


def test_every_geometry_is_read() -> None:
    everything = a_collection(
        a_feature("Point", [7.5, 9.1], name="Depot  A\n"),
        a_feature("MultiPoint", [[7.1, 9.1], [7.2, 9.2, 340.0]]),
        a_feature("LineString", SQUARE),
        a_feature("MultiLineString", [SQUARE, HOLE]),
        a_feature("Polygon", [SQUARE, HOLE]),
        a_feature("MultiPolygon", [[SQUARE], [SQUARE, HOLE]]),
        {"type": "Feature", "properties": None, "geometry": None},
        {
            "type": "Feature",
            "properties": {},
            "geometry": {"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [1, 2]}]},
        },
    )
    shapes = parse_geojson(everything)
    assert (len(shapes.lines), len(shapes.areas), len(shapes.point_x), shapes.left_out) == (3, 3, 4, 1)
    assert shapes.point_names == ["Depot A", "", "", ""]
    x, y = to_world(9.1, 7.5)
    assert (shapes.point_x[0], shapes.point_y[0]) == pytest.approx((float(x), float(y)))
    assert len(parse_geojson(json.dumps({"type": "LineString", "coordinates": SQUARE})).lines) == 1


def test_areas_are_filled_with_their_holes_left_open(qapp: object) -> None:
    layer = GeoJsonLayer(parse_geojson(a_collection(a_feature("Polygon", [SQUARE, HOLE]))), TextSprites())
    left, top = (float(value) for value in to_world(10.2, 6.8))
    viewport = Viewport(300 / 160_000, left, top, 300, 300)
    image = QImage(300, 300, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.white)
    painter = QPainter(image)
    layer.paint(painter, viewport, LIGHT)
    painter.end()

    def color_at(lat: float, lon: float) -> QColor:
        px, py = viewport.to_px(*to_world(lat, lon))
        return image.pixelColor(round(float(px)), round(float(py)))

    assert color_at(9.2, 7.2) != QColor("white")
    assert color_at(9.5, 7.5) == QColor("white")
    assert color_at(9.5, 8.1) == QColor("white")


BAD = [
    ("", "not JSON"),
    ("{", "not JSON"),
    ("[]", "not GeoJSON"),
    ('{"type": 3}', "not GeoJSON"),
    ('{"type": "FeatureCollection"}', "list of features"),
    ('{"type": "FeatureCollection", "features": []}', "nothing that can be drawn"),
    ('{"type": "FeatureCollection", "features": [7]}', "feature 1: it is not a feature"),
    (a_collection(a_feature("Point", [7, 9]), a_feature("Point", [9])), "feature 2: a coordinate is not"),
    (a_collection(a_feature("Point", [181, 9])), "WGS 84"),
    (a_collection(a_feature("Point", [7, -91])), "WGS 84"),
    (a_collection(a_feature("Point", ["7", 9])), "WGS 84"),
    (a_collection(a_feature("Point", [True, 9])), "WGS 84"),
    (a_collection(a_feature("Point", [math.nan, 9])), "WGS 84"),
    (a_collection(a_feature("Point", [10**400, 9])), "WGS 84"),
    (a_collection(a_feature("Point", [733_000.0, 992_000.0])), "WGS 84"),
    (a_collection(a_feature("LineString", [[7, 9]])), "too few corners"),
    (a_collection(a_feature("Polygon", SQUARE)), "too few corners"),
    (a_collection(a_feature("Circle", SQUARE)), "geometry type Circle is unknown"),
    (a_collection({"type": "Feature", "geometry": [1]}), "geometry type None is unknown"),
    ("[" * 200_000, "nested too deeply"),
]


@pytest.mark.parametrize(("text", "why"), BAD)
def test_bad_files_are_refused_with_the_place(text: str, why: str) -> None:
    with pytest.raises(LayerRefused, match=why):
        parse_geojson(text)


def test_collections_in_collections_end() -> None:
    geometry: Any = {"type": "Point", "coordinates": [7, 9]}
    for _ in range(20):
        geometry = {"type": "GeometryCollection", "geometries": [geometry]}
    with pytest.raises(LayerRefused, match="nested too deeply"):
        parse_geojson(json.dumps(geometry))


def test_sizes_are_capped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geojson, "MOST_VERTICES", 8)
    with pytest.raises(LayerRefused, match="more than 8 corners"):
        parse_geojson(a_collection(a_feature("LineString", SQUARE), a_feature("LineString", SQUARE)))
    monkeypatch.setattr(geojson, "LARGEST_FILE_BYTES", 2**20)
    huge = tmp_path / "roads.geojson"
    huge.write_bytes(b" " * (3 * 2**20))
    with pytest.raises(LayerRefused, match=r"roads\.geojson has 3 MB"):
        read_geojson(huge)


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    with pytest.raises(LayerRefused, match=r"away\.geojson cannot be read: No such file"):
        read_geojson(tmp_path / "away.geojson")
    other = tmp_path / "picture.geojson"
    other.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(LayerRefused, match="not UTF-8"):
        read_geojson(other)
    bad = tmp_path / "bad.geojson"
    bad.write_text("{}")
    with pytest.raises(LayerRefused, match=r"bad\.geojson was not added: it is JSON but not GeoJSON"):
        read_geojson(bad)
    marked = tmp_path / "bom.geojson"
    marked.write_text(a_collection(a_feature("Point", [7, 9])), encoding="utf-8-sig")
    assert len(read_geojson(marked).point_x) == 1


words = st.sampled_from(
    ["type", "Feature", "FeatureCollection", "features", "geometry", "geometries", "coordinates", "Point", "Polygon",
     "LineString", "MultiPolygon", "GeometryCollection", "properties", "name"]
)  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(words, inner, max_size=5),
    max_leaves=30,
)


@settings(max_examples=400)
@given(anything)
def test_no_json_at_all_breaks_the_reader(document: Any) -> None:
    try:
        shapes = parse_geojson(json.dumps(document))
    except LayerRefused as err:
        assert str(err).endswith((".", ")"))  # noqa: PT017 - either outcome is right
    else:
        assert all(math.isfinite(value) for value in shapes.point_x + shapes.point_y)


@settings(max_examples=200)
@given(st.data())
def test_no_mutation_of_a_good_file_breaks_the_reader(data: st.DataObject) -> None:
    text = a_collection(a_feature("Polygon", [SQUARE, HOLE], name="x"), a_feature("Point", [7.5, 9.5]))
    at = data.draw(st.integers(0, len(text) - 1))
    cut = data.draw(st.integers(0, 12))
    mutated = text[:at] + data.draw(st.text(max_size=4)) + text[at + cut :]
    with contextlib.suppress(LayerRefused):
        assert parse_geojson(mutated).vertices <= 11
