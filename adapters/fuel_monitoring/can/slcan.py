"""SLCAN (LAWICEL): ASCII lines of a serial CAN bridge, in both directions (fuel-sensors.md 4.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from adapters.fuel_monitoring.can.frame import CanFrame

LONGEST_LINE: Final = 64
BIT_RATES: Final = {
    0: 10_000, 1: 20_000, 2: 50_000, 3: 100_000, 4: 125_000, 5: 250_000, 6: 500_000, 7: 800_000, 8: 1_000_000,
    9: 83_300,
}  # fmt: skip
FLAGS: Final = (
    "rx_fifo_full", "tx_fifo_full", "error_warning", "data_overrun", "", "error_passive", "arbitration_lost",
    "bus_error",
)  # fmt: skip

_RATE_CODES = {str(code): rate for code, rate in BIT_RATES.items()}
_PLAIN = {
    "O": "open", "L": "open_listen_only", "C": "close", "V": "version", "v": "detail_version", "N": "serial",
    "F": "status", "P": "poll_one", "A": "poll_all",
}  # fmt: skip
_FRAME_TYPES = {"t": (3, False), "T": (8, False), "r": (3, True), "R": (8, True)}
_HEX = re.compile(r"[0-9A-Fa-f]*")
_SERIAL = re.compile(r"[0-9A-Za-z]+")
_ENDS = re.compile(rb"[\r\x07]")
_BELL = b"\x07"


@dataclass(frozen=True, slots=True)
class SlcanLine:
    """One line. ``text`` is "<BEL>" for a lone bell; ``frame`` is None for replies and for what is malformed.

    ``facts`` are what a reply or a command says, in the names of the test vectors; ``error`` names what is wrong.
    """

    text: str
    frame: CanFrame | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    error: str = ""


class SlcanParser:
    """Cuts lines at CR or BEL. A line that BEL ended is an error, whatever stands before it.

    Of a line that is too long nothing is kept but the error.
    """

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self._buffer = bytearray()
        self._overlong = False

    @property
    def is_pending(self) -> bool:
        return bool(self._buffer) or self._overlong

    def feed(self, data: bytes) -> list[SlcanLine]:
        """The lines that are complete now."""
        lines: list[SlcanLine] = []
        start = 0
        for end in _ENDS.finditer(data):
            self._hold(data[start : end.start()])
            start = end.end()
            lines.append(self._line(is_error=end[0] == _BELL))
        self._hold(data[start:])
        return lines

    def _hold(self, part: bytes) -> None:
        self._buffer += part
        if self._overlong or len(self._buffer) > LONGEST_LINE:
            self._overlong = True
            self.skipped_bytes += len(self._buffer)
            self._buffer.clear()

    def _line(self, *, is_error: bool) -> SlcanLine:
        text = self._buffer.decode("latin-1")
        self._buffer.clear()
        overlong, self._overlong = self._overlong, False
        if overlong:
            return SlcanLine(text, error="too_long")
        if is_error:
            return SlcanLine("<BEL>", facts={"reply": "error"})
        return read_line(text)


def read_line(text: str) -> SlcanLine:
    """A line without its end: a frame, or what a bridge answers."""
    if not text:
        return SlcanLine(text, facts={"reply": "ok"})
    if text[0] in _FRAME_TYPES:
        frame, error = _frame_of(text)
        return SlcanLine(text, frame, error=error)
    reply = _reply_of(text)
    return SlcanLine(text, facts=reply) if reply else SlcanLine(text, error="unknown")


def _frame_of(text: str) -> tuple[CanFrame | None, str]:
    digits, is_remote = _FRAME_TYPES[text[0]]
    body = text[1:]
    if not _HEX.fullmatch(body):
        return None, "hex"
    if len(body) < digits + 1:
        return None, "short"
    can_id = int(body[:digits], 16)
    if can_id > (0x7FF if digits == 3 else 0x1FFF_FFFF):
        return None, "id_range"
    length = int(body[digits], 16)
    if length > 8:
        return None, "length"
    rest = body[digits + 1 :]
    wanted = 0 if is_remote else 2 * length
    if len(rest) < wanted:
        return None, "short_data"
    stamp = rest[wanted:]
    if len(stamp) not in (0, 4, 8):
        return None, "long_data"
    timestamp_s = int(stamp, 16) / 1000 if stamp else None
    data = b"\x00" * length if is_remote else bytes.fromhex(rest[:wanted])
    return CanFrame(can_id, data, extended=digits == 8, remote=is_remote, timestamp_s=timestamp_s), ""


def _reply_of(text: str) -> dict[str, Any]:
    head, body = text[0], text[1:]
    if head in "zZ" and not body:
        return {"reply": "sent", "extended": head == "Z"}
    if head == "V" and len(body) == 4 and _HEX.fullmatch(body):
        return {"reply": "version", "hardware": body[:2], "software": body[2:]}
    if head == "F" and len(body) == 2 and _HEX.fullmatch(body):
        bits = int(body, 16)
        return {"reply": "status", "flags": [name for at, name in enumerate(FLAGS) if name and bits >> at & 1]}
    if head == "v" and body.isprintable() and body:
        return {"reply": "detail_version", "text": body}
    if head == "N" and _SERIAL.fullmatch(body):
        return {"reply": "serial", "text": body}
    return {}


def command_of(text: str) -> dict[str, Any]:
    """What a line means on its way to the bridge; empty for what is no command."""
    head, body = text[:1], text[1:]
    if head in _PLAIN and not body:
        return {"command": _PLAIN[head]}
    if head == "S" and body in _RATE_CODES:
        return {"command": "bitrate", "bit_s": _RATE_CODES[body]}
    if head == "s" and len(body) == 4 and _HEX.fullmatch(body):
        return {"command": "btr", "btr0": body[:2], "btr1": body[2:]}
    if head == "Z" and body in ("0", "1", "2"):
        return {"command": "timestamps", "mode": int(body)}
    if head == "X" and body in ("0", "1"):
        return {"command": "auto_forward", "on": body == "1"}
    if head in ("M", "m") and len(body) == 8 and _HEX.fullmatch(body):
        return {"command": "acceptance_code" if head == "M" else "acceptance_mask", "value": body.upper()}
    return {}


def open_sequence(bit_rate: int, *, listen_only: bool = True, timestamps: bool = False) -> list[bytes]:
    """Commands that open a channel, one to be answered before the next. Raises ValueError for an unknown rate.

    The bare CRs flush what the bridge held; ``C`` may be answered by BEL when the channel was closed already.
    """
    code = next((code for code, rate in BIT_RATES.items() if rate == bit_rate), None)
    if code is None:
        raise ValueError(f"SLCAN knows no bit rate of {bit_rate}")
    stamps = [b"Z1\r"] if timestamps else []
    return [b"\r\r\r", b"C\r", b"V\r", f"S{code}\r".encode(), *stamps, b"L\r" if listen_only else b"O\r"]


CLOSE: Final = b"C\r"


def frame_line(frame: CanFrame) -> bytes:
    """The line that carries a frame."""
    head = ("R" if frame.extended else "r") if frame.remote else ("T" if frame.extended else "t")
    data = b"" if frame.remote else frame.data
    stamp = "" if frame.timestamp_s is None else f"{round(frame.timestamp_s * 1000) % 60_000:04X}"
    return f"{head}{frame.shown_id}{len(frame.data):X}{data.hex().upper()}{stamp}\r".encode()
