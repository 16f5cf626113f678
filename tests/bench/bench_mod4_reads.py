"""Reading drivers, batches and deliveries: 5,000 links, 50,000 batches, a million events.

Targets: the setup tab opens in under 300 ms, the thread of a shipment in under 200 ms. The baseline is a page of
batches read by their key, with nothing joined.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, select

from adapters.dispatch import (
    BatchPaper,
    BatchStop,
    DeliveryBatch,
    DeliveryEvent,
    Driver,
    DriverDevice,
    DriverLink,
    DriverSession,
    EventKind,
    FleetVehicle,
    Invitation,
    OnboardingRequest,
    OneTimeCode,
)
from adapters.records import Batch, Record
from adapters.supply import Facility, Shipment
from app.clock import from_ms
from app.deliveries.batches import BatchFilter, page_of_batches, stage_counts
from app.deliveries.board import gaps_by_batch, page_of_board
from app.deliveries.codes import list_codes, list_requests
from app.deliveries.drivers import list_drivers
from app.deliveries.gaps import custody_gaps
from app.deliveries.invitations import list_invitations
from app.deliveries.joins import look
from app.deliveries.linked import list_linked
from app.deliveries.proofs import page_of_proofs, proofs_of_batch
from app.deliveries.statistics import setup_statistics
from app.deliveries.thread import thread_of
from app.deliveries.verdicts import compute_verdicts
from app.engine.sink import StoreSink
from app.fleet.devices import adopt
from app.store.store import Store
from app.store.tables import DeliveryBatchRow, ShipmentRow
from app.supply.filters import Place
from tests.bench.common import built_store, report, timed_ms
from tests.helpers.fleet import IMEI, T0_MS, a_position, add_integration
from tests.helpers.stores import make_store

LINKS, BATCHES, EVENTS_EACH, STOPS, VEHICLES, FACILITIES = 5_000, 50_000, 20, 4, 500, 2_000
SHIPMENTS = 20_000
DAYS = 365
PER_COMMIT = 5_000
RUNS = 5
DAY_MS = 86_400_000
NOW_MS = T0_MS + DAYS * DAY_MS


def run() -> None:
    store = Store.open(built_store("mod4_reads", build))
    try:
        with store.read() as connection:
            measure(connection)
    finally:
        store.close()


def measure(connection: Connection) -> None:
    bare = select(DeliveryBatchRow.__table__).order_by(DeliveryBatchRow.key).limit(200)
    _report("bare: 200 batches by key", lambda: connection.execute(bare).all(), target="")
    _report("the setup tab, all of its parts", partial(setup_tab, connection), target="< 300")
    _report("linked users alone", lambda: list_linked(connection, NOW_MS), target="")
    _report("drivers with phones and sessions", lambda: list_drivers(connection, NOW_MS), target="< 300")
    everything = BatchFilter()
    _report("batches: first page", lambda: page_of_batches(connection, everything), target="< 300")
    day = (date(2026, 1, 1) + timedelta(days=DAYS // 2)).isoformat()
    board = BatchFilter(from_day=day, until_day=day)
    _report(
        "the board of a day",
        lambda: (stage_counts(connection, board), page_of_batches(connection, board)),
        target="< 300",
    )
    _report(
        "the page's board: 300 rows with arrivals and marks",
        lambda: page_of_board(connection, everything, NOW_MS, sort="board", limit=300),
        target="",
    )
    _report("the marks of gaps on it, once a minute", lambda: gaps_by_batch(connection, NOW_MS), target="")
    _report("batches, words", lambda: page_of_batches(connection, BatchFilter(words=("batch", "499"))), target="< 300")
    _report("proofs of 100 batches", lambda: page_of_proofs(connection, everything, NOW_MS), target="")
    shipment, batch = _journey(connection)
    _report("the thread of a shipment", lambda: thread_of(connection, shipment, NOW_MS), target="< 200")
    _report("proofs of one batch", lambda: proofs_of_batch(connection, batch, NOW_MS), target="")
    _report(
        "verdicts of one batch", lambda: compute_verdicts(connection, [Place("mod4-1", "b-0")], (), NOW_MS), target=""
    )
    _report("custody gaps of 60 days", lambda: custody_gaps(connection, NOW_MS), target="< 1,000")


def board_of(connection: Connection, wanted: BatchFilter) -> None:
    """What the board reads for its days."""
    stage_counts(connection, wanted)
    page_of_batches(connection, wanted)


def setup_tab(connection: Connection) -> None:
    """What the page reads when it opens."""
    setup_statistics(connection, NOW_MS)
    list_invitations(connection, NOW_MS)
    list_linked(connection, NOW_MS)
    list_codes(connection, NOW_MS)
    list_requests(connection)


def _journey(connection: Connection) -> tuple[str, str]:
    shipment = connection.execute(select(ShipmentRow.id).where(ShipmentRow.peer_id == "s-0")).scalar_one()
    batch = connection.execute(select(DeliveryBatchRow.id).where(DeliveryBatchRow.peer_id == "b-0")).scalar_one()
    return shipment, batch


def _report(what: str, call: Callable[[], object], *, target: str) -> None:
    call()
    report(what, [timed_ms(call) for _ in range(RUNS)], "ms", target=target)


def build(folder: Path) -> None:
    store = make_store(folder)
    for integration_id, kind in (("mod4-1", "mod4"), ("msupply-1", "msupply"), ("gt02-1", "gt02_tracker")):
        add_integration(store, integration_id, kind)
    sink = StoreSink(store)
    for integration_id, records in (
        ("mod4-1", _people()), ("mod4-1", _work()), ("msupply-1", _papers()), ("gt02-1", _drive()),
    ):  # fmt: skip
        batch: list[Record] = []
        for record in records:
            batch.append(record)
            if len(batch) == PER_COMMIT:
                _store(store, sink, integration_id, batch)
                batch = []
        _store(store, sink, integration_id, batch)
    store.write(lambda connection: adopt(connection, IMEI, "KAN-0 XA")).result()
    with store.read() as connection:
        ids = list(connection.execute(select(ShipmentRow.id)).scalars())
    for start in range(0, len(ids), PER_COMMIT):
        some = ids[start : start + PER_COMMIT]
        store.write(partial(look, shipment_ids=some, now=from_ms(NOW_MS))).result()
    store.close()


def _store(store: Store, sink: StoreSink, integration_id: str, records: list[Record]) -> None:
    batch = Batch(tuple(records), {})
    store.write(lambda connection: sink.ingest(connection, integration_id, [batch], NOW_MS), rows=len(records)).result()


def _people() -> Iterator[Record]:
    for number in range(LINKS):
        yield Driver(f"d-{number}", f"Driver {number}", "0803", is_available=True, licence_expires_on="2027-06-01")
        yield DriverLink(
            f"l-{number}", f"u-{number}", f"d-{number}", "active", "active", "otp", f"Driver {number}",
            f"d{number}@example.org", T0_MS + number, "Depot",
        )  # fmt: skip
        yield DriverDevice(f"p-{number}", f"u-{number}", "app", "Tecno", "android", "trusted", T0_MS, NOW_MS - number)
        yield DriverSession(f"s-{number}", f"u-{number}", "app", "ACTIVE", "open", T0_MS, NOW_MS - number * 1_000)
    for number in range(500):
        yield Invitation(
            f"i-{number}", f"i{number}@example.org", "driver", "pending", "pending", NOW_MS - number * DAY_MS,
            NOW_MS + (7 - number) * DAY_MS,
        )  # fmt: skip
        yield OneTimeCode(f"c-{number}", f"d{number}@example.org", "pending", "pending", 0, 5, NOW_MS, NOW_MS + 900_000)
        yield OnboardingRequest(
            f"r-{number}",
            f"Person {number}",
            "0804",
            f"d{number}@example.org",
            "Kano",
            "x",
            "pending",
            "pending",
            NOW_MS,
        )


def _work() -> Iterator[Record]:
    rng = random.Random(1)
    for number in range(VEHICLES):
        yield FleetVehicle(f"v-{number}", f"KAN {number} XA", "Hilux", "truck", "available")
    for number in range(FACILITIES):
        yield Facility(
            f"f-{number}", f"F{number}", f"Clinic {number}", "facility", is_ours=False, lat=9 + number / 1_000, lon=7.4
        )
    for number in range(BATCHES):
        at_ms = T0_MS + number * DAYS * DAY_MS // BATCHES
        stops = [f"f-{(number * STOPS + stop) % FACILITIES}" for stop in range(STOPS)]
        yield DeliveryBatch(
            f"b-{number}", f"Batch {number}", "completed", "completed", "high", "", f"d-{number % LINKS}",
            f"v-{number % VEHICLES}", from_ms(at_ms).date().isoformat(), "08:00", at_ms, at_ms + 8 * 3_600_000,
            lines=tuple(
                BatchStop(f"{number}-{one}", place, one, "completed", "delivered") for place, one in enumerate(stops, 1)
            ),
        )  # fmt: skip
        yield BatchPaper(f"p-{number}", f"b-{number}", "invoice", str(number), stops[0])
        for event in range(EVENTS_EACH):
            yield _event(rng, number, event, stops[event % STOPS], at_ms)


def _event(rng: random.Random, number: int, event: int, facility: str, at_ms: int) -> DeliveryEvent:
    kinds: tuple[EventKind, ...] = ("delivered", "photo", "signature", "position", "arrived")
    moment = at_ms + (event + 1) * 20 * 60_000
    return DeliveryEvent(
        f"mod4_events:{number}-{event}", "mod4_events", kinds[event // STOPS], moment, "", moment + 2_000,
        f"d-{number % LINKS}", batch=f"b-{number}", facility=facility, lat=9 + rng.random(), lon=7.4,
        recipient="Ade" if event < STOPS else "",
    )  # fmt: skip


def _papers() -> Iterator[Record]:
    for number in range(SHIPMENTS):
        at_ms = T0_MS + number * DAYS * DAY_MS // BATCHES
        yield Shipment(
            f"s-{number}", str(number), "outbound", "SHIPPED", "shipped", "store", "nobody", created_ms=at_ms,
            shipped_ms=at_ms,
        )  # fmt: skip


def _drive() -> Iterator[Record]:
    """A fix every five seconds during the first batch."""
    for second in range(0, 8 * 3_600, 5):
        yield a_position(IMEI, T0_MS + second * 1_000, lat=9 + second * 1e-5)
