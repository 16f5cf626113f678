"""Fuel from air flow: an estimate, and always called one (fuel-sensors.md 5)."""

from __future__ import annotations

from typing import Final

_AIR_TO_FUEL: Final = {"petrol": 14.7, "diesel": 14.5}
_DENSITY_G_L: Final = {"petrol": 745.0, "diesel": 832.0}


def fuel_from_air_l_h(air_g_s: float, fuel: str, equivalence_ratio: float | None = None) -> float | None:
    """Litres per hour. ``equivalence_ratio`` is lambda as PID 44 gives it, 1 for a stoichiometric mixture.

    None for other fuels, and for diesel without lambda: a diesel runs lean and nothing can be said.
    """
    if fuel not in _AIR_TO_FUEL or (fuel == "diesel" and not equivalence_ratio):
        return None
    return air_g_s * 3600 / (_AIR_TO_FUEL[fuel] * (equivalence_ratio or 1.0) * _DENSITY_G_L[fuel])
