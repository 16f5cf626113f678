"""A driven lorry with a tank: where it is, what its engine burns, what the level in its tank looks like from inside.

Its sensors, its CAN bus and its tracker all read this one vehicle, so that what they tell fits together. Time is what
the owner of a vehicle gives it with :meth:`DrivenVehicle.advance`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from typing import Final, Literal

Point = tuple[float, float]
M_PER_DEGREE: Final = 111_320.0
FASTEST_KM_H: Final = 220.0
"""Way covered per hour, however fast time runs: more would be a jump, not a drive."""
FULL_COUNT: Final = 4_095
_STEP_S: Final = 5.0
_IDLE_L_H: Final = 2.2
_L_PER_KM: Final = 0.26
_SHAPE: Final = 0.07  # how far the tank's walls are from straight
_ROWS: Final = 20
_PUMP_L_MIN: Final = 60.0
_FAST_PUMP_L_MIN: Final = 150.0


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that happens to the tank: at a moment of the vehicle's own time, whatever it does then."""

    kind: Literal["refuel", "theft"]
    at_s: float
    litres: float
    l_min: float = _PUMP_L_MIN

    @property
    def sign(self) -> float:
        return 1.0 if self.kind == "refuel" else -1.0


@dataclass(slots=True)
class _Flow:
    deed: Deed
    left_l: float


@dataclass(slots=True)
class DrivenVehicle:
    """``route`` are the bends of a road, driven to and fro. Litres in the tank, metres on the road, seconds of life."""

    route: Sequence[Point]
    tank_l: float = 400.0
    level_l: float = 260.0
    cruise_km_h: float = 72.0
    seed: int = 1
    deeds: list[Deed] = field(default_factory=list)
    is_working: bool = True
    """False: parked with the engine off, until it is set again."""
    refuels_itself: bool = True
    time_s: float = 0.0
    speed_km_h: float = 0.0
    total_fuel_l: float = 18_250.0
    odometer_m: float = 64_310_000.0
    engine_h: float = 1_412.0
    temperature_c: float = 27.0
    fuel_rate_l_h: float = 0.0
    _along_m: float = 0.0
    _is_back: bool = False
    _rest_s: float = 0.0
    _slosh: float = 0.0
    _flows: list[_Flow] = field(default_factory=list)
    _rng: Random = field(init=False)
    _lengths: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self._rng = Random(self.seed)
        self._lengths = [0.0]
        for a, b in pairwise(self.route):
            self._lengths.append(self._lengths[-1] + distance_m(a, b))
        self._along_m = self._rng.uniform(0.1, 0.4) * self._lengths[-1]

    # -- what its instruments read --------------------------------------------------------------------------------

    @property
    def ignition(self) -> bool:
        return self.is_working and (self._rest_s < 300 or self.speed_km_h > 0)

    @property
    def rpm(self) -> float:
        if not self.ignition:
            return 0.0
        return 620.0 if self.speed_km_h < 1 else min(950.0 + 9.5 * self.speed_km_h, 2_200.0)

    @property
    def sloshing_l(self) -> float:
        """What a probe in the tank sees: the fuel moves while the vehicle does."""
        return min(max(self.level_l + self._slosh * self.tank_l, 0.0), self.tank_l)

    @property
    def percent(self) -> float:
        return 100.0 * self.sloshing_l / self.tank_l

    @property
    def count(self) -> float:
        """Of a capacitive probe: proportional to the height, which is not proportional to the litres."""
        return FULL_COUNT * height_of(self.sloshing_l / self.tank_l)

    @property
    def point(self) -> Point:
        piece = min(max(bisect_right(self._lengths, self._along_m) - 1, 0), len(self._lengths) - 2)
        length_m = self._lengths[piece + 1] - self._lengths[piece]
        share = (self._along_m - self._lengths[piece]) / length_m if length_m else 0.0
        a, b = self.route[piece], self.route[piece + 1]
        return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share

    @property
    def course_deg(self) -> float:
        piece = min(max(bisect_right(self._lengths, self._along_m) - 1, 0), len(self._lengths) - 2)
        a, b = self.route[piece], self.route[piece + 1]
        narrowing = math.cos(math.radians(a[0]))
        course = math.degrees(math.atan2((b[1] - a[1]) * narrowing, b[0] - a[0]))
        return (course + (180 if self._is_back else 0)) % 360

    def set_off(self) -> None:
        """End a rest."""
        self._rest_s = 0.0

    # -- time -----------------------------------------------------------------------------------------------------

    def advance(self, seconds: float, stretch: float = 1.0) -> None:
        """Live on. ``stretch`` multiplies the way covered and the fuel burnt, not the speed shown."""
        while seconds > 0:
            step_s = min(seconds, _STEP_S)
            seconds -= step_s
            self._step(step_s, stretch)

    def advance_coarsely(self, seconds: float) -> None:
        """One step, for history that is told minute by minute."""
        self._step(seconds, 1.0)

    def _step(self, step_s: float, stretch: float) -> None:
        self.time_s += step_s
        self._drive(step_s, stretch)
        self._burn(step_s, stretch)
        self._flow(step_s)
        wanted = 0.007 * min(self.speed_km_h / 50, 1.0)
        self._slosh = 0.55 * self._slosh + self._rng.gauss(0, wanted or 0.0004)

    def _drive(self, step_s: float, stretch: float) -> None:
        if self._flows or not self.is_working:
            self.speed_km_h = 0.0
            return
        if self._rest_s > 0:
            self._rest_s -= step_s * stretch
            self.speed_km_h = 0.0
            return
        ends_m = self._lengths[-1]
        near_end = min(self._along_m, ends_m - self._along_m) < 3_000
        wanted = 35.0 if near_end else self.cruise_km_h
        self.speed_km_h += (wanted - self.speed_km_h) * min(0.06 * step_s, 0.9) + self._rng.gauss(0, 1.2)
        self.speed_km_h = min(max(self.speed_km_h, 4.0), 95.0)
        way_m = min(self.speed_km_h * stretch, FASTEST_KM_H) / 3.6 * step_s
        self.odometer_m += way_m
        self._along_m += -way_m if self._is_back else way_m
        if not 0 <= self._along_m <= ends_m:
            self._along_m = min(max(self._along_m, 0.0), ends_m)
            self._is_back = not self._is_back
            self._rest(self._rng.uniform(3_600, 9_000))
        elif self._rng.random() < step_s / 5_400:
            self._rest(self._rng.uniform(120, 900))

    def _rest(self, seconds: float) -> None:
        self._rest_s, self.speed_km_h = seconds, 0.0
        if self.refuels_itself and self.level_l < 0.25 * self.tank_l:
            litres = self._rng.uniform(0.84, 0.95) * self.tank_l - self.level_l
            self.deeds.append(Deed("refuel", self.time_s + 120, round(litres), _FAST_PUMP_L_MIN))

    def _burn(self, step_s: float, stretch: float) -> None:
        self.fuel_rate_l_h = 0.0
        if not self.ignition or self.level_l <= 0:
            return
        load = self._rng.gauss(1.0, 0.08)
        self.fuel_rate_l_h = max(_IDLE_L_H + _L_PER_KM * self.speed_km_h * load, 0.5)
        burnt_l = min(self.fuel_rate_l_h * stretch * step_s / 3_600, self.level_l)
        self.level_l -= burnt_l
        self.total_fuel_l += burnt_l
        self.engine_h += step_s * stretch / 3_600

    def _flow(self, step_s: float) -> None:
        for deed in [deed for deed in self.deeds if deed.at_s <= self.time_s]:
            self.deeds.remove(deed)
            self._flows.append(_Flow(deed, deed.litres))
        for flow in list(self._flows):
            moved_l = min(flow.deed.l_min * step_s / 60, flow.left_l)
            flow.left_l -= moved_l
            self.level_l = min(max(self.level_l + flow.deed.sign * moved_l, 0.0), self.tank_l)
            if flow.left_l <= 0:
                self._flows.remove(flow)


def distance_m(a: Point, b: Point) -> float:
    """Flat-earth distance, good for the short pieces of a road."""
    narrowing = math.cos(math.radians((a[0] + b[0]) / 2))
    return math.hypot((b[0] - a[0]) * M_PER_DEGREE, (b[1] - a[1]) * M_PER_DEGREE * narrowing)


def share_of(height: float) -> float:
    """The share of a tank's litres below a height, both 0 to 1: rounded at bottom and top."""
    return height - _SHAPE * math.sin(2 * math.pi * height)


def height_of(share: float) -> float:
    """The inverse of :func:`share_of`."""
    low, high = 0.0, 1.0
    for _halving in range(24):
        middle = (low + high) / 2
        low, high = (middle, high) if share_of(middle) < share else (low, middle)
    return (low + high) / 2


def calibration_rows(tank_l: float) -> list[tuple[float, float]]:
    """Count and litres of the tank's shape, from empty to full."""
    heights = [at / _ROWS for at in range(_ROWS + 1)]
    return [(float(round(FULL_COUNT * height)), round(tank_l * share_of(height), 2)) for height in heights]


def bent_road(stops: Sequence[Point], seed: int, halvings: int = 5) -> list[Point]:
    """A believable road over these places: its bends are made up, the same for the same seed."""
    rng = Random(seed)
    points = list(stops)
    for _halving in range(halvings):
        finer = [points[0]]
        for a, b in pairwise(points):
            shift = rng.uniform(-0.05, 0.05)
            finer += [((a[0] + b[0]) / 2 + (b[1] - a[1]) * shift, (a[1] + b[1]) / 2 - (b[0] - a[0]) * shift), b]
        points = finer
    return points
