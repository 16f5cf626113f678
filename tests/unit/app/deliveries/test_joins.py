"""Shipments meet batches by number, reference, place; operators decide over it and may take it back."""

from __future__ import annotations

import pytest

from app.clock import from_ms
from app.deliveries import join_acts
from app.deliveries.errors import DeliveryError, NotFound
from app.deliveries.joins import find_joins, look, shipments_near
from app.identity.acts import merge
from app.store.store import Store
from app.store.tables import Act, DeliveryBatchRow, FacilityRow, ShipmentBatch, ShipmentRow
from app.supply.filters import Place
from tests.helpers.dispatch import CLINIC, HOUR_MS, Depot, a_batch, a_paper, a_place, a_stop
from tests.helpers.fleet import T0_MS, rows_of
from tests.helpers.supply import a_requisition, a_shipment


@pytest.fixture
def depot(sqlite_store: Store) -> Depot:
    depot = Depot(sqlite_store)
    depot.usual(a_stop("clinic-1", 1), a_stop("clinic-2", 2))
    return depot


def looked(depot: Depot) -> int:
    with depot.store.read() as connection:
        near = shipments_near(connection, [Place("mod4-1", "batch-1"), Place("mod4-1", "batch-2")])
    return depot.write(lambda connection: look(connection, near, from_ms(T0_MS)))


def kept(depot: Depot) -> list[tuple[str, str]]:
    return [(row.how, row.reason) for row in rows_of(depot.store, ShipmentBatch)]


def test_by_the_invoice_number(depot: Depot) -> None:
    depot.arrive(a_shipment(receiver="x"), feed=depot.supply)
    depot.arrive(a_paper())
    assert looked(depot) == 1
    assert looked(depot) == 0
    assert kept(depot) == [("number", "The platform lists invoice 77 in this batch.")]


def test_a_number_that_several_stores_use_needs_the_same_facility(depot: Depot) -> None:
    depot.arrive(
        a_shipment("ship-1", receiver="c-1"), a_shipment("ship-2", receiver="c-2"),
        a_place("c-1", None, name="Clinic 1"), a_place("c-2", None, name="Clinic 9"), feed=depot.supply,
    )  # fmt: skip
    depot.arrive(a_paper())
    looked(depot)
    (row,) = rows_of(depot.store, ShipmentBatch)
    assert row.shipment_id == depot.id_of(ShipmentRow, "ship-1")
    assert "same facility" in row.reason


def test_by_the_requisition_that_it_answers(depot: Depot) -> None:
    depot.arrive(
        a_requisition("req-1", number="1042"), a_shipment(requisition="req-1", number="5", receiver="x"),
        feed=depot.supply,
    )  # fmt: skip
    depot.arrive(a_paper(kind="requisition", number="1042"))
    looked(depot)
    assert kept(depot) == [("number", "The platform lists requisition 1042 in this batch.")]


@pytest.mark.parametrize("reference", ["Batch batch-1", "trip BATCH  batch-1, seal 9", "kan 123-xa / Musa"])
def test_by_the_transport_reference(depot: Depot, reference: str) -> None:
    depot.arrive(
        a_shipment(number="5", transport_reference=reference, receiver="x", shipped_ms=T0_MS, stage="shipped"),
        feed=depot.supply,
    )
    assert looked(depot) == 1
    assert kept(depot)[0][0] == "reference"


def test_a_reference_to_another_batch_or_a_plate_of_another_week_joins_nothing(depot: Depot) -> None:
    depot.arrive(
        a_shipment("s-1", number="5", transport_reference="Batch batch-11", receiver="x"),
        a_shipment(
            "s-2", number="6", transport_reference="KAN 123 XA", receiver="x", created_ms=T0_MS - 20 * 24 * HOUR_MS
        ),
        feed=depot.supply,
    )
    ids = [depot.id_of(ShipmentRow, "s-1"), depot.id_of(ShipmentRow, "s-2")]
    assert depot.ask(find_joins, ids) == []


def test_by_place_and_day_only_where_one_batch_fits(depot: Depot) -> None:
    depot.arrive(
        a_place("c-1", CLINIC), a_shipment(number="5", receiver="c-1", stage="shipped", shipped_ms=T0_MS),
        feed=depot.supply,
    )  # fmt: skip
    assert looked(depot) == 0
    both = [depot.id_of(FacilityRow, "clinic-1"), depot.id_of(FacilityRow, "c-1")]
    depot.write(lambda connection: merge(connection, "facility", both, now=from_ms(T0_MS)))
    assert looked(depot) == 1
    assert kept(depot)[0][0] == "place"
    depot.arrive(a_batch("batch-2", a_stop("clinic-1")))
    assert looked(depot) == 1
    assert kept(depot) == []


def test_what_no_longer_holds_is_taken_back_and_what_was_decided_stays(depot: Depot) -> None:
    depot.arrive(a_shipment(receiver="x"), feed=depot.supply)
    depot.arrive(a_paper())
    looked(depot)
    depot.arrive(a_paper(number="78"))
    assert looked(depot) == 1
    assert kept(depot) == []
    shipment, batch = depot.id_of(ShipmentRow, "ship-1"), depot.id_of(DeliveryBatchRow, "batch-1")
    depot.write(lambda connection: join_acts.join(connection, shipment, batch, "phoned", now=from_ms(T0_MS)))
    assert looked(depot) == 0
    assert kept(depot) == [("manual", "phoned")]


def test_a_declined_join_is_not_found_again_until_that_is_undone(depot: Depot) -> None:
    depot.arrive(a_shipment(receiver="x"), feed=depot.supply)
    depot.arrive(a_paper())
    looked(depot)
    shipment, batch = depot.id_of(ShipmentRow, "ship-1"), depot.id_of(DeliveryBatchRow, "batch-1")
    declined = depot.write(lambda connection: join_acts.decline(connection, shipment, batch, now=from_ms(T0_MS)))
    assert looked(depot) == 0
    assert kept(depot)[0][0] == "declined"
    with pytest.raises(DeliveryError, match="declined already"):
        depot.write(lambda connection: join_acts.decline(connection, shipment, batch, now=from_ms(T0_MS)))
    undone = depot.write(lambda connection: join_acts.undo(connection, declined.act_id, now=from_ms(T0_MS)))
    assert (undone.how, kept(depot)[0][0]) == ("number", "number")
    again = depot.write(lambda connection: join_acts.undo(connection, undone.act_id, now=from_ms(T0_MS)))
    assert again.how == "declined"
    with pytest.raises(DeliveryError, match="changed since"):
        depot.write(lambda connection: join_acts.undo(connection, undone.act_id, now=from_ms(T0_MS)))
    assert len(rows_of(depot.store, Act)) == 3


def test_undoing_what_is_no_join(depot: Depot) -> None:
    with pytest.raises(NotFound):
        depot.write(lambda connection: join_acts.undo(connection, 999, now=from_ms(T0_MS)))
    with pytest.raises(NotFound):
        depot.write(lambda connection: join_acts.join(connection, "no", "no", now=from_ms(T0_MS)))
