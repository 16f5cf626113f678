"""The world behind the simulated server: vehicles that send fixes, and what a server stores and pushes of them.

Follows the server where it matters to a client (traccar-api.md, sections 3 to 6): ids grow with arrival; a message
without a fix repeats the last one; fixes that arrive late are stored but never pushed; geofences are judged from one
position to the next. Times are milliseconds since 1970 UTC of the server's clock.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.traccar.simulator_roads import DEPOT_RADIUS_M, DEPOTS, KM_H_PER_KNOT, TOWNS, Drive, distance_m

Message = dict[str, list[dict[str, Any]]]
USER_ID = 7
SPEED_LIMIT_KM_H = 100.0
SLOWED_BY_KM_H = 15.0
NO_FIX_EVERY = 7
"""Every so many messages of a parked vehicle come without a fix."""


def server_time(at_ms: int) -> str:
    """A time as the server writes it."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}+00:00"


@dataclass(slots=True)
class Track:
    """Everything stored of one device, in order of arrival; a column per field to hold weeks of a large fleet."""

    ids: array[int] = field(default_factory=lambda: array("q"))
    fixed_ms: array[int] = field(default_factory=lambda: array("q"))
    device_ms: array[int] = field(default_factory=lambda: array("q"))
    server_ms: array[int] = field(default_factory=lambda: array("q"))
    lat: array[float] = field(default_factory=lambda: array("d"))
    lon: array[float] = field(default_factory=lambda: array("d"))
    knots: array[float] = field(default_factory=lambda: array("d"))
    course: array[float] = field(default_factory=lambda: array("d"))
    total_m: array[float] = field(default_factory=lambda: array("d"))
    alarms: dict[int, str] = field(default_factory=dict)

    def append(self, row: tuple[int, int, int, int, float, float, float, float, float]) -> int:
        columns: Sequence[array[Any]] = (
            self.ids, self.fixed_ms, self.device_ms, self.server_ms, self.lat, self.lon, self.knots, self.course,
            self.total_m,
        )  # fmt: skip
        for column, value in zip(columns, row, strict=True):
            column.append(value)
        return len(self.ids) - 1


@dataclass(slots=True)
class Vehicle:
    """One device as the server knows it, and the lorry that carries it."""

    id: int
    unique_id: str
    name: str
    group_id: int
    drive: Drive
    next_ms: int
    track: Track = field(default_factory=Track)
    latest: int | None = None
    last_update_ms: int | None = None
    silent_until_ms: int = 0
    buffer: list[tuple[int, tuple[float, float, float, float]]] = field(default_factory=list)
    inside: frozenset[int] = frozenset()
    moving: bool = False
    too_fast: bool = False
    messages: int = 0


class World:
    """A fleet that sends one message every ``interval_s`` seconds, from ``start_ms`` on; :meth:`advance` moves time."""

    def __init__(self, *, vehicles: int, interval_s: float, start_ms: int, seed: int = 1, holes: bool = True) -> None:
        self.now_ms = start_ms
        self.interval_ms = round(interval_s * 1000)
        self.holes = holes
        self.events: list[dict[str, Any]] = []
        self._events_of: dict[int, list[tuple[int, dict[str, Any]]]] = {}
        self.geofences = _geofences()
        self.groups = [
            {"id": 1, "name": "National fleet", "groupId": 0, "attributes": {}},
            {"id": 2, "name": "North", "groupId": 1, "attributes": {}},
            {"id": 3, "name": "South", "groupId": 1, "attributes": {}},
        ]
        self.notified = {"alarm", "geofenceEnter", "geofenceExit"}
        self.listeners: set[Callable[[Message], None]] = set()
        self._rng = random.Random(seed)
        self._next_position = 1000
        self._where: dict[int, tuple[int, int]] = {}
        self.vehicles = {number: self._vehicle(number) for number in range(1, vehicles + 1)}

    def _vehicle(self, number: int) -> Vehicle:
        drive = Drive.begin(random.Random(self._rng.random()))
        return Vehicle(
            id=number,
            unique_id=f"3567{1000 + number * 37:011d}",
            name=f"Lorry {number:02d}",
            group_id=2 + number % 2,
            drive=drive,
            next_ms=self.now_ms + int(self._rng.uniform(0, self.interval_ms)),
        )

    def add_vehicle(self) -> Vehicle:
        """One more device on the server; it reports from now on."""
        vehicle = self._vehicle(max(self.vehicles, default=0) + 1)
        self.vehicles[vehicle.id] = vehicle
        return vehicle

    # -- time

    def advance(self, to_ms: int) -> None:
        """Let everything happen until ``to_ms``, in the order in which it happens for each vehicle."""
        for vehicle in self.vehicles.values():
            while vehicle.next_ms <= to_ms:
                self.now_ms = vehicle.next_ms
                self._message(vehicle)
                vehicle.next_ms += self.interval_ms
        self.now_ms = to_ms

    def _message(self, vehicle: Vehicle) -> None:
        at_ms = vehicle.next_ms
        vehicle.messages += 1
        place = vehicle.drive.step(self.interval_ms / 1000)
        if at_ms < vehicle.silent_until_ms:
            vehicle.buffer.append((at_ms, place))
            return
        if self.holes and vehicle.drive.rng.random() < self.interval_ms / 1000 / (6 * 3600):
            # Out of coverage for a while, about every six hours of driving.
            vehicle.silent_until_ms = at_ms + int(vehicle.drive.rng.uniform(10, 50) * 60_000)
        if place[2] == 0 and vehicle.messages % NO_FIX_EVERY == 0 and vehicle.latest is not None:
            self._repeat_last_fix(vehicle, at_ms)
        else:
            self.store(vehicle, at_ms, place, at_ms)
        # The newest fix comes first and is pushed; the buffer follows, is stored, and is pushed to nobody.
        for buffered_ms, buffered in vehicle.buffer:
            self.store(vehicle, buffered_ms, buffered, at_ms)
        vehicle.buffer.clear()

    def _repeat_last_fix(self, vehicle: Vehicle, at_ms: int) -> None:
        track, last = vehicle.track, vehicle.latest
        if last is None:
            return
        fix = (track.lat[last], track.lon[last], track.knots[last] * KM_H_PER_KNOT, track.course[last])
        self.store(vehicle, track.fixed_ms[last], fix, at_ms, device_ms=at_ms)

    def store(
        self,
        vehicle: Vehicle,
        fixed_ms: int,
        place: tuple[float, float, float, float],
        server_ms: int,
        device_ms: int | None = None,
    ) -> int:
        """What the server does with one message; ``place`` is lat, lon, km/h, course. Returns the position's id."""
        lat, lon, speed_km_h, course = place
        track, last = vehicle.track, vehicle.latest
        total_m = 0.0
        if last is not None:
            total_m = track.total_m[last] + distance_m((track.lat[last], track.lon[last]), (lat, lon))
        self._next_position += 1
        key = self._next_position
        row = (
            key,
            fixed_ms,
            device_ms or fixed_ms,
            server_ms,
            round(lat, 6),
            round(lon, 6),
            speed_km_h / KM_H_PER_KNOT,
            round(course, 1),
            total_m,
        )
        index = track.append(row)
        self._where[key] = (vehicle.id, index)
        vehicle.last_update_ms = server_ms
        is_newest = last is None or fixed_ms >= track.fixed_ms[last]
        events = self._judge(vehicle, index, is_newest)
        if is_newest:
            vehicle.latest = index
        if self.listeners:
            self._push(vehicle, index if is_newest else None, events)
        return key

    def _push(self, vehicle: Vehicle, index: int | None, events: list[dict[str, Any]]) -> None:
        message: Message = {"devices": [self.device(vehicle)]}
        if index is not None:
            message["positions"] = [self.position(vehicle, index)]
        if shown := [event for event in events if event["type"] in self.notified]:
            message["events"] = shown
        for listener in list(self.listeners):
            listener(message)

    # -- events

    def _judge(self, vehicle: Vehicle, index: int, is_newest: bool) -> list[dict[str, Any]]:
        """Events of one stored position; late ones raise none here (the server's rules are more detailed)."""
        if not is_newest:
            return []
        track = vehicle.track
        here = (track.lat[index], track.lon[index])
        speed_km_h = track.knots[index] * KM_H_PER_KNOT
        found: list[dict[str, Any]] = []
        inside = frozenset(self.fences_at(*here))
        found += [self._event(vehicle, index, "geofenceEnter", fence) for fence in sorted(inside - vehicle.inside)]
        found += [self._event(vehicle, index, "geofenceExit", fence) for fence in sorted(vehicle.inside - inside)]
        moving = speed_km_h > 1
        # One violation is over only when the driver has really slowed down.
        too_fast = speed_km_h > SPEED_LIMIT_KM_H - (SLOWED_BY_KM_H if vehicle.too_fast else 0)
        if moving != vehicle.moving:
            found.append(self._event(vehicle, index, "ignitionOn" if moving else "ignitionOff"))
        if too_fast and not vehicle.too_fast:
            said = {"speed": track.knots[index], "speedLimit": SPEED_LIMIT_KM_H / KM_H_PER_KNOT}
            found.append(self._event(vehicle, index, "deviceOverspeed", attributes=said))
        if moving and vehicle.drive.rng.random() < self.interval_ms / 1000 / (40 * 3600):
            alarm = vehicle.drive.rng.choice(("sos", "powerCut", "lowBattery"))
            track.alarms[index] = alarm
            found.append(self._event(vehicle, index, "alarm", attributes={"alarm": alarm}))
        vehicle.inside, vehicle.moving, vehicle.too_fast = inside, moving, too_fast
        return found

    def _event(
        self, vehicle: Vehicle, index: int, kind: str, fence: int = 0, attributes: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        event = {
            "id": len(self.events) + 1,
            "attributes": attributes or {},
            "deviceId": vehicle.id,
            "type": kind,
            "eventTime": server_time(vehicle.track.device_ms[index]),
            "positionId": vehicle.track.ids[index],
            "geofenceId": fence,
            "maintenanceId": 0,
        }
        self.events.append(event)
        self._events_of.setdefault(vehicle.id, []).append((vehicle.track.device_ms[index], event))
        return event

    def events_between(self, device_id: int, from_ms: int, to_ms: int) -> list[dict[str, Any]]:
        """The events of one device by event time, both ends included."""
        return [event for at_ms, event in self._events_of.get(device_id, ()) if from_ms <= at_ms <= to_ms]

    def fences_at(self, lat: float, lon: float) -> Iterator[int]:
        for number, town in enumerate(DEPOTS, start=1):
            if distance_m((lat, lon), (TOWNS[town].lat, TOWNS[town].lon)) <= DEPOT_RADIUS_M:
                yield number

    # -- what the API shows

    def device(self, vehicle: Vehicle) -> dict[str, Any]:
        age_ms = self.now_ms - vehicle.last_update_ms if vehicle.last_update_ms is not None else math.inf
        return {
            "id": vehicle.id,
            "attributes": {"speedLimit": SPEED_LIMIT_KM_H / KM_H_PER_KNOT},
            "groupId": vehicle.group_id,
            "calendarId": 0,
            "name": vehicle.name,
            "uniqueId": vehicle.unique_id,
            "status": "online" if age_ms < 600_000 else "unknown",
            "lastUpdate": server_time(vehicle.last_update_ms) if vehicle.last_update_ms is not None else None,
            "positionId": vehicle.track.ids[vehicle.latest] if vehicle.latest is not None else 0,
            "phone": f"+23480{vehicle.id:08d}",
            "model": "GT06N",
            "contact": None,
            "category": "truck",
            "disabled": False,
            "expirationTime": None,
        }

    def position(self, vehicle: Vehicle, index: int) -> dict[str, Any]:
        track = vehicle.track
        moving = track.knots[index] > 0
        said: dict[str, Any] = {
            "sat": 7 + track.ids[index] % 6,
            "rssi": 1 + track.ids[index] % 4,
            "power": 12.4 if not moving else 13.9,
            "battery": 4.1,
            "ignition": moving,
            "motion": moving,
            "totalDistance": round(track.total_m[index], 2),
        }
        if alarm := track.alarms.get(index):
            said["alarm"] = alarm
        fences = list(self.fences_at(track.lat[index], track.lon[index]))
        return {
            "id": track.ids[index],
            "attributes": said,
            "deviceId": vehicle.id,
            "protocol": "gt06",
            "serverTime": server_time(track.server_ms[index]),
            "deviceTime": server_time(track.device_ms[index]),
            "fixTime": server_time(track.fixed_ms[index]),
            "outdated": False,
            "valid": True,
            "latitude": track.lat[index],
            "longitude": track.lon[index],
            "altitude": 0.0,
            "speed": track.knots[index],
            "course": track.course[index],
            "address": None,
            "accuracy": 0.0,
            "network": None,
            "geofenceIds": fences or None,
        }

    def latest_positions(self) -> list[dict[str, Any]]:
        return [self.position(car, car.latest) for car in self.vehicles.values() if car.latest is not None]

    def position_by_id(self, key: int) -> dict[str, Any] | None:
        vehicle_id, index = self._where.get(key, (0, 0))
        vehicle = self.vehicles.get(vehicle_id)
        return None if vehicle is None else self.position(vehicle, index)

    def history(self, vehicle: Vehicle, from_ms: int, to_ms: int, most: int) -> Iterator[dict[str, Any]]:
        """Fixes between both ends, ascending by fix time, at most ``most``: the rest is left out in silence."""
        times = vehicle.track.fixed_ms
        found = sorted((at, index) for index, at in enumerate(times) if from_ms <= at <= to_ms)
        return (self.position(vehicle, index) for _, index in found[:most])

    def fix_keys(self) -> set[tuple[str, int, float, float]]:
        """Every different fix that the server holds, as the store tells them apart."""
        return {
            (car.unique_id, fixed_ms, lat, lon)
            for car in self.vehicles.values()
            for fixed_ms, lat, lon in zip(car.track.fixed_ms, car.track.lat, car.track.lon, strict=True)
        }


def _geofences() -> list[dict[str, Any]]:
    fences: list[dict[str, Any]] = [
        _fence(number, f"{TOWNS[town].name} depot", f"CIRCLE ({TOWNS[town].lat} {TOWNS[town].lon}, {DEPOT_RADIUS_M})")
        for number, town in enumerate(DEPOTS, start=1)
    ]
    kano, zaria = TOWNS[12], TOWNS[11]
    north, south, west, east = kano.lat + 0.08, kano.lat - 0.08, kano.lon - 0.1, kano.lon + 0.1
    ring = f"{south} {west}, {south} {east}, {north} {east}, {north} {west}, {south} {west}"
    town = _fence(len(fences) + 1, "Kano town", f"POLYGON (({ring}))")
    town["attributes"] = {"speedLimit": 50 / KM_H_PER_KNOT}
    line = f"LINESTRING ({zaria.lat} {zaria.lon}, {kano.lat} {kano.lon})"
    road = _fence(len(fences) + 2, "Zaria–Kano road", line)
    road["attributes"] = {"polylineDistance": 200}
    return [*fences, town, road]


def _fence(number: int, name: str, area: str) -> dict[str, Any]:
    return {"id": number, "attributes": {}, "calendarId": 0, "name": name, "description": "", "area": area}
