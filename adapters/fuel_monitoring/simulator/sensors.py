"""Sensors of a simulated bus: what each answers to bytes that it hears (fuel-sensors.md 1 and 2)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from adapters.fuel_monitoring.lls import requests
from adapters.fuel_monitoring.lls.crc import crc8
from adapters.fuel_monitoring.lls.frames import FROM_SENSOR, LlsFrame, build
from adapters.fuel_monitoring.modbus import rtu

Source = Callable[[], float]
"""A value as it is in this moment, e.g. the level in the tank of a driven vehicle."""

BINARY, TEXT = 1, 2
_DONE, _CANNOT = b"\x00", b"\x01"


class Sensor(Protocol):
    """What hangs on the bus. ``delay_s`` is how long it thinks before it answers."""

    delay_s: float

    def answer_lls(self, request: LlsFrame) -> bytes | None: ...

    def answer_modbus(self, request: bytes) -> bytes | None: ...

    def answer_text(self) -> bytes | None: ...

    def spontaneous(self) -> tuple[float, bytes] | None:
        """What it says unasked, and every how many of its seconds; None while it waits to be asked."""
        ...


@dataclass(slots=True)
class LlsSensor:
    """An LLS on RS-485. ``level`` is in units of its scale. Clones that answer 06h alone have no ``knows_settings``."""

    address: int
    level: Source = lambda: 2048.0
    temperature_c: Source = lambda: 21.0
    delay_s: float = 0.004
    model: str = "LLS 30160"
    firmware: str = "LLS-AF 1.24"
    output_mode: int = 0
    interval_s: int = 1
    filter_length: int = 5
    level_min: int = 0
    level_max: int = 4095
    cnt_empty: int = 1200
    cnt_full: int = 3900
    knows_settings: bool = True
    refuses_writes: bool = False
    forgets_writes: bool = False
    history: list[tuple[int, int, int, int]] = field(default_factory=list)  # number, type, unix time, value
    is_talking: int = 0

    def __post_init__(self) -> None:
        self.is_talking = self.output_mode
        self._remember(0x0A, 1)
        self._remember(0, self.address)

    def measurement(self) -> bytes:
        level = min(max(round(self.level()), self.level_min), self.level_max)
        temperature = min(max(round(self.temperature_c()), -128), 127)
        return (
            temperature.to_bytes(1, "little", signed=True)
            + level.to_bytes(2, "little")
            + (self._count(level) & 0xFFFF).to_bytes(2, "little")
        )

    def answer_lls(self, request: LlsFrame) -> bytes | None:
        if request.address != self.address:
            return None
        self.is_talking = 0  # any valid command stops periodic output
        data = self._data(request.command, request.data)
        return None if data is None else build(FROM_SENSOR, self.address, request.command, data)

    def answer_modbus(self, request: bytes) -> bytes | None:  # noqa: ARG002 - another language
        return None

    def answer_text(self) -> bytes | None:
        return self._line()

    def spontaneous(self) -> tuple[float, bytes] | None:
        if not self.is_talking or not self.interval_s:
            return None
        if self.is_talking == TEXT:
            return self.interval_s, self._line()
        return self.interval_s, build(FROM_SENSOR, self.address, requests.PERIODIC, self.measurement())

    def _count(self, level: int) -> int:
        share = (level - self.level_min) / max(self.level_max - self.level_min, 1)
        return round(self.cnt_empty + share * (self.cnt_full - self.cnt_empty))

    def _line(self) -> bytes:
        data = self.measurement()
        level, count = int.from_bytes(data[1:3], "little"), int.from_bytes(data[3:5], "little")
        return f"F={count:04X} t={data[0]:02X} N={level:04X}.0\r\n".encode()

    def _data(self, command: int, given: bytes) -> bytes | None:
        if command == requests.READ:
            return self.measurement()
        if command == requests.PERIODIC:
            self.is_talking = BINARY
            return _DONE
        if not self.knows_settings:
            return None
        if command == requests.SETTINGS:
            return self._settings()
        if command == requests.HISTORY:
            records = b"".join(_record(*one) for one in self.history)
            return len(records).to_bytes(2, "little") + records
        return self._write(command, given[0]) if len(given) == 1 else None

    def _write(self, command: int, value: int) -> bytes | None:
        names = {
            requests.FILTER: ("filter_length", 20, 4),
            requests.INTERVAL: ("interval_s", 255, 6),
            requests.POWER_UP: ("output_mode", 2, 5),
        }
        if command not in names:
            return None
        name, most, kind = names[command]
        if self.refuses_writes or value > most:
            return _CANNOT
        if not self.forgets_writes:
            setattr(self, name, value)
            self._remember(kind, value)
        return _DONE

    def _remember(self, kind: int, value: int) -> None:
        self.history.append((len(self.history) + 1, kind, int(time.time()), value))

    def _settings(self) -> bytes:
        return (
            self.model.encode().ljust(16, b"\x00")[:16]
            + self.firmware.encode().ljust(11, b"\x00")[:11]
            + bytes((self.output_mode, self.interval_s, self.filter_length))
            + self.level_min.to_bytes(2, "little")
            + self.level_max.to_bytes(2, "little")
            + self.cnt_empty.to_bytes(3, "little")
            + self.cnt_full.to_bytes(3, "little")
        )


def _record(number: int, kind: int, unix_time: int, value: int) -> bytes:
    body = b"".join(
        part.to_bytes(size, "little") for part, size in ((number, 4), (kind, 2), (unix_time, 4), (value, 4))
    )
    return body + bytes((crc8(body),))


@dataclass(slots=True)
class EdeSensor(LlsSensor):
    """An EDE sensor: LLS reading, its own writes, an address that can be set."""

    serial: int = 123_456
    volts: Source = lambda: 12.6
    mode_bits: int = 0

    def _data(self, command: int, given: bytes) -> bytes | None:
        if command == requests.READ:
            return self.measurement()
        if command == requests.EDE_IDENTITY:
            return bytes((24, 4, 17)) + self.serial.to_bytes(3, "little") + b"\x07\x15"
        if command == requests.EDE_OPAQUE:
            calibration = self.cnt_empty.to_bytes(3, "little") + self.cnt_full.to_bytes(3, "little")
            head = bytes((24, 4, 17)) + self.serial.to_bytes(3, "little") + b"\x07\x15" + calibration
            return head + bytes((self.address, self.interval_s, self.mode_bits))
        if command == requests.EDE_VOLTAGE:
            return round(self.volts() * 4667.8).to_bytes(2, "little")
        return self._write(command, given[0]) if len(given) == 1 else None

    def answer_lls(self, request: LlsFrame) -> bytes | None:
        if request.address != self.address:
            return None
        old, data = self.address, self._data(request.command, request.data)
        return None if data is None else build(FROM_SENSOR, old, request.command, data)

    def _write(self, command: int, value: int) -> bytes | None:
        names = {
            requests.EDE_PERIOD: "interval_s",
            requests.EDE_MODE: "mode_bits",
            requests.EDE_ADDRESS: "address",
        }
        if command not in names:
            return None
        if self.refuses_writes:
            return _CANNOT
        if not self.forgets_writes:
            setattr(self, names[command], value)
            if command == requests.EDE_MODE:
                self.is_talking = 0  # holds after the next restart
        return _DONE


@dataclass(slots=True)
class ModbusSensor:
    """Registers on a bus. ``inputs`` are read with function 4, ``holding`` with 3 and written with 6."""

    address: int
    inputs: dict[int, Source] = field(default_factory=dict)
    holding: dict[int, int] = field(default_factory=dict)
    delay_s: float = 0.004

    @classmethod
    def cap_10(cls, address: int, percent: Source = lambda: 55.0, temperature_c: Source = lambda: 28.0) -> ModbusSensor:
        """A capacitive probe of the CAP-10 type, with its documented registers."""
        inputs: dict[int, Source] = {
            0: lambda: percent() * 10,
            1: lambda: percent() * 10,
            2: lambda: percent() * 200,
            3: lambda: temperature_c() * 10,
            4: lambda: 12,
            5: lambda: 0,
        }
        return cls(address, inputs, {6: address, 7: 0, 8: 0})

    def answer_lls(self, request: LlsFrame) -> bytes | None:  # noqa: ARG002 - another language
        return None

    def answer_text(self) -> bytes | None:
        return None

    def spontaneous(self) -> tuple[float, bytes] | None:
        return None

    def answer_modbus(self, request: bytes) -> bytes | None:
        if request[0] != self.address:
            return None
        function, start = request[1], int.from_bytes(request[2:4], "big")
        last = int.from_bytes(request[4:6], "big")
        if function == rtu.WRITE_ONE:
            if start not in self.holding:
                return self._refusal(function, 2)
            self.holding[start] = last
            return request
        words = []
        for at in range(start, start + last):
            value = self._register(function, at)
            if value is None:
                return self._refusal(function, 2)
            words.append((value & 0xFFFF).to_bytes(2, "big"))
        return rtu.closed(bytes((self.address, function, 2 * last)) + b"".join(words))

    def _register(self, function: int, at: int) -> int | None:
        if function == rtu.READ_INPUT:
            return round(self.inputs[at]()) if at in self.inputs else None
        return self.holding.get(at)

    def _refusal(self, function: int, code: int) -> bytes:
        return rtu.closed(bytes((self.address, function | rtu.EXCEPTION, code)))


TD_500_REQUEST: Final = bytes.fromhex("0103000000044409")


@dataclass(slots=True)
class Td500Sensor:
    """An Escort TD-500 that speaks Modbus: it answers any read request, whatever its address."""

    address: int
    level: Source = lambda: 1500.0
    temperature_c: Source = lambda: 19.0
    delay_s: float = 0.004

    def answer_lls(self, request: LlsFrame) -> bytes | None:  # noqa: ARG002 - another language
        return None

    def answer_text(self) -> bytes | None:
        return None

    def spontaneous(self) -> tuple[float, bytes] | None:
        return None

    def answer_modbus(self, request: bytes) -> bytes | None:
        if request[1] != rtu.READ_HOLDING:
            return None
        temperature = round(self.temperature_c()).to_bytes(1, "big", signed=True)
        body = temperature + round(self.level()).to_bytes(2, "big") + bytes(5)
        return rtu.closed(bytes((self.address, rtu.READ_HOLDING, 8)) + body)
