"""Journeys are found by what people have in hand, and the last decision on a join by whoever comes later."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from app.clock import from_ms
from app.deliveries import join_acts
from app.deliveries.errors import DeliveryError
from app.deliveries.joins import look
from app.deliveries.journeys import list_journeys
from app.store.store import Store
from app.store.tables import DeliveryBatchRow, ShipmentRow
from tests.helpers.dispatch import Depot, a_batch, a_driver, a_fleet_vehicle, a_paper
from tests.helpers.fleet import T0_MS
from tests.helpers.supply import a_requisition, a_shipment, a_shipment_line

NOW = from_ms(T0_MS)


@pytest.fixture
def depot(store: Store) -> Depot:
    """Shipment 77 for order 1042 travels in ``batch-1``; ``batch-2`` carries nothing, with another lorry and driver."""
    made = Depot(store)
    made.usual()
    made.arrive(
        a_driver("drv-2", name="Bello Sani"), a_fleet_vehicle("veh-2", plate="ABJ-733 PK"),
        a_batch("batch-2", driver="drv-2", vehicle="veh-2"), a_paper(),
    )  # fmt: skip
    made.arrive(
        a_requisition("req-1"), a_requisition("req-2", number="2000"),
        a_shipment("ship-1", a_shipment_line(), stage="shipped", requisition="req-1"),
        a_shipment("ship-2", number="78", stage="shipped", requisition="req-2"),
        feed=made.supply,
    )  # fmt: skip
    ids = [made.id_of(ShipmentRow, peer_id) for peer_id in ("ship-1", "ship-2")]
    made.write(lambda connection: look(connection, ids, NOW))
    return made


def found(depot: Depot, text: str) -> set[str]:
    return {one.label for one in depot.ask(list_journeys, text)}


def test_what_finds_a_journey(depot: Depot) -> None:
    carried, other = {"Shipment 77", "Batch Batch batch-1"}, {"Batch Batch batch-2"}
    assert found(depot, "1042") == carried
    assert found(depot, "2000") == {"Shipment 78"}
    assert found(depot, "kan-123") == found(depot, "KAN123XA") == found(depot, "musa DRV-1") == carried
    assert found(depot, "abj 733pk") == found(depot, "bello") == other
    assert found(depot, "77") == {"Shipment 77"}
    assert found(depot, "%") == found(depot, "--") == set()


def test_a_change_of_the_vehicle_that_waits_counts_already(depot: Depot) -> None:
    def change(connection: Connection) -> None:
        table = DeliveryBatchRow.__table__
        connection.execute(table.update().where(table.c.peer_id == "batch-2").values(pending={"vehicle": "veh-1"}))

    depot.write(change)
    assert "Batch Batch batch-2" in found(depot, "KAN 123 XA")
    assert found(depot, "ABJ 733 PK") == set()


def test_a_declined_join_finds_the_shipment_no_more_by_its_lorry(depot: Depot) -> None:
    shipment_id, batch_id = depot.id_of(ShipmentRow, "ship-1"), depot.id_of(DeliveryBatchRow, "batch-1")
    depot.write(lambda connection: join_acts.decline(connection, shipment_id, batch_id, now=NOW))
    assert found(depot, "KAN 123 XA") == {"Batch Batch batch-1"}


def test_the_last_decision_is_found_by_whoever_comes_later(depot: Depot) -> None:
    shipment_id, other_id = (depot.id_of(ShipmentRow, peer_id) for peer_id in ("ship-1", "ship-2"))
    batch_id = depot.id_of(DeliveryBatchRow, "batch-1")
    assert depot.ask(join_acts.last_decision, shipment_id) is None
    first = depot.write(lambda connection: join_acts.decline(connection, shipment_id, batch_id, now=NOW, who="ade"))
    depot.write(lambda connection: join_acts.join(connection, other_id, batch_id, now=NOW))
    last = depot.ask(join_acts.last_decision, shipment_id)
    assert last is not None
    assert (last.act_id, last.how, last.who) == (first.act_id, "declined", "ade")
    depot.write(lambda connection: join_acts.undo(connection, last.act_id, now=NOW, who="bello"))
    with pytest.raises(DeliveryError, match="was changed since"):
        depot.write(lambda connection: join_acts.undo(connection, last.act_id, now=NOW))
    newest = depot.ask(join_acts.last_decision, shipment_id)
    assert newest is not None
    assert (newest.how, newest.who) == ("number", "bello")
    again = depot.write(lambda connection: join_acts.undo(connection, newest.act_id, now=NOW))
    assert again.how == "declined"
