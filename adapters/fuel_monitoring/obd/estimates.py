"""Fuel from air flow: an estimate, and always called one (fuel-sensors.md 5)."""

from __future__ import annotations

from typing import Final

PETROL_AFR: Final = 14.7
PETROL_G_L: Final = 745.0
DIESEL_AFR: Final = 14.5
DIESEL_G_L: Final = 832.0
_MOLAR_AIR = 28.97
_GAS = 8.314


def fuel_from_air_l_h(
    maf_g_s: float,
    fuel: str,
    *,
    afr: float | None = None,
    density_g_l: float | None = None,
    equivalence_ratio: float | None = None,
) -> float | None:
    """Litres per hour. None for diesel without a measured lambda: a diesel runs lean and nothing can be said.

    ``equivalence_ratio`` is lambda as PID 44 gives it, 1 for a stoichiometric mixture.
    """
    if fuel == "diesel":
        if not equivalence_ratio:
            return None
        return maf_g_s * 3600 / ((afr or DIESEL_AFR) * equivalence_ratio * (density_g_l or DIESEL_G_L))
    return maf_g_s * 3600 / ((afr or PETROL_AFR) * (equivalence_ratio or 1.0) * (density_g_l or PETROL_G_L))


def air_flow_g_s(
    rpm: float, manifold_kpa: float, intake_c: float, displacement_l: float, *, volumetric_efficiency: float = 0.8
) -> float:
    """Air flow where there is no meter; easily 20 % wrong."""
    kelvin = intake_c + 273.15
    return rpm * manifold_kpa / kelvin / 120 * volumetric_efficiency * displacement_l * _MOLAR_AIR / _GAS
