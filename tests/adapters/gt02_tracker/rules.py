"""The validity rules of both protocols, written a second time from the reference to judge the package's work."""

from __future__ import annotations

import contextlib
from datetime import datetime
from struct import unpack

from tests.adapters.gt02_tracker.builders import crc_x25


def may_be_believed(frame: bytes) -> bool:
    """True where a record may be made from ``frame``."""
    if frame[-2:] != b"\r\n":
        return False
    if frame[:2] == b"hh":
        return _gt02_holds(frame)
    if frame[:2] == b"xx":
        return frame[2] + 5 == len(frame) and _crc_holds(frame)
    return frame[:2] == b"yy" and int.from_bytes(frame[2:4], "big") + 6 == len(frame) and _crc_holds(frame)


def _crc_holds(frame: bytes) -> bool:
    return crc_x25(frame[2:-4]) == int.from_bytes(frame[-4:-2], "big")


def _gt02_holds(frame: bytes) -> bool:
    identity = frame[5:13].hex()
    if frame[2] + 5 != len(frame) or identity[0] != "0" or not identity.isdecimal():
        return False
    if frame[15] == 0x10:
        if len(frame) != 42:
            return False
        year, month, day, hour, minute, second = frame[16:22]
        lat, lon = unpack(">II", frame[22:30])
        with contextlib.suppress(ValueError):
            return bool(datetime(2000 + year, month, day, hour, minute, second)) and (  # noqa: DTZ001 - judges digits
                lat <= 90 * 1_800_000 and lon <= 180 * 1_800_000
            )
        return False
    if frame[15] == 0x1C:
        return len(frame) >= 19 and frame[16] <= len(frame) - 19
    return frame[15] in (0x1A, 0x1B)
