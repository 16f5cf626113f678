"""Photos and signatures as phones make them, drawn here: real JPEG and PNG files, without any library for pictures.

A photo is a mosaic: each block of 8 by 8 pixels has one colour, in JPEG (ITU T.81) its first coefficient alone.
"""

from __future__ import annotations

import math
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Final

Colour = tuple[int, int, int]
Paint = Callable[[int, int], Colour]

_STEP: Final = 8
"""With this step of quantisation the first coefficient of a block is its value less 128."""
_DC_COUNTS: Final = bytes([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
_DC_SIZES: Final = bytes(range(12))
_AC_COUNTS: Final = bytes([1, *[0] * 15])  # one code: "nothing more in this block"
_CARTONS: Final = ((196, 154, 108), (182, 138, 92), (208, 170, 124), (170, 126, 84))
_WALLS: Final = ((214, 222, 226), (226, 218, 204), (206, 216, 206))
_COMMENT: Final = 65_000


def photo(seed: str, *, width: int = 1280, height: int = 960, orientation: int = 1, size: int = 0) -> bytes:
    """Cartons in a store, other ones for each ``seed``, as JPEG; width and height in pixels, multiples of 8.

    ``orientation`` is EXIF's: how the phone was held (6: a quarter to the right). ``size`` in bytes makes it longer.
    """
    paint = _cartons(seed, width // 8, height // 8)
    parts = [b"\xff\xd8", _segment(0xE1, _exif(orientation)) if orientation != 1 else b""]
    body = b"".join(_jpeg_body(width, height, paint))
    filler = random.Random(seed)
    room = size - sum(map(len, parts)) - len(body)
    while room > 4:
        length = min(room - 4, _COMMENT)
        parts.append(_segment(0xFE, filler.randbytes(length)))
        room -= length + 4
    return b"".join([*parts, body])


def _jpeg_body(width: int, height: int, paint: Paint) -> Iterator[bytes]:
    yield _segment(0xDB, bytes([0]) + bytes([_STEP] * 64))
    components = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    yield _segment(0xC0, struct.pack(">BHHB", 8, height, width, 3) + components)
    yield _segment(0xC4, bytes([0x00]) + _DC_COUNTS + _DC_SIZES)
    yield _segment(0xC4, bytes([0x10]) + _AC_COUNTS + bytes([0]))
    yield _segment(0xDA, bytes([3, 1, 0, 2, 0, 3, 0, 0, 63, 0]))
    yield _scan(width // 8, height // 8, paint)
    yield b"\xff\xd9"


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _exif(orientation: int) -> bytes:
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\x00\x00MM\x00\x2a" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 0)


def _dc_codes() -> list[tuple[int, int]]:
    """(code, its length in bits) by size of a difference (ITU T.81, annex C)."""
    codes, code = list[tuple[int, int]](), 0
    for length, count in enumerate(_DC_COUNTS, 1):
        for _ in range(count):
            codes.append((code, length))
            code += 1
        code <<= 1
    return codes


def _scan(columns: int, rows: int, paint: Paint) -> bytes:
    codes, bits, filled, before = _dc_codes(), 0, 0, [0, 0, 0]
    data = bytearray()
    for y in range(rows):
        for x in range(columns):
            for at, value in enumerate(_ycc(paint(x, y))):
                step = value - before[at]
                before[at] = value
                size = abs(step).bit_length()
                code, length = codes[size]
                bits = (bits << length) | code
                bits = (bits << size) | (step if step >= 0 else step + (1 << size) - 1)
                bits <<= 1  # the code for the end of the block
                filled += length + size + 1
                while filled >= 8:
                    filled -= 8
                    byte = bits >> filled
                    data += b"\xff\x00" if byte == 0xFF else bytes([byte])
                    bits &= (1 << filled) - 1
    if filled:
        byte = ((bits << (8 - filled)) | ((1 << (8 - filled)) - 1)) & 0xFF
        data += b"\xff\x00" if byte == 0xFF else bytes([byte])
    return bytes(data)


def _ycc(colour: Colour) -> Colour:
    """JFIF's luminance and differences, each less 128."""
    red, green, blue = colour
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    return round(y) - 128, round((blue - y) * 0.564), round((red - y) * 0.713)


def _cartons(seed: str, columns: int, rows: int) -> Paint:
    chance = random.Random(seed)
    wall, floor = chance.choice(_WALLS), round(rows * 0.78)
    boxes = []
    left = round(columns * 0.06)
    while left < columns * 0.86:
        wide, top = chance.randint(columns // 9, columns // 5), floor + rows // 12
        for _ in range(chance.randint(1, 3)):
            high = chance.randint(rows // 7, rows // 4)
            boxes.append((left, top - high, left + wide, top, chance.choice(_CARTONS)))
            top -= high
        left += wide + chance.randint(1, columns // 14)
    shades = [chance.randint(-5, 5) for _ in range(997)]

    def paint(x: int, y: int) -> Colour:
        colour = wall if y < floor else (124, 118, 110)
        for x0, y0, x1, y1, own in boxes:
            if x0 <= x < x1 and y0 <= y < y1:
                edge = x in (x0, x1 - 1) or y in (y0, y1 - 1)
                tape = abs(x - (x0 + x1) // 2) <= 1
                label = x0 + 2 <= x < x0 + 2 + (x1 - x0) // 3 and y1 - 2 - (y1 - y0) // 3 <= y < y1 - 2
                colour = (88, 66, 42) if edge else (232, 232, 226) if label else (222, 200, 158) if tape else own
        shade = shades[(x * 31 + y * 57) % len(shades)] - (10 if y > rows * 0.94 else 0)
        red, green, blue = (min(max(part + shade, 0), 255) for part in colour)
        return red, green, blue

    return paint


def signature(seed: str, *, width: int = 480, height: int = 160) -> bytes:
    """A pen's way over paper, another for each ``seed``, as PNG (ISO 15948)."""
    chance = random.Random(seed)
    paper = [bytearray(b"\xff" * width) for _ in range(height)]
    waves = [(chance.uniform(2, 11), chance.uniform(0, 6), chance.uniform(0.2, 1)) for _ in range(4)]
    whole = sum(share for _, _, share in waves)
    for step in range(width * 8):
        way = step / (width * 8)
        turn = sum(share * math.sin(speed * way * math.tau + lag) for speed, lag, share in waves) / whole
        x = width * (0.08 + 0.8 * way) + 14 * math.sin(9 * way * math.tau)
        y = height * (0.5 + 0.36 * turn * (1 - 0.5 * way))
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                paper[min(max(int(y) + dy, 0), height - 1)][min(max(int(x) + dx, 0), width - 1)] = 30
    pixels = zlib.compress(b"".join(b"\x00" + bytes(line) for line in paper), 6)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
