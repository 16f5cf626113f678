"""J1939: identifiers, and the signals about fuel, engine and distance (fuel-sensors.md 3).

Reserved, error and not-available codes have a status of their own and never a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from adapters.fuel_monitoring.can.frame import CanFrame

SignalStatus = Literal["ok", "reserved", "error", "not_available", "missing"]
GLOBAL: Final = 255
REQUEST: Final = 59_904
TRANSPORT_CONTROL: Final = 60_416
TRANSPORT_DATA: Final = 60_160
DM1: Final = 65_226


@dataclass(frozen=True, slots=True)
class CanId:
    """The parts of a 29-bit identifier. ``destination`` is 255 where the message goes to all."""

    priority: int
    edp: int
    dp: int
    pf: int
    ps: int
    source: int
    pgn: int
    destination: int


@dataclass(frozen=True, slots=True)
class Spn:
    """One signal: its bytes (``at`` from 0, ``size`` 1, 2 or 4), scale, offset and unit."""

    spn: int
    name: str
    at: int
    size: int
    scale: float
    offset: float
    unit: str


@dataclass(frozen=True, slots=True)
class SignalValue:
    """``raw`` is None and ``status`` "missing" where the message was too short; ``value`` is None unless "ok"."""

    spn: int
    name: str
    raw: int | None
    status: SignalStatus
    value: float | None
    unit: str


PGNS: Final[dict[int, tuple[Spn, ...]]] = {
    65_276: (
        Spn(80, "washer fluid level", 0, 1, 0.4, 0, "%"),
        Spn(96, "fuel level 1", 1, 1, 0.4, 0, "%"),
        Spn(38, "fuel level 2", 6, 1, 0.4, 0, "%"),
    ),
    65_266: (
        Spn(183, "engine fuel rate", 0, 2, 0.05, 0, "L/h"),
        Spn(184, "instantaneous fuel economy", 2, 2, 1 / 512, 0, "km/L"),
        Spn(185, "average fuel economy", 4, 2, 1 / 512, 0, "km/L"),
        Spn(51, "throttle position", 6, 1, 0.4, 0, "%"),
    ),
    65_257: (Spn(182, "trip fuel", 0, 4, 0.5, 0, "L"), Spn(250, "total fuel used", 4, 4, 0.5, 0, "L")),
    64_777: (
        Spn(5053, "high resolution trip fuel", 0, 4, 0.001, 0, "L"),
        Spn(5054, "high resolution total fuel used", 4, 4, 0.001, 0, "L"),
    ),
    61_444: (Spn(190, "engine speed", 3, 2, 0.125, 0, "rpm"),),
    65_265: (Spn(84, "wheel-based vehicle speed", 1, 2, 1 / 256, 0, "km/h"),),
    65_217: (
        Spn(917, "high resolution total distance", 0, 4, 5, 0, "m"),
        Spn(918, "high resolution trip distance", 4, 4, 5, 0, "m"),
    ),
    65_248: (Spn(244, "trip distance", 0, 4, 0.125, 0, "km"), Spn(245, "total distance", 4, 4, 0.125, 0, "km")),
    65_253: (Spn(247, "total engine hours", 0, 4, 0.05, 0, "h"),),
    65_262: (
        Spn(110, "coolant temperature", 0, 1, 1, -40, "degC"),
        Spn(174, "fuel temperature 1", 1, 1, 1, -40, "degC"),
    ),
}


def split_id(can_id: int) -> CanId:
    """The parts of an identifier; from PF 240 on PS belongs to the PGN, below it is the destination."""
    edp, dp, pf, ps = can_id >> 25 & 1, can_id >> 24 & 1, can_id >> 16 & 0xFF, can_id >> 8 & 0xFF
    is_broadcast = pf >= 240
    pgn = edp << 17 | dp << 16 | pf << 8 | (ps if is_broadcast else 0)
    return CanId(can_id >> 26 & 7, edp, dp, pf, ps, can_id & 0xFF, pgn, GLOBAL if is_broadcast else ps)


def make_id(pgn: int, source: int, *, priority: int = 6) -> int:
    """The identifier of a message to all."""
    pf = pgn >> 8 & 0xFF
    ps = pgn & 0xFF if pf >= 240 else GLOBAL
    return priority << 26 | (pgn >> 16 & 3) << 24 | pf << 16 | ps << 8 | source


def decode_frame(frame: CanFrame) -> list[SignalValue]:
    """The signals of a frame; none for 11-bit and remote frames and for messages that say nothing of interest."""
    if not frame.extended or frame.remote:
        return []
    return decode_payload(split_id(frame.can_id).pgn, frame.data)


def decode_payload(pgn: int, data: bytes) -> list[SignalValue]:
    """The signals of a message, which may have come in several frames."""
    return [_signal(spn, data) for spn in PGNS.get(pgn, ())]


def status_of(raw: int, size: int) -> SignalStatus:
    """Told by the top byte: up to FAh a value, FEh error, FFh not available, between them reserved."""
    top = raw >> 8 * (size - 1)
    if top <= 0xFA:
        return "ok"
    return "not_available" if top == 0xFF else "error" if top == 0xFE else "reserved"


def _signal(spn: Spn, data: bytes) -> SignalValue:
    part = data[spn.at : spn.at + spn.size]
    if len(part) < spn.size:
        return SignalValue(spn.spn, spn.name, None, "missing", None, spn.unit)
    raw = int.from_bytes(part, "little")
    status = status_of(raw, spn.size)
    value = raw * spn.scale + spn.offset if status == "ok" else None
    return SignalValue(spn.spn, spn.name, raw, status, value, spn.unit)


def requested_pgn(data: bytes) -> int | None:
    """Which message a request asks for."""
    return int.from_bytes(data[:3], "little") if len(data) >= 3 else None


def encode_signals(pgn: int, values: dict[int, float | SignalStatus]) -> bytes:
    """Eight bytes of a message with these values by SPN; what is not named is not available. For simulators.

    Raises ValueError for a value beyond its range.
    """
    data = bytearray(b"\xff" * 8)
    codes = {"not_available": 0xFF, "error": 0xFE, "reserved": 0xFB}
    for spn in PGNS[pgn]:
        wanted = values.get(spn.spn)
        if wanted is None:
            continue
        if isinstance(wanted, str):
            data[spn.at + spn.size - 1] = codes[wanted]
            continue
        raw = round((wanted - spn.offset) / spn.scale)
        if raw < 0 or status_of(raw, spn.size) != "ok" or raw >> 8 * spn.size:
            raise ValueError(f"SPN {spn.spn} cannot say {wanted} {spn.unit}")
        data[spn.at : spn.at + spn.size] = raw.to_bytes(spn.size, "little")
    return bytes(data)
