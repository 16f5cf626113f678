"""Blocks that GT06 frames are made of, and a reader that notes where each field stands.

Source: protocol reference, sections 3.4, 3.5 and 3.7.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from adapters.gt02_tracker.fields import Cell, FrameFields
from adapters.gt02_tracker.wire import degrees, time_ms

GPS_SIZE: Final = 18
_GPS: Final = Struct(">6sBIIBH")
_NORTH, _WEST, _LOCATED, _DIFFERENTIAL, _ACC_KNOWN, _ACC = (1 << bit for bit in range(10, 16))
_COURSE_MASK: Final = 0x3FF
_TWO_BYTE_MNC: Final = 0x8000


class Span(NamedTuple):
    """Where the named fields stand in the frame."""

    offset: int
    length: int
    names: tuple[str, ...]


class ContentTooShort(Exception):
    """The content ends before the layout of its type does; stays inside this package."""


class Reader:
    """Walks over a frame's content. ``spans`` tells which bytes gave which fields."""

    __slots__ = ("data", "end", "position", "spans")

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data = data
        self.position = start
        self.end = end
        self.spans: list[Span] = []

    @property
    def left(self) -> int:
        return self.end - self.position

    def take(self, length: int, *names: str) -> bytes:
        """The next bytes. Raises ContentTooShort where fewer are left."""
        start = self.position
        if length > self.end - start:
            raise ContentTooShort(f"{length} bytes for {', '.join(names)} are not there")
        self.position = start + length
        self.spans.append(Span(start, length, names))
        return self.data[start : self.position]

    def number(self, length: int, *names: str, signed: bool = False) -> int:
        return int.from_bytes(self.take(length, *names), "big", signed=signed)

    def peek(self) -> int:
        """The next byte. Raises ContentTooShort at the end."""
        if self.position >= self.end:
            raise ContentTooShort("a byte is not there")
        return self.data[self.position]

    def rest(self, *names: str) -> bytes:
        return self.take(self.left, *names) if self.left else b""


def read_time(reader: Reader, fields: FrameFields) -> None:
    fields["time_ms"] = time_ms(reader.take(6, "time"))


def read_gps(reader: Reader, fields: FrameFields) -> None:
    """Section 3.4. East and west are the other way round than in GT02."""
    start = reader.position
    if reader.left < GPS_SIZE:
        raise ContentTooShort("the GPS block is not complete")
    date, packed, raw_lat, raw_lon, speed, status = _GPS.unpack_from(reader.data, start)
    reader.position = start + GPS_SIZE
    reader.spans += (
        Span(start, 6, ("time",)),
        Span(start + 6, 1, ("gps_info_length", "satellites")),
        Span(start + 7, 4, ("lat",)),
        Span(start + 11, 4, ("lon",)),
        Span(start + 15, 1, ("speed_kmh",)),
        Span(
            start + 16,
            2,
            ("course_status", "course", "located", "differential", "north", "west", "acc_from_course_bits"),
        ),
    )
    north, west = bool(status & _NORTH), bool(status & _WEST)
    fields["time_ms"] = time_ms(date)
    fields["satellites"] = packed & 0x0F
    fields["gps_info_length"] = packed >> 4
    fields["lat"] = degrees(raw_lat, positive=north)
    fields["lon"] = degrees(raw_lon, positive=not west)
    fields["speed_kmh"] = speed
    fields["course"] = status & _COURSE_MASK
    fields["course_status"] = status
    fields["located"] = bool(status & _LOCATED)
    fields["differential"] = bool(status & _DIFFERENTIAL)
    fields["north"] = north
    fields["west"] = west
    if status & _ACC_KNOWN:
        fields["acc_from_course_bits"] = bool(status & _ACC)
    if abs(fields["lat"]) > 90 or abs(fields["lon"]) > 180:
        fields["error"] = "The coordinates lie outside the Earth's ranges."


def read_cell(reader: Reader, fields: FrameFields, *, mnc: int = 1, lac: int = 2, cell: int = 3) -> None:
    """Section 3.5. Bit 15 of MCC makes MNC two bytes wide, whatever the frame's type."""
    mcc = reader.number(2, "cell mcc")
    if mcc & _TWO_BYTE_MNC:
        mcc &= ~_TWO_BYTE_MNC
        mnc = 2
    fields["cell"] = Cell(
        mcc=mcc,
        mnc=reader.number(mnc, "cell mnc"),
        lac=reader.number(lac, "cell lac"),
        cell_id=reader.number(cell, "cell id"),
    )


def read_terminal_info(reader: Reader, fields: FrameFields) -> None:
    """Section 3.7, terminal-information byte."""
    names = ("terminal_info", "oil_cut", "gps_tracking", "alarm_bits", "charging", "acc", "defence")
    info = reader.number(1, *names)
    fields["terminal_info"] = info
    fields["oil_cut"] = bool(info & 0x80)
    fields["gps_tracking"] = bool(info & 0x40)
    fields["alarm_bits"] = info >> 3 & 7
    fields["charging"] = bool(info & 0x04)
    fields["acc"] = bool(info & 0x02)
    fields["defence"] = bool(info & 0x01)


def read_upload(reader: Reader, fields: FrameFields) -> None:
    """Ignition, why the fix was sent, and whether it was buffered."""
    fields["acc"] = reader.number(1, "acc") != 0
    fields["upload_mode"] = reader.number(1, "upload_mode")
    fields["reupload"] = reader.number(1, "reupload") != 0
