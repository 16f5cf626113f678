"""The checksum of the GT06 family and frames built with it (protocol reference, section 3.1)."""

from __future__ import annotations

from binascii import crc_hqx

_MIRRORED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


def crc_x25(data: bytes) -> int:
    """CRC-16/X-25. The standard library has the same polynomial unreflected, so bits are mirrored on both sides."""
    crc = crc_hqx(data.translate(_MIRRORED), 0xFFFF)
    return (_MIRRORED[crc & 0xFF] << 8 | _MIRRORED[crc >> 8]) ^ 0xFFFF


def short_frame(message_type: int, content: bytes, serial: int) -> bytes:
    """A ``78 78`` frame around at most 250 bytes of content."""
    body = bytes((len(content) + 5, message_type)) + content + serial.to_bytes(2, "big")
    return b"\x78\x78" + body + crc_x25(body).to_bytes(2, "big") + b"\r\n"


def long_frame(message_type: int, content: bytes, serial: int) -> bytes:
    """A ``79 79`` frame, whose length field has two bytes."""
    body = (len(content) + 5).to_bytes(2, "big") + bytes((message_type,)) + content + serial.to_bytes(2, "big")
    return b"\x79\x79" + body + crc_x25(body).to_bytes(2, "big") + b"\r\n"


def crc_matches(frame: bytes) -> bool:
    """True where the checksum stands as it should before the tail of a whole frame."""
    return crc_x25(frame[2:-4]) == (frame[-4] << 8 | frame[-3])
