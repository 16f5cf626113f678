"""A depot whose facilities report: a supply system with a store and a clinic, programmes, papers and stock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from sqlalchemy import insert, select, update

from adapters.supply import (
    Facility,
    Item,
    Period,
    Program,
    Requisition,
    RequisitionLine,
    Shipment,
    ShipmentLine,
    StockLine,
    StreamRead,
)
from app.clock import from_ms
from app.reports.calendar import ReportListing, WantedReports, ensure_reports, list_reports
from app.reports.periods import day_begins_ms
from app.reports.programmes import Programme, expect, save_programme
from app.reports.spans import look_at_stock
from app.store.store import Store
from app.store.tables import Integration, StreamState
from tests.helpers.supply import SupplyFeed, make_supply_feed

T = TypeVar("T")
TODAY = date(2026, 11, 10)
SYSTEM = "msupply-1"
AL = Item("al", "AL-20-120-24", "Artemether/Lumefantrine 20/120", "tablet", 24.0, programs=("malaria",))
ORS = Item("ors", "ORS-ZN-1", "ORS sachet", "sachet", 1.0, programs=("malaria", "child"))
RUTF = Item("rutf", "RUTF-150", "Therapeutic food", "sachet", 150.0, programs=("nutrition",))


def at(year: int, month: int, day: int, hour: int = 12) -> int:
    """Milliseconds of a local hour."""
    return day_begins_ms(date(year, month, day)) + hour * 3_600_000


def noon(day: date) -> datetime:
    return from_ms(at(day.year, day.month, day.day))


@dataclass
class ReportSite:
    store: Store
    feed: SupplyFeed
    now: datetime

    def write(self, job: Callable[..., T], *arguments: Any, **named: Any) -> T:
        return self.store.write(lambda connection: job(connection, *arguments, **named)).result()

    def read(self, query: Callable[..., T], *arguments: Any, **named: Any) -> T:
        with self.store.read() as connection:
            return query(connection, *arguments, **named)

    def read_streams(self, day: date, *streams: str) -> None:
        """The peer was read on that day at noon."""

        def job(connection: Any) -> None:
            for stream in streams:
                one = (StreamState.integration_id == self.feed.integration_id) & (StreamState.stream == stream)
                if connection.execute(select(StreamState.stream).where(one)).first() is None:
                    connection.execute(
                        insert(StreamState).values(
                            integration_id=self.feed.integration_id, stream=stream, last_read=noon(day), trouble=""
                        )
                    )
                else:
                    connection.execute(update(StreamState).where(one).values(last_read=noon(day)))

        self.write(job)

    def look(self, day: date) -> int:
        """The history's daily look, on stock that was read that day."""
        self.read_streams(day, "stock_lines")
        return self.write(look_at_stock, at(day.year, day.month, day.day, 20))

    def programme(self, **other: Any) -> str:
        values: dict[str, Any] = {
            "id": "", "integration_id": self.feed.integration_id, "program": "malaria", "name": "Malaria",
            "starts_on": "2026-07-01", "name_there": "Malaria",
        }  # fmt: skip
        return self.write(save_programme, Programme(**{**values, **other}))

    def expect(self, programme_id: str, *facilities: str, today: date = TODAY) -> None:
        self.write(expect, programme_id, facilities, today)
        self.write(ensure_reports, today)

    def report(self, facility: str, starts_on: str, *, today: date = TODAY) -> ReportListing:
        found = self.read(list_reports, WantedReports(facility=facility), today)
        return next(one for one in found if one.period.starts_on.isoformat() == starts_on)

    def taker(self, integration_id: str = "nhlmis-1", kind: str = "nhlmis", **config: Any) -> str:
        row = {
            "id": integration_id, "type": kind, "name": "NHLMIS", "status": "active", "config": config,
            "created_at": self.now, "updated_at": self.now, "enabled": True,
        }  # fmt: skip
        self.write(lambda connection: connection.execute(insert(Integration).values(**row)))
        return integration_id


def make_site(store: Store) -> ReportSite:
    """A central store (ours) and a clinic, three items, and nothing reported yet."""
    feed = make_supply_feed(store, SYSTEM)
    feed(
        Facility("cs", "FC-CMS-01", "Central store", "store", is_ours=True, zone="FCT"),
        Facility("gw", "FC-GWA-003", "Gwagwalada PHC", "facility", zone="FCT"),
        Facility("sup", "S-1", "Supplier", "supplier"),
        Program("malaria", "M", "Malaria"),
        Program("nutrition", "N", "Nutrition"),
        Period("p5", "Sep–Oct 2026", "2026-09-01", "2026-10-31"),
        AL, ORS, RUTF,
    )  # fmt: skip
    return ReportSite(store, feed, datetime(2026, 11, 10, 11, tzinfo=UTC))


def inbound(peer_id: str, units: float, received: int, *, item: str = "al", accepted: float | None = None) -> Shipment:
    line = ShipmentLine(f"{peer_id}l", item, units, accepted_units=accepted)
    return Shipment(
        peer_id, f"IN-{peer_id}", "inbound", "RECEIVED", "received", "sup", "cs", program="malaria",
        created_ms=received, received_ms=received, lines=(line,),
    )  # fmt: skip


def outbound(peer_id: str, units: float, picked: int, *, item: str = "al", stage: Any = "shipped") -> Shipment:
    return Shipment(
        peer_id, f"OUT-{peer_id}", "outbound", "SHIPPED", stage, "cs", "gw", program="malaria", created_ms=picked,
        picked_ms=picked, received_ms=picked if stage == "received" else None,
        lines=(ShipmentLine(f"{peer_id}l", item, units),),
    )  # fmt: skip


def stock(peer_id: str, units: float, *, item: str = "al", expires: str = "2027-06-30", **other: Any) -> StockLine:
    values = {"facility": "cs", "program": "malaria", "pack_size": 24.0, "batch": peer_id.upper(), **other}
    return StockLine(peer_id, item=item, units=units, expires_on=expires, **values)


def form_of_clinic(**other: Any) -> Requisition:
    """The clinic's own report for September and October, handed in on 4 November."""
    line = RequisitionLine(
        "fl", "al", requested_units=900.0, stock_units=300.0, opening_units=200.0, received_units=600.0,
        consumed_units=480.0, adjusted_units=-20.0, stockout_days=3.0, average_monthly_units=250.0,
    )  # fmt: skip
    values: dict[str, Any] = {"lines": (line,), "program": "malaria", "period": "p5", "supplier": "cs", **other}
    return Requisition(
        "f1", "R-5", "response", "SUBMITTED", "submitted", "gw", created_ms=at(2026, 11, 4), sent_ms=at(2026, 11, 4),
        **values,
    )  # fmt: skip


__all__ = ["AL", "ORS", "RUTF", "SYSTEM", "TODAY", "ReportSite", "StreamRead", "at", "form_of_clinic", "inbound",
           "make_site", "noon", "outbound", "stock"]  # fmt: skip
