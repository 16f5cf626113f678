"""Raster MBTiles made here: right tile at the right place, worker thread, and files that are none."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QBuffer, QByteArray, QIODevice
from PySide6.QtGui import QColor, QImage, QImageWriter, QPainter
from pytestqt.qtbot import QtBot

from widgets.map import mbtiles
from widgets.map.labels import TextSprites
from widgets.map.layer_errors import LayerRefused
from widgets.map.mbtiles import TileLayer, decode_tile, open_tiles, tile_rect, tiles_in, zoom_for
from widgets.map.palette import LIGHT
from widgets.map.projection import HALF_WORLD_M, Viewport, to_world

ZOOM = 5
WORLD = Viewport(512 / (2 * HALF_WORLD_M), -HALF_WORLD_M, HALF_WORLD_M, 512, 512)


def a_picture(color: str, size: int = 256) -> bytes:
    image = QImage(size, size, QImage.Format.Format_RGB32)
    image.fill(QColor(color))
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    assert QImageWriter(buffer, QByteArray(b"png")).write(image)
    return bytes(data.data())


def make_tiles(
    path: Path, tiles: dict[tuple[int, int, int], bytes], *, kind: str = "png", name: str = "Roads of Kano"
) -> Path:
    """``tiles`` by zoom, column, row from the north; the file counts rows from the south."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE metadata (name TEXT, value TEXT)")
    connection.execute("CREATE TABLE tiles (zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_data BLOB)")
    facts = {"name": name, "format": kind, "attribution": "© the makers"}
    connection.executemany("INSERT INTO metadata VALUES (?, ?)", facts.items())
    rows = [(zoom, column, 2**zoom - 1 - row, data) for (zoom, column, row), data in tiles.items()]
    connection.executemany("INSERT INTO tiles VALUES (?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return path


QUARTERS = {(1, 0, 0): "#ff0000", (1, 1, 0): "#00ff00", (1, 0, 1): "#0000ff", (1, 1, 1): "#ffff00"}


@pytest.fixture
def world(tmp_path: Path, qapp: object) -> Path:
    return make_tiles(tmp_path / "world.mbtiles", {key: a_picture(color) for key, color in QUARTERS.items()})


def painted(layer: TileLayer, viewport: Viewport) -> QImage:
    image = QImage(viewport.width, viewport.height, QImage.Format.Format_RGB32)
    image.fill(QColor("white"))
    painter = QPainter(image)
    layer.paint(painter, viewport, LIGHT)
    painter.end()
    return image


def test_tiles_arrive_from_the_worker_and_lie_where_they_belong(world: Path, qtbot: QtBot) -> None:
    info = open_tiles(world)
    assert (info.name, info.attribution, info.min_zoom, info.max_zoom) == ("Roads of Kano", "© the makers", 1, 1)
    layer = TileLayer(world, info)
    try:
        assert painted(layer, WORLD).pixelColor(100, 100) == QColor("white")
        qtbot.waitUntil(lambda: len(layer._kept) == 4)
        picture = painted(layer, WORLD)
        corners = [(100, 100), (400, 100), (100, 400), (400, 400)]
        assert [picture.pixelColor(*corner).name() for corner in corners] == list(QUARTERS.values())
        lagos_x, lagos_y = (float(value) for value in WORLD.to_px(*to_world(6.45, 3.39)))
        assert picture.pixelColor(round(lagos_x), round(lagos_y)).name() == "#00ff00"  # north, east
    finally:
        layer.close()


def test_deeper_than_the_file_its_tiles_are_enlarged(world: Path, qtbot: QtBot) -> None:
    layer = TileLayer(world, open_tiles(world))
    try:
        left, top = (float(value) for value in to_world(9.1, 7.0))
        close = Viewport(1 / 50, left, top, 300, 200)
        assert zoom_for(close, layer.info) == 1
        painted(layer, close)
        qtbot.waitUntil(lambda: (1, 1, 0) in layer._kept)
        assert painted(layer, close).pixelColor(150, 100).name() == "#00ff00"
    finally:
        layer.close()


def test_a_missing_tile_shows_its_part_of_the_larger_one(tmp_path: Path, qtbot: QtBot) -> None:
    tiles = {(0, 0, 0): a_picture("#123456"), (1, 0, 0): a_picture("#ff0000")}
    path = make_tiles(tmp_path / "holes.mbtiles", tiles)
    layer = TileLayer(path, open_tiles(path))
    try:
        painted(layer, Viewport(WORLD.scale / 2, WORLD.left, WORLD.top, 256, 256))
        qtbot.waitUntil(lambda: (0, 0, 0) in layer._kept)
        painted(layer, WORLD)
        qtbot.waitUntil(lambda: len(layer._kept) == 5)
        picture = painted(layer, WORLD)
        assert picture.pixelColor(100, 100).name() == "#ff0000"
        assert picture.pixelColor(400, 400).name() == "#123456"
    finally:
        layer.close()


def test_only_so_many_tiles_are_kept(tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mbtiles, "TILES_KEPT", 3)
    picture = a_picture("#00ff00", 8)
    path = make_tiles(tmp_path / "many.mbtiles", {(2, x, y): picture for x in range(4) for y in range(4)})
    layer = TileLayer(path, open_tiles(path))
    arrived = []
    layer._read_done.connect(lambda key, _image: arrived.append(key))
    try:
        painted(layer, WORLD)
        qtbot.waitUntil(lambda: len(arrived) == 16)
        assert len(layer._kept) == 3
    finally:
        layer.close()


@given(st.integers(0, 12), st.floats(-80, 80), st.floats(-179, 179))
def test_the_tiles_of_a_view_cover_it(zoom: int, lat: float, lon: float) -> None:
    scale = 256 * 2**zoom / (2 * HALF_WORLD_M)
    x, y = (float(value) for value in to_world(lat, lon))
    viewport = Viewport(scale, x - 200 / scale, y + 150 / scale, 400, 300)
    keys = tiles_in(viewport, zoom)
    assert len(keys) == len(set(keys))
    rects = [tile_rect(viewport, key) for key in keys]
    for px, py in ((0.5, 0.5), (399.5, 0.5), (200, 150), (0.5, 299.5), (399.5, 299.5)):
        world_x, world_y = viewport.to_world(px, py)
        if abs(world_x) < HALF_WORLD_M and abs(world_y) < HALF_WORLD_M:
            assert any(rect.contains(px, py) for rect in rects)


def test_files_that_are_no_raster_tiles_are_refused_with_the_reason(tmp_path: Path, qapp: object) -> None:
    text = tmp_path / "notes.mbtiles"
    text.write_text("these are only notes " * 100)
    with pytest.raises(LayerRefused, match=r"notes\.mbtiles is not a readable MBTiles file"):
        open_tiles(text)
    with pytest.raises(LayerRefused, match="there is no such file"):
        open_tiles(tmp_path / "away.mbtiles")
    other = tmp_path / "other.mbtiles"
    sqlite3.connect(other).execute("CREATE TABLE t (a)").connection.close()
    with pytest.raises(LayerRefused, match="no such table: metadata"):
        open_tiles(other)
    with pytest.raises(LayerRefused, match="holds tiles of the kind pbf"):
        open_tiles(make_tiles(tmp_path / "vector.mbtiles", {(0, 0, 0): b"\x1f\x8b"}, kind="pbf"))
    with pytest.raises(LayerRefused, match="holds no tiles"):
        open_tiles(make_tiles(tmp_path / "empty.mbtiles", {}))
    with pytest.raises(LayerRefused, match="not pictures"):
        open_tiles(make_tiles(tmp_path / "odd.mbtiles", {(0, 0, 0): b"\x89PNG\r\n\x1a\nno"}))


def test_a_file_cut_off_in_the_middle_costs_its_tiles_only(world: Path, qtbot: QtBot) -> None:
    info = open_tiles(world)
    data = world.read_bytes()
    world.write_bytes(data[: len(data) // 2])
    layer = TileLayer(world, info)
    try:
        painted(layer, WORLD)
        qtbot.waitUntil(lambda: len(layer._kept) == 4)
        assert painted(layer, WORLD).size().width() == 512
    finally:
        layer.close()


def test_pictures_are_looked_at_before_memory_is_given(qapp: object) -> None:
    assert decode_tile(a_picture("#ffffff", 2048)) is None
    assert decode_tile(b"x" * (5 * 2**20)) is None
    assert decode_tile("text") is None
    assert decode_tile(b"") is None


def test_opening_changes_nothing_in_the_file(world: Path) -> None:
    before = world.read_bytes()
    open_tiles(world)
    assert world.read_bytes() == before
    assert [entry.name for entry in world.parent.iterdir() if entry.name.startswith("world")] == ["world.mbtiles"]


def test_sprites_are_bounded(qapp: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from widgets.map import labels

    monkeypatch.setattr(labels, "SPRITES_KEPT", 5)
    sprites = TextSprites()
    style = labels.TextStyle(12, 500, "#000000", "#ffffff")
    first = sprites.get("a", style, 1.0)
    assert sprites.get("a", style, 1.0) is first
    for number in range(20):
        sprites.get(f"{number}", style, 1.0)
    assert len(sprites) == 5
