"""Work in every state: batches with their stops, requisitions, runs and proofs; requests, invitations and codes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg

from adapters.mod4.simulator.people import Person
from adapters.mod4.simulator.places import distance_m, moved
from adapters.mod4.simulator.world import Batch, World, add_user, build, finish_roles, write

SPEED_KM_H: Final = 50.0
STOP_MIN: Final = 20
AT_WORK: Final = (("planned", 3), ("assigned", 4), ("in-progress", 3), ("completed", 6), ("cancelled", 2))
KINDS: Final = ("Essential medicines", "Vaccines", "HIV commodities", "Malaria commodities")
ITEMS: Final = (
    ("Artemether/Lumefantrine 20/120 mg tablets", 480, "tablet"), ("Amoxicillin 250 mg capsules", 1000, "capsule"),
    ("Oral rehydration salts", 200, "sachet"),
)  # fmt: skip
STRANGER: Final = "stranger@elsewhere.example"
CODE_EMAIL: Final = "new.driver@northern.example"
FRESH_CODE: Final = "204816"
"""The code of a driver-to-be that waits in the world, for as long as codes live."""


def populate(connection: psycopg.Connection[Any], **options: Any) -> World:
    """A whole small world, written; ``options`` are those of :func:`world.build`."""
    world = build(**options)
    _batches(world)
    _other_workspace(world)
    _requests(world)
    _invitations(world)
    finish_roles(world, connection)
    write(world, connection)
    _codes(world, connection)
    return world


# -- batches


def _batches(world: World) -> None:
    drivers = world.working()
    number = 0
    for status, count in AT_WORK:
        for at in range(count):
            person = drivers[number % len(drivers)] if status != "planned" else None
            _batch(world, number, status, at, person)
            number += 1


def add_batch(
    world: World,
    number: object,
    *,
    status: str,
    region: int,
    stops: Sequence[str],
    when: datetime,
    driver: Person | None = None,
    plate: str = "",
    name: str = "",
    notes: str | None = None,
    quantity: int = 0,
) -> Batch:
    """One batch to be written, its stops in the order given. A batch that has left carries its own picture."""
    route, points = _route(world, region, stops)
    batch = Batch(
        world.id("batch", number), name or f"{world.regions[region].round} {number}", status, region, tuple(stops),
        driver, world.vehicles.get(plate),
    )  # fmt: skip
    left = status in ("in-progress", "completed")
    row: dict[str, Any] = {
        "id": batch.id,
        "name": batch.name,
        "warehouse_id": world.warehouses[region],
        "scheduled_date": when.date(),
        "scheduled_time": when.time().replace(microsecond=0),
        "status": status,
        "priority": ("medium", "high", "low", "urgent")[len(world.batches) % 4],
        "total_distance": round(route / 1000, 1),
        "estimated_duration": round(route / 1000 / SPEED_KM_H * 60) + STOP_MIN * len(stops),
        "medication_type": KINDS[len(world.batches) % len(KINDS)],
        "total_quantity": quantity or sum(amount for _, amount, _ in ITEMS) * len(stops),
        "optimized_route": {"type": "LineString", "coordinates": points},
        "facility_ids": list(stops),
        "workspace_id": world.workspace_id,
        "driver_id": driver.driver_id if driver else None,
        "vehicle_id": batch.vehicle_id,
        "vehicle_ids": [batch.vehicle_id] if batch.vehicle_id else None,
        "notes": notes,
        "created_at": min(when, world.now) - timedelta(days=2),
        "updated_at": min(when, world.now),
        "is_snapshot_locked": left,
        "batch_snapshot": {"facility_ids": list(stops), "vehicle_id": batch.vehicle_id} if left else None,
        "snapshot_locked_at": when if left else None,
        "actual_start_time": when if left else None,
    }
    world.add("delivery_batches", **row)
    world.batches.append(batch)
    for slot, facility in enumerate(stops, 1):
        world.add("batch_slot_assignments", batch_id=batch.id, vehicle_id=batch.vehicle_id, facility_id=facility,
                  slot_key=f"A{slot}", tier_name="A", slot_number=slot,
                  status="loaded" if left else "assigned")  # fmt: skip
    return batch


def _route(world: World, region: int, stops: Sequence[str]) -> tuple[float, list[list[float]]]:
    """Metres from the store along the stops, and the places as longitude and latitude."""
    store = world.regions[region].warehouse
    places = [store, *(world.facilities[stop] for stop in stops)]
    metres = sum(distance_m((a.lat, a.lng), (b.lat, b.lng)) for a, b in itertools.pairwise(places))
    return metres, [[place.lng, place.lat] for place in places]


def _batch(world: World, number: int, status: str, at: int, person: Person | None) -> None:
    region = number % len(world.regions)
    near = world.by_region[region]
    rng = world.rng("stops", number)
    first = rng.randrange(len(near))
    stops = [near[(first + step) % len(near)] for step in range(3 + number % 3)]
    when = world.now + timedelta(
        hours={"planned": 24 * (at + 1), "assigned": 2 + at, "in-progress": -3 - at, "completed": -24 * (at + 1) - 6,
               "cancelled": -48 - at}[status]
    )  # fmt: skip
    plate = person.plate if person else ("" if at else world_plate(world, number))
    batch = add_batch(world, number, status=status, region=region, stops=stops, when=when, driver=person, plate=plate)
    _requisitions(world, batch, number)
    _run(world, batch, when)
    if status in ("in-progress", "completed") and person is not None:
        row = world.rows["delivery_batches"][-1]
        done = len(stops) if status == "completed" else 1 + at % 2
        ended = _past_deliveries(world, batch, person, when, done)
        row["current_stop_index"] = done
        row["driver_status"] = "COMPLETED" if status == "completed" else "EN_ROUTE"
        if status == "completed":
            row["actual_end_time"] = row["updated_at"] = ended


def world_plate(world: World, number: int) -> str:
    plates = list(world.vehicles)
    return plates[number % len(plates)]


def _requisitions(world: World, batch: Batch, number: int) -> None:
    state = {"planned": "assigned_to_batch", "assigned": "assigned_to_batch", "in-progress": "in_transit",
             "completed": "fulfilled", "cancelled": "ready_for_dispatch"}[batch.status]  # fmt: skip
    for at, facility in enumerate(batch.stops):
        world.add(
            "requisitions", id=world.id("requisition", number, at), requisition_number=f"REQ-{number:03d}-{at}",
            facility_id=facility, warehouse_id=world.warehouses[batch.region], workspace_id=world.workspace_id,
            batch_id=None if batch.status == "cancelled" else batch.id, status=state,
        )  # fmt: skip


def _run(world: World, batch: Batch, when: datetime) -> None:
    state = {"assigned": "pending", "in-progress": "in_transit", "completed": "completed"}.get(batch.status)
    if state is None:
        return
    left = state != "pending"
    world.add(
        "dispatch_runs", id=world.id("run", batch.id), workspace_id=world.workspace_id, batch_id=batch.id, status=state,
        vehicle_id=batch.vehicle_id, driver_id=batch.driver.driver_id if batch.driver else None,
        planned_departure=when, dispatched_at=when if left else None, departed_at=when if left else None,
        completed_at=when + timedelta(hours=6) if state == "completed" else None, stops_total=len(batch.stops),
        stops_completed=len(batch.stops) if state == "completed" else 0, created_by=world.owner.id,
    )  # fmt: skip


# -- what happened on the road


def _past_deliveries(world: World, batch: Batch, person: Person, when: datetime, done: int) -> datetime:
    """The events that a phone would have left behind; returns when the last of them was."""
    delivered = [when + timedelta(minutes=55 * (number + 1)) for number in range(done)]
    last = delivered[-1] if delivered else when
    tell_deliveries(world, batch, person, when, delivered, None if batch.status == "in-progress" else last)
    return last


def tell_deliveries(
    world: World, batch: Batch, person: Person, when: datetime, delivered: Sequence[datetime], ended: datetime | None
) -> None:
    """What a phone told of the first stops of a batch, each at its time; ``ended`` None for one that goes on."""
    session = world.id("session", batch.id)
    if person.user is None:
        return
    _event(world, batch, person, session, "batch_started", when, batch.stops[0], {})
    for number, (facility, at) in enumerate(zip(batch.stops, delivered, strict=False)):
        _delivery(world, batch, person, session, facility, number, at)
    last = ended or (delivered[-1] if delivered else when)
    if ended is not None:
        _event(world, batch, person, session, "batch_completed", ended, batch.stops[-1], {})
    world.add(
        "driver_sessions", id=session, driver_id=person.user.id, device_id=device_of(world, person),
        vehicle_id=batch.vehicle_id, status="ACTIVE" if ended is None else "INVALIDATED",
        access_token_hash="-" * 32, refresh_token_hash="-" * 32,
        started_at=when, last_active_at=last, last_heartbeat_at=last, invalidated_at=ended,
        invalidation_reason=None if ended is None else "driver_logout",
    )  # fmt: skip


def _delivery(
    world: World, batch: Batch, person: Person, session: str, facility: str, number: int, at: datetime
) -> None:
    place = world.facilities[facility]
    known = {"facilityId": facility, "facilityName": place.name}
    iso = at.isoformat()
    rng = world.rng("delivery", batch.id, number)
    _event(world, batch, person, session, "delivery_started", at - timedelta(minutes=12), facility, known)
    _event(world, batch, person, session, "photo_captured", at - timedelta(minutes=3), facility, {
        "facilityId": facility, "photoType": "proof_of_delivery", "photoUrl": None, "capturedAt": iso})  # fmt: skip
    if rng.random() < 0.2:
        _event(world, batch, person, session, "delivery_discrepancy", at - timedelta(minutes=2), facility, {
            **known, "reason": "short_shipment", "notes": "One carton missing from the store", "items": [
                {"name": ITEMS[0][0], "expectedQuantity": ITEMS[0][1], "deliveredQuantity": ITEMS[0][1] - 24,
                 "unit": ITEMS[0][2]}]})  # fmt: skip
    _event(world, batch, person, session, "delivery_completed", at, facility, {
        **known, "stopIndex": number, "itemsDelivered": len(ITEMS), "proofCaptured": True,
        "completedAt": iso})  # fmt: skip
    world.add(
        "route_history", id=world.id("stop", batch.id, number), batch_id=batch.id, facility_id=facility,
        vehicle_id=batch.vehicle_id, driver_id=person.driver_id, sequence_number=number + 1, status="completed",
        actual_arrival=at - timedelta(minutes=14), check_in_time=at - timedelta(minutes=12), check_out_time=at,
        recipient_name="Mrs. Esther Ago" if number % 2 else None,
    )  # fmt: skip
    world.add(
        "delivery_logs", workspace_id=world.workspace_id, batch_id=batch.id, facility_id=facility,
        event_type="delivered", expected_qty=ITEMS[0][1], actual_qty=ITEMS[0][1], created_at=at,
        logged_by=person.user.id if person.user else None,
    )  # fmt: skip
    world.add("facility_deliveries", facility_id=facility, delivery_date=at.date(), batch_id=batch.id,
              items_delivered=len(ITEMS))  # fmt: skip


def _event(
    world: World,
    batch: Batch,
    person: Person,
    session: str,
    kind: str,
    at: datetime,
    facility: str,
    metadata: dict[str, Any],
) -> None:
    place = world.facilities[facility]
    rng = world.rng("where", batch.id, kind, at)
    lat, lng = moved(place.lat, place.lng, rng.uniform(-40, 40), rng.uniform(-40, 40))
    world.add(
        "mod4_events", event_id=world.id("event", batch.id, kind, facility), event_type=kind,
        driver_id=person.driver_id, session_id=session, device_id=device_of(world, person), batch_id=batch.id,
        vehicle_id=batch.vehicle_id, lat=lat, lng=lng, captured_at=at, received_at=at + timedelta(seconds=4),
        metadata=metadata,
    )  # fmt: skip


def device_of(world: World, person: Person) -> str:
    """The phone that a driver has."""
    return f"phone-{world.crew.drivers.index(person):04d}"


def _other_workspace(world: World) -> None:
    """Work that a console of the first workspace must not show."""
    own, world.batches = world.batches, []
    add_batch(world, "elsewhere", status="assigned", region=0, stops=world.by_region[0][:2], when=world.now,
              driver=world.other_crew.drivers[0], name="Coastal batch")  # fmt: skip
    world.rows["delivery_batches"][-1]["workspace_id"] = world.other_workspace_id
    world.batches = own


# -- requests, invitations, codes


def _requests(world: World) -> None:
    for at, (name, state, note) in enumerate((
        ("Danladi Pam", "pending", None), ("Ruth Etim", "pending", None), ("Kabiru Isa", "pending", None),
        ("Blessing Ojo", "approved", "Known to the depot"), ("Unknown Caller", "rejected", "No such person here"),
    )):  # fmt: skip
        made = world.now - timedelta(hours=3 + at * 20)
        world.add(
            "onboarding_requests", id=world.id("request", at), full_name=name, phone=phone_number(at),
            email=None if at == 1 else f"{name.split()[0].lower()}@mail.example",
            organization_hint="General Hospital Minna" if at % 2 else None, device_id=f"new-phone-{at}", status=state,
            reviewed_by=None if state == "pending" else world.owner.id,
            reviewed_at=None if state == "pending" else made + timedelta(hours=1), reviewer_notes=note,
            created_at=made, updated_at=made,
        )  # fmt: skip


def phone_number(at: int) -> str:
    return f"+23480377{at:05d}"


def _invitations(world: World) -> None:
    invited = next((person for person in world.crew.drivers if person.standing == "invited"), None)
    for at, (email, state, days) in enumerate((
        ("sadiq.umar@mail.example", "pending", 1.0), ("joy.effiong@mail.example", "pending", 3.0),
        ("late.reply@mail.example", "pending", 9.0),
        (invited.email if invited else "nobody@mail.example", "accepted", 30.0),
        ("wrong.person@mail.example", "revoked", 12.0),
    )):  # fmt: skip
        made = world.now - timedelta(days=days)
        world.add(
            "user_invitations", id=world.id("invitation", at), email=email, workspace_id=world.workspace_id,
            role_code="driver", workspace_role="member", invitation_token=world.id("token", at), status=state,
            invited_by=world.owner.id, invited_at=made, expires_at=made + timedelta(days=7), created_at=made,
            accepted_at=made + timedelta(days=1) if state == "accepted" else None,
            accepted_by=invited.user.id if state == "accepted" and invited and invited.user else None,
            revoked_at=made + timedelta(days=1) if state == "revoked" else None,
            revoked_by=world.owner.id if state == "revoked" else None, updated_at=made,
        )  # fmt: skip


def _codes(world: World, connection: psycopg.Connection[Any]) -> None:
    """One that can be typed, one tried up, one past its time, one used, one voided; each hashed by the database."""
    add_user(world, 800, "New Driver", CODE_EMAIL, phone="+2348036600001", days=0)
    add_user(world, 801, "A Stranger", STRANGER, days=5)
    write(world, connection)
    world.codes[CODE_EMAIL] = FRESH_CODE
    statement = """
        INSERT INTO public.mod4_otp_codes (
            target_email, otp_code, workspace_id, status, created_by, created_at, expires_at, used_at, attempts
        ) SELECT %(email)s, extensions.crypt(%(code)s, extensions.gen_salt('bf', 8)), %(workspace)s, %(status)s,
            %(maker)s, made, made + interval '15 minutes', CASE WHEN %(status)s = 'used' THEN made END, %(attempts)s
        FROM (SELECT now() - make_interval(mins => %(minutes)s) AS made) AS t
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            "UPDATE auth.users SET encrypted_password = extensions.crypt(%s, extensions.gen_salt('bf')) "
            "WHERE email = %s",
            [(pin, email) for email, pin in world.pins.items()],
        )
    for email, code, status, minutes, attempts in (
        (CODE_EMAIL, FRESH_CODE, "pending", 0, 0), ("tried.up@mail.example", "111111", "pending", 4, 5),
        ("too.late@mail.example", "222222", "pending", 40, 1), ("done@mail.example", "333333", "used", 90, 1),
        (CODE_EMAIL, "444444", "expired", 8, 0),
    ):  # fmt: skip
        connection.execute(statement, {
            "email": email, "code": code, "workspace": world.workspace_id, "status": status, "maker": world.owner.id,
            "minutes": minutes, "attempts": attempts})  # fmt: skip
