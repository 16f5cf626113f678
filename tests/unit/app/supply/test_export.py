"""Supply tables of an export: their columns, their times, and texts that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from sqlalchemy import update

from adapters.supply import Gone, StreamRead
from app.fleet import export, export_supply
from app.fleet.errors import FleetError
from app.fleet.export_supply import SUPPLY_TABLES
from app.store.store import Store
from app.store.tables import ShipmentLineRow
from tests.helpers.fleet import T0_MS
from tests.helpers.supply import (
    SupplyFeed,
    a_facility,
    a_requisition,
    a_requisition_line,
    a_shipment,
    a_shipment_line,
    a_stock_line,
    an_item,
    make_supply_feed,
)


@pytest.fixture
def feed(sqlite_store: Store) -> SupplyFeed:
    feed = make_supply_feed(sqlite_store)
    feed(
        a_facility("store-1", name="=cmd()", attributes={"type": "store"}),
        a_facility("closed"),
        an_item("item-1", name="+Amoxicillin"),
        a_stock_line("line-1", average_monthly_units=400.0, expires_on="2020-01-31"),
        a_requisition("req-1", a_requisition_line("a"), a_requisition_line("b")),
        a_requisition("req-2", created_ms=T0_MS + 60_000),
        a_requisition("req-3", created_ms=None),
        a_shipment("ship-1", a_shipment_line("c"), requisition="req-1", shipped_ms=T0_MS),
        StreamRead("items"),
        StreamRead("stock"),
        StreamRead("requisitions"),
        StreamRead("shipments"),
    )
    feed(Gone("facility", "closed"))
    return feed


def rows(feed: SupplyFeed, table: str, **wanted: Any) -> list[dict[str, Any]]:
    return [dict(row) for row in export.export_rows(feed.store, table, **wanted)]


@pytest.mark.parametrize("table", SUPPLY_TABLES)
@pytest.mark.parametrize("file_format", ["csv", "jsonl", "xlsx"])
def test_every_table_comes_in_every_format(feed: SupplyFeed, table: str, file_format: export.Format) -> None:
    assert all(tuple(row) == tuple(SUPPLY_TABLES[table].columns) for row in rows(feed, table))
    assert b"".join(export.export_pieces(feed.store, table, file_format))


def test_a_facility_that_went_says_when(feed: SupplyFeed) -> None:
    assert [(row["peer_id"], row["gone_at"]) for row in rows(feed, "facilities")] == [
        ("store-1", None),
        ("closed", "2026-01-01T00:00:00Z"),
    ]


def test_items_and_stock_carry_what_is_worked_out(feed: SupplyFeed) -> None:
    [item] = rows(feed, "items")
    assert (item["units"], item["usable_units"], item["stock_class"]) == (1_200.0, 0.0, "stocked_out")
    assert (item["months_of_stock"], item["expired_units"]) == (0.0, 1_200.0)
    assert item["read_at"] == "2026-01-01T00:00:00Z"
    [line] = rows(feed, "stock")
    assert (line["expiry"], line["item_name"], line["facility_name"]) == ("expired", "+Amoxicillin", "=cmd()")


def test_papers_can_be_limited_to_when_they_were_made(feed: SupplyFeed) -> None:
    assert [row["peer_id"] for row in rows(feed, "requisitions")] == ["req-1", "req-2", "req-3"]
    assert [row["peer_id"] for row in rows(feed, "requisitions", since_ms=T0_MS + 1)] == ["req-2"]
    assert [row["peer_id"] for row in rows(feed, "requisition-lines", until_ms=T0_MS + 1)] == ["a", "b"]
    with pytest.raises(FleetError, match="belong to no time"):
        rows(feed, "stock", since_ms=T0_MS)


def test_what_waits_stands_beside_what_the_peer_says(feed: SupplyFeed) -> None:
    line = ShipmentLineRow
    change = update(line).values(pending={"units": 250.0})
    feed.store.write(lambda connection: connection.execute(change)).result()
    [row] = rows(feed, "shipment-lines")
    assert (row["units"], row["pending"], row["shipment"], row["number"]) == (300.0, {"units": 250.0}, "ship-1", "77")
    [shipment] = rows(feed, "shipments", where={"stage": "picked"})
    assert (shipment["waiting_lines"], shipment["shipped_at"]) == (1, "2026-01-01T00:00:00Z")
    text = b"".join(export.export_pieces(feed.store, "shipment-lines", "csv")).decode()
    assert json.loads(next(csv.DictReader(io.StringIO(text)))["pending"]) == {"units": 250.0}


def test_formulas_are_made_harmless(feed: SupplyFeed) -> None:
    text = b"".join(export.export_pieces(feed.store, "stock", "csv")).decode()
    [row] = csv.DictReader(io.StringIO(text))
    assert (row["item_name"], row["facility_name"]) == ("'+Amoxicillin", "'=cmd()")


def test_pages_neither_lose_nor_double_rows(feed: SupplyFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_supply, "PAGE_ROWS", 2)
    feed(*(a_stock_line(f"more-{n}", expires_on=None) for n in range(5)))
    feed(*(a_facility(f"f-{n}") for n in range(4)))
    assert len({row["id"] for row in rows(feed, "stock")}) == 6
    assert len({row["id"] for row in rows(feed, "facilities")}) == 6
    assert rows(feed, "items", where={"integration_id": "other"}) == []
