"""What an ELM327 answers: bytes to replies, replies to values (fuel-sensors.md 5)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from adapters.fuel_monitoring.obd.pids import MASKS, PIDS, supported_pids

PROMPT: Final = 0x3E
LONGEST_REPLY: Final = 8_192

_ERRORS: Final = (
    ("UNABLE TO CONNECT", "unable_to_connect"),
    ("BUS INIT: ...ERROR", "bus_init_error"),
    ("BUS INIT: ERROR", "bus_init_error"),
    ("BUS INIT:...ERROR", "bus_init_error"),
    ("CAN ERROR", "can_error"),
    ("BUS BUSY", "bus_busy"),
    ("FB ERROR", "feedback_error"),
    ("BUS ERROR", "bus_error"),
    ("RX ERROR", "rx_error"),
    ("DATA ERROR", "data_error"),
    ("BUFFER FULL", "buffer_full"),
    ("STOPPED", "stopped"),
    ("LV RESET", "low_voltage_reset"),
    ("LP ALERT", "low_power"),
    ("ACT ALERT", "no_activity"),
    ("NO DATA", "no_data"),
)
_INTERNAL = re.compile(r"ERR\d\d")
_STATUS = re.compile(r"SEARCHING\.*|BUS INIT: ?\.*(?:OK)?")
_HEX = re.compile(r"[0-9A-F]+")
_HEADER = re.compile(r"7E[89A-F]|18DAF1[0-9A-F]{2}")
_LENGTH_DIGITS: Final = 3
_OLD_OVERHEAD: Final = 4  # three bytes of header and the checksum
_KWP, _TESTER, _NEGATIVE = 0x80, 0xF1, 0x7F
WORDS: Final = {
    "no_data": "no answer in time, or not supported",
    "unable_to_connect": "the vehicle does not answer; switch the ignition on",
    "bus_init_error": "the vehicle's bus cannot be opened; switch the ignition on",
    "can_error": "the CAN bus is disturbed",
    "bus_busy": "the bus is too busy",
    "feedback_error": "the adapter does not hear itself; check its plug",
    "bus_error": "the bus is disturbed",
    "rx_error": "the adapter received a damaged message",
    "data_error": "the vehicle's answer was damaged",
    "buffer_full": "the adapter's memory was full, the answer is not complete",
    "stopped": "the request was interrupted",
    "low_voltage_reset": "the adapter lost power and has to be set up again",
    "low_power": "the adapter is about to sleep",
    "no_activity": "the adapter is about to sleep, the bus is silent",
    "internal_error": "the adapter reports an internal fault",
    "unknown_command": "the adapter does not know this command",
    "incomplete": "the answer is not complete",
    "mismatch": "this answers another request",
    "negative": "the vehicle refuses the request",
    "not_supported": "the vehicle does not support this",
    "busy": "the vehicle is busy, ask again",
    "pending": "the vehicle is still working on it",
}
"""What each error means, for people."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one ECU answered: the bytes from the mode on. ``ecu`` is "" while headers are off."""

    ecu: str
    data: bytes
    length: int | None = None  # announced by a reply of several lines


@dataclass(frozen=True, slots=True)
class ElmResult:
    """A complete reply. ``error`` is "" or a key of :data:`WORDS`; ``answers`` of it may still hold good lines."""

    command: str
    lines: tuple[str, ...]
    answers: tuple[Answer, ...] = ()
    error: str = ""
    facts: dict[str, str | float | bool] = field(default_factory=dict)  # of AT commands

    @property
    def value(self) -> float | None:
        """The value of the first ECU's answer to a mode 1 request that is known."""
        if self.error or not self.answers:
            return None
        data = self.answers[0].data
        pid = PIDS.get(data[1]) if len(data) > 1 and data[0] == 0x41 else None
        return None if pid is None or len(data) < 2 + pid.size else pid.value(data[2 : 2 + pid.size])


class ElmParser:
    """Collects bytes to replies that end with the prompt. NULs, which adapters insert, are dropped.

    Of a reply that never ends the newest :data:`LONGEST_REPLY` bytes are kept.
    """

    def __init__(self) -> None:
        self.skipped_bytes = 0
        self._buffer = bytearray()

    @property
    def is_pending(self) -> bool:
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Replies that are complete now, without their prompt."""
        parts = (bytes(self._buffer) + data.replace(b"\x00", b"")).split(bytes((PROMPT,)))
        self.skipped_bytes += sum(len(part) - LONGEST_REPLY for part in parts if len(part) > LONGEST_REPLY)
        *whole, rest = (part[-LONGEST_REPLY:] for part in parts)
        self._buffer[:] = rest
        return whole


def read_reply(command: str, reply: bytes) -> ElmResult:
    """What a reply to ``command`` says; the prompt may stand at its end. Never raises for any bytes."""
    wanted = command.replace(" ", "").upper()
    text = reply.replace(b"\x00", b"").rstrip(b">").decode("latin-1").upper()
    lines = tuple(line.strip() for line in re.split(r"[\r\n]+", text) if line.strip())
    if lines and lines[0].replace(" ", "") == wanted:  # the echo
        lines = lines[1:]
    if wanted.startswith(("AT", "ST")):
        return _at_reply(wanted, lines, reply)
    return _obd_reply(wanted, lines)


def read_unasked(reply: bytes) -> ElmResult:
    """A reply whose command is not known: the answer itself tells mode and PID."""
    modes = range(0x41, 0x50)
    first = next((one.data for one in read_reply("", reply).answers if one.data and one.data[0] in modes), None)
    return read_reply("0100" if first is None else f"{first[0] - 0x40:02X}{first[1:2].hex()}", reply)


def _at_reply(wanted: str, lines: tuple[str, ...], reply: bytes) -> ElmResult:
    if not lines:
        return ElmResult(wanted, lines, error="incomplete")
    if lines == ("?",):
        return ElmResult(wanted, lines, error="unknown_command")
    name = wanted[2:]
    facts: dict[str, str | float | bool] = {"at": name}
    if name in ("Z", "I", "WS"):
        shown = [part.strip() for part in re.split(r"[\r\n]+", reply.decode("latin-1").rstrip(">")) if part.strip()]
        facts["device"] = next((part for part in shown if "ELM" in part.upper()), shown[-1])
    elif name == "RV" and (volts := re.fullmatch(r"(\d{1,3}(?:\.\d+)?)V", lines[0])):
        facts["volts"] = float(volts[1])
    elif lines[-1] == "OK":
        facts["ok"] = True
    else:
        facts["text"] = lines[0]
    return ElmResult(wanted, lines, facts=facts)


def _obd_reply(wanted: str, lines: tuple[str, ...]) -> ElmResult:
    error = next((name for line in lines for text, name in _ERRORS if text in line), "")
    if not error and any(_INTERNAL.search(line) for line in lines):
        error = "internal_error"
    if not error and lines == ("?",):
        error = "unknown_command"
    data_lines = [stripped for line in lines if (stripped := _STATUS.sub("", line).replace(" ", ""))]
    if error and error != "buffer_full":
        return ElmResult(wanted, lines, error=error)
    good = [line for line in data_lines if _HEX.fullmatch(line.replace(":", "", 1))]
    answers, broken = _answers(wanted, good)
    fitting = tuple(answer for answer in answers if _answers_to(wanted, answer.data))
    if error:
        return ElmResult(wanted, lines, fitting, error=error)
    if fitting:
        short = any(len(answer.data) < _least_bytes(answer.data) for answer in fitting)
        return ElmResult(wanted, lines, fitting, error="incomplete" if short or broken else "")
    refusal = next((answer.data for answer in answers if _refuses(wanted, answer.data)), None)
    if refusal is not None:
        return ElmResult(wanted, lines, answers, error=_refusal(refusal[2]))
    return ElmResult(wanted, lines, answers, error="mismatch" if answers and not broken else "incomplete")


@dataclass(slots=True)
class _Long:
    """An answer of several lines: its announced length, what came of it, which line is due (numbers are 4-bit)."""

    length: int
    data: bytearray
    due: int

    def add(self, number: int, part: bytes) -> bool:
        if number != self.due:
            return False
        self.data += part
        self.due = (self.due + 1) & 0x0F
        return True


def _answers(wanted: str, lines: list[str]) -> tuple[tuple[Answer, ...], bool]:
    """The answers in lines of hex, several ECUs kept apart; and whether one of them was cut off."""
    plain: list[Answer] = []
    long: dict[str, _Long] = {}
    broken = False
    for line in lines:
        number, colon, rest = line.partition(":")
        if colon:
            broken |= not _add_numbered(long, number, rest)
        elif len(line) == _LENGTH_DIGITS and not _HEADER.fullmatch(line):
            broken |= "" in long  # two ECUs answered at length without headers: nothing tells their lines apart
            long[""] = _Long(int(line, 16), bytearray(), 0)
        elif (header := _HEADER.match(line)) is not None and len(line[header.end() :]) % 2 == 0:
            broken |= not _add_framed(plain, long, header[0], bytes.fromhex(line[header.end() :]))
        elif len(line) % 2:
            broken = True
        else:
            plain.append(_headed(wanted, bytes.fromhex(line)))
    for ecu, one in long.items():
        broken |= len(one.data) < one.length
        plain.append(Answer(ecu, bytes(one.data[: one.length]), one.length))
    return tuple(plain), broken


def _headed(wanted: str, data: bytes) -> Answer:
    """A line without a CAN header. Buses before CAN put three bytes before the answer and a checksum behind it.

    ISO 9141-2 and J1850 have 48 6B or 41 6B and the sender; KWP 2000 a length in the first byte, F1 and the sender.
    """
    if _answers_to(wanted, data) or len(data) <= _OLD_OVERHEAD:
        return Answer("", data)
    is_counted = data[0] & 0xC0 == _KWP and data[1] == _TESTER and data[0] & 0x3F == len(data) - _OLD_OVERHEAD
    if is_counted or data[:2] in (b"\x48\x6b", b"\x41\x6b"):
        return Answer(data[:3].hex().upper(), data[3:-1])
    return Answer("", data)


def _add_numbered(long: dict[str, _Long], number: str, rest: str) -> bool:
    """``0:``, ``1:`` … behind a line with the total length."""
    if "" not in long or len(rest) % 2 or len(number) != 1:
        return False
    return long[""].add(int(number, 16), bytes.fromhex(rest))


def _add_framed(plain: list[Answer], long: dict[str, _Long], ecu: str, data: bytes) -> bool:
    """ISO-TP: a single frame, the first of several, or one that follows."""
    if not data:
        return False
    kind, low = data[0] >> 4, data[0] & 0x0F
    if kind == 0 and low <= len(data) - 1:
        plain.append(Answer(ecu, data[1 : 1 + low]))
        return True
    if kind == 1 and len(data) > 2:
        is_first = ecu not in long
        long[ecu] = _Long(low << 8 | data[1], bytearray(data[2:]), 1)
        return is_first
    if kind == 2 and ecu in long:
        return long[ecu].add(low, data[1:])
    return False


def _answers_to(wanted: str, data: bytes) -> bool:
    """Mode plus 40h and, where there is one, the same PID: anything else is a late answer to an older request."""
    if len(wanted) < 2 or not _HEX.fullmatch(wanted):
        return False
    mode = int(wanted[:2], 16)
    if not data or data[0] != (mode + 0x40) & 0xFF:
        return False
    return len(wanted) < 4 or (len(data) > 1 and data[1] == int(wanted[2:4], 16))


def _refuses(wanted: str, data: bytes) -> bool:
    """A negative response to a request of the same mode."""
    return len(data) >= 3 and data[0] == _NEGATIVE and f"{data[1]:02X}" == wanted[:2]


def _least_bytes(data: bytes) -> int:
    if data[0] != 0x41 or len(data) < 2:
        return 2
    if data[1] in MASKS:
        return 6
    known = PIDS.get(data[1])
    return 2 + known.size if known is not None else 3


def _refusal(code: int) -> str:
    return {0x11: "not_supported", 0x12: "not_supported", 0x21: "busy", 0x78: "pending"}.get(code, "negative")


def supported(result: ElmResult) -> tuple[int, ...]:
    """The parameters that a mask reply lists, of all ECUs."""
    found: set[int] = set()
    for answer in result.answers:
        if answer.data[:1] == b"\x41" and len(answer.data) >= 6 and answer.data[1] in MASKS:
            found.update(supported_pids(answer.data[1], answer.data[2:6]))
    return tuple(sorted(found))
