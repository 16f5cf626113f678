"""The thread of a shipment, custody gaps, departure checks and arrivals, on one store that was filled by the merge."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from app.alarms.fence_shapes import read_shapes
from app.clock import from_ms
from app.deliveries import acts
from app.deliveries.batches import find_batch
from app.deliveries.departure_look import look_before_departure
from app.deliveries.departures import keep_check, last_check, override_check
from app.deliveries.errors import DeliveryError, NotFound
from app.deliveries.eta import USUAL_KM_H, batch_eta
from app.deliveries.gaps import custody_gaps
from app.deliveries.joins import look
from app.deliveries.settings import DeliverySettings, load_settings, set_settings
from app.deliveries.thread import Thread, thread_of
from app.deliveries.verdicts import compute_verdicts, store_verdicts
from app.fuel.tanks import add_tank
from app.store.store import Store
from app.store.tables import Act, DeliveryBatchRow, DriverRow, FuelEventRow, ShipmentRow
from app.supply.filters import Place
from tests.helpers.dispatch import (
    CLINIC,
    DEPOT,
    HOUR_MS,
    MINUTE_MS,
    Depot,
    a_batch,
    a_driver,
    a_link,
    a_paper,
    a_place,
    a_session,
    a_stop,
    an_event,
)
from tests.helpers.fleet import T0_MS, rows_of
from tests.helpers.supply import a_requisition, a_shipment, a_shipment_line

AT_MS = T0_MS + 2 * HOUR_MS
NOW_MS = T0_MS + 5 * HOUR_MS


@pytest.fixture
def depot(sqlite_store: Store) -> Depot:
    """A shipment of an order, in a batch that drove to its clinic and delivered it; nothing was received yet."""
    depot = Depot(sqlite_store)
    depot.usual(a_stop("clinic-1", 1, stage="delivered", arrived_ms=AT_MS - MINUTE_MS), a_stop("clinic-2", 2))
    depot.arrive(
        a_place("c-1", CLINIC, name="Clinic One"), a_requisition("req-1"),
        a_shipment(
            "ship-1", a_shipment_line(), stage="shipped", shipped_ms=T0_MS - HOUR_MS, receiver="c-1",
            requisition="req-1",
        ),
        feed=depot.supply,
    )  # fmt: skip
    depot.arrive(a_paper(), an_event(at_ms=AT_MS, recipient="Ade", told={
        "items": [{"name": "Amoxicillin", "expected_quantity": 300, "delivered_quantity": 280}]}))  # fmt: skip
    return depot


def drive(depot: Depot) -> str:
    """The vehicle goes to the clinic in an hour and stands there."""
    own = depot.vehicle()
    way = [(T0_MS + m * MINUTE_MS, DEPOT[0] + (CLINIC[0] - DEPOT[0]) * m / 60, DEPOT[1]) for m in range(0, 61, 2)]
    depot.drive([*way, *((T0_MS + m * MINUTE_MS, *CLINIC) for m in range(62, 181, 4))])
    return own


def settle(depot: Depot) -> None:
    """What the engine's follower would do."""
    shipment = depot.id_of(ShipmentRow, "ship-1")
    depot.write(lambda connection: look(connection, [shipment], from_ms(NOW_MS)))
    with depot.store.read() as connection:
        found = compute_verdicts(connection, [Place("mod4-1", "batch-1")], read_shapes(connection), NOW_MS)
    depot.write(lambda connection: store_verdicts(connection, found, from_ms(NOW_MS)))


def thread(depot: Depot, now_ms: int = NOW_MS) -> Thread:
    return depot.ask(thread_of, depot.id_of(ShipmentRow, "ship-1"), now_ms)


def test_the_whole_thread(depot: Depot) -> None:
    own = drive(depot)
    tank = depot.write(lambda connection: add_tank(connection, own))
    drain = {
        "id": "fuel-1", "vehicle_id": own, "tank_id": tank, "kind": "drain", "start_ms": T0_MS + 30 * MINUTE_MS,
        "end_ms": T0_MS + 40 * MINUTE_MS, "litres": 42.0, "level_before_l": 90.0, "level_after_l": 48.0,
        "confidence": 0.9, "evidence": [], "found_at": from_ms(NOW_MS), "lat": DEPOT[0], "lon": DEPOT[1],
        "changed_version": 1,
    }  # fmt: skip
    depot.write(lambda connection: connection.execute(insert(FuelEventRow).values(**drain)))
    settle(depot)
    found = thread(depot)
    kinds = [step.kind for step in found.steps]
    assert kinds == ["order", "shipment", "batch", "check", "track", "stop", "stop", "fuel", "proof", "receipt"]
    by_kind = {step.kind: step for step in found.steps}
    assert by_kind["order"].title == "Order 1042"
    assert by_kind["track"].facts["distance_km"] == pytest.approx(13.9, abs=0.1)
    assert by_kind["fuel"].title == "Fuel lost: 42 L"
    assert "before stop 1 Clinic 1" in by_kind["fuel"].detail
    assert "confirmed by the vehicle's track" in by_kind["proof"].detail
    assert by_kind["proof"].state == "warning"
    assert [step.kind for step in found.gaps] == ["check", "receipt"]
    assert by_kind["receipt"].since_ms == AT_MS
    assert found.as_json()["batches"][0]["fuel"][0]["is_loss"] is True


def test_a_shipment_in_no_batch_is_a_gap_with_its_age(depot: Depot) -> None:
    found = thread(depot)
    assert [step.kind for step in found.steps] == ["order", "shipment", "batch", "receipt"]
    (gap,) = found.gaps
    assert (gap.title, gap.since_ms) == ("In no batch", T0_MS - HOUR_MS)
    assert "6 h ago" in gap.detail


def test_a_batch_without_shipment_and_without_track(depot: Depot) -> None:
    found = depot.ask(thread_of, depot.id_of(DeliveryBatchRow, "batch-1"), NOW_MS)
    assert [step.kind for step in found.gaps] == ["shipment", "check", "track"]
    assert "No vehicle here has the plate KAN 123 XA" in next(s for s in found.steps if s.kind == "track").detail
    with pytest.raises(NotFound):
        depot.ask(thread_of, "nothing", NOW_MS)


def test_a_receipt_closes_the_thread(depot: Depot) -> None:
    settle(depot)
    depot.arrive(
        a_shipment("ship-1", a_shipment_line(rejected_units=20.0), stage="received", shipped_ms=T0_MS, receiver="c-1",
                   received_ms=AT_MS + HOUR_MS, received_by="Ade"),
        feed=depot.supply,
    )  # fmt: skip
    receipt = thread(depot).steps[-1]
    assert (receipt.kind, receipt.state) == ("receipt", "warning")
    assert "Received by Ade" in receipt.detail
    assert "Rejected" in receipt.detail


def test_custody_gaps_with_age_and_next_step(depot: Depot) -> None:
    depot.arrive(
        a_shipment("ship-2", number="78", stage="shipped", shipped_ms=T0_MS - 30 * HOUR_MS, receiver="c-1"),
        a_shipment("ship-3", number="79", stage="picked", receiver="c-1"), feed=depot.supply,
    )  # fmt: skip
    depot.arrive(a_paper("paper-2", number="79"), a_paper("paper-3", number="unknown-1", batch="batch-2"))
    depot.arrive(a_batch("batch-2", a_stop("clinic-2")))
    ids = [depot.id_of(ShipmentRow, one) for one in ("ship-1", "ship-2", "ship-3")]
    depot.write(lambda connection: look(connection, ids, from_ms(NOW_MS)))
    gaps = depot.ask(custody_gaps, NOW_MS, settings=DeliverySettings(receipt_hours=2))
    assert [(gap.kind, gap.subject) for gap in gaps] == [
        ("no_batch", "Shipment 78 to Clinic One"),
        ("never_shipped", "Invoice unknown-1 in batch Batch batch-2"),
        ("never_shipped", "Shipment 79 to Clinic One"),
        ("not_received", "Shipment 77 to Clinic One"),
        ("quantities", "Shipment 77 to Clinic One"),
    ]
    assert gaps[0].age_words(NOW_MS) == "35 h"
    assert "280 of 300" in gaps[-1].detail
    assert all(gap.next_step.endswith(".") for gap in gaps)
    later = depot.ask(custody_gaps, NOW_MS)
    assert "not_received" not in [gap.kind for gap in later]
    assert [gap.kind for gap in depot.ask(custody_gaps, NOW_MS, kinds=("no_batch",))] == ["no_batch"]


def test_without_a_driver_platform_there_are_no_custody_gaps(sqlite_store: Store) -> None:
    depot = Depot(sqlite_store)
    depot.arrive(a_shipment(stage="shipped", shipped_ms=T0_MS), feed=depot.supply)
    assert depot.ask(custody_gaps, NOW_MS) == []


def test_hours_until_a_receipt_are_a_recorded_setting(depot: Depot) -> None:
    depot.write(lambda connection: set_settings(connection, receipt_hours=6))
    assert depot.ask(load_settings).receipt_hours == 6
    with pytest.raises(DeliveryError):
        depot.write(lambda connection: set_settings(connection, receipt_hours=0))
    assert [row.what for row in rows_of(depot.store, Act)] == ["deliveries.settings"]


def test_a_departure_check_says_what_is_not_in_order(depot: Depot) -> None:
    batch = depot.id_of(DeliveryBatchRow, "batch-1")
    depot.arrive(a_driver(licence_expires_on="2025-01-01"), a_session(stage="ended", ended_ms=T0_MS))
    findings = {one.check: one for one in depot.ask(look_before_departure, batch, NOW_MS)}
    assert list(findings) == ["driver", "phone", "licence", "tracker", "fuel", "calibration", "papers"]
    assert {key: one.ok for key, one in findings.items()} == {
        "driver": True, "phone": False, "licence": False, "tracker": False, "fuel": None, "calibration": None,
        "papers": None,
    }  # fmt: skip
    assert all(one.advice for one in findings.values() if one.ok is not True)


def test_what_waits_in_the_outbox_holds_a_departure_up(depot: Depot) -> None:
    settle(depot)
    batch = depot.id_of(DeliveryBatchRow, "batch-1")
    findings = {one.check: one for one in depot.ask(look_before_departure, batch, NOW_MS)}
    assert findings["papers"].ok is True
    depot.do(acts.complete_batch, batch)
    findings = {one.check: one for one in depot.ask(look_before_departure, batch, NOW_MS)}
    assert findings["papers"].ok is False
    assert "1 changes wait" in findings["papers"].detail


def test_overriding_needs_a_reason_and_is_recorded(depot: Depot) -> None:
    batch = depot.id_of(DeliveryBatchRow, "batch-1")
    findings = depot.ask(look_before_departure, batch, NOW_MS)
    check = depot.write(lambda connection: keep_check(connection, batch, findings, now=from_ms(NOW_MS)))

    def override(reason: str) -> bool:
        return depot.write(lambda connection: override_check(connection, check, reason, now=from_ms(NOW_MS))).may_leave

    with pytest.raises(DeliveryError, match="at least 10"):
        override("hurry")
    assert override("cholera outbreak, tracker follows tonight")
    with pytest.raises(DeliveryError, match="already"):
        override("cholera outbreak, once more")
    kept = depot.ask(last_check, batch)
    assert kept is not None
    assert not kept.is_ready
    assert [row.what for row in rows_of(depot.store, Act)] == ["departure.check", "departure.override"]
    assert "let it go" in next(
        step.detail for step in depot.ask(thread_of, batch, NOW_MS).steps if step.kind == "check"
    )


def test_arrivals_follow_the_order_of_the_stops(depot: Depot) -> None:
    drive(depot)
    batch = depot.ask(find_batch, depot.id_of(DeliveryBatchRow, "batch-1"))
    assert batch is not None
    now_ms = T0_MS + 180 * MINUTE_MS
    eta = depot.ask(batch_eta, batch, now_ms)
    (stop,) = eta.stops
    assert (stop.stop.facility, eta.is_usual_speed, eta.speed_km_h) == ("clinic-2", True, USUAL_KM_H)
    assert stop.eta_ms is not None
    assert stop.way_m is not None
    assert stop.eta_ms - now_ms == pytest.approx(stop.way_m / (USUAL_KM_H / 3.6) * 1000, abs=5 * MINUTE_MS)
    stale = depot.ask(batch_eta, batch, now_ms + 3 * HOUR_MS)
    assert stale.stops[0].eta_ms is None
    assert "old" in stale.stops[0].why


def test_behind_an_unknown_place_every_arrival_is_unknown(depot: Depot) -> None:
    drive(depot)
    depot.arrive(a_place("clinic-9", None))
    depot.arrive(a_batch("batch-1", a_stop("clinic-9", 1), a_stop("clinic-2", 2)))
    batch = depot.ask(find_batch, depot.id_of(DeliveryBatchRow, "batch-1"))
    assert batch is not None
    eta = depot.ask(batch_eta, batch, T0_MS + 180 * MINUTE_MS)
    assert [one.eta_ms for one in eta.stops] == [None, None]
    assert "Clinic 9" in eta.stops[1].why
    assert depot.id_of(DriverRow, "drv-1")
    assert a_link().driver == "drv-1"
