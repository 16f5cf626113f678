"""Frames built from the documented layouts, independently of the package's own encoders."""

from __future__ import annotations

from struct import pack

IMEI = "356789012345672"


def crc_x25(data: bytes) -> int:
    """Bit by bit, from the definition: polynomial 0x8408 reflected, start and final xor 0xFFFF."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return crc ^ 0xFFFF


def gt06(message_type: int, content: bytes = b"", serial: int = 1) -> bytes:
    body = bytes((len(content) + 5, message_type)) + content + pack(">H", serial)
    return b"\x78\x78" + body + pack(">H", crc_x25(body)) + b"\r\n"


def gt06_long(message_type: int, content: bytes = b"", serial: int = 1) -> bytes:
    body = pack(">HB", len(content) + 5, message_type) + content + pack(">H", serial)
    return b"\x79\x79" + body + pack(">H", crc_x25(body)) + b"\r\n"


def gt02(
    message_type: int, content: bytes = b"", *, imei: str = IMEI, serial: int = 1, levels: bytes = b"\0\0"
) -> bytes:
    body = levels + bytes.fromhex("0" + imei) + pack(">HB", serial, message_type) + content
    return b"\x68\x68" + bytes((len(body),)) + body + b"\r\n"


def login(imei: str = IMEI, serial: int = 1, extra: bytes = b"") -> bytes:
    return gt06(0x01, bytes.fromhex("0" + imei) + extra, serial)


DATE = bytes((26, 3, 14, 8, 30, 5))
DATE_MS = 1_773_477_005_000
LAT, LON = 9.05785, 7.49508


def location_content(
    *, date: bytes = DATE, lat: float = LAT, lon: float = LON, speed: int = 62, course: int = 271, flags: int = 0b0111
) -> bytes:
    """GT02 type 0x10; flags: located, north, east, charging, SOS, forced power-off from bit 0."""
    return date + pack(">IIBH3xI", round(lat * 1_800_000), round(lon * 1_800_000), speed, course, flags)


def gps_block(
    *, date: bytes = DATE, lat: float = LAT, lon: float = LON, speed: int = 62, status: int = 0x140F
) -> bytes:
    """GT06; the default status is north, east, located, course 15."""
    return date + pack(">BIIBH", 0xC9, round(lat * 1_800_000), round(lon * 1_800_000), speed, status)


CELL = bytes.fromhex("026d1e00970012d4")
