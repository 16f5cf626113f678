"""The user's own layers: opened off the UI thread, remembered by path, drawn into the base map."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.i18n import tr, trn
from widgets.map.base_map import BaseMapItem
from widgets.map.geojson import GeoJsonLayer, read_geojson
from widgets.map.labels import TextSprites
from widgets.map.layer_errors import LayerRefused
from widgets.map.mbtiles import TileLayer, open_tiles

MOST_LAYERS = 20
SUFFIXES = {".mbtiles": "tiles", ".geojson": "shapes", ".json": "shapes"}


@dataclass
class UserLayer:
    """One file on the map. ``layer`` is None where it could not be opened; ``problem`` says why."""

    path: Path
    visible: bool
    layer: TileLayer | GeoJsonLayer | None
    about: str
    problem: str = ""


class UserLayers:
    """All layers of the user, the lowest first. ``changed`` is called when the map must be drawn anew."""

    def __init__(self, base: BaseMapItem, sprites: TextSprites, changed: Callable[[], None]) -> None:
        self._base = base
        self._sprites = sprites
        self._changed = changed
        self.items: list[UserLayer] = []

    async def add(self, path: Path, *, visible: bool = True) -> UserLayer:
        """Open a file (absolute path) and show it. Raises LayerRefused."""
        if any(item.path == path for item in self.items):
            raise LayerRefused(tr("{file} is on the map already.", file=path.name))
        if len(self.items) >= MOST_LAYERS:
            raise LayerRefused(tr("There are {n} layers already; remove one first.", n=MOST_LAYERS))
        item = await self._open(path, visible)
        self.items.append(item)
        self._show()
        return item

    async def restore(self, saved: list[dict[str, Any]]) -> None:
        """Open the layers of last time; one that cannot be opened stays in the list with its reason."""
        for entry in saved[:MOST_LAYERS]:
            path, visible = Path(str(entry.get("path", ""))), bool(entry.get("visible", True))
            try:
                await self.add(path, visible=visible)
            except LayerRefused as err:
                self.items.append(UserLayer(path, visible, None, "", str(err)))

    def saved(self) -> list[dict[str, Any]]:
        """What :meth:`restore` takes."""
        return [{"path": str(item.path), "visible": item.visible} for item in self.items]

    def set_visible(self, item: UserLayer, visible: bool) -> None:
        item.visible = visible
        self._show()

    def move(self, item: UserLayer, step: int) -> None:
        """Move up (+1) or down (-1) among the layers."""
        at = self.items.index(item)
        to = min(max(at + step, 0), len(self.items) - 1)
        self.items.insert(to, self.items.pop(at))
        self._show()

    def remove(self, item: UserLayer) -> None:
        self.items.remove(item)
        if item.layer is not None:
            item.layer.close()
        self._show()

    def attributions(self) -> list[str]:
        """What the files ask to be credited with."""
        tiles = [item.layer for item in self.items if item.visible and isinstance(item.layer, TileLayer)]
        return [layer.info.attribution for layer in tiles if layer.info.attribution]

    def close(self) -> None:
        for item in self.items:
            if item.layer is not None:
                item.layer.close()
        self._base.layers = ()

    async def _open(self, path: Path, visible: bool) -> UserLayer:
        kind = SUFFIXES.get(path.suffix.lower())
        if kind == "tiles":
            info = await asyncio.to_thread(open_tiles, path)
            layer = TileLayer(path, info)
            layer.arrived.connect(self._changed)
            about = tr(
                "Raster tiles “{name}”, zoom {low} to {high}", name=info.name, low=info.min_zoom, high=info.max_zoom
            )
            return UserLayer(path, visible, layer, about)
        if kind == "shapes":
            shapes = await asyncio.to_thread(read_geojson, path)
            counts = (
                (len(shapes.lines), "{count} line", "{count} lines"),
                (len(shapes.areas), "{count} area", "{count} areas"),
                (len(shapes.point_x), "{count} point", "{count} points"),
            )
            about = ", ".join(trn(one, many, number) for number, one, many in counts if number)
            if shapes.left_out:
                about += tr("; {n} without a place left out", n=shapes.left_out)
            return UserLayer(path, visible, GeoJsonLayer(shapes, self._sprites), about)
        raise LayerRefused(
            tr("{file} is neither MBTiles nor GeoJSON. Choose a file ending in .mbtiles or .geojson.", file=path.name)
        )

    def _show(self) -> None:
        shown = []
        for item in self.items:
            if item.layer is not None:
                item.layer.visible = item.visible
                shown.append(item.layer)
        self._base.layers = shown
        self._changed()
