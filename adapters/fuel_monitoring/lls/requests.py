"""Requests to sensors of the LLS family, ready to be sent (fuel-sensors.md 1.3 and 1.7).

Only documented commands are here. Numbers out of range raise ValueError.
"""

from __future__ import annotations

from adapters.fuel_monitoring.lls.frames import TO_SENSOR, build

READ, PERIODIC, FILTER, HISTORY, SETTINGS, INTERVAL, POWER_UP = 0x06, 0x07, 0x0E, 0x0F, 0x10, 0x13, 0x17
EDE_OPAQUE, EDE_IDENTITY, EDE_VOLTAGE, EDE_PERIOD, EDE_MODE, EDE_ADDRESS = 0x41, 0x42, 0x50, 0x54, 0x55, 0x56
LONGEST_FILTER = 20
POWER_UP_MODES = {0: "none (polled)", 1: "binary", 2: "text"}
MEANINGS = {
    READ: "single read",
    PERIODIC: "start periodic output",
    INTERVAL: "set periodic interval",
    POWER_UP: "set power-up output mode",
    FILTER: "set filter length",
    SETTINGS: "read settings",
    HISTORY: "read history",
    EDE_OPAQUE: "read production data",
    EDE_IDENTITY: "read serial number",
    EDE_VOLTAGE: "read supply voltage",
    EDE_PERIOD: "set output period",
    EDE_MODE: "set output mode",
    EDE_ADDRESS: "set network address",
}
ARGUMENTS = {
    INTERVAL: "interval_s",
    POWER_UP: "mode",
    FILTER: "filter_length",
    EDE_PERIOD: "period_s",
    EDE_MODE: "mode_bits",
    EDE_ADDRESS: "new_address",
}
"""What the one byte of a request says."""


def read_once(address: int) -> bytes:
    return build(TO_SENSOR, address, READ)


def read_settings(address: int) -> bytes:
    return build(TO_SENSOR, address, SETTINGS)


def read_history(address: int) -> bytes:
    return build(TO_SENSOR, address, HISTORY)


def set_interval(address: int, interval_s: int) -> bytes:
    """0 stops periodic output."""
    return build(TO_SENSOR, address, INTERVAL, _byte("interval", interval_s, 0, 255))


def set_filter(address: int, length: int) -> bytes:
    return build(TO_SENSOR, address, FILTER, _byte("filter length", length, 0, LONGEST_FILTER))


def set_power_up_mode(address: int, mode: int) -> bytes:
    """0 polled, 1 binary, 2 text; 1 and 2 only where one sensor is on the line."""
    return build(TO_SENSOR, address, POWER_UP, _byte("output mode", mode, 0, 2))


def ede_opaque(address: int) -> bytes:
    return build(TO_SENSOR, address, EDE_OPAQUE)


def ede_identity(address: int) -> bytes:
    return build(TO_SENSOR, address, EDE_IDENTITY)


def ede_voltage(address: int) -> bytes:
    return build(TO_SENSOR, address, EDE_VOLTAGE)


def ede_period(address: int, period_s: int) -> bytes:
    return build(TO_SENSOR, address, EDE_PERIOD, _byte("period", period_s, 0, 255))


def ede_mode(address: int, bits: int) -> bytes:
    """Bit 0: periodic output after a restart; bit 1: text protocol allowed."""
    return build(TO_SENSOR, address, EDE_MODE, _byte("mode", bits, 0, 255))


def ede_address(address: int, new: int) -> bytes:
    """The answer still comes from the old address."""
    return build(TO_SENSOR, address, EDE_ADDRESS, _byte("address", new, 1, 254))


def _byte(what: str, value: int, least: int, most: int) -> bytes:
    if not least <= value <= most:
        raise ValueError(f"the {what} must be {least} to {most}, not {value}")
    return bytes((value,))
