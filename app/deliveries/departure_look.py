"""Looking at a batch before it leaves: driver, phone, licence, tracker, fuel, calibration, papers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from app.deliveries.batch import StopListing, need_batch, stops_of
from app.deliveries.batches import BatchListing
from app.deliveries.departures import Finding
from app.deliveries.drivers import DriverListing, list_drivers
from app.deliveries.eta import ROAD_FACTOR
from app.deliveries.places import facility_places
from app.deliveries.times import HOUR_MS, span_words
from app.deliveries.vehicles import match_vehicles
from app.fleet.freshness import STALE_AFTER_MS
from app.fleet.geo import distance_m
from app.fuel.overview import VehicleFuel, vehicle_fuel
from app.fuel.settings import parameters_of
from app.store.tables import Device, DeviceState, OutboxItem, ShipmentBatch, ShipmentRow
from app.supply.filters import Place
from app.sync.words import STUCK, UNSENT

PHONE_FRESH_MS = HOUR_MS
FUEL_FRESH_MS = 12 * HOUR_MS
RESERVE = 1.25
"""Fuel for detours and idling, over what the norm says of the way."""


def look_before_departure(connection: Connection, batch_id: str, now_ms: int) -> list[Finding]:
    """Everything that is looked at, in its order; nothing is written. Raises NotFound."""
    batch = need_batch(connection, batch_id)
    stops = stops_of(connection, [batch.place]).get(batch.place, [])
    found = list_drivers(connection, now_ms, batch.integration_id, only=[batch.driver_id]) if batch.driver_id else []
    driver = found[0] if found else None
    fuel = vehicle_fuel(connection, batch.vehicle_id, now_ms) if batch.vehicle_id else None
    return [
        _driver(batch, driver),
        _phone(driver, now_ms),
        _licence(driver),
        _tracker(connection, batch, now_ms),
        _fuel(connection, batch, fuel, _way_km(connection, batch, stops), now_ms),
        _calibration(batch, fuel),
        _papers(connection, batch),
    ]


def _driver(batch: BatchListing, driver: DriverListing | None) -> Finding:
    key, label = "driver", "Driver linked"
    if driver is None:
        detail = "No driver is assigned." if not batch.driver else "The assigned driver is not known here."
        return Finding(key, label, False, detail, "Assign a driver.")
    if driver.link != "active":
        detail = f"{driver.name}: {'no login is linked' if not driver.link else f'the link is {driver.link}'}."
        return Finding(key, label, False, detail, "Link the driver, or assign another.")
    if driver.availability == "away":
        return Finding(key, label, False, f"{driver.name} is away today.", "Assign another driver.")
    return Finding(key, label, True, f"{driver.name} is linked.")


def _phone(driver: DriverListing | None, now_ms: int) -> Finding:
    key, label = "phone", "Phone signed in"
    if driver is None:
        return Finding(key, label, None, "Without a driver there is no phone to look at.", "Assign a driver.")
    if not driver.signs.is_signed_in:
        return Finding(key, label, False, f"{driver.name} is not signed in.", "Have the driver open the driver app.")
    if driver.heard_ms is None:
        return Finding(key, label, None, "Nothing was heard of the phone yet.", "Have the driver open the driver app.")
    age_ms = now_ms - driver.heard_ms
    if age_ms > PHONE_FRESH_MS:
        detail = f"The phone is silent since {span_words(age_ms)}."
        return Finding(
            key, label, False, detail, "Have the driver open the driver app, and look at its data connection."
        )
    return Finding(key, label, True, f"Heard {span_words(max(age_ms, 0))} ago.")


def _licence(driver: DriverListing | None) -> Finding:
    key, label = "licence", "Licence valid"
    if driver is None:
        return Finding(key, label, None, "Without a driver there is no licence to look at.", "Assign a driver.")
    day = driver.licence_expires_on
    if driver.licence == "expired":
        return Finding(key, label, False, f"It expired on {day}.", "Assign a driver with a valid licence.")
    if driver.licence == "unknown":
        advice = "Enter the day of expiry in the platform."
        return Finding(key, label, None, "The platform does not tell until when it is valid.", advice)
    soon = ", soon" if driver.licence == "soon" else ""
    return Finding(key, label, True, f"Valid until {day}{soon}.")


def _tracker(connection: Connection, batch: BatchListing, now_ms: int) -> Finding:
    key, label = "tracker", "Tracker fresh"
    if not batch.vehicle:
        return Finding(key, label, False, "No vehicle is assigned.", "Assign a vehicle.")
    match = match_vehicles(connection, [Place(batch.integration_id, batch.vehicle)]).get(
        Place(batch.integration_id, batch.vehicle)
    )
    if match is None or not match.vehicle_id:
        why = "The assigned vehicle is not known here." if match is None else match.why
        return Finding(key, label, False, why, "Add the vehicle under its plate, and give it its tracker.")
    query = (
        select(DeviceState.fixed_at_ms)
        .join(Device, Device.key == DeviceState.device_key)
        .where(Device.vehicle_id == match.vehicle_id, DeviceState.fixed_at_ms.is_not(None))
    )
    newest = max((ms for ms in connection.execute(query).scalars() if ms is not None), default=None)
    if newest is None:
        advice = "Look at its tracker: power, SIM card, server address."
        return Finding(key, label, False, f"No tracker of {batch.plate} has told a position.", advice)
    age_ms = now_ms - newest
    if age_ms > STALE_AFTER_MS:
        detail = f"The newest position of {batch.plate} is {span_words(age_ms)} old."
        return Finding(key, label, False, detail, "Start the engine, and look at the tracker's power and SIM card.")
    return Finding(key, label, True, f"The newest position is {span_words(max(age_ms, 0))} old.")


def _way_km(connection: Connection, batch: BatchListing, stops: Sequence[StopListing]) -> float | None:
    """The way there and back: as planned, else along the stops by road factor; None where a place is unknown."""
    if batch.distance_km:
        return batch.distance_km
    ids = [batch.warehouse, *(stop.facility for stop in stops)]
    places = facility_places(connection, [Place(batch.integration_id, one) for one in ids])
    points = [places.get(Place(batch.integration_id, one)) for one in ids]
    if not stops or any(point is None for point in points):
        return None
    known = [point for point in points if point is not None]
    legs = zip(known, [*known[1:], known[0]], strict=True)
    return sum(distance_m(*one, *other) for one, other in legs) * ROAD_FACTOR / 1000


def _fuel(
    connection: Connection, batch: BatchListing, fuel: VehicleFuel | None, way_km: float | None, now_ms: int
) -> Finding:
    key, label = "fuel", "Fuel enough"
    if fuel is None:
        return Finding(key, label, None, "Its fuel level is not measured.", "Look at the gauge before it leaves.")
    if fuel.litres is None:
        return Finding(key, label, None, "Its fuel level is not known.", "Look at the gauge, and at its fuel sensor.")
    if way_km is None:
        return Finding(key, label, None, f"{fuel.litres:,.0f} L; the length of the way is not known.",
                       "Plan the route, or enter the places of its stops.")  # fmt: skip
    per_100_km = fuel.per_100_km or parameters_of(connection, batch.vehicle_id).driven_l(100.0)
    needed_l = way_km * per_100_km / 100 * RESERVE
    told = f"{fuel.litres:,.0f} L for {way_km:,.0f} km, which take about {needed_l:,.0f} L with reserve."
    age_ms = None if fuel.at_ms is None else now_ms - fuel.at_ms
    if age_ms is None or age_ms > FUEL_FRESH_MS:
        age = "of an unknown time" if age_ms is None else f"{span_words(age_ms)} old"
        return Finding(key, label, None, f"{told} The level is {age}.", "Look at the gauge before it leaves.")
    if fuel.litres < needed_l:
        return Finding(key, label, False, told, f"Fill at least {needed_l - fuel.litres:,.0f} L.")
    return Finding(key, label, True, told)


def _calibration(batch: BatchListing, fuel: VehicleFuel | None) -> Finding:
    key, label = "calibration", "Fuel sensor calibrated"
    if fuel is None or not any(tank.has_sensor for tank in fuel.tanks):
        return Finding(key, label, None, f"{batch.plate or 'It'} has no fuel sensor.", "Losses on the way stay unseen.")
    open_ones = [tank.name or "tank" for tank in fuel.tanks if tank.has_sensor and not tank.is_calibrated]
    if open_ones:
        detail = f"Without a calibration: {', '.join(open_ones)}."
        return Finding(key, label, False, detail, "Calibrate it in the sensor workbench.")
    return Finding(key, label, True, "Every sensor has a calibration.")


def _papers(connection: Connection, batch: BatchListing) -> Finding:
    """Changes of the batch or of its shipments that the peers do not have, and a batch without any shipment."""
    key, label = "papers", "Papers synced"
    join, shipment, item = ShipmentBatch, ShipmentRow, OutboxItem
    shipments = list(
        connection.execute(
            select(shipment.id, shipment.number, shipment.is_on_hold)
            .join(join, join.shipment_id == shipment.id)
            .where(join.batch_id == batch.id, join.how != "declined")
        )
    )
    families = [batch.id, *(row.id for row in shipments)]
    query = select(item.subject, item.state).where(item.family.in_(families), item.state.in_(UNSENT)).order_by(item.seq)
    waiting = list(connection.execute(query))
    if waiting:
        stuck = sum(row.state in STUCK for row in waiting)
        named = f"{len(waiting)} changes wait, the first of {waiting[0].subject}."
        advice = "Decide about those that were refused, on the page Sync." if stuck else "Wait until they are sent."
        return Finding(key, label, False, named, advice)
    if held := [row.number for row in shipments if row.is_on_hold]:
        return Finding(key, label, False, f"On hold: shipment {', '.join(held)}.", "Have it released, or unload it.")
    if not shipments:
        advice = "Join its shipments with it, so that their receipt can be followed."
        return Finding(key, label, None, "No shipment of a supply system is known to travel in it.", advice)
    return Finding(key, label, True, f"{len(shipments)} shipments, nothing waits to be sent.")
