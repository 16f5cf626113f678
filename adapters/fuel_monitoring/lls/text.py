"""Text mode of the LLS family: ``F=0AF9 t=1A N=03FF.0``, all numbers hexadecimal (fuel-sensors.md 1.6)."""

from __future__ import annotations

import re
from dataclasses import dataclass

REQUEST = b"DO"
PERIODIC = b"DP"
LONGEST_LINE = 64

_LINE = re.compile(rb"F=([0-9A-F]{4}) t=(-?[0-9A-F]{1,2}) N=([0-9A-F]{4})\.([0-9A-F])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TextLine:
    """One whole line. There is neither address nor checksum: a line is believed whole or not at all."""

    frequency: int
    temperature_c: int
    level: int
    raw: bytes


class TextParser:
    """Cuts lines at CR LF; lines that are not exactly of the form are counted and dropped."""

    def __init__(self) -> None:
        self.bad_lines = 0
        self._buffer = bytearray()
        self._overlong = False

    def feed(self, data: bytes) -> list[TextLine]:
        self._buffer += data
        *whole, rest = bytes(self._buffer).split(b"\n")
        lines: list[TextLine] = []
        for raw in whole:
            line = None if self._overlong else read_line(raw.removesuffix(b"\r"))
            self._overlong = False
            if line is None:
                self.bad_lines += 1
            else:
                lines.append(line)
        if len(rest) > LONGEST_LINE:
            self._overlong, rest = True, b""
        self._buffer[:] = rest
        return lines


def read_line(raw: bytes) -> TextLine | None:
    """A line without its end; None for anything else."""
    match = _LINE.fullmatch(raw)
    if match is None:
        return None
    sign = match[2].startswith(b"-")
    temperature = int(match[2].lstrip(b"-"), 16)
    if sign:
        temperature = -temperature
    elif temperature > 127:
        temperature -= 256
    return TextLine(int(match[1], 16), temperature, int(match[3], 16), raw)
