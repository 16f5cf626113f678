"""Journeys that a caller asks for: a batch on a certain vehicle to certain places, and the driver who rides along."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg

from adapters.mod4.simulator.autopilot import Autopilot, Habits, Trip
from adapters.mod4.simulator.driver import DriverApp, Fix, Item, Whereabouts
from adapters.mod4.simulator.people import Person
from adapters.mod4.simulator.places import Place, Region, distance_m
from adapters.mod4.simulator.server import Server
from adapters.mod4.simulator.work import ITEMS, add_batch, device_of, tell_deliveries
from adapters.mod4.simulator.world import Batch, World, write

STANDARD_ITEMS = tuple(Item(name, amount, unit) for name, amount, unit in ITEMS)
SAME_PLACE_M = 500.0


@dataclass(frozen=True, slots=True)
class Past:
    """A journey that lies behind: when it began and ended, and when each stop was told to be delivered; Unix ms."""

    started_ms: int
    ended_ms: int
    delivered_ms: Sequence[int]


@dataclass(frozen=True, slots=True)
class Journey:
    """``start`` and ``stops`` are places; known names and places are not made twice.

    ``follow`` says where the vehicle is, latitude and longitude; without it the driver has a vehicle of the own.
    With ``past`` nobody drives: what the phone told is there already.
    ``habits`` are fields of :class:`Habits`: ``short_at``, ``afar_at``, ``offline_at``, ``skip_at``, ``near_m`` …
    """

    name: str
    plate: str
    start: Place
    stops: Sequence[Place]
    notes: str = ""
    items: Sequence[Item] = STANDARD_ITEMS
    follow: Callable[[], tuple[float, float]] | None = None
    habits: Mapping[str, Any] = field(default_factory=dict)
    past: Past | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Journey:
        """From plain values: a place is name, latitude and longitude; an item name, amount and unit."""
        return cls(
            name=str(given["name"]),
            plate=str(given["plate"]),
            start=_place(given["start"]),
            stops=tuple(_place(stop) for stop in given["stops"]),
            notes=str(given.get("notes", "")),
            items=tuple(Item(*item) for item in given["items"]) if "items" in given else STANDARD_ITEMS,
            follow=given.get("follow"),
            habits=dict(given.get("habits", {})),
            past=Past(**given["past"]) if given.get("past") else None,
        )


def _place(given: Sequence[Any]) -> Place:
    name, lat, lng = given
    return Place(str(name), str(name), float(lat), float(lng))


def add_journeys(
    world: World, connection: psycopg.Connection[Any], journeys: Sequence[Journey]
) -> list[tuple[Journey, Batch]]:
    """Write them as batches that are assigned and wait for their drivers; those without other work come first.

    What lies behind is written as completed, with what was told of it. Returns those that are to be driven.
    Raises ValueError where there are more journeys than drivers.
    """
    under_way = [batch for batch in world.batches if batch.status in ("assigned", "in-progress")]
    busy = {batch.driver.email for batch in under_way if batch.driver}
    free = sorted(world.working(), key=lambda person: person.email in busy)
    if len(journeys) > len(free):
        raise ValueError(f"{len(journeys)} journeys need as many drivers; there are {len(free)}.")
    made = []
    for number, (journey, person) in enumerate(zip(journeys, free, strict=False)):
        region = _region(world, journey.start)
        stops = [_facility(world, region, place) for place in journey.stops]
        past = journey.past
        when = world.now if past is None else datetime.fromtimestamp(past.started_ms / 1000, UTC)
        batch = add_batch(
            world, f"journey-{number}", status="completed" if past else "assigned", region=region, stops=stops,
            when=when, driver=person,
            plate=journey.plate, name=journey.name, notes=journey.notes or None,
            quantity=sum(item.expected for item in journey.items) * len(stops),
        )  # fmt: skip
        if past is None:
            made.append((journey, batch))
        else:
            _tell_past(world, batch, person, past)
    write(world, connection)
    return made


def _tell_past(world: World, batch: Batch, person: Person, past: Past) -> None:
    delivered = [datetime.fromtimestamp(at_ms / 1000, UTC) for at_ms in past.delivered_ms]
    started, ended = (datetime.fromtimestamp(at_ms / 1000, UTC) for at_ms in (past.started_ms, past.ended_ms))
    tell_deliveries(world, batch, person, started, delivered, ended)
    row = world.rows["delivery_batches"][-1]
    row["current_stop_index"], row["driver_status"] = len(delivered), "COMPLETED"
    row["actual_end_time"] = row["updated_at"] = ended


def _region(world: World, start: Place) -> int:
    for at, region in enumerate(world.regions):
        if _is_same(region.warehouse, start):
            return at
    world.regions = [*world.regions, Region(start, ())]
    key = world.id("warehouse", start.name)
    world.warehouses.append(key)
    world.by_region.append([])
    world.add("warehouses", id=key, name=start.name, address=start.address, lat=start.lat, lng=start.lng,
              workspace_id=world.workspace_id)  # fmt: skip
    return len(world.regions) - 1


def _facility(world: World, region: int, place: Place) -> str:
    for key, known in world.facilities.items():
        if _is_same(known, place):
            return key
    key = world.id("facility", place.name, place.lat, place.lng)
    world.facilities[key] = place
    world.by_region[region].append(key)
    world.add("facilities", id=key, name=place.name, address=place.address, lat=place.lat, lng=place.lng,
              workspace_id=world.workspace_id)  # fmt: skip
    return key


def _is_same(known: Place, wanted: Place) -> bool:
    return known.name == wanted.name and distance_m((known.lat, known.lng), (wanted.lat, wanted.lng)) < SAME_PLACE_M


def pilots(
    server: Server,
    database: str,
    world: World,
    journeys: Sequence[tuple[Journey, Batch]],
    *,
    apps: int = 0,
    pace: float = 1.0,
    tick_s: float = 1.0,
) -> list[Autopilot]:
    """A driver for each journey, and for ``apps`` of the other assigned batches; own vehicles go ``pace`` times faster.

    A driver takes further batches that are assigned to the same person later.
    """
    made = [_pilot(server, database, world, batch, journey, pace, tick_s) for journey, batch in journeys]
    taken = {pilot.email for pilot in made}
    for batch in world.of("assigned"):
        if len(made) - len(journeys) >= apps:
            break
        if batch.driver is not None and batch.driver.email not in taken:
            taken.add(batch.driver.email)
            made.append(_pilot(server, database, world, batch, None, pace, tick_s))
    return made


def _pilot(
    server: Server,
    database: str,
    world: World,
    batch: Batch,
    journey: Journey | None,
    pace: float,
    tick_s: float,
) -> Autopilot:
    person = batch.driver
    if person is None:
        raise ValueError(f"{batch.name} has no driver.")
    store = world.regions[batch.region].warehouse
    trip = None if journey and journey.follow else Trip(store.lat, store.lng, factor=pace)
    where: Whereabouts = trip or _riding(journey)
    habits: dict[str, Any] = {"items": STANDARD_ITEMS, "tick_s": tick_s}
    if journey:
        habits |= {"items": journey.items, **journey.habits}
    return _signed(server, database, world, person, where, Habits(**habits), batch.vehicle_id, trip)


def _signed(
    server: Server,
    database: str,
    world: World,
    person: Person,
    where: Whereabouts,
    habits: Habits,
    vehicle_id: str | None,
    trip: Trip | None,
) -> Autopilot:
    app = DriverApp(server, database, device_of(world, person), where)
    return Autopilot(app, person.email, world.pins[person.email], habits, vehicle_id, trip)


def _riding(journey: Journey | None) -> Whereabouts:
    follow = journey.follow if journey else None
    if follow is None:
        raise ValueError("Nobody says where the vehicle is.")
    return lambda: Fix(*follow())
