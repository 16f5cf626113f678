"""What was shipped is told for an order of another system: by its codes, once, and only what it asked for."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from adapters.base import SHIPMENT_FIELD
from adapters.nhlmis.simulator import KEY
from adapters.reporting import Shipped
from adapters.supply import Facility, Item, Requisition, RequisitionLine, Shipment, ShipmentLine
from app.catalogue import Catalogue
from app.clock import utc_now
from app.identity.acts import merge
from app.integrations.changes import Desk, add
from app.security.vault import MemoryVault
from app.store.store import Store
from app.store.tables import ItemRow, OutboxItem, RequisitionRow, ShipmentRow
from app.sync.acts import cancel
from app.sync.errors import ChangeRefused
from app.sync.forms import change_form
from app.sync.shipped import queue_shipped
from tests.helpers.supply import SupplyFeed, make_supply_feed

CATALOGUE = Catalogue.load()


class Site:
    """An order of NHLMIS for two items, and shipments of a depot whose system calls them otherwise."""

    def __init__(self, store: Store, **config: Any) -> None:
        self.store = store
        values = {"url": "http://127.0.0.1:9/v1", "profile_approved": True, **config}
        taker = add(Desk(store, CATALOGUE, MemoryVault()), "nhlmis", "NHLMIS", values, {"api_key": KEY})
        self.national = SupplyFeed(store, taker)
        self.own = make_supply_feed(store, "depot")
        self.national(
            Facility("c", "C", "Kuje General Hospital"),
            Item("AL-24", "AL-24", "Artemether/Lumefantrine, 24", pack_size=24.0),
            Item("RDT", "RDT", "Malaria test", pack_size=25.0),
            Item("ZINC", "NG0003", "Zinc"),
            Requisition("o1", "NH-1", "response", "NEW", "submitted", "c",
                        lines=(RequisitionLine("l1", "AL-24", 240.0), RequisitionLine("l2", "RDT", 50.0))),
        )  # fmt: skip
        self.own(
            Facility("d", "D", "Depot", "store", is_ours=True),
            Item("i1", "NG0001", "Artemether/Lumefantrine tablets of 24"),
            Item("i2", "RDT", "Malaria rapid test"),
            Item("i3", "NG0003", "Zinc"),
        )
        self.order = self.row(RequisitionRow, "o1")

    def row(self, table: Any, peer_id: str) -> str:
        with self.store.read() as connection:
            return str(connection.execute(select(table.id).where(table.peer_id == peer_id)).scalar_one())

    def ship(self, number: str, *items: str, stage: Any = "shipped") -> str:
        lines = tuple(ShipmentLine(f"{number}-{item}", item, 48.0, "B7", "2028-01-31", 24.0) for item in items)
        self.own(Shipment(number, number, "outbound", stage.upper(), stage, "d", "c", shipped_ms=1_795_000_000_000,
                          lines=lines))  # fmt: skip
        return self.row(ShipmentRow, number)

    def tell(self, shipment: str) -> str:
        job = lambda connection: queue_shipped(  # noqa: E731
            connection, CATALOGUE, self.order, shipment, now=utc_now(), who="ada"
        )
        return self.store.write(job).result()

    def told(self, item: str) -> Shipped:
        with self.store.read() as connection:
            values = connection.execute(select(OutboxItem.values).where(OutboxItem.id == item)).scalar_one()
        return Shipped.from_text(values[SHIPMENT_FIELD])

    def match(self, mine: str, theirs: str) -> None:
        ids = [self.row(ItemRow, mine), self.row(ItemRow, theirs)]
        self.store.write(lambda connection: merge(connection, "item", ids, now=utc_now())).result()


def test_goods_are_named_by_the_codes_of_who_is_told(store: Store) -> None:
    site = Site(store)
    site.match("i1", "AL-24")
    shipped = site.told(site.tell(site.ship("S1", "i1", "i2")))
    assert (shipped.order_id, shipped.number, shipped.dispatched_ms) == ("o1", "S1", 1_795_000_000_000)
    assert [(line.item_code, line.packs, line.pack_size, line.batch) for line in shipped.lines] == [
        ("AL-24", 2.0, 24.0, "B7"),
        ("RDT", 2.0, 24.0, "B7"),
    ]


def test_an_item_that_is_matched_with_nothing_is_named(store: Store) -> None:
    site = Site(store)
    with pytest.raises(ChangeRefused, match=r"no item for: Artemether/Lumefantrine tablets of 24\. Match them"):
        site.tell(site.ship("S1", "i1"))


def test_goods_that_nobody_ordered_are_not_told(store: Store) -> None:
    site = Site(store)
    with pytest.raises(ChangeRefused, match="does not ask for: Zinc"):
        site.tell(site.ship("S1", "i3"))


def test_what_has_not_gone_out_is_not_told(store: Store) -> None:
    site = Site(store)
    with pytest.raises(ChangeRefused, match="has not gone out yet"):
        site.tell(site.ship("S1", "i2", stage="picked"))


def test_a_shipment_is_told_once_and_again_only_after_it_was_given_up(store: Store) -> None:
    site = Site(store)
    shipment = site.ship("S1", "i2")
    first = site.tell(shipment)
    with pytest.raises(ChangeRefused, match="waits in the outbox already"):
        site.tell(shipment)
    store.write(lambda connection: cancel(connection, [first], now=utc_now())).result()
    assert site.tell(shipment) != first


def test_nothing_is_told_before_the_way_is_approved(store: Store) -> None:
    site = Site(store, profile_approved=False)
    with pytest.raises(ChangeRefused, match="until its way of sending is approved"):
        site.tell(site.ship("S1", "i2"))


def test_the_form_of_an_order_has_no_field_for_it_and_says_so(store: Store) -> None:
    site = Site(store)
    with store.read() as connection, pytest.raises(ChangeRefused):
        change_form(connection, CATALOGUE, "requisition", site.order)
