"""Systems that are joined are seen as one on the supply page: a mark, the partners' names, filters that reach them."""

from __future__ import annotations

from adapters.supply import Facility, Item, StockLine
from app.identity.acts import merge
from tests.helpers.fleet import add_integration
from tests.helpers.identity import NOW, do, ids
from tests.helpers.qt import until
from tests.helpers.supply import SupplyFeed
from tests.helpers.supply_page import SupplyDesk, desk
from tests.unit.widgets.supply.test_page import cells, texts

__all__ = ["desk"]


async def test_a_joined_item_is_marked_found_by_both_names_and_names_its_partners(desk: SupplyDesk) -> None:
    store, page = desk.page.context.services.store, desk.page
    zone = SupplyFeed(store, add_integration(store, "Zonal OpenLMIS", "openlmis"))
    zone(
        Facility("z1", "Z1", "Zonal clinic"),
        Item("z-amx", "ZAMX", "Amoxycillin caps 250"),
        StockLine("zl", "z1", "z-amx", 9.0),
    )
    amoxicillin = next(row for row in desk.shown() if row.code == "AMX250")
    do(store, merge, "item", [amoxicillin.id, ids(store, "item")["z-amx"]], now=NOW)
    await until(lambda: any(row.code == "ZAMX" and row.also_in for row in desk.shown()))
    at = next(at for at, row in enumerate(page.front.model.rows) if row.code == "AMX250")
    assert cells(page, at)["also"] == "Zonal OpenLMIS"
    page.search.setText("amoxycillin")
    page.search.searched.emit("amoxycillin")
    await until(lambda: {row.code for row in desk.shown()} == {"AMX250", "ZAMX"})
    page.front.table.select_key(amoxicillin.id)
    await until(lambda: any("Amoxycillin caps 250 (ZAMX), Zonal OpenLMIS" in text for text in texts(page.panel)))
    assert "Same item" in texts(page.panel)
