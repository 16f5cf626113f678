"""Where simulated vehicles drive: towns of Nigeria, straight roads with bends, depots with geofences."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

METRES_PER_DEGREE = 6_378_137.0 * math.pi / 180
KM_H_PER_KNOT = 1.852
DEPOT_RADIUS_M = 1500.0


@dataclass(frozen=True, slots=True)
class Town:
    name: str
    lat: float
    lon: float


TOWNS = (
    Town("Lagos", 6.4550, 3.3941),
    Town("Ibadan", 7.3878, 3.8964),
    Town("Abeokuta", 7.1557, 3.3451),
    Town("Benin City", 6.3382, 5.6257),
    Town("Onitsha", 6.1498, 6.7857),
    Town("Enugu", 6.4413, 7.4988),
    Town("Port Harcourt", 4.7774, 7.0134),
    Town("Lokoja", 7.8023, 6.7333),
    Town("Abuja", 9.0579, 7.4951),
    Town("Minna", 9.6139, 6.5569),
    Town("Kaduna", 10.5222, 7.4384),
    Town("Zaria", 11.0667, 7.7000),
    Town("Kano", 12.0001, 8.5167),
    Town("Katsina", 12.9908, 7.6018),
    Town("Jos", 9.9285, 8.8921),
    Town("Bauchi", 10.3158, 9.8442),
    Town("Maiduguri", 11.8333, 13.1500),
    Town("Sokoto", 13.0622, 5.2339),
)
DEPOTS = (0, 1, 5, 8, 10, 12)
"""Towns whose medical store has a geofence of its own."""


def distance_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Metres between two (lat, lon), flat at their mean latitude: good enough for a simulated road."""
    north = (b[0] - a[0]) * METRES_PER_DEGREE
    east = (b[1] - a[1]) * METRES_PER_DEGREE * math.cos(math.radians((a[0] + b[0]) / 2))
    return math.hypot(north, east)


def course_deg(a: tuple[float, float], b: tuple[float, float]) -> float:
    east = (b[1] - a[1]) * math.cos(math.radians((a[0] + b[0]) / 2))
    return math.degrees(math.atan2(east, b[0] - a[0])) % 360


@dataclass(frozen=True, slots=True)
class Road:
    """A road between two towns that swings to both sides of the straight line by ``bend`` degrees."""

    start: Town
    end: Town
    bend: float

    @property
    def length_m(self) -> float:
        return distance_m((self.start.lat, self.start.lon), (self.end.lat, self.end.lon))

    def at(self, done_m: float) -> tuple[float, float]:
        """The place after ``done_m`` metres."""
        part = min(max(done_m / self.length_m, 0.0), 1.0)
        swing = self.bend * math.sin(part * math.tau * 1.5) * math.sin(part * math.pi)
        north, east = self.end.lat - self.start.lat, self.end.lon - self.start.lon
        span = math.hypot(north, east)
        return self.start.lat + part * north - swing * east / span, self.start.lon + part * east + swing * north / span


def next_road(start: Town, rng: random.Random) -> Road:
    """A road to one of the four nearest towns."""
    others = sorted((town for town in TOWNS if town is not start), key=lambda town: _between(start, town))
    return Road(start, rng.choice(others[:4]), rng.uniform(-0.06, 0.06))


def _between(a: Town, b: Town) -> float:
    return distance_m((a.lat, a.lon), (b.lat, b.lon))


@dataclass(slots=True)
class Drive:
    """One vehicle on its way: drives, stops at the end of each road, drives on."""

    rng: random.Random
    road: Road
    done_m: float
    cruise_km_h: float
    speed_km_h: float = 0.0
    rest_s: float = 0.0

    @classmethod
    def begin(cls, rng: random.Random) -> Drive:
        road = next_road(rng.choice(TOWNS), rng)
        return cls(rng, road, rng.uniform(0, road.length_m), rng.uniform(55, 85))

    def step(self, seconds: float) -> tuple[float, float, float, float]:
        """Drive on for ``seconds``; returns lat, lon, speed in km/h, course in degrees."""
        before = self.road.at(self.done_m)
        if self.rest_s > 0:
            self.rest_s -= seconds
            self.speed_km_h = 0.0
            return *before, 0.0, 0.0
        # Traffic and villages: the speed wanders around the cruising speed of this vehicle.
        self.speed_km_h = min(max(self.rng.gauss(self.cruise_km_h, 12), 8), 118)
        self.done_m += self.speed_km_h / 3.6 * seconds
        here = self.road.at(self.done_m)
        course = course_deg(before, here)
        if self.done_m >= self.road.length_m:
            self.road = next_road(self.road.end, self.rng)
            self.done_m = 0.0
            self.rest_s = self.rng.uniform(20 * 60, 90 * 60)
            self.speed_km_h = 0.0
        return *here, self.speed_km_h, course
