"""Nigerian towns, roads between them, and lorries that drive there. Distances in metres, speeds in km/h.

The roads join the towns that main roads join, but their bends are made up: believable on a map, not surveyed.
"""

from __future__ import annotations

import itertools
import math
import random
from bisect import bisect_right
from collections.abc import Mapping
from functools import cache
from typing import Final

EARTH_M_PER_DEGREE: Final = 111_320.0
_BEND: Final = 0.05  # sideways shift of a road's middle, as a share of the stretch
_HALVINGS: Final = 7  # 128 pieces per road
_TOWN_M: Final = 4_000.0  # slow driving this far around a road's ends
_SUBSTEP_S: Final = 5.0
FASTEST_KM_H: Final = 220.0  # way covered per hour, however stretched: more would be a jump, not a drive

TOWNS: Final[Mapping[str, tuple[float, float]]] = {
    "Aba": (5.1066, 7.3667),
    "Abuja": (9.0579, 7.4951),
    "Akure": (7.2571, 5.2058),
    "Akwanga": (8.9108, 8.4078),
    "Bauchi": (10.3158, 9.8442),
    "Benin City": (6.3350, 5.6037),
    "Bida": (9.0804, 6.0099),
    "Calabar": (4.9757, 8.3417),
    "Damaturu": (11.7470, 11.9608),
    "Dutse": (11.7561, 9.3389),
    "Enugu": (6.4483, 7.5139),
    "Funtua": (11.5233, 7.3086),
    "Gombe": (10.2897, 11.1673),
    "Gusau": (12.1628, 6.6614),
    "Ibadan": (7.3775, 3.9470),
    "Ilorin": (8.4966, 4.5421),
    "Jos": (9.8965, 8.8583),
    "Kaduna": (10.5105, 7.4165),
    "Kano": (12.0022, 8.5920),
    "Katsina": (12.9894, 7.6006),
    "Lafia": (8.4939, 8.5157),
    "Lagos": (6.5244, 3.3792),
    "Lokoja": (7.8023, 6.7333),
    "Maiduguri": (11.8311, 13.1510),
    "Makurdi": (7.7337, 8.5214),
    "Minna": (9.6139, 6.5569),
    "Onitsha": (6.1413, 6.8029),
    "Otukpo": (7.1904, 8.1300),
    "Owerri": (5.4836, 7.0333),
    "Port Harcourt": (4.8156, 7.0498),
    "Potiskum": (11.7128, 11.0780),
    "Sokoto": (13.0622, 5.2339),
    "Uyo": (5.0377, 7.9128),
    "Yola": (9.2035, 12.4954),
    "Zaria": (11.0855, 7.7199),
}
_ROADS: Final = (
    "Kano-Zaria Zaria-Kaduna Kaduna-Abuja Zaria-Funtua Funtua-Gusau Gusau-Sokoto Kano-Katsina Katsina-Funtua "
    "Kano-Dutse Dutse-Potiskum Potiskum-Damaturu Damaturu-Maiduguri Potiskum-Gombe Gombe-Yola Bauchi-Gombe Bauchi-Jos "
    "Dutse-Bauchi Kaduna-Jos Jos-Akwanga Akwanga-Abuja Akwanga-Lafia Lafia-Makurdi Makurdi-Otukpo Otukpo-Enugu "
    "Enugu-Onitsha Onitsha-Owerri Owerri-Port_Harcourt Owerri-Aba Aba-Port_Harcourt Aba-Uyo Uyo-Calabar "
    "Onitsha-Benin_City Benin_City-Akure Akure-Ibadan Ibadan-Lagos Ibadan-Ilorin Ilorin-Bida Bida-Minna Minna-Kaduna "
    "Abuja-Minna Abuja-Lokoja Lokoja-Benin_City Lokoja-Akure Lokoja-Otukpo"
)
ROADS: Final = tuple(tuple(road.replace("_", " ").split("-")) for road in _ROADS.split())
_NEIGHBOURS: Final[Mapping[str, tuple[str, ...]]] = {
    town: tuple(sorted({end for road in ROADS if town in road for end in road if end != town})) for town in TOWNS
}

Point = tuple[float, float]


def distance_m(a: Point, b: Point) -> float:
    """Flat-earth distance, good to a metre for the short pieces of a road."""
    north_m, east_m = _offset_m(a, b)
    return math.hypot(north_m, east_m)


def course_deg(a: Point, b: Point) -> float:
    """Direction from ``a`` to ``b``: 0 north, 90 east."""
    north_m, east_m = _offset_m(a, b)
    return math.degrees(math.atan2(east_m, north_m)) % 360


def _offset_m(a: Point, b: Point) -> tuple[float, float]:
    narrowing = math.cos(math.radians((a[0] + b[0]) / 2))
    return (b[0] - a[0]) * EARTH_M_PER_DEGREE, (b[1] - a[1]) * EARTH_M_PER_DEGREE * narrowing


@cache
def road(start: str, end: str) -> tuple[Point, ...]:
    """The bends of a road, the same for every lorry and in both directions."""
    if start > end:
        return tuple(reversed(road(end, start)))
    rng = random.Random(f"{start}-{end}")
    points = [TOWNS[start], TOWNS[end]]
    for _ in range(_HALVINGS):
        finer = [points[0]]
        for a, b in itertools.pairwise(points):
            shift = rng.uniform(-_BEND, _BEND)
            finer += [((a[0] + b[0]) / 2 + (b[1] - a[1]) * shift, (a[1] + b[1]) / 2 - (b[0] - a[0]) * shift), b]
        points = finer
    return tuple(points)


@cache
def _lengths(start: str, end: str) -> tuple[float, ...]:
    """Metres from the start of a road to each of its points."""
    total_m = [0.0]
    points = road(start, end)
    for a, b in itertools.pairwise(points):
        total_m.append(total_m[-1] + distance_m(a, b))
    return tuple(total_m)


class Drive:
    """One lorry on the roads: drives from town to town, slows down in towns, rests, waits at checkpoints."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._from = rng.choice(sorted(TOWNS))
        self._to = rng.choice(_NEIGHBOURS[self._from])
        self._along_m = rng.uniform(0.05, 0.95) * self._length_m
        self._cruise_km_h = rng.uniform(60, 88)
        self._rest_s = 0.0
        self.speed_km_h = self._cruise_km_h

    @property
    def _length_m(self) -> float:
        return _lengths(self._from, self._to)[-1]

    @property
    def point(self) -> Point:
        lengths, points = _lengths(self._from, self._to), road(self._from, self._to)
        piece = self._piece()
        share = (self._along_m - lengths[piece]) / (lengths[piece + 1] - lengths[piece])
        a, b = points[piece], points[piece + 1]
        return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share

    @property
    def course_deg(self) -> float:
        points = road(self._from, self._to)
        piece = self._piece()
        return course_deg(points[piece], points[piece + 1])

    @property
    def ignition(self) -> bool:
        """Off only while the driver rests."""
        return self._rest_s < 300 or self.speed_km_h > 0

    def _piece(self) -> int:
        lengths = _lengths(self._from, self._to)
        return min(max(bisect_right(lengths, self._along_m) - 1, 0), len(lengths) - 2)

    def advance(self, seconds: float, stretch: float = 1.0) -> None:
        """Drive on for ``seconds``; ``stretch`` multiplies the way covered, not the speed shown, up to 220 km/h."""
        while seconds > 0:
            step_s = min(seconds, _SUBSTEP_S)
            seconds -= step_s
            self._step(step_s, stretch)

    def _step(self, step_s: float, stretch: float) -> None:
        if self._rest_s > 0:
            self._rest_s -= step_s * stretch
            self.speed_km_h = 0.0
            return
        near_town = min(self._along_m, self._length_m - self._along_m) < _TOWN_M
        wanted = 35.0 if near_town else self._cruise_km_h
        self.speed_km_h += (wanted - self.speed_km_h) * 0.3 + self._rng.gauss(0, 1.5)
        self.speed_km_h = min(max(self.speed_km_h, 5.0), 95.0)
        self._along_m += min(self.speed_km_h * stretch, FASTEST_KM_H) / 3.6 * step_s
        if self._along_m >= self._length_m:
            self._arrive()
        elif self._rng.random() < 0.0008 * step_s / _SUBSTEP_S:
            self._rest_s = self._rng.uniform(60, 240)  # a checkpoint

    def _arrive(self) -> None:
        came_from, here = self._from, self._to
        onward = [town for town in _NEIGHBOURS[here] if town != came_from] or [came_from]
        self._from, self._to = here, self._rng.choice(onward)
        self._along_m = 0.0
        self._rest_s = self._rng.uniform(300, 1800)
        self._cruise_km_h = self._rng.uniform(60, 88)
