"""A user's raster tiles from an MBTiles file (MBTiles 1.3: SQLite, rows counted from the south as in TMS).

Tiles are read and decoded in one worker thread, newest wish first, and kept as pixmaps; a tile that is not there yet
is drawn from the next larger one.
"""

from __future__ import annotations

import math
import queue
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, QRectF, QTimer, Signal
from PySide6.QtGui import QImage, QImageReader, QPainter, QPixmap

from resources.i18n import tr
from widgets.map.layer_errors import LayerRefused
from widgets.map.palette import MapPalette
from widgets.map.projection import HALF_WORLD_M, TILE_SIZE_PX, Viewport

TILES_KEPT = 192  # about 50 MB of pixmaps
TILES_WANTED = 256
LARGEST_TILE_BYTES = 4 * 1024 * 1024
LARGEST_TILE_PX = 1024
DEEPEST_ZOOM = 24
ARRIVALS_TOGETHER_MS = 60
RASTER_FORMATS = frozenset({"png", "jpg", "jpeg", "webp", ""})

TileKey = tuple[int, int, int]  # zoom, column from the west, row from the north


@dataclass(frozen=True, slots=True)
class TilesInfo:
    """What the file says of itself."""

    name: str
    attribution: str
    min_zoom: int
    max_zoom: int


def open_tiles(path: Path) -> TilesInfo:
    """Check a file and read its facts. Raises LayerRefused. Blocks: call it off the UI thread."""
    try:
        with closing(_connect(path)) as connection:
            facts = dict(connection.execute("SELECT name, value FROM metadata LIMIT 1000").fetchall())
            lowest, highest = connection.execute("SELECT min(zoom_level), max(zoom_level) FROM tiles").fetchone()
            sample = connection.execute("SELECT tile_data FROM tiles LIMIT 1").fetchone()
    except (sqlite3.Error, OSError) as err:
        raise LayerRefused(tr("{file} is not a readable MBTiles file ({reason}).", file=path.name, reason=err)) from err
    kind = str(facts.get("format", "")).lower()
    if kind not in RASTER_FORMATS:
        raise LayerRefused(
            tr(
                "{file} holds tiles of the kind {kind}; only pictures (png, jpg, webp) can be shown: export those.",
                file=path.name,
                kind=kind[:20],
            )
        )
    if not all(isinstance(zoom, int) and 0 <= zoom <= DEEPEST_ZOOM for zoom in (lowest, highest)):
        raise LayerRefused(tr("{file} holds no tiles.", file=path.name))
    if sample is None or decode_tile(sample[0]) is None:
        raise LayerRefused(tr("The tiles of {file} are not pictures that can be shown.", file=path.name))
    text = {key: " ".join(str(facts.get(key, "")).split())[:200] for key in ("name", "attribution")}
    return TilesInfo(text["name"] or path.stem, text["attribution"], lowest, highest)


def decode_tile(data: object) -> QImage | None:
    """The picture of a tile, or None for what is no picture, or an unreasonable one."""
    if not isinstance(data, bytes) or len(data) > LARGEST_TILE_BYTES:
        return None
    buffer = QBuffer()
    buffer.setData(QByteArray(data))
    buffer.open(QIODevice.OpenModeFlag.ReadOnly)
    reader = QImageReader(buffer)
    size = reader.size()
    if not size.isValid() or max(size.width(), size.height()) > LARGEST_TILE_PX:
        return None  # the header is looked at before memory is given to the pixels
    image = reader.read()
    return None if image.isNull() else image


def read_tile(connection: sqlite3.Connection, key: TileKey) -> QImage | None:
    """One tile; MBTiles counts rows from the south."""
    zoom, column, row = key
    found = connection.execute(
        "SELECT tile_data FROM tiles WHERE zoom_level=? AND tile_column=? AND tile_row=?",
        (zoom, column, 2**zoom - 1 - row),
    ).fetchone()
    return None if found is None else decode_tile(found[0])


def _connect(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise OSError(tr("there is no such file"))
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=2)
    connection.execute("PRAGMA query_only=ON")
    return connection


def zoom_for(viewport: Viewport, info: TilesInfo) -> int:
    """The zoom level whose tiles are nearest to the screen's resolution, within what the file has."""
    exact = math.log2(2 * HALF_WORLD_M * viewport.scale / TILE_SIZE_PX)
    return min(max(round(exact), info.min_zoom), info.max_zoom)


def tiles_in(viewport: Viewport, zoom: int) -> list[TileKey]:
    """The tiles under a viewport, those nearest to its middle first."""
    count = 2**zoom
    side = 2 * HALF_WORLD_M / count
    columns = range(
        max(0, math.floor((viewport.left + HALF_WORLD_M) / side)),
        min(count - 1, math.floor((viewport.right + HALF_WORLD_M) / side)) + 1,
    )
    rows = range(
        max(0, math.floor((HALF_WORLD_M - viewport.top) / side)),
        min(count - 1, math.floor((HALF_WORLD_M - viewport.bottom) / side)) + 1,
    )
    if len(columns) * len(rows) > TILES_WANTED:
        return []  # far outside the zoom range of the file: nothing sensible to show
    middle_x, middle_y = (columns.start + columns.stop - 1) / 2, (rows.start + rows.stop - 1) / 2
    keys = [(zoom, column, row) for column in columns for row in rows]
    return sorted(keys, key=lambda key: abs(key[1] - middle_x) + abs(key[2] - middle_y))


def tile_rect(viewport: Viewport, key: TileKey) -> QRectF:
    """Where a tile lies in pixels; whole pixels, so that neighbours leave no seam."""
    zoom, column, row = key
    side = 2 * HALF_WORLD_M / 2**zoom
    left, top = viewport.to_px(column * side - HALF_WORLD_M, HALF_WORLD_M - row * side)
    right, bottom = viewport.to_px((column + 1) * side - HALF_WORLD_M, HALF_WORLD_M - (row + 1) * side)
    x, y = math.floor(left), math.floor(top)
    return QRectF(x, y, math.ceil(right) - x, math.ceil(bottom) - y)


class TileLayer(QObject):
    """Raster tiles below the base map's lines. ``arrived``: pictures came, draw again."""

    arrived = Signal()
    _read_done = Signal(object, object)
    covers = True

    def __init__(self, path: Path, info: TilesInfo, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.visible = True
        self.info = info
        self._kept: OrderedDict[TileKey, QPixmap | None] = OrderedDict()
        self._reader = TileReader(path, self._read_done.emit)
        self._read_done.connect(self._on_read)
        self._together = QTimer(self, singleShot=True, interval=ARRIVALS_TOGETHER_MS)
        self._together.timeout.connect(self.arrived)

    def paint(self, painter: QPainter, viewport: Viewport, _palette: MapPalette) -> None:
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        missing = []
        for key in tiles_in(viewport, zoom_for(viewport, self.info)):
            if key in self._kept:
                self._kept.move_to_end(key)
            else:
                missing.append(key)
            self._paint_tile(painter, key, tile_rect(viewport, key))
        self._reader.want(missing)

    def close(self) -> None:
        """End the worker thread."""
        self._together.stop()
        self._reader.close()

    def _paint_tile(self, painter: QPainter, key: TileKey, target: QRectF) -> None:
        """The tile itself or the part of the nearest larger one that covers it."""
        source = QRectF(0.0, 0.0, 1.0, 1.0)
        while True:
            pixmap = self._kept.get(key)
            if pixmap is not None:
                width, height = pixmap.width(), pixmap.height()
                part = QRectF(source.x() * width, source.y() * height, source.width() * width, source.height() * height)
                painter.drawPixmap(target, pixmap, part)
                return
            zoom, column, row = key
            if zoom <= self.info.min_zoom:
                return
            key = (zoom - 1, column // 2, row // 2)
            source = QRectF(
                (column % 2 + source.x()) / 2, (row % 2 + source.y()) / 2, source.width() / 2, source.height() / 2
            )

    def _on_read(self, key: TileKey, image: QImage | None) -> None:
        self._kept[key] = None if image is None else QPixmap.fromImage(image)
        while len(self._kept) > TILES_KEPT:
            self._kept.popitem(last=False)
        if not self._together.isActive():
            self._together.start()


class TileReader:
    """The worker thread of one file. ``want`` replaces what was wanted before: nobody waits for tiles out of view."""

    def __init__(self, path: Path, done: Callable[[TileKey, QImage | None], None]) -> None:
        self._path = path
        self._done = done
        self._lock = threading.Lock()
        self._wanted: list[TileKey] = []
        self._reading: TileKey | None = None
        self._wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="map-tiles", daemon=True)
        self._thread.start()

    def want(self, keys: list[TileKey]) -> None:
        """The most wanted first."""
        with self._lock:
            self._wanted = [key for key in reversed(keys) if key != self._reading]
        self._wake.put(True)

    def close(self) -> None:
        with self._lock:
            self._wanted = []
        self._wake.put(False)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        try:
            connection = _connect(self._path)
        except (sqlite3.Error, OSError):
            return  # it was readable when it was added; a file taken away since shows nothing
        with closing(connection):
            while self._wake.get():
                while (key := self._next()) is not None:
                    try:
                        image = read_tile(connection, key)
                    except sqlite3.Error:
                        image = None
                    self._done(key, image)

    def _next(self) -> TileKey | None:
        with self._lock:
            self._reading = self._wanted.pop() if self._wanted else None
            return self._reading
