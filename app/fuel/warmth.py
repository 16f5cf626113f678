"""Litres as they would be at 15 °C (fuel-analytics.md 1)."""

from __future__ import annotations

import numpy as np

from app.fuel.arrays import Floats
from app.fuel.parameters import Parameters

STANDARD_C = 15.0
STEADY_S = 7_200.0
"""A sensor tells the temperature of its head: over so long a time it follows the fuel."""
_PETROL, _JET, _DIESEL = (346.4228, 0.4388), (594.5418, 0.0), (186.9696, 0.4862)
_JET_FROM, _DIESEL_FROM = 787.0, 839.0


def at_15_c(litres: Floats, temperature_c: Floats, parameters: Parameters) -> Floats:
    """Litres at 15 °C of litres at a temperature; unchanged where that is not known."""
    above = np.nan_to_num(temperature_c, nan=STANDARD_C) - STANDARD_C
    if parameters.temperature_correction == "linear":
        return litres / (1 + parameters.beta_per_c * above)
    alpha = expansion_per_c(parameters.density_kg_m3)
    corrected: Floats = litres * np.exp(-alpha * above * (1 + 0.8 * alpha * above))
    return corrected


def expansion_per_c(density_kg_m3: float) -> float:
    """The coefficient of tables 54B for a fuel's density at 15 °C: petrol, jet fuel, diesel and heating oil."""
    k0, k1 = _DIESEL if density_kg_m3 >= _DIESEL_FROM else _JET if density_kg_m3 >= _JET_FROM else _PETROL
    return k0 / density_kg_m3**2 + k1 / density_kg_m3


def steady_temperature(time_s: Floats, temperature_c: Floats) -> Floats:
    """The mean of what was told within the two hours before each moment; NaN where nothing was."""
    known = np.isfinite(temperature_c)
    if not known.any():
        return np.full(len(time_s), np.nan)
    sums = np.append(0.0, np.cumsum(np.where(known, temperature_c, 0.0)))
    counts = np.append(0, np.cumsum(known))
    first = np.searchsorted(time_s, time_s - STEADY_S)
    here = np.arange(1, len(time_s) + 1)
    number = counts[here] - counts[first]
    steady: Floats = np.where(number > 0, (sums[here] - sums[first]) / np.maximum(number, 1), np.nan)
    return steady
