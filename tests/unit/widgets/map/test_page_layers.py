"""The operator at the map: its parts and layers, chosen, remembered, gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialogs.map_layers import MapLayersDialog
from tests.helpers.map_page import close, desk, open_page
from tests.helpers.qt import Console, until
from tests.unit.widgets.map.test_geojson import SQUARE, a_collection, a_feature
from widgets.map.layer_errors import LayerRefused
from widgets.map.page import MapPage

__all__ = ["desk"]


async def test_parts_and_layers_are_chosen_and_remembered(console: Console, tmp_path: Path) -> None:
    page = await open_page(console)
    dialog = MapLayersDialog(console.context, page)
    dialog.boxes["fences"].setChecked(False)
    dialog.boxes["names"].setChecked(False)
    assert not page.fences.isVisible()
    assert not page.map.base.options.names
    roads = tmp_path / "roads.geojson"
    roads.write_text(a_collection(a_feature("LineString", SQUARE), a_feature("Point", [7, 9])))
    depots = tmp_path / "depots.geojson"
    depots.write_text(a_collection(a_feature("Point", [7, 9])))
    first, second = await page.layers.add(roads), await page.layers.add(depots)
    assert (first.about, second.about) == ("1 line, 1 point", "1 point")
    page.layers.set_visible(first, False)
    page.layers.move(first, 1)
    assert page.map.base.layers == [second.layer, first.layer]
    with pytest.raises(LayerRefused, match="on the map already"):
        await page.layers.add(roads)
    with pytest.raises(LayerRefused, match="neither MBTiles nor GeoJSON"):
        await page.layers.add(tmp_path / "roads.shp")
    dialog._show_rows()
    dialog.deleteLater()
    close(page)
    again = await open_page(console)
    assert not again.fences.isVisible()
    assert [(item.path, item.visible) for item in again.layers.items] == [(depots, True), (roads, False)]
    again.layers.remove(again.layers.items[0])
    assert len(again.map.base.layers) == 1
    close(again)


async def test_a_layer_that_has_gone_is_named_and_costs_nothing_else(console: Console, tmp_path: Path) -> None:
    page = MapPage(console.context)
    page._give_state({"layers": [{"path": str(tmp_path / "away.mbtiles"), "visible": True}, 7], "shown": {"names": 3}})
    page.show()
    await until(lambda: page.layers.items)
    assert "there is no such file" in page.layers.items[0].problem
    assert page.shown.names is True
    close(page)
