"""When a batch will be at its remaining stops: from where it is now, their order, and how fast it went lately.

Ways are great circles times a road factor; nothing here knows roads. What is unknown stays unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, select

from app.deliveries.batch import StopListing, stops_of
from app.deliveries.batches import BatchListing
from app.deliveries.phones import phones_of
from app.deliveries.places import LatLon, facility_places
from app.deliveries.times import HOUR_MS, MINUTE_MS, span_words
from app.deliveries.verdict import Sightings
from app.deliveries.verdicts import sightings_of
from app.fleet.geo import distance_m
from app.fleet.plausibility import NOT_LIVE
from app.fleet.tracks import leg_lengths_m, vehicle_track
from app.store.tables import Device, DeviceState
from app.supply.filters import Place

ROAD_FACTOR = 1.35
"""Roads are longer than the straight line; 1.2 to 1.5 where the network is thin."""
LOOK_BACK_MS = HOUR_MS
OLD_MS = 45 * MINUTE_MS
"""A position that is older tells nothing of an arrival."""
AT_STOP_MS = 20 * MINUTE_MS
USUAL_KM_H = 40.0
SLOWEST_KM_H, FASTEST_KM_H = 15.0, 80.0
MOVING_M_S = 1.4
LEAST_MOVING_MS = 10 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class LivePlace:
    """Where a batch is. ``source`` is ``tracker`` or ``phone``; ``fixed_ms`` is when it was there."""

    lat: float
    lon: float
    fixed_ms: int
    source: str


@dataclass(frozen=True, slots=True)
class StopEta:
    """One remaining stop. ``eta_ms`` None: unknown, and ``why`` says it. ``late_ms``: after the plan, None without."""

    stop: StopListing
    eta_ms: int | None
    way_m: float | None
    late_ms: int | None
    why: str


@dataclass(frozen=True, slots=True)
class BatchEta:
    """``speed_km_h`` is that of the last hour's moving, or a usual one (``is_usual_speed``)."""

    place: LivePlace | None
    age_ms: int | None
    speed_km_h: float
    is_usual_speed: bool
    stops: Sequence[StopEta]

    @property
    def next_stop(self) -> StopEta | None:
        return self.stops[0] if self.stops else None


def batch_eta(connection: Connection, batch: BatchListing, now_ms: int) -> BatchEta:
    """The remaining stops of a batch that is under way, in their order; of another one every time is unknown."""
    stops = [one for one in stops_of(connection, [batch.place]).get(batch.place, []) if not one.is_done]
    place = live_place(connection, batch)
    age_ms = None if place is None else now_ms - place.fixed_ms
    recent = _recent(connection, batch, now_ms)
    speed, is_usual = speed_of(recent)
    why = _why_unknown(batch, place, age_ms)
    if why or place is None:
        return BatchEta(place, age_ms, speed, is_usual, [StopEta(stop, None, None, None, why) for stop in stops])
    known = facility_places(connection, [Place(batch.integration_id, stop.facility) for stop in stops])
    at = [known.get(Place(batch.integration_id, stop.facility)) for stop in stops]
    return BatchEta(
        place, age_ms, speed, is_usual, along((place.lat, place.lon), place.fixed_ms, stops, at, speed, now_ms)
    )


def along(
    start: LatLon,
    start_ms: int,
    stops: Sequence[StopListing],
    places: Sequence[LatLon | None],
    km_h: float,
    now_ms: int,
) -> list[StopEta]:
    """Arrivals one after the other; behind a stop whose place is unknown everything is."""
    found: list[StopEta] = []
    here: LatLon | None = start
    clock_ms, missing = float(start_ms), ""
    for stop, place in zip(stops, places, strict=True):
        if here is None or place is None:
            missing = missing or f"The place of {stop.label} is not known."
            found.append(StopEta(stop, None, None, None, missing))
            here = None
            continue
        if stop.stage == "arrived":
            arrived_ms = stop.arrived_ms if stop.arrived_ms is not None else now_ms
            found.append(StopEta(stop, arrived_ms, 0.0, _late(stop, arrived_ms), "It is there now."))
            clock_ms = max(clock_ms, float(min(arrived_ms, now_ms))) + AT_STOP_MS
            clock_ms = max(clock_ms, float(now_ms))
            here = place
            continue
        way_m = distance_m(*here, *place) * ROAD_FACTOR
        clock_ms += way_m / (km_h / 3.6) * 1000
        eta_ms = max(round(clock_ms), now_ms)
        found.append(StopEta(stop, eta_ms, way_m, _late(stop, eta_ms), ""))
        clock_ms = eta_ms + AT_STOP_MS
        here = place
    return found


def live_place(connection: Connection, batch: BatchListing) -> LivePlace | None:
    """The newest of the vehicle's trackers, else the driver's phone."""
    state = DeviceState
    if batch.vehicle_id:
        query = (
            select(state.lat, state.lon, state.fixed_at_ms)
            .join(Device, Device.key == state.device_key)
            .where(
                Device.vehicle_id == batch.vehicle_id,
                state.fixed_at_ms.is_not(None),
                state.lat.is_not(None),
                state.marks.bitwise_and(NOT_LIVE) == 0,
            )
            .order_by(state.fixed_at_ms.desc())
            .limit(1)
        )
        row = connection.execute(query).one_or_none()
        if row is not None and row.lat is not None and row.lon is not None and row.fixed_at_ms is not None:
            return LivePlace(row.lat, row.lon, row.fixed_at_ms, "tracker")
    driver = Place(batch.integration_id, batch.driver)
    phone = phones_of(connection, [driver]).get(driver) if batch.driver else None
    if phone is None or phone.lat is None or phone.lon is None or phone.fixed_ms is None:
        return None
    return LivePlace(phone.lat, phone.lon, phone.fixed_ms, "phone")


def speed_of(recent: Sightings | None) -> tuple[float, bool]:
    """(km/h, is it the usual one): distance over the time of moving, within what a loaded truck drives."""
    if recent is None or len(recent) < 3:
        return USUAL_KM_H, True
    metres = leg_lengths_m(recent.lat, recent.lon)
    seconds = np.diff(recent.at_ms) / 1000
    moving = (seconds > 0) & (metres > MOVING_M_S * seconds)
    moved_s = float(seconds[moving].sum())
    if moved_s * 1000 < LEAST_MOVING_MS:
        return USUAL_KM_H, True
    return min(max(float(metres[moving].sum()) / moved_s * 3.6, SLOWEST_KM_H), FASTEST_KM_H), False


def _recent(connection: Connection, batch: BatchListing, now_ms: int) -> Sightings | None:
    if not batch.vehicle_id:
        return None
    return sightings_of(vehicle_track(connection, batch.vehicle_id, now_ms - LOOK_BACK_MS, now_ms + 1))


def _why_unknown(batch: BatchListing, place: LivePlace | None, age_ms: int | None) -> str:
    if batch.started_ms is None or batch.stage != "in_progress":
        return "It is not under way."
    if place is None:
        return "Neither its vehicle's tracker nor the driver's phone tells where it is."
    if age_ms is not None and age_ms > OLD_MS:
        return f"The newest position ({place.source}) is {span_words(age_ms)} old."
    return ""


def _late(stop: StopListing, eta_ms: int) -> int | None:
    return None if stop.planned_arrival_ms is None else eta_ms - stop.planned_arrival_ms
