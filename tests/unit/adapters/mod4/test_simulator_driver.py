"""The drivers' app of the simulated platform, step by step and by itself (biko.md 4.10)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from adapters.mod4.simulator import Platform
from adapters.mod4.simulator.autopilot import Autopilot, Habits, Trip
from adapters.mod4.simulator.driver import DriverApp, Evidence, Fix, Item
from adapters.mod4.simulator.journeys import Journey, add_journeys, pilots
from adapters.mod4.simulator.phone import AppRefused
from adapters.mod4.simulator.places import Place, moved
from adapters.mod4.simulator.work import CODE_EMAIL, FRESH_CODE, device_of
from adapters.mod4.simulator.world import Batch
from tests.helpers.mod4_platform import CODE_IS_FRESH

ITEMS = (Item("Amoxicillin 250 mg", 100, "capsule"), Item("Oral rehydration salts", 20, "sachet"))


class Where:
    """A phone that is carried wherever a test wants it."""

    def __init__(self) -> None:
        self.fix = Fix(9.6, 6.5)

    def __call__(self) -> Fix:
        return self.fix

    def go(self, lat: float, lng: float, north_m: float = 0.0) -> None:
        self.fix = Fix(*moved(lat, lng, north_m, 0.0))


async def eventually(condition: Callable[[], bool]) -> None:
    def wait() -> None:
        ends = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < ends
            time.sleep(0.02)

    await asyncio.to_thread(wait)


def app_for(platform: Platform, batch: Batch, where: Callable[[], Fix]) -> DriverApp:
    assert batch.driver is not None
    return DriverApp(platform.server, platform.database, device_of(platform.world, batch.driver), where)


async def signed_in(platform: Platform, batch: Batch, where: Callable[[], Fix]) -> DriverApp:
    app = app_for(platform, batch, where)
    assert batch.driver is not None
    await app.phone.sign_in(batch.driver.email, platform.world.pins[batch.driver.email])
    await app.start_shift(batch.vehicle_id)
    return app


def events(platform: Platform, batch: Batch) -> list[tuple[Any, ...]]:
    return platform.rows(
        "SELECT event_type, metadata FROM mod4_events WHERE batch_id = %s ORDER BY received_at", batch.id
    )


def status(platform: Platform, batch: Batch) -> tuple[Any, ...]:
    found = "SELECT status, driver_status, current_stop_index FROM delivery_batches WHERE id = %s"
    return platform.rows(found, batch.id)[0]


async def test_a_code_and_a_pin_make_a_driver(repaired: Platform) -> None:
    repaired.rows(CODE_IS_FRESH, CODE_EMAIL)
    app = DriverApp(repaired.server, repaired.database, "new-phone", Where())
    with pytest.raises(AppRefused, match="not valid"):
        await app.phone.activate(CODE_EMAIL, "000000", "4821")
    await app.phone.activate(CODE_EMAIL, FRESH_CODE, "4821", "Ladi Musa")
    with pytest.raises(AppRefused, match="PIN is wrong"):
        await app.phone.sign_in(CODE_EMAIL, FRESH_CODE)
    signed = await app.phone.sign_in("+2348036600001", "4821")
    driver = "SELECT d.name, d.onboarding_completed FROM drivers d WHERE d.id = %s"
    assert repaired.rows(driver, signed.driver_id) == [("Ladi Musa", True)]
    assert await app.batches() == []
    repaired.rows("UPDATE driver_devices SET is_trusted = false WHERE device_id = 'new-phone'")
    with pytest.raises(AppRefused, match="not trusted"):
        await app.phone.sign_in(CODE_EMAIL, "4821")
    with pytest.raises(AppRefused, match="Nobody is signed in"):
        await app.batches()


async def test_a_driver_who_was_invited_finds_no_batch(either: Platform) -> None:
    person = next(person for person in either.world.crew.drivers if person.standing == "invited")
    app = DriverApp(either.server, either.database, device_of(either.world, person), Where())
    signed = await app.phone.sign_in(person.email, either.world.pins[person.email])
    assert either.rows("SELECT id::text FROM mod4_driver_links WHERE user_id = %s", signed.user_id) == [
        (signed.driver_id,)
    ]
    assert await app.batches() == []


async def test_a_batch_is_delivered_stop_by_stop_with_its_evidence(repaired: Platform) -> None:
    batch, where = repaired.world.of("assigned")[0], Where()
    app = await signed_in(repaired, batch, where)
    assert batch.id in await app.batches()
    route = await app.open_batch(batch.id, ITEMS)
    assert status(repaired, batch)[:2] == ("in-progress", "EN_ROUTE")
    assert [slot.state for slot in route.slots] == ["active", *["pending"] * (len(batch.stops) - 1)]
    first, second, *others = route.slots

    where.go(first.lat, first.lng, 30)
    await app.arrive(0)
    short = (replace(ITEMS[0], delivered=76), ITEMS[1])
    with pytest.raises(AppRefused, match="Quantities differ"):
        await app.deliver(0, items=short)
    told = Evidence(discrepancy="short_shipment", discrepancy_notes="One carton short")
    record = await app.deliver(0, told, short)
    assert (record["status"], record["has_discrepancy"], record["is_proxy_delivery"]) == ("flagged", True, False)

    where.go(second.lat, second.lng, 400)
    with pytest.raises(AppRefused, match=r"400 m from"):
        await app.deliver(1)
    with pytest.raises(AppRefused, match="Photo"):
        await app.deliver(1, Evidence(photo=False, proxy_reason="road_closed", proxy_notes="Bridge under water"))
    await app.deliver(1, Evidence(proxy_reason="road_closed", proxy_notes="Bridge under water"))
    with pytest.raises(AppRefused, match="done already"):
        await app.deliver(1)
    with pytest.raises(AppRefused, match="still open"):
        await app.complete()
    for at, slot in enumerate(others, 2):
        where.go(slot.lat, slot.lng)
        await app.skip(at, "Facility closed")
    await app.complete()

    assert status(repaired, batch) == ("completed", "COMPLETED", len(batch.stops))
    kinds = [kind for kind, _ in events(repaired, batch)]
    assert kinds == [
        "batch_started", "delivery_started", "item_reconciled", "delivery_discrepancy", "photo_captured",
        "recipient_signature_captured", "delivery_completed", "photo_captured", "recipient_signature_captured",
        "proxy_delivery_reason_recorded", "delivery_completed", "batch_completed",
    ]  # fmt: skip
    said = dict(events(repaired, batch))
    assert said["delivery_discrepancy"]["items"] == [
        {"name": ITEMS[0].name, "expectedQuantity": 100, "deliveredQuantity": 76, "unit": "capsule"}
    ]
    assert said["photo_captured"]["photoUrl"] is None
    assert said["proxy_delivery_reason_recorded"]["distanceM"] == pytest.approx(400, abs=1)
    assert "record" not in said["delivery_completed"]
    assert (app.phone.state, len(app.proofs)) == ("SYNCED", 2)
    assert await app.end_shift()


async def test_what_happens_without_a_line_arrives_later_in_order(repaired: Platform) -> None:
    batch, where = repaired.world.of("assigned")[0], Where()
    app = await signed_in(repaired, batch, where)
    app.sends_record = True
    route = await app.open_batch(batch.id, ITEMS)
    before = len(events(repaired, batch))
    app.phone.go_offline()
    for at, slot in enumerate(route.slots):
        where.go(slot.lat, slot.lng)
        assert await app.report_position()
        assert not await app.report_position()
        await app.deliver(at)
    await app.complete()
    assert (app.phone.state, len(events(repaired, batch)), status(repaired, batch)[0]) == (
        "OFFLINE",
        before,
        "in-progress",
    )
    with pytest.raises(AppRefused, match="no connection"):
        await app.batches()

    assert await app.phone.come_online()
    sent = events(repaired, batch)
    assert [kind for kind, _ in sent if kind.startswith(("delivery", "batch"))] == [
        "batch_started", *["delivery_completed"] * len(route.slots), "batch_completed"
    ]  # fmt: skip
    assert [said["stopIndex"] for kind, said in sent if kind == "delivery_completed"] == list(range(len(route.slots)))
    assert all(said["record"]["slot_id"] for kind, said in sent if kind == "delivery_completed")
    late = repaired.rows("SELECT received_at >= captured_at FROM driver_gps_events WHERE batch_id = %s", batch.id)
    assert late == [(True,)] * len(route.slots)
    assert status(repaired, batch)[0] == "completed"


async def test_as_committed_the_phone_keeps_what_the_platform_refuses(as_committed: Platform) -> None:
    batch, where = as_committed.world.of("assigned")[0], Where()
    app = await signed_in(as_committed, batch, where)
    route = await app.open_batch(batch.id, ITEMS)
    where.go(route.slots[0].lat, route.slots[0].lng)
    await app.deliver(0)
    assert (app.phone.state, "mod4_events" in app.phone.last_error) == ("ERROR", True)
    assert (status(as_committed, batch)[0], events(as_committed, batch)) == ("assigned", [])
    stuck = [waiting.sync_attempts for waiting in app.phone.queue if waiting.sync_status == "error"]
    assert stuck
    assert not await app.phone.sync()
    assert [waiting.sync_attempts for waiting in app.phone.queue if waiting.sync_status == "error"] != []
    await asyncio.to_thread(as_committed.repair)
    for _ in range(len(app.phone.queue)):
        await app.phone.sync(by_hand=True)
    assert (app.phone.queue, app.phone.state) == ([], "SYNCED")
    assert "delivery_completed" in dict(events(as_committed, batch))


async def test_a_database_that_is_gone_loses_nothing_on_the_phone(repaired: Platform) -> None:
    batch, where = repaired.world.of("assigned")[0], Where()
    app = await signed_in(repaired, batch, where)
    route = await app.open_batch(batch.id)
    where.go(route.slots[0].lat, route.slots[0].lng)
    await asyncio.to_thread(repaired.faults.refuse_connections)
    await app.deliver(0)
    assert (app.phone.state, {waiting.sync_status for waiting in app.phone.queue}) == ("ERROR", {"pending"})
    with pytest.raises(psycopg.OperationalError):
        await app.batches()
    await asyncio.to_thread(repaired.faults.heal)
    assert await app.phone.sync()
    assert [kind for kind, _ in events(repaired, batch)][-1] == "delivery_completed"


async def test_a_driver_works_alone_and_takes_what_is_assigned_later(repaired: Platform) -> None:
    world = repaired.world
    first, second = world.of("assigned")[:2]
    person = first.driver
    assert person is not None
    store = world.regions[first.region].warehouse
    trip = Trip(store.lat, store.lng, factor=200_000)
    habits = Habits(
        ITEMS, short_at={0}, afar_at={1}, offline_at={2}, tick_s=0.01, dwell_s=0.01, batches={first.id, second.id}
    )
    pilot = Autopilot(
        app_for(repaired, first, trip), person.email, world.pins[person.email], habits, first.vehicle_id, trip
    )
    working = asyncio.get_running_loop().create_task(pilot.run())
    try:
        await eventually(lambda: first.id in pilot.done)
        repaired.rows("SELECT public.assign_driver_to_batch(%s, %s)", second.id, person.driver_id)
        await eventually(lambda: second.id in pilot.done)
    finally:
        working.cancel()
        await asyncio.wait([working])
    assert {status(repaired, batch)[0] for batch in (first, second)} == {"completed"}
    kinds = [kind for kind, _ in events(repaired, first)]
    assert kinds.count("delivery_completed") == len(first.stops)
    assert kinds.count("delivery_discrepancy") == 1
    shown = repaired.rows("SELECT vehicle_plate FROM public.get_active_drivers_with_positions() WHERE driver_id = %s",
                          person.driver_id)  # fmt: skip
    assert shown == [(person.plate,)]


async def test_a_journey_rides_along_with_a_vehicle_and_one_proof_disagrees(repaired: Platform) -> None:
    start, stop = Place("Lagos store", "Lagos", 6.52, 3.38), Place("Ibadan clinic", "Ibadan", 7.37, 3.94)
    known = repaired.world.regions[0].facilities[0]
    vehicle = Where()
    vehicle.go(start.lat, start.lng)
    journey = Journey.of({
        "name": "Shipment 12", "plate": "LAG-402-QD", "start": (start.name, start.lat, start.lng),
        "stops": [(stop.name, stop.lat, stop.lng), (known.name, known.lat, known.lng)], "notes": "SCMS shipment 12",
        "items": [("Amoxicillin 250 mg", 100, "capsule")], "follow": lambda: (vehicle.fix.lat, vehicle.fix.lng),
        "habits": {"afar_at": [1], "dwell_s": 0.0, "near_m": 80.0},
    })  # fmt: skip
    with repaired.server.connect(repaired.database) as connection:
        ((_, batch),) = made = add_journeys(repaired.world, connection, [journey])
    assert batch.stops[1] == repaired.world.by_region[0][0]
    person = batch.driver
    assert person is not None
    points = "SELECT lat, lng FROM driver_gps_events WHERE driver_id = %s ORDER BY captured_at"
    (pilot,) = pilots(repaired.server, repaired.database, repaired.world, made, tick_s=0.01)
    working = asyncio.get_running_loop().create_task(pilot.run())
    try:
        await eventually(lambda: len(repaired.rows(points, person.driver_id)) == 1)
        assert status(repaired, batch)[0] == "in-progress"
        assert "delivery_completed" not in dict(events(repaired, batch))
        vehicle.go(stop.lat, stop.lng, 20)
        await eventually(lambda: batch.id in pilot.done)
    finally:
        working.cancel()
        await asyncio.wait([working])
    places = repaired.rows(
        "SELECT lat, lng FROM mod4_events WHERE batch_id = %s AND event_type = 'delivery_completed' "
        "ORDER BY captured_at",
        batch.id,
    )
    assert places[0] == pytest.approx(moved(stop.lat, stop.lng, 20, 0))
    assert places[1] == (known.lat, known.lng)
    assert repaired.rows(points, person.driver_id)[0] == pytest.approx((start.lat, start.lng))
    repaired.world.batches.remove(batch)
