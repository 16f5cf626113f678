"""A believable fleet for the map: trucks between Nigerian towns, written through the real sink into a real store."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, insert, select, update

from adapters.records import DeviceEvent, DeviceStatus, Geofence, Position, RawFrame, Record
from app.clock import from_ms
from app.fleet.listing import DeviceListing
from app.store.changes import raise_topic
from app.store.store import Store
from app.store.tables import Device, DeviceAssignment, Vehicle
from tests.helpers.fleet import Feed, make_feed

TOWNS = {
    "Lagos": (6.4541, 3.3947),
    "Ibadan": (7.3776, 3.9059),
    "Ilorin": (8.4966, 4.5421),
    "Abuja": (9.0579, 7.4951),
    "Kaduna": (10.5264, 7.4388),
    "Kano": (12.0001, 8.5167),
    "Jos": (9.9285, 8.8921),
    "Maiduguri": (11.8469, 13.1571),
    "Enugu": (6.4413, 7.4988),
    "Port Harcourt": (4.7774, 7.0134),
    "Benin City": (6.3381, 5.6258),
    "Sokoto": (13.0627, 5.2432),
    "Makurdi": (7.7337, 8.5214),
    "Yola": (9.2035, 12.4954),
}
ROUTES = (
    ("Lagos", "Ibadan"),
    ("Ibadan", "Ilorin"),
    ("Ilorin", "Abuja"),
    ("Abuja", "Kaduna"),
    ("Kaduna", "Kano"),
    ("Abuja", "Jos"),
    ("Jos", "Maiduguri"),
    ("Enugu", "Port Harcourt"),
    ("Benin City", "Enugu"),
    ("Lagos", "Benin City"),
    ("Kaduna", "Sokoto"),
    ("Enugu", "Makurdi"),
    ("Makurdi", "Yola"),
    ("Makurdi", "Abuja"),
)
MINUTE_MS = 60_000
LETTERS = "ABCDEGHJKLMNPRSTUVWXYZ"


@dataclass(frozen=True)
class Truck:
    """One vehicle of the fleet and its tracker."""

    plate: str
    imei: str
    vehicle_id: str


def a_truck(number: int) -> Truck:
    draw = random.Random(number)
    letters = "".join(draw.choice(LETTERS) for _ in range(5))
    plate = f"{letters[:3]}-{draw.randint(101, 989)}{letters[3:]}"
    return Truck(plate, f"3588990583{number:05d}", f"00000000-0000-7000-8000-{number:012d}")


def a_tracker(key: int, **other: Any) -> DeviceListing:
    """A known tracker as the store lists it, without a position; ``other`` replaces what is said here."""
    values: dict[str, Any] = dict.fromkeys(field.name for field in fields(DeviceListing))
    values |= {"key": key, "id": f"d{key}", "integration_id": "gt02-1", "unique_id": f"imei{key}", "state": "known"}
    values |= {"name": "", "model": "", "phone": "", "group": "", "visible": True, "first_seen_ms": 0, "last_kind": ""}
    values |= {"marks": 0, "frames": 0, "blocked_frames": 0, "source": "gt02", "now_ms": 0, "is_phone": False}
    return DeviceListing(**values | other)


def on_route(start: str, end: str, share: float) -> tuple[float, float, float]:
    """Latitude, longitude and course at a share of a gently bent way between two towns."""
    (lat_a, lon_a), (lat_b, lon_b) = TOWNS[start], TOWNS[end]

    def at(part: float) -> tuple[float, float]:
        bend = 0.09 * math.sin(part * math.pi * 3) + 0.03 * math.sin(part * 23)
        return (
            lat_a + (lat_b - lat_a) * part + bend * (lon_b - lon_a) * 0.3,
            lon_a + (lon_b - lon_a) * part - bend * (lat_b - lat_a) * 0.3,
        )

    lat, lon = at(share)
    ahead_lat, ahead_lon = at(share + 0.002)
    course = math.degrees(math.atan2((ahead_lon - lon) * math.cos(math.radians(lat)), ahead_lat - lat)) % 360
    return lat, lon, course


def a_fix(truck: Truck, at_ms: int, place: tuple[float, float, float], speed_km_h: float | None) -> Position:
    lat, lon, course = place
    raw = RawFrame("gt02", f"{truck.imei} {at_ms}".encode(), at_ms + 800, "127.0.0.1:40210", truck.imei)
    return Position(
        truck.imei, at_ms, at_ms + 800, round(lat, 6), round(lon, 6), speed_km_h, course, True, "gt02", raw=raw
    )


def a_day(
    truck: Truck, day_ms: int, route: tuple[str, str] = ("Lagos", "Ibadan"), step_ms: int = 30_000
) -> list[Position]:
    """Out in the morning, a stop, an hour without reception, and back; one fix is a jump far away."""
    fixes = []
    for minute in range(6 * 60, 17 * 60):
        if 12 * 60 <= minute < 13 * 60:
            continue  # no reception
        hours = minute / 60
        share = min(max((hours - 6) / 4, 0), 1) if hours < 11 else min(max(1 - (hours - 13) / 3.5, 0), 1)
        is_moving = 0 < share < 1
        for part in range(0, 60_000, step_ms):
            at_ms = day_ms + minute * MINUTE_MS + part
            speed = 52 + 24 * math.sin(minute / 9) + 6 * math.sin(minute * 1.7 + part) if is_moving else 0.0
            fixes.append(a_fix(truck, at_ms, on_route(*route, share), round(max(speed, 0.0))))
    late = day_ms + 9 * 60 * MINUTE_MS + 5_000
    fixes.append(a_fix(truck, late, (11.2, 9.4, 0.0), 40.0))
    return sorted(fixes, key=lambda fix: fix.fixed_at_ms or 0)


def seat(connection: Connection, trucks: Sequence[Truck], integration_id: str, now_ms: int) -> None:
    """Give the trackers to their vehicles, as an operator does with adopt."""
    raise_topic(connection, "vehicles")
    raise_topic(connection, "devices")
    there = set(connection.execute(select(Vehicle.id)).scalars())
    new = [
        {"id": truck.vehicle_id, "plate": truck.plate, "created_at": from_ms(now_ms)}
        for truck in trucks
        if truck.vehicle_id not in there
    ]
    if new:
        connection.execute(insert(Vehicle), new)
    for truck in trucks:
        mine = (Device.integration_id == integration_id, Device.unique_id == truck.imei)
        connection.execute(update(Device).where(*mine).values(state="known", vehicle_id=truck.vehicle_id))
        key = connection.execute(select(Device.key).where(*mine)).scalar_one()
        assignment = {"device_key": key, "vehicle_id": truck.vehicle_id, "from_ms": 0}
        connection.execute(insert(DeviceAssignment).values(**assignment))


def make_fleet(store: Store, count: int, now_ms: int, *, integration_id: str = "gt02-1") -> tuple[Feed, list[Truck]]:
    """The fleet of :func:`fleet_records` in a store; the last tracker has no vehicle."""
    feed = make_feed(store, integration_id)
    trucks, records = fleet_records(count, now_ms)
    feed(*records, now_ms=now_ms)
    store.write(lambda connection: seat(connection, trucks[:-1], integration_id, now_ms)).result()
    return feed, trucks


def fleet_records(count: int, now_ms: int) -> tuple[list[Truck], list[Record]]:
    """``count`` trucks, most under way: some stopped, old, silent or in alarm; and what their trackers sent."""
    trucks = [a_truck(number) for number in range(count)]
    records: list[Record] = []
    for number, truck in enumerate(trucks):
        draw = random.Random(number)
        place = on_route(*ROUTES[number % len(ROUTES)], draw.random())
        age_ms = draw.choice((4_000, 9_000, 21_000, 48_000, 130_000))
        speed: float | None = float(draw.randint(38, 92))
        if number % 7 == 3:
            lat, lon = TOWNS[draw.choice(list(TOWNS))]
            speed, place = 0.0, (lat + draw.uniform(-0.03, 0.03), lon + draw.uniform(-0.03, 0.03), 0.0)
        elif number % 11 == 5:
            age_ms = draw.randint(15, 50) * MINUTE_MS
        elif number % 17 == 8:
            age_ms = draw.randint(2, 60) * 60 * MINUTE_MS
        elif number % 23 == 9:
            speed = None
        records.append(a_fix(truck, now_ms - age_ms, place, speed))
        if number % 2 == 0 and age_ms < 10 * MINUTE_MS:
            heard = now_ms - age_ms + 1_000
            records.append(
                DeviceStatus(truck.imei, heard, "gt02", "heartbeat", power_level=5, gsm_level=3, satellites=9)
            )
        if number % 29 == 12:
            records.append(
                DeviceEvent(
                    truck.imei,
                    now_ms - 6 * MINUTE_MS,
                    now_ms - 6 * MINUTE_MS,
                    "gt02",
                    "sos",
                    "sos",
                    "SOS button",
                    lat=place[0],
                    lon=place[1],
                )
            )
    records.append(Geofence("1", "Central Medical Stores", "circle", [TOWNS["Lagos"]], 4_000.0))
    records.append(Geofence("2", "Kano depot", "polygon", [(11.93, 8.43), (12.07, 8.43), (12.07, 8.6), (11.93, 8.6)]))
    records.append(Geofence("3", "A2 corridor", "corridor", [TOWNS["Abuja"], TOWNS["Kaduna"]], 3_000.0))
    return trucks, records
