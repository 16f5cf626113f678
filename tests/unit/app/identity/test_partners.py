"""Filters reach what partner systems hold, and each record tells who its partners are: on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from adapters.supply import Facility, Item, Requisition, Shipment, StockLine
from app.clock import utc_now
from app.identity.acts import merge
from app.identity.partners import paper_partners, partners_at, partners_of, widened
from app.store.store import Store
from app.store.tables import RequisitionRow, ShipmentRow
from app.supply.filters import Horizon, Levels, Place, SupplyFilter
from app.supply.queries_items import count_items, page_of_items
from app.supply.queries_papers import count_requisitions, page_of_requisitions, page_of_shipments
from app.supply.queries_stock import count_stock, page_of_stock
from tests.helpers.identity import NOW, ask, do, ids, plant

HORIZON = Horizon(utc_now().date())


def system(letter: str, clinic: str, item: str) -> list[object]:
    return [
        Facility(f"{letter}f", f"F{letter}", clinic),
        Facility(f"{letter}s", f"S{letter}", "A store"),
        Item(f"{letter}i", f"I{letter}", item),
        Item(f"{letter}j", f"J{letter}", "Something else"),
        StockLine(f"{letter}l", f"{letter}f", f"{letter}i", 5.0),
        StockLine(f"{letter}m", f"{letter}s", f"{letter}j", 7.0),
        Requisition(f"{letter}r", f"{letter}1", "response", "NEW", "submitted", f"{letter}f", f"{letter}s"),
        Shipment(f"{letter}p", f"{letter}2", "outbound", "NEW", "new", f"{letter}s", f"{letter}f"),
    ]


@pytest.fixture
def joined(store: Store) -> Store:
    plant(store, {"state": system("x", "Bichi PHC", "Artesunate 60 mg"), "zone": system("y", "PHC Bichi", "AS inj 60")})  # type: ignore[dict-item]
    do(store, merge, "facility", [ids(store, "facility")["xf"], ids(store, "facility")["yf"]], now=NOW)
    do(store, merge, "item", [ids(store, "item")["xi"], ids(store, "item")["yi"]], now=NOW)
    return store


def place(store: Store, peer_id: str) -> Place:
    from app.store.tables import FacilityRow

    with store.read() as connection:
        query = select(FacilityRow.integration_id, FacilityRow.peer_id).where(FacilityRow.peer_id == peer_id)
        return Place(*connection.execute(query).one())


def test_a_facility_finds_what_its_partners_hold(joined: Store) -> None:
    wanted = ask(joined, widened, SupplyFilter(facility=place(joined, "yf")))
    assert {row.peer_id for row in ask(joined, page_of_stock, wanted, HORIZON)[0]} == {"xl", "yl"}
    assert ask(joined, count_stock, wanted, HORIZON) == 2
    assert {row.peer_id for row in ask(joined, page_of_requisitions, wanted)[0]} == {"xr", "yr"}
    assert ask(joined, count_requisitions, wanted) == 2
    assert {row.peer_id for row in ask(joined, page_of_shipments, wanted)[0]} == {"xp", "yp"}
    assert {row.peer_id for row in ask(joined, page_of_items, wanted, HORIZON, Levels())[0]} == {"xi", "yi"}
    alone = ask(joined, widened, SupplyFilter(facility=place(joined, "ys")))
    assert {row.peer_id for row in ask(joined, page_of_stock, alone, HORIZON)[0]} == {"ym"}


def test_a_word_finds_the_item_under_its_partners_name(joined: Store) -> None:
    wanted = ask(joined, widened, SupplyFilter(words=("artesunate",)))
    assert {row.peer_id for row in ask(joined, page_of_items, wanted, HORIZON, Levels())[0]} == {"xi", "yi"}
    assert ask(joined, count_items, wanted, HORIZON, Levels()) == 2
    assert {row.peer_id for row in ask(joined, page_of_stock, wanted, HORIZON)[0]} == {"xl", "yl"}
    nothing = ask(joined, widened, SupplyFilter(words=("artesunate", "tablet")))
    assert ask(joined, page_of_items, nothing, HORIZON, Levels())[0] == []


def test_partners_are_named_and_those_that_stand_alone_have_none(joined: Store) -> None:
    items = ids(joined, "item")
    found = ask(joined, partners_of, "item", list(items.values()))
    assert {key: [(one.source, one.name) for one in some] for key, some in found.items()} == {
        items["xi"]: [("zone", "AS inj 60")],
        items["yi"]: [("state", "Artesunate 60 mg")],
    }
    assert list(ask(joined, partners_at, "facility", [place(joined, "xf"), place(joined, "xs")])) == [
        place(joined, "xf")
    ]
    with joined.read() as connection:
        paper = connection.execute(select(RequisitionRow.id).where(RequisitionRow.peer_id == "xr")).scalar_one()
        shipment = connection.execute(select(ShipmentRow.id).where(ShipmentRow.peer_id == "xp")).scalar_one()
        assert [one.name for one in paper_partners(connection, "requisition", paper)["facility"]] == ["PHC Bichi"]
        assert list(paper_partners(connection, "shipment", shipment)) == ["receiver"]
        assert paper_partners(connection, "shipment", "nobody") == {}
