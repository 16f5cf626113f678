"""DM1: the trouble codes that are active now (fuel-sensors.md 3)."""

from __future__ import annotations

from dataclasses import dataclass

FUEL_LEVEL_SPN = 96
_ELECTRICAL = {3: "voltage above normal, or shorted high", 4: "voltage below normal, or shorted low"}


@dataclass(frozen=True, slots=True)
class TroubleCode:
    """A fault: which signal, how it fails, how often it was seen."""

    spn: int
    fmi: int
    count: int

    @property
    def is_fuel_sensor_fault(self) -> bool:
        """The wiring of the tank's own sender is at fault."""
        return self.spn == FUEL_LEVEL_SPN and self.fmi in _ELECTRICAL


def read_dm1(data: bytes) -> tuple[TroubleCode, ...]:
    """The codes behind the two lamp bytes; the all-zero code means that there is none."""
    codes = []
    for at in range(2, len(data) - 3, 4):
        low, mid, high, last = data[at : at + 4]
        code = TroubleCode(high >> 5 << 16 | mid << 8 | low, high & 0x1F, last & 0x7F)
        if (code.spn, code.fmi) != (0, 0) and data[at : at + 4] != b"\xff\xff\xff\xff":
            codes.append(code)
    return tuple(codes)
