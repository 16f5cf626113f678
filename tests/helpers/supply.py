"""Supply records for tests, and one integration's way into a store that takes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from adapters.records import Batch, Record
from adapters.supply import (
    Facility,
    Item,
    Requisition,
    RequisitionLine,
    Shipment,
    ShipmentLine,
    StockLine,
)
from app.engine.sink import StoreSink
from app.fleet.telemetry import Ingested
from app.store.store import Store
from app.supply.seams import PeerChange
from tests.helpers.fleet import T0_MS, add_integration


def an_item(peer_id: str = "item-1", **other: Any) -> Item:
    return replace(Item(peer_id, f"C{peer_id[-3:]}", f"Amoxicillin {peer_id}", "capsule", 100.0), **other)


def a_facility(peer_id: str = "store-1", **other: Any) -> Facility:
    return replace(Facility(peer_id, f"F-{peer_id}", f"Store {peer_id}", "store", is_ours=True), **other)


def a_stock_line(peer_id: str = "line-1", **other: Any) -> StockLine:
    line = StockLine(peer_id, "store-1", "item-1", 1_200.0, 1_000.0, "B-17", "2027-03-31", 100.0)
    return replace(line, **other)


def a_requisition(peer_id: str = "req-1", *lines: RequisitionLine, **other: Any) -> Requisition:
    paper = Requisition(
        peer_id, "1042", "request", "SENT", "submitted", "store-1", "store-2", created_ms=T0_MS, lines=lines
    )
    return replace(paper, **other)


def a_requisition_line(peer_id: str = "rl-1", **other: Any) -> RequisitionLine:
    return replace(RequisitionLine(peer_id, "item-1", 400.0), **other)


def a_shipment(peer_id: str = "ship-1", *lines: ShipmentLine, **other: Any) -> Shipment:
    paper = Shipment(
        peer_id, "77", "outbound", "PICKED", "picked", "store-1", "clinic-1", created_ms=T0_MS, lines=lines
    )
    return replace(paper, **other)


def a_shipment_line(peer_id: str = "sl-1", **other: Any) -> ShipmentLine:
    return replace(ShipmentLine(peer_id, "item-1", 300.0, "B-17", "2027-03-31", 100.0), **other)


@dataclass
class SupplyFeed:
    """One supply integration. ``noticed`` is what the merge told of changes under waiting ones."""

    store: Store
    integration_id: str
    noticed: list[PeerChange] = field(default_factory=list)
    now_ms: int = T0_MS

    def __post_init__(self) -> None:
        self.sink = StoreSink(self.store, self._notice)

    def __call__(self, *records: Record, cursors: dict[str, str] | None = None) -> Ingested:
        """Store the records in one job and wait for the commit."""
        batch = Batch(records, cursors or {})
        job = self.store.write(lambda connection: self._ingest(connection, batch), on_rollback=self.sink.forget)
        return job.result()

    def restart(self) -> None:
        """The engine is started again: nothing but the store remembers."""
        self.sink = StoreSink(self.store, self._notice)

    def _ingest(self, connection: Connection, batch: Batch) -> Ingested:
        return self.sink.ingest(connection, self.integration_id, [batch], self.now_ms)

    def _notice(self, connection: Connection, integration_id: str, changes: Sequence[PeerChange], now_ms: int) -> None:
        assert connection.in_transaction()
        assert (integration_id, now_ms) == (self.integration_id, self.now_ms)
        self.noticed.extend(changes)


def make_supply_feed(store: Store, integration_id: str = "msupply-1", kind: str = "msupply") -> SupplyFeed:
    return SupplyFeed(store, add_integration(store, integration_id, kind))
