"""What a level of the LLS family is counted in: chosen by whoever knows how the sensor was set up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from adapters.errors import SettingsInvalid


@dataclass(frozen=True, slots=True)
class Unit:
    """``per`` units of the sensor are one of the shown unit."""

    label: str
    per: int

    def value_of(self, level: int) -> float:
        return level / self.per


UNITS: Final = {
    "counts": Unit("", 1),
    "litres_10": Unit("L", 10),
    "percent_10": Unit("%", 10),
    "millimetres_10": Unit("mm", 10),
}


def scaled(key: str) -> Unit:
    """Raises SettingsInvalid for a unit that is none."""
    try:
        return UNITS[key]
    except KeyError:
        raise SettingsInvalid("unit", f"There is no unit “{key}”. Use one of: {', '.join(UNITS)}.") from None


def beyond_scale(level: int) -> str:
    """Why there is no level though the sensor gave a number."""
    return f"The sensor says {level}, which is beyond every scale: its probe is broken, or it has no data yet."
