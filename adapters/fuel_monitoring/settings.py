"""What an operator enters for one port: what hangs on it, and in which tanks its sensors are.

One integration is one port (docs/decisions/0080). Its sensors are one line of text, ``1, 2 = left tank``, so that the
window and the command line take the same words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from pydantic import ValidationInfo, field_validator

from adapters.base import Settings, setting
from adapters.records import FuelUnit

Protocol = Literal["lls", "ede", "modbus", "escort_td500", "slcan", "gvret", "elm327"]

_ON_A_BUS: Final = ("lls", "ede", "modbus", "escort_td500")
_BRIDGES: Final = ("slcan", "gvret")
_NUMBERS: Final[Mapping[str, range]] = {
    **dict.fromkeys(("lls", "ede"), range(1, 255)),
    **dict.fromkeys(("modbus", "escort_td500"), range(1, 248)),
    **dict.fromkeys(_BRIDGES, range(1, 4)),
    "elm327": range(1, 2),
}
_WHAT: Final[Mapping[str, str]] = {
    **dict.fromkeys(_ON_A_BUS, "The address of a sensor"),
    **dict.fromkeys(_BRIDGES, "A level of the CAN bus"),
    "elm327": "The level of an OBD adapter",
}
USUAL_SPEEDS: Final[Mapping[str, int]] = {
    "lls": 19_200, "ede": 19_200, "modbus": 9_600, "escort_td500": 19_200,
    "slcan": 115_200, "gvret": 115_200, "elm327": 38_400,
}  # fmt: skip
_MOST_SENSORS: Final = 32
_LONGEST_PLATE: Final = 40
"""As long as a vehicle's plate may be."""
_LONGEST_TANK: Final = 100
_PART = re.compile(r"\s*(\d{1,3})\s*(?:=\s*(.*\S))?\s*")


@dataclass(frozen=True, slots=True)
class Target:
    """One sensor of a port: its address, the level's number on a CAN bus; ``vehicle`` and ``tank`` may be ""."""

    number: int
    vehicle: str
    tank: str

    @property
    def shown(self) -> str:
        return f"{self.number} ({self.tank})" if self.tank else str(self.number)


class FuelSettings(Settings):
    """One port and what is read through it."""

    protocol: Protocol = setting(
        "Sensors",
        "choice",
        default="lls",
        help="What is plugged in. The sensor workbench finds it out.",
        choices={
            "lls": "RS-485: LLS and compatible",
            "ede": "RS-485: Epsilon EDE",
            "modbus": "RS-485: Modbus RTU, also analogue inputs",
            "escort_td500": "RS-485: Escort TD-500 (Modbus)",
            "slcan": "CAN bus: SLCAN bridge",
            "gvret": "CAN bus: GVRET bridge",
            "elm327": "OBD-II: ELM327 adapter",
        },
    )
    port: str = setting(
        "Port",
        "serial_port",
        help="Where the adapter is plugged in, or a serial server as socket://host:port or rfc2217://host:port.",
        example="/dev/ttyUSB0",
        min_length=1,
        max_length=200,
    )
    vehicle: str = setting(
        "Vehicle",
        "text",
        default="",
        help="Its plate. Left empty, the sensors wait on the Fuel page until they are given to a tank.",
        example="KAN-101-XA",
        max_length=_LONGEST_PLATE,
    )
    sensors: str = setting(
        "Sensors and tanks",
        "text",
        default="1",
        help=(
            "Address = tank, with commas between. On a CAN bus 1 and 2 are the two fuel levels and 3 is the signal of "
            "a DBC file; OBD has 1 alone. A tank of another vehicle is written as plate / tank."
        ),
        example="1 = left tank, 2 = right tank",
        min_length=1,
        max_length=2_000,
    )
    speed: Literal["usual", "1200", "2400", "4800", "9600", "19200", "38400", "57600", "115200"] = setting(
        "Speed of the port",
        "choice",
        default="usual",
        help="Usual is 19200 for LLS, 9600 for Modbus, 38400 for OBD, 115200 for CAN bridges.",
        choices={
            "usual": "Usual for these sensors",
            **{str(speed): f"{speed} baud" for speed in (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200)},
        },
    )
    bit_rate: Literal["250000", "500000", "125000", "1000000"] = setting(
        "Bit rate of the CAN bus",
        "choice",
        default="250000",
        help="Lorries have 250 kbit/s, newer ones 500. The bus is only listened to, nothing is ever sent on it.",
        choices={"250000": "250 kbit/s", "500000": "500 kbit/s", "125000": "125 kbit/s", "1000000": "1000 kbit/s"},
        shown_when={"protocol": _BRIDGES},
    )
    dbc: str = setting(
        "DBC file",
        "file",
        default="",
        help="For a level sensor with messages of its own: the maker's file that describes them.",
        max_length=1_000,
        shown_when={"protocol": _BRIDGES},
    )
    dbc_signal: str = setting(
        "Signal of the DBC file",
        "text",
        default="",
        help="The level, as message.signal. It is number 3 among the sensors.",
        example="TankProbe.Level",
        max_length=120,
        shown_when={"protocol": _BRIDGES},
    )
    dbc_unit: Literal["percent", "litres", "counts", "millimetres", "volts"] = setting(
        "Unit of that signal",
        "choice",
        default="percent",
        choices={
            "percent": "Percent of the tank",
            "litres": "Litres",
            "counts": "Counts",
            "millimetres": "Millimetres",
            "volts": "Volts",
        },
        shown_when={"protocol": _BRIDGES},
    )
    register_map: str = setting(
        "Register map",
        "file",
        default="cap_10",
        help="cap_10, stationary, or a JSON file that names the registers.",
        example="cap_10",
        max_length=4_000,
        shown_when={"protocol": ("modbus",)},
    )
    unit: Literal["counts", "litres_10", "percent_10", "millimetres_10"] = setting(
        "Unit of the level",
        "choice",
        default="counts",
        help="Counts unless the sensor was set up to send litres, percent or millimetres.",
        choices={
            "counts": "Counts of its scale",
            "litres_10": "Tenths of a litre",
            "percent_10": "Tenths of a percent",
            "millimetres_10": "Tenths of a millimetre",
        },
        shown_when={"protocol": ("lls", "ede")},
    )
    period_s: float = setting(
        "Read every",
        "number",
        default=10.0,
        help="How often each sensor is read and kept. 10 s shows every drain; shorter periods fill the disk.",
        unit="s",
        ge=0.1,
        le=3600.0,
        tab="sync",
    )

    @field_validator("sensors")
    @classmethod
    def _are_sensors(cls, text: str, info: ValidationInfo) -> str:
        protocol = info.data.get("protocol")
        if protocol is not None:
            read_sensors(text, str(protocol), "")
        return text

    @property
    def targets(self) -> tuple[Target, ...]:
        return read_sensors(self.sensors, self.protocol, self.vehicle)

    @property
    def line_speed(self) -> int:
        return USUAL_SPEEDS[self.protocol] if self.speed == "usual" else int(self.speed)

    @property
    def level_unit(self) -> FuelUnit:
        """What a level is counted in; a register map has a unit of its own."""
        units: dict[str, FuelUnit] = {
            "litres_10": "litres",
            "percent_10": "percent",
            "millimetres_10": "millimetres",
        }
        if self.protocol in (*_BRIDGES, "elm327"):
            return "percent"
        return units.get(self.unit, "counts") if self.protocol in ("lls", "ede") else "counts"

    @property
    def per_unit(self) -> int:
        """So many units of the sensor are one of :attr:`level_unit`."""
        return 1 if self.protocol not in ("lls", "ede") or self.unit == "counts" else 10


def read_sensors(text: str, protocol: str, vehicle: str) -> tuple[Target, ...]:
    """``1, 2 = left tank, 3 = KAN-102-XA / main``. Raises ValueError with a sentence."""
    allowed = _NUMBERS[protocol]
    found: dict[int, Target] = {}
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(f"“{part.strip()[:40]}” is no sensor: write address = tank, with commas between.")
        number = int(match[1])
        if number not in allowed:
            only = f"{allowed[0]} to {allowed[-1]}" if len(allowed) > 1 else str(allowed[0])
            raise ValueError(f"{_WHAT[protocol]} is {only}, not {number}.")
        if number in found:
            raise ValueError(f"Sensor {number} is named twice.")
        plate, slash, tank = (match[2] or "").partition("/")
        found[number] = Target(number, plate.strip(), tank.strip()) if slash else Target(number, vehicle, plate.strip())
        if len(found[number].vehicle) > _LONGEST_PLATE:
            raise ValueError(f"The plate behind sensor {number} is longer than {_LONGEST_PLATE} characters.")
        if len(found[number].tank) > _LONGEST_TANK:
            raise ValueError(f"The tank behind sensor {number} is longer than {_LONGEST_TANK} characters.")
    if len(found) > _MOST_SENSORS:
        raise ValueError(f"More than {_MOST_SENSORS} sensors do not fit on one line.")
    return tuple(found.values())
