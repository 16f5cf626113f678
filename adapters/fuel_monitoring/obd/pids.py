"""Parameters of OBD-II mode 1 as far as fuel needs them (fuel-sensors.md 5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Pid:
    """One parameter: how many bytes, what they mean."""

    pid: int
    name: str
    size: int
    value: Callable[[bytes], float]
    unit: str


def _word(data: bytes) -> int:
    return data[0] << 8 | data[1]


PIDS: Final = {
    one.pid: one
    for one in (
        Pid(0x0B, "manifold pressure", 1, lambda d: d[0], "kPa"),
        Pid(0x0C, "engine speed", 2, lambda d: _word(d) / 4, "rpm"),
        Pid(0x0D, "speed", 1, lambda d: d[0], "km/h"),
        Pid(0x0F, "intake temperature", 1, lambda d: d[0] - 40, "°C"),
        Pid(0x10, "air flow", 2, lambda d: _word(d) / 100, "g/s"),
        Pid(0x2F, "fuel level", 1, lambda d: d[0] * 100 / 255, "%"),
        Pid(0x44, "equivalence ratio", 2, lambda d: _word(d) / 32_768, ""),
        Pid(0x51, "fuel type", 1, lambda d: d[0], ""),
        Pid(0x5E, "fuel rate", 2, lambda d: _word(d) / 20, "L/h"),
    )
}
FUEL_TYPES: Final = {1: "petrol", 2: "methanol", 3: "ethanol", 4: "diesel", 5: "LPG", 6: "CNG", 8: "electric"}
MASKS: Final = (0x00, 0x20, 0x40, 0x60, 0x80, 0xA0, 0xC0)


def supported_pids(mask_pid: int, mask: bytes) -> tuple[int, ...]:
    """Which of the 32 parameters behind ``mask_pid`` exist; the last of them is the next mask."""
    bits = int.from_bytes(mask[:4], "big")
    return tuple(mask_pid + 1 + at for at in range(32) if bits >> (31 - at) & 1)
