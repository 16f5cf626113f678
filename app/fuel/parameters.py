"""What can be tuned of the detection of refuels and drains (fuel-analytics.md 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from app.fuel.errors import FuelError

VehicleClass = Literal["truck", "heavy", "van", "car", "motorcycle", "boat", "generator"]
Filter = Literal["off", "median", "adaptive"]
Correction = Literal["off", "linear", "density"]


@dataclass(frozen=True, slots=True)
class Parameters:
    """Litres, seconds, minutes, L/h and L/100 km as the names say. Shares are of the tank, 0 to 1."""

    minimum_refuel_l: float = 10.0
    minimum_refuel_share: float = 0.03
    minimum_drain_l: float = 5.0
    minimum_drain_share: float = 0.02
    filter: Filter = "median"
    window_parked: int = 5
    window_moving: int = 11
    settle_s: float = 90.0
    departure_s: float = 60.0
    minimum_stop_min: float = 3.0
    join_min: float = 10.0
    steady_min: float = 5.0
    longest_gap_min: float = 30.0
    idle_l_h: float = 2.0
    norm_l_100_km: float = 28.0
    norm_factor: float = 1.0
    fastest_fill_l_min: float = 130.0
    fastest_drain_l_min: float = 60.0
    volume_from_raw: bool = True
    refuels_in_motion: bool = True
    drains_in_motion: bool = True
    temperature_correction: Correction = "off"
    beta_per_c: float = 0.00083
    density_kg_m3: float = 840.0
    receipt_window_min: float = 15.0
    receipt_share: float = 0.03

    def minimum_refuel(self, capacity_l: float) -> float:
        return max(self.minimum_refuel_l, self.minimum_refuel_share * capacity_l)

    def minimum_drain(self, capacity_l: float) -> float:
        return max(self.minimum_drain_l, self.minimum_drain_share * capacity_l)

    def driven_l(self, km: float) -> float:
        """Litres that the norm allows for a distance."""
        return km * self.norm_l_100_km * self.norm_factor / 100

    def expected_l(self, km: float, idle_h: float) -> float:
        """Litres that the norm allows for a distance and for hours of idling."""
        return self.driven_l(km) + idle_h * self.idle_l_h


@dataclass(frozen=True, slots=True)
class Described:
    """One parameter for people: its label, unit, limits and what it does."""

    name: str
    label: str
    unit: str
    least: float
    most: float
    help: str


DESCRIBED: tuple[Described, ...] = (
    Described("minimum_refuel_l", "Smallest refuel", "L", 2, 200, "A rise below this is no refuel."),
    Described("minimum_refuel_share", "Smallest refuel, share of the tank", "", 0, 0.5, "The larger of both counts."),
    Described("minimum_drain_l", "Smallest drain", "L", 2, 200, "A fall below this is no drain."),
    Described("minimum_drain_share", "Smallest drain, share of the tank", "", 0, 0.5, "The larger of both counts."),
    Described("window_parked", "Median window while parked", "samples", 1, 51, "Odd numbers; larger is smoother."),
    Described("window_moving", "Median window while moving", "samples", 1, 51, "Odd numbers; larger is smoother."),
    Described("settle_s", "Settling after a stop", "s", 0, 600, "Fuel sloshes on; samples within it are not trusted."),
    Described("departure_s", "Before leaving", "s", 0, 600, "With the engine on, fuel may slosh already."),
    Described("minimum_stop_min", "Shortest stop", "min", 1, 30, "Shorter halts are part of the trip."),
    Described("join_min", "Join events closer than", "min", 0, 60, "Two pourings at one pump are one refuel."),
    Described(
        "steady_min", "An event is over when steady for", "min", 1, 60, "A shorter pause does not part it in two."
    ),
    Described(
        "longest_gap_min", "Longest gap that counts as continuous", "min", 5, 720, "Idling is not counted across it."
    ),
    Described("idle_l_h", "Consumption while idling", "L/h", 0, 20, "Taken off falls while the ignition is on."),
    Described("norm_l_100_km", "Consumption norm", "L/100 km", 1, 80, "For comparison, and for falls during a trip."),
    Described("norm_factor", "Load, season, trailer", "", 0.5, 2, "The norm is multiplied by it."),
    Described("fastest_fill_l_min", "Fastest pump", "L/min", 5, 400, "A faster rise is a fault of the sensor."),
    Described("fastest_drain_l_min", "Fastest drain", "L/min", 1, 400, "A faster fall is a fault of the sensor."),
    Described("beta_per_c", "Expansion per °C", "", 0, 0.002, "0.00083 for diesel, 0.0012 for petrol."),
    Described("density_kg_m3", "Density at 15 °C", "kg/m³", 650, 1000, "For the correction by density."),
    Described("receipt_window_min", "Receipt and refuel may lie apart", "min", 1, 240, ""),
    Described("receipt_share", "Receipt and refuel may differ by", "", 0, 0.5, "Share of the receipt's litres."),
)

_CLASSES: Mapping[str, Mapping[str, float]] = {
    "truck": {},
    "heavy": {"norm_l_100_km": 35.0, "idle_l_h": 2.5},
    "van": {"norm_l_100_km": 12.0, "idle_l_h": 0.8, "fastest_fill_l_min": 60.0},
    "car": {"norm_l_100_km": 9.0, "idle_l_h": 0.7, "fastest_fill_l_min": 60.0},
    "motorcycle": {
        "norm_l_100_km": 3.0, "idle_l_h": 0.2, "minimum_refuel_l": 2.0, "minimum_drain_l": 2.0,
        "fastest_fill_l_min": 40.0,
    },
    "boat": {"norm_l_100_km": 60.0, "idle_l_h": 2.0},
    "generator": {"norm_l_100_km": 1.0, "idle_l_h": 5.0},
}  # fmt: skip
CLASSES: tuple[str, ...] = tuple(_CLASSES)


def of_class(vehicle_class: str | None) -> Parameters:
    """The parameters from which vehicles of a class start; a truck's for an unknown one."""
    return replace(Parameters(), **_CLASSES.get(vehicle_class or "truck", {}))  # type: ignore[arg-type]


def changed(base: Parameters, values: Mapping[str, Any]) -> Parameters:
    """``base`` with some values. Raises FuelError naming the parameter that is unknown or out of range."""
    known = {field.name: field for field in fields(Parameters)}
    limits = {one.name: one for one in DESCRIBED}
    accepted: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise FuelError(f"There is no parameter “{name}”.")
        accepted[name] = _accepted(name, value, getattr(base, name), limits.get(name))
    return replace(base, **accepted)


def to_values(parameters: Parameters) -> dict[str, Any]:
    return asdict(parameters)


def _accepted(name: str, value: Any, standing: Any, limit: Described | None) -> Any:
    choices = {"filter": ("off", "median", "adaptive"), "temperature_correction": ("off", "linear", "density")}
    if name in choices:
        if value not in choices[name]:
            raise FuelError(f"{name} is one of {', '.join(choices[name])}.")
        return value
    if isinstance(standing, bool):
        if not isinstance(value, bool):
            raise FuelError(f"{name} is true or false.")
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FuelError(f"{name} must be a number.")
    if limit is not None and not limit.least <= value <= limit.most:
        raise FuelError(f"{limit.label} must be {limit.least:g} to {limit.most:g} {limit.unit}.".replace(" .", "."))
    if isinstance(standing, int):
        return int(value) | 1
    return float(value)
