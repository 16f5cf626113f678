"""A pharmacist's desk for tests: a console with the stock and papers of two systems, and the supply page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest_asyncio
from sqlalchemy import update

from adapters.records import Record
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
from app.clock import SystemClock, utc_now
from app.store.store import Store
from app.store.tables import RequisitionLineRow, ShipmentRow
from tests.helpers.fleet import add_integration
from tests.helpers.qt import Console, until
from tests.helpers.supply import SupplyFeed
from widgets.supply.page import SupplyPage

MINUTE_MS = 60_000
_ITEMS = (  # code, name, unit, pack, program, monthly, batches of (facility, units, days to expiry)
    ("AL0624", "Artemether + lumefantrine 20/120 mg, 6 × 4", "tablet", 24.0, "mal", 9_600.0,
     (("st-kub", 14_400.0, 210), ("st-gwa", 9_600.0, 400))),
    ("AMX250", "Amoxicillin 250 mg dispersible tablet", "tablet", 100.0, "ess", 12_000.0, (("st-kub", 6_000.0, 61),)),
    ("ART060", "Artesunate injection 60 mg", "vial", 1.0, "mal", 400.0, (("st-kub", 0.0, None),)),
    ("COT480", "Co-trimoxazole 480 mg", "tablet", 1_000.0, "ess", 5_000.0, (("st-kub", 61_000.0, 700),)),
    ("DTG050", "Dolutegravir + lamivudine + tenofovir 50/300/300 mg", "tablet", 90.0, "hiv", 8_100.0,
     (("st-kub", 18_000.0, 320), ("st-gwa", 9_000.0, 35), ("st-gwa", 900.0, -12))),
    ("GLV001", "Examination gloves, medium", "pair", 50.0, "ess", None, (("st-gwa", 2_500.0, None),)),
    ("MMS001", "Multiple micronutrient supplement", "tablet", 180.0, "rmch", None, ()),
    ("ORS001", "Oral rehydration salts, low osmolarity", "sachet", 100.0, "ess", 1_500.0, (("st-kub", 1_100.0, 500),)),
    ("OXY010", "Oxytocin injection 10 IU", "ampoule", 10.0, "rmch", 600.0, (("st-kub", 1_900.0, 88),)),
    ("PAR500", "Paracetamol 500 mg", "tablet", 1_000.0, "ess", 20_000.0, (("st-kub", 74_000.0, 640),)),
    ("QNN300", "Quinine sulphate 300 mg", "tablet", 100.0, "mal", 200.0, (("st-gwa", 4_000.0, -40),)),
    ("RDT001", "Malaria rapid diagnostic test, P.f.", "test", 25.0, "mal", 3_000.0, (("st-kub", 7_500.0, 130),)),
    ("ZNC020", "Zinc sulphate 20 mg dispersible tablet", "tablet", 100.0, "ess", 2_000.0, (("st-kub", 5_000.0, 900),)),
)  # fmt: skip
_REQUISITION_STAGES = ("draft", "submitted", "in_approval", "approved", "ordered", "rejected", "closed")
_SHIPMENT_STAGES = ("new", "allocated", "picked", "shipped", "delivered", "received", "verified", "cancelled")


def a_depot(now_ms: int) -> list[Record]:
    """What the mSupply of a state store tells."""
    today = utc_now().date()
    records: list[Record] = [
        Facility("st-kub", "KUB", "Kubwa Medical Store", "store", is_ours=True, zone="FCT North"),
        Facility("st-gwa", "GWA", "Gwagwalada Depot", "store", is_ours=True, zone="FCT South"),
        *(Facility(f"cl-{n}", f"C{n:03}", f"{name} Health Centre") for n, name in enumerate(_CLINICS)),
        *(Program(key, key.upper(), name) for key, name in _PROGRAMS),
        Period("2026-11", "November 2026", "2026-11-01", "2026-11-30", "Monthly"),
    ]
    for code, name, unit, pack, program, monthly, batches in _ITEMS:
        records.append(Item(f"it-{code}", code, name, unit, pack, programs=(program,)))
        for n, (facility, amount, lasts) in enumerate(batches):
            expires = None if lasts is None else (today + timedelta(days=lasts)).isoformat()
            records.append(
                StockLine(
                    f"sl-{code}-{n}", facility, f"it-{code}", amount, amount * 0.9, f"B{code[:2]}{n}71", expires, pack,
                    "Shelf A-3", program, average_monthly_units=monthly,
                )
            )  # fmt: skip
    for n, stage in enumerate(_REQUISITION_STAGES * 2):
        lines = [
            RequisitionLine(f"rl-{n}-{code}", f"it-{code}", 1_200.0 + 100 * n, 1_000.0 if n % 3 else None)
            for code, *_rest in _ITEMS[: 4 + n % 5]
        ]
        records.append(
            Requisition(
                f"rq-{n}", str(1041 + n), "response" if n % 2 else "request", stage.upper(), stage,  # type: ignore[arg-type]
                f"cl-{n % 5}" if n % 2 else "st-kub", "st-kub" if n % 2 else "st-gwa", _PROGRAMS[n % 4][0], "2026-11",
                n == 3, now_ms - n * 7_200_000, lines=lines,
            )
        )  # fmt: skip
    for n, stage in enumerate(_SHIPMENT_STAGES * 2):
        days = [(today + timedelta(days=90 * k + 20)).isoformat() for k in range(7)]
        carried = [
            ShipmentLine(f"sh-{n}-{code}", f"it-{code}", 600.0, f"B{code[:2]}071", days[k], pack)
            for k, (code, _name, _unit, pack, *_rest) in enumerate(_ITEMS[: 3 + n % 4])
        ]
        records.append(
            Shipment(
                f"sp-{n}", str(310 + n), "outbound" if n % 4 else "inbound", stage.upper(), stage,  # type: ignore[arg-type]
                "st-kub" if n % 4 else "st-gwa", f"cl-{n % 5}" if n % 4 else "st-kub", f"rq-{n % 14}", "ess", False,
                now_ms - n * 5_400_000, transport_reference="ABJ-214-KT, trip 7" if n % 3 == 2 else "", lines=carried,
            )
        )  # fmt: skip
    return [*records, *(StreamRead(name) for name in ("items", "stock", "requisitions", "shipments"))]


_CLINICS = ("Bwari", "Karu", "Nyanya", "Dutse Alhaji", "Zuba")
_PROGRAMS = (("mal", "Malaria"), ("ess", "Essential medicines"), ("hiv", "HIV"), ("rmch", "Reproductive health"))


def plant_depot(store: Store, now_ms: int, name: str = "FCT mSupply") -> SupplyFeed:
    """The depot's records, with changes that wait on one requisition's line and on one shipment."""
    feed = SupplyFeed(store, add_integration(store, name, "msupply"), now_ms=now_ms - 4 * MINUTE_MS)
    feed(*a_depot(now_ms))

    def wait(connection: Any) -> None:
        line, paper = RequisitionLineRow, ShipmentRow
        pending = {"requested_units": 1_500.0, "comment": "Outbreak in Karu"}
        connection.execute(update(line).where(line.peer_id == "rl-0-AMX250").values(pending=pending))
        going = {"stage": "shipped", "transport_reference": "KUJ-881-AA, trip 9"}
        connection.execute(update(paper).where(paper.peer_id == "sp-2").values(pending=going))

    store.write(wait).result()
    return feed


class SupplyDesk:
    """The page with its depot."""

    def __init__(self, console: Console, feed: SupplyFeed | None) -> None:
        self.console = console
        self.feed = feed
        self.page = SupplyPage(console.context)
        self.page.resize(1_360, 860)

    async def arrive(self, *records: Record) -> None:
        assert self.feed is not None
        await asyncio.to_thread(self.feed, *records)

    def shown(self) -> list[Any]:
        return list(self.page.front.model.rows)


@pytest_asyncio.fixture
async def desk(console: Console) -> AsyncIterator[SupplyDesk]:
    feed = await asyncio.to_thread(plant_depot, console.store, SystemClock().now_ms())
    desk = SupplyDesk(console, feed)
    desk.page.show()
    await until(lambda: desk.page.is_ready or console.failures)
    assert console.failures == []
    yield desk
    desk.page.hide()
    desk.page.close_page()
