"""Lines of candump logs, for support cases (fuel-sensors.md 4.3)."""

from __future__ import annotations

import re

from adapters.fuel_monitoring.can.frame import CanFrame

_LINE = re.compile(
    r"\((?P<time>\d{1,12}(?:\.\d{1,9})?)\)\s+(?P<channel>\S{1,32})\s+"
    r"(?P<id>[0-9A-Fa-f]{8}|[0-9A-Fa-f]{3})#(?P<data>R\d?|(?:[0-9A-Fa-f]{2}){0,8})(?:\s+[RT])?"
)


def parse_line(line: str) -> tuple[CanFrame, str]:
    """A frame with Unix time, and its channel. Raises ValueError saying what is wrong."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        kind = "CAN-FD frames are not read" if "##" in line else "This is no line of a candump log"
        raise ValueError(f"{kind}; expected is (time) channel id#data.")
    digits, data = match["id"], match["data"]
    extended = len(digits) == 8
    if int(digits, 16) > (0x1FFF_FFFF if extended else 0x7FF):
        raise ValueError(f"The identifier {digits} is beyond {'29' if extended else '11'} bits.")
    is_remote = data.startswith("R")
    body = b"\x00" * int(data[1:] or 0) if is_remote and (data[1:] or "0") < "9" else b""
    frame = CanFrame(
        int(digits, 16),
        body if is_remote else bytes.fromhex(data),
        extended=extended,
        remote=is_remote,
        timestamp_s=float(match["time"]),
    )
    return frame, match["channel"]
