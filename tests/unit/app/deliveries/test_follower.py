"""What the engine's follower does with what arrives: joins, verdicts, late positions, drivers of fuel events."""

from __future__ import annotations

import pytest
from sqlalchemy import insert

from app.clock import from_ms
from app.deliveries.follower import FACT, DeliveriesFollower
from app.deliveries.late import AGAIN_MS
from app.engine.followers import FOLLOWERS, load_followers
from app.fuel.tanks import add_tank
from app.store.facts import get_fact
from app.store.store import Store
from app.store.tables import FuelEventRow, ProofVerdict, ShipmentBatch
from tests.helpers.dispatch import CLINIC, HOUR_MS, MINUTE_MS, Depot, a_batch, a_paper, an_event
from tests.helpers.fleet import T0_MS, rows_of
from tests.helpers.supply import a_shipment

AT_MS = T0_MS + 2 * HOUR_MS


@pytest.fixture
def depot(sqlite_store: Store) -> Depot:
    return Depot(sqlite_store)


def settle(depot: Depot, follower: DeliveriesFollower, now_ms: int) -> int:
    """Step until nothing waits; returns the time that it is then."""
    for _ in range(50):
        wait_s = follower.step(depot.store, now_ms)
        if wait_s is None or wait_s > 60:
            return now_ms
        now_ms += 3_001
    pytest.fail("the follower never came to rest")


def a_drain(vehicle_id: str, tank_id: str, event_id: str = "fuel-1", at_ms: int = AT_MS) -> dict[str, object]:
    return {
        "id": event_id, "vehicle_id": vehicle_id, "tank_id": tank_id, "kind": "drain", "start_ms": at_ms,
        "end_ms": at_ms + 5 * MINUTE_MS, "litres": 40.0, "level_before_l": 90.0, "level_after_l": 50.0,
        "confidence": 0.9, "evidence": [], "found_at": from_ms(at_ms), "lat": CLINIC[0], "lon": CLINIC[1],
        "changed_version": 1,
    }  # fmt: skip


def test_it_is_one_of_the_engines_followers() -> None:
    assert {"deliveries", "twins"} <= {follower.name for follower in load_followers(FOLLOWERS)}


def test_what_arrives_is_joined_and_judged_and_late_positions_are_taken_up(depot: Depot) -> None:
    depot.usual()
    depot.vehicle()
    depot.arrive(a_shipment(receiver="x"), feed=depot.supply)
    depot.arrive(a_paper(), an_event(at_ms=AT_MS))
    follower = DeliveriesFollower()
    now_ms = settle(depot, follower, AT_MS + HOUR_MS)
    assert [row.how for row in rows_of(depot.store, ShipmentBatch)] == ["number"]
    assert [row.verdict for row in rows_of(depot.store, ProofVerdict)] == ["no_evidence"]
    depot.drive([(AT_MS, *CLINIC)])
    settle(depot, follower, now_ms + AGAIN_MS + 3_001)
    assert [row.verdict for row in rows_of(depot.store, ProofVerdict)] == ["confirmed"]


def test_an_engine_that_starts_again_looks_at_nothing_twice(depot: Depot) -> None:
    depot.usual()
    depot.arrive(an_event(at_ms=AT_MS))
    settle(depot, DeliveriesFollower(), AT_MS)
    before = rows_of(depot.store, ProofVerdict)
    fact = depot.ask(get_fact, FACT)
    settle(depot, DeliveriesFollower(), AT_MS + HOUR_MS)
    assert rows_of(depot.store, ProofVerdict) == before
    assert depot.ask(get_fact, FACT) == fact


def test_the_driver_of_a_batch_is_written_into_its_fuel_events(depot: Depot) -> None:
    depot.usual()
    own = depot.vehicle()
    tank = depot.write(lambda connection: add_tank(connection, own))
    rows = [a_drain(own, tank), a_drain(own, tank, "fuel-2", T0_MS - HOUR_MS)]
    depot.write(lambda connection: connection.execute(insert(FuelEventRow), rows))
    settle(depot, DeliveriesFollower(), AT_MS + HOUR_MS)
    assert {row.id: row.driver for row in rows_of(depot.store, FuelEventRow)} == {"fuel-1": "Musa drv-1", "fuel-2": ""}


def test_a_batch_that_comes_after_its_fuel_event_names_the_driver_too(depot: Depot) -> None:
    depot.usual()
    own = depot.vehicle()
    depot.arrive(a_batch(started_ms=None, stage="planned"))
    tank = depot.write(lambda connection: add_tank(connection, own))
    depot.write(lambda connection: connection.execute(insert(FuelEventRow), [a_drain(own, tank)]))
    follower = DeliveriesFollower()
    now_ms = settle(depot, follower, AT_MS + HOUR_MS)
    assert [row.driver for row in rows_of(depot.store, FuelEventRow)] == [""]
    depot.arrive(a_batch())
    settle(depot, follower, now_ms + 3_001)
    assert [row.driver for row in rows_of(depot.store, FuelEventRow)] == ["Musa drv-1"]
