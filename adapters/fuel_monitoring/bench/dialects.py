"""The languages that the workbench speaks."""

from __future__ import annotations

from typing import Final

from adapters.bench import Dialect
from adapters.errors import SettingsInvalid

SERIAL_SPEEDS: Final = (19_200, 9_600, 4_800, 2_400, 1_200, 38_400, 57_600, 115_200)
CAN_SPEEDS: Final = (250_000, 500_000, 125_000, 1_000_000)

_LISTENS = "A vehicle's bus is only listened to: nothing is ever sent on it."
_TEXT = "The text mode knows no commands; write with the binary dialect."
_MODBUS = "Registers are read only: the makers' writes differ by model. Use the maker's own program."

DIALECTS: Final = (
    Dialect("lls", "LLS and compatible (RS-485, RS-232)", "rs485", SERIAL_SPEEDS, 19_200, range(1, 255)),
    Dialect("ede", "Epsilon EDE", "rs485", SERIAL_SPEEDS, 19_200, range(1, 255)),
    Dialect("lls_text", "LLS text lines, one sensor", "rs485", SERIAL_SPEEDS, 19_200, range(1), _TEXT),
    Dialect("modbus", "Modbus RTU by register map", "rs485", SERIAL_SPEEDS, 9_600, range(1, 248), _MODBUS),
    Dialect("escort_td500", "Escort TD-500, Modbus", "rs485", (19_200,), 19_200, range(1, 248), _MODBUS),
    Dialect("slcan", "CAN bridge, SLCAN (J1939)", "can", CAN_SPEEDS, 250_000, range(256), _LISTENS),
    Dialect("gvret", "CAN bridge, GVRET (J1939)", "can", CAN_SPEEDS, 250_000, range(256), _LISTENS),
    Dialect(
        "elm327",
        "OBD-II adapter, ELM327",
        "obd",
        (38_400, 9_600, 115_200, 57_600),
        38_400,
        range(2_048),
        "The vehicle's own fuel gauge is only read.",
    ),
)
_BY_KEY = {one.key: one for one in DIALECTS}


def dialect_of(key: str) -> Dialect:
    """Raises SettingsInvalid for a key that is none."""
    try:
        return _BY_KEY[key]
    except KeyError:
        raise SettingsInvalid("dialect", f"There is no dialect “{key}”. Use one of: {', '.join(_BY_KEY)}.") from None
