"""What sensors of the LLS family answer (fuel-sensors.md 1.3 and 1.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from adapters.errors import BadReply
from adapters.fuel_monitoring.lls import requests
from adapters.fuel_monitoring.lls.crc import crc8
from adapters.fuel_monitoring.lls.frames import LlsFrame
from adapters.records import FuelStatus

RECORD_BYTES: Final = 15
_VOLT: Final = 4667.8
_NO_DATA: Final = 0xFFFF
HISTORY_TYPES: Final = {
    0: "address", 1: "baud rate", 2: "level minimum", 3: "level maximum", 4: "filter", 5: "output mode",
    6: "interval", 7: "CNT1 empty", 8: "CNT2 full", 10: "programmed",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measurement:
    """``level`` is in the sensor's own scale, ``frequency`` the count before scaling."""

    temperature_c: int
    level: int
    frequency: int

    @property
    def status(self) -> FuelStatus:
        """0 with count 0 and FFFFh everywhere are a broken probe; FFFFh alone is beyond every scale."""
        if (self.level, self.frequency) in ((0, 0), (_NO_DATA, _NO_DATA)):
            return "error"
        return "out_of_range" if self.level == _NO_DATA else "ok"


@dataclass(frozen=True, slots=True)
class Ack:
    """0 done, 1 cannot be done."""

    return_code: int

    @property
    def ok(self) -> bool:
        return self.return_code == 0


@dataclass(frozen=True, slots=True)
class LlsSettings:
    """What a sensor tells of itself; the counts at empty and full are 24-bit."""

    model: str
    firmware: str
    output_mode: int
    interval_s: int
    filter_length: int
    level_min: int
    level_max: int
    cnt_empty: int
    cnt_full: int


@dataclass(frozen=True, slots=True)
class HistoryRecord:
    """One change of a setting. ``kind`` is a key of :data:`HISTORY_TYPES`; ``ok``: its own checksum holds."""

    number: int
    kind: int
    unix_time: int
    value: int
    ok: bool


@dataclass(frozen=True, slots=True)
class History:
    records: tuple[HistoryRecord, ...]


@dataclass(frozen=True, slots=True)
class EdeIdentity:
    """Production date, serial and codes of an EDE sensor."""

    year: int
    month: int
    day: int
    serial: int
    model_code: int
    firmware: int


@dataclass(frozen=True, slots=True)
class EdeVoltage:
    volts: float


Reply = Measurement | Ack | LlsSettings | History | EdeIdentity | EdeVoltage


def read_reply(frame: LlsFrame) -> Reply:
    """What a frame from a sensor says. Raises BadReply for a command or a length that is not known."""
    data, command = frame.data, frame.command
    if command in (requests.READ, requests.PERIODIC) and len(data) == 5:
        return Measurement(
            int.from_bytes(data[:1], "little", signed=True),
            int.from_bytes(data[1:3], "little"),
            int.from_bytes(data[3:5], "little"),
        )
    if command == requests.HISTORY and len(data) >= 2:
        return History(_records(data[2:]))
    if command == requests.SETTINGS and len(data) == 40:
        return _settings(data)
    if command == requests.EDE_IDENTITY and len(data) == 8:
        return _identity(data)
    if command == requests.EDE_VOLTAGE and len(data) == 2:
        return EdeVoltage(int.from_bytes(data, "little") / _VOLT)
    if len(data) == 1:
        return Ack(data[0])
    raise BadReply(f"The sensor answered command {command:02X}h in a form that is not documented.", frame.raw.hex())


def _settings(data: bytes) -> LlsSettings:
    return LlsSettings(
        model=_text(data[:16]),
        firmware=_text(data[16:27]),
        output_mode=data[27],
        interval_s=data[28],
        filter_length=data[29],
        level_min=int.from_bytes(data[30:32], "little"),
        level_max=int.from_bytes(data[32:34], "little"),
        cnt_empty=int.from_bytes(data[34:37], "little"),
        cnt_full=int.from_bytes(data[37:40], "little"),
    )


def _records(data: bytes) -> tuple[HistoryRecord, ...]:
    return tuple(
        HistoryRecord(
            int.from_bytes(part[0:4], "little"),
            int.from_bytes(part[4:6], "little"),
            int.from_bytes(part[6:10], "little"),
            int.from_bytes(part[10:14], "little"),
            crc8(part) == 0,
        )
        for part in (data[at : at + RECORD_BYTES] for at in range(0, len(data) - RECORD_BYTES + 1, RECORD_BYTES))
    )


def _identity(data: bytes) -> EdeIdentity:
    return EdeIdentity(
        year=2000 + data[0],
        month=data[1] + 1,
        day=data[2],
        serial=int.from_bytes(data[3:6], "little"),
        model_code=data[6],
        firmware=data[7],
    )


def _text(data: bytes) -> str:
    return "".join(chr(byte) for byte in data.rstrip(b"\x00") if 0x20 <= byte < 0x7F).strip()
