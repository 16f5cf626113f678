"""Text protocols that devices sold as "GT02" may speak instead: named to the operator, never decoded.

Source: protocol reference, sections 1 and 4. ``usual_port`` is where Traccar listens for the protocol.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

MESSAGE_LIMIT: Final = 1024  # bytes after which a message without an end is taken as it is


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one text protocol begins and ends. ``template`` is a shortest good beginning, to judge incomplete ones."""

    protocol: str
    label: str
    usual_port: int
    pattern: re.Pattern[bytes]
    template: bytes
    end: bytes


_IMEI = b"0" * 15
DIALECTS: Final = (
    Dialect("tk103", "TK103", 5002, re.compile(rb"\(([0-9A-Za-z]{12})[A-Z]{2}[0-9A-Z]{2}"), b"(000000000000BP00", b")"),
    Dialect("gps103", "GPS103", 5001, re.compile(rb"##,imei:(\d{15}),"), b"##,imei:" + _IMEI + b",", b";"),
    Dialect("gps103", "GPS103", 5001, re.compile(rb"imei:(\d{15}),"), b"imei:" + _IMEI + b",", b";"),
    Dialect("gps103", "GPS103", 5001, re.compile(rb"(\d{15})(?=;)"), _IMEI + b";", b";"),
    Dialect("v680", "V680", 5016, re.compile(rb"#(\d{15})#"), b"#" + _IMEI + b"#", b"##"),
    Dialect("h02", "H02", 5013, re.compile(rb"\*HQ,(\d{8,15}),"), b"*HQ," + _IMEI + b",", b"#"),
    Dialect("gt30", "GT30", 5131, re.compile(rb"\$\$[0-9A-Fa-f]{4}(\d{11,15})"), b"$$0000" + _IMEI, b"\n"),
)
_BY_FIRST_BYTE: Final = {
    first: tuple(dialect for dialect in DIALECTS if dialect.template[0] == first)
    for first in {dialect.template[0] for dialect in DIALECTS} - {ord("0")}
} | {digit: tuple(d for d in DIALECTS if d.template == _IMEI + b";") for digit in range(ord("0"), ord("9") + 1)}
LONGEST_TEMPLATE: Final = max(len(dialect.template) for dialect in DIALECTS)

_TK103_COMMAND = slice(13, 17)
_TK103_ANSWERS: Final = {b"BP00": "AP01HSO", b"BP05": "AP05"}


class Recognised(NamedTuple):
    """A beginning that one dialect accepts; ``size`` counts the bytes matched."""

    dialect: Dialect
    device_id: str
    size: int


def recognise(window: bytes) -> Recognised | Literal["incomplete"] | None:
    """Judge the first :data:`LONGEST_TEMPLATE` bytes, or fewer, of what may be a text message.

    "incomplete" means that more bytes may still make it one.
    """
    incomplete = False
    for dialect in _BY_FIRST_BYTE.get(window[0], ()):
        if match := dialect.pattern.match(window):
            return Recognised(dialect, match[1].decode("ascii"), match.end())
        incomplete = incomplete or (
            len(window) < len(dialect.template)
            and dialect.pattern.match(window + dialect.template[len(window) :]) is not None
        )
    return "incomplete" if incomplete else None


def label_of(protocol: str) -> tuple[str, int]:
    """The name people know a foreign protocol by, and its usual port."""
    return next((dialect.label, dialect.usual_port) for dialect in DIALECTS if dialect.protocol == protocol)


def tk103_answer(message: bytes, device_id: str) -> str | None:
    """What a TK103 server would answer. Shown to people only; this listener answers nothing."""
    answer = _TK103_ANSWERS.get(message[_TK103_COMMAND])
    return None if answer is None else f"({device_id}{answer})"
