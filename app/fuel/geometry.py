"""Tanks by their dimensions, to make a table or to check one (fuel-analytics.md 2). Lengths in metres."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.fuel.arrays import Floats
from app.fuel.errors import FuelError
from app.fuel.table import TankTable, make_table

Shape = Literal["box", "upright_cylinder", "lying_cylinder", "lying_oval", "rounded_box", "stepped_box"]
Ends = Literal["flat", "dished", "elliptical", "hemispherical"]
SLICES = 200
END_DEPTH: dict[Ends, float] = {"flat": 0.0, "dished": 0.309, "elliptical": 0.5, "hemispherical": 1.0}
"""Depth of one end as a share of the radius."""
LARGEST_M = 20.0


@dataclass(frozen=True, slots=True)
class Geometry:
    """A tank's inside. ``width_m`` is the diameter of upright cylinders; ``corner_m`` rounds a box's long edges.

    A stepped box is ``step_width_m`` wide up to ``step_height_m`` and ``width_m`` above.
    """

    shape: Shape
    length_m: float
    width_m: float
    height_m: float
    ends: Ends = "flat"
    corner_m: float = 0.0
    step_width_m: float = 0.0
    step_height_m: float = 0.0

    def check(self) -> None:
        """Raises FuelError naming the measure that cannot be."""
        for label, value in (("length", self.length_m), ("width", self.width_m), ("height", self.height_m)):
            if self.shape in ("upright_cylinder",) and label == "length":
                continue
            if not 0 < value <= LARGEST_M:
                raise FuelError(f"The {label} of the tank must be more than 0 and at most {LARGEST_M:g} m.")
        if not 0 <= self.corner_m <= min(self.width_m, self.height_m) / 2:
            raise FuelError("The radius of the corners must be at most half of the width and of the height.")
        if self.shape == "stepped_box":
            if not 0 < self.step_width_m <= LARGEST_M:
                raise FuelError(f"The width below the step must be more than 0 and at most {LARGEST_M:g} m.")
            if not 0 < self.step_height_m < self.height_m:
                raise FuelError("The step must lie between the tank's bottom and its top.")

    def volume_l(self, heights_m: Floats) -> Floats:
        """Litres at fill heights, limited to the tank."""
        h = np.clip(heights_m, 0.0, self.height_m)
        return _VOLUMES[self.shape](self, h) * 1000.0

    @property
    def capacity_l(self) -> float:
        return float(self.volume_l(np.array([self.height_m]))[0])

    def table(self, raw_empty: float, raw_full: float, rows: int = 21) -> TankTable:
        """A table for a sensor that counts linearly from empty to full. Raises FuelError."""
        self.check()
        heights = np.linspace(0.0, self.height_m, rows)
        raw = np.linspace(raw_empty, raw_full, rows)
        return make_table(np.stack((raw, self.volume_l(heights)), axis=1).tolist())


def _box(one: Geometry, h: Floats) -> Floats:
    return one.length_m * one.width_m * h


def _upright(one: Geometry, h: Floats) -> Floats:
    return np.pi * (one.width_m / 2) ** 2 * h


def _lying(one: Geometry, h: Floats) -> Floats:
    """A lying cylinder or oval: half axes a wide and b high, with its two ends."""
    b = one.height_m / 2
    a = b if one.shape == "lying_cylinder" else one.width_m / 2
    u = h / b
    area = a * b * (np.arccos(np.clip(1 - u, -1, 1)) - (1 - u) * np.sqrt(np.maximum(2 * u - u * u, 0)))
    depth = END_DEPTH[one.ends] * b
    both_ends = np.pi * depth * h * h * (1 - h / (3 * b)) * (a / b)
    return one.length_m * area + both_ends


def _rounded(one: Geometry, h: Floats) -> Floats:
    """A box whose long edges are rounded: its width is added up in slices."""
    edges = np.linspace(0.0, one.height_m, SLICES + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    below = np.minimum(middles, one.height_m - middles)
    inset = np.where(
        below < one.corner_m, one.corner_m - np.sqrt(np.maximum(one.corner_m**2 - (one.corner_m - below) ** 2, 0)), 0
    )
    volume = np.append(0.0, np.cumsum((one.width_m - 2 * inset) * np.diff(edges))) * one.length_m
    return np.interp(h, edges, volume)


def _stepped(one: Geometry, h: Floats) -> Floats:
    below = np.minimum(h, one.step_height_m)
    return one.length_m * (one.step_width_m * below + one.width_m * (h - below))


_VOLUMES: dict[Shape, Callable[[Geometry, Floats], Floats]] = {
    "box": _box,
    "upright_cylinder": _upright,
    "lying_cylinder": _lying,
    "lying_oval": _lying,
    "rounded_box": _rounded,
    "stepped_box": _stepped,
}
