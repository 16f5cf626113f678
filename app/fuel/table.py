"""A tank's table: which reading is how many litres (fuel-sensors.md 7, fuel-analytics.md 1)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from app.fuel.arrays import Floats
from app.fuel.errors import FuelError

LARGEST_STEP = 0.10
LARGEST_SLOPE_RATIO = 3.0
MOST_ROWS = 2_000
BEYOND = 0.05
"""How far outside the table a reading may lie, as a share of its span, before it is no reading."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a table that its maker should look at. ``row`` counts from 1."""

    row: int
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class TankTable:
    """Readings, strictly rising, and their litres, never falling. Between rows linear, outside them the end values."""

    raw: Floats
    litres: Floats

    @property
    def capacity_l(self) -> float:
        return float(self.litres[-1])

    def litres_of(self, readings: Floats) -> Floats:
        """Litres of readings; NaN for NaN and for readings more than 5 % of the span outside the table."""
        low, high = self.raw[0], self.raw[-1]
        slack = (high - low) * BEYOND
        litres = np.interp(readings, self.raw, self.litres)
        with np.errstate(invalid="ignore"):
            litres[~((readings >= low - slack) & (readings <= high + slack))] = np.nan
        return litres

    def rows(self) -> list[list[float]]:
        return [[float(a), float(b)] for a, b in zip(self.raw, self.litres, strict=True)]

    def check(self) -> tuple[Finding, ...]:
        """What is unlikely: a step of over 10 % of the tank, litres per count that jump by more than three times."""
        steps = np.diff(self.litres)
        slopes = steps / np.diff(self.raw)
        findings = [
            Finding(
                int(at) + 2, f"From row {at + 1} to row {at + 2} it rises by {steps[at]:.1f} L, over 10 % of the tank."
            )
            for at in np.flatnonzero(steps > LARGEST_STEP * self.capacity_l)
        ]
        for at in range(1, len(slopes)):
            low, high = sorted((slopes[at - 1], slopes[at]))
            if low <= 0 or high / low > LARGEST_SLOPE_RATIO:
                findings.append(
                    Finding(
                        at + 2, f"At row {at + 1} the litres per count change by more than three times; pour again."
                    )
                )
        return tuple(sorted(findings, key=lambda finding: finding.row))


def make_table(rows: Iterable[Sequence[float]]) -> TankTable:
    """A table from pairs of reading and litres, in any order. Raises FuelError naming the row that is wrong."""
    pairs = [(float(row[0]), float(row[1])) for row in rows]
    if len(pairs) < 2:
        raise FuelError("A tank table needs at least two rows: the reading when empty and the reading when full.")
    if len(pairs) > MOST_ROWS:
        raise FuelError(f"A tank table has at most {MOST_ROWS} rows; this one has {len(pairs)}.")
    if not np.isfinite(pairs).all():
        raise FuelError("A tank table holds numbers only; one of its cells is empty or infinite.")
    if pairs[0][0] > pairs[-1][0]:
        pairs.reverse()
    for number, (before, after) in enumerate(pairwise(pairs), start=2):
        if after[0] <= before[0]:
            raise FuelError(
                f"Row {number} of the tank table: the reading {after[0]:g} is not above the one before, {before[0]:g}. "
                "Readings must rise from row to row; delete or pour that row again."
            )
        if after[1] < before[1]:
            raise FuelError(
                f"Row {number} of the tank table: {after[1]:g} L is less than the row before, {before[1]:g} L. "
                "Litres must not fall while the reading rises."
            )
    if pairs[0][1] < 0:
        raise FuelError("The tank table begins below 0 L.")
    raw, litres = np.array(pairs, dtype=np.float64).T
    if litres[-1] <= litres[0]:
        raise FuelError("The tank table holds the same litres in every row.")
    return TankTable(raw, litres)


def percent_table(capacity_l: float) -> TankTable:
    """The table of a sensor that tells percent. Raises FuelError for a tank without a size."""
    if not 0 < capacity_l < 1e6:
        raise FuelError("A sensor that tells percent needs the capacity of its tank in litres.")
    return TankTable(np.array([0.0, 100.0]), np.array([0.0, capacity_l]))


def identity_table(capacity_l: float) -> TankTable:
    """The table of a sensor that tells litres."""
    return TankTable(np.array([0.0, capacity_l]), np.array([0.0, capacity_l]))
