"""GT06 frames that carry a position, or cells instead of one. Source: protocol reference, section 3.6."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from adapters.gt02_tracker.fields import FrameFields, NeighbourCell
from adapters.gt02_tracker.gt06_blocks import (
    Reader,
    read_cell,
    read_gps,
    read_terminal_info,
    read_time,
    read_upload,
)

_NEIGHBOURS: Final = 7
_PHONE_SIZE: Final = 21


def read_location(reader: Reader, fields: FrameFields) -> None:
    """Any plain location: GPS block, then what the type and the length byte say."""
    fields["kind"] = "location"
    read_gps(reader, fields)
    _TAILS.get(fields["type"], _no_tail)(reader, fields)
    fields["extra"] = reader.rest("extra").hex()


def _no_tail(_reader: Reader, _fields: FrameFields) -> None:
    """Nothing is agreed about what follows: it stays in ``extra``."""


def _tail_11(reader: Reader, fields: FrameFields) -> None:
    read_cell(reader, fields, mnc=2, cell=4)


def _tail_12(reader: Reader, fields: FrameFields) -> None:
    """The length byte decides. A status tail (0x24) and unknown ones stay raw in ``extra``."""
    read_cell(reader, fields)
    length = fields["length"]
    if length in (0x22, 0x26):
        read_upload(reader, fields)
    if length in (0x23, 0x26, 0x29) or length >= 0x71:
        fields["mileage"] = reader.number(4, "mileage")
    if length == 0x2B:
        _read_fuel_tail(reader, fields)


def with_status_tail(fields: FrameFields) -> FrameFields:
    """The fields of a 0x12 frame of length 0x24 together with the state that its five tail bytes hold."""
    if fields["type"] != "0x12" or fields["length"] != 0x24:
        return fields
    tail = bytes.fromhex(fields["extra"])
    if len(tail) < 5:
        return fields
    reader = Reader(tail, 0, len(tail))
    more = fields.copy()
    read_terminal_info(reader, more)
    more["external_v"] = reader.number(2, "external_v") / 100
    more["gsm_level"] = reader.number(1, "gsm_level")
    more["alarm"] = reader.number(1, "alarm")
    return more


def _read_fuel_tail(reader: Reader, fields: FrameFields) -> None:
    read_terminal_info(reader, fields)
    fields["external_v"] = reader.number(2, "external_v") / 100
    fields["gsm_level"] = reader.number(1, "gsm_level")
    fields["alarm"] = reader.number(1, "alarm")
    fields["oil_raw"] = reader.number(2, "oil_raw")
    temperature = reader.number(1, "temperature_c")
    fields["temperature_c"] = float(-(temperature & 0x7F) if temperature & 0x80 else temperature)
    if reader.left >= 4:
        fields["mileage"] = reader.number(4, "mileage")


def _tail_22(reader: Reader, fields: FrameFields) -> None:
    read_cell(reader, fields)
    read_upload(reader, fields)
    if reader.left == 4:
        fields["mileage"] = reader.number(4, "mileage")


def _tail_a0(reader: Reader, fields: FrameFields) -> None:
    read_cell(reader, fields, lac=4, cell=8)
    read_upload(reader, fields)


def _tail_31(reader: Reader, fields: FrameFields) -> None:
    """A two-byte MNC and a four-byte cell; the frame lengths prove it."""
    read_cell(reader, fields, mnc=2, cell=4)
    read_upload(reader, fields)
    if reader.left >= 6:
        fields["mileage"] = reader.number(4, "mileage")
    if reader.left >= 2:
        fields["altitude_m"] = reader.number(2, "altitude_m", signed=True)


def _tail_37(reader: Reader, fields: FrameFields) -> None:
    read_cell(reader, fields)
    read_upload(reader, fields)
    while reader.left >= 3:
        module = reader.number(2, "module")
        size = reader.number(1, "module size")
        if size > reader.left:
            return
        value = reader.number(size, f"module 0x{module:02x}")
        if module == 0x27:
            fields["external_v"] = value / 100
        elif module == 0x2E:
            fields["mileage"] = value
        elif module == 0x3B:
            fields["accuracy"] = value / 100


_TAILS: Final[dict[str, Callable[[Reader, FrameFields], None]]] = {
    "0x11": _tail_11,
    "0x12": _tail_12,
    "0x22": _tail_22,
    "0xa0": _tail_a0,
    "0x31": _tail_31,
    "0x37": _tail_37,
}


def read_cells(reader: Reader, fields: FrameFields) -> None:
    """0x18, 0x24, 0x28, 0x2E: up to seven cells and no fix. Entries of zeros mean "no cell" and are left out."""
    fields["kind"] = "cells_only"
    read_time(reader, fields)
    mcc = reader.number(2, "mcc")
    wide = bool(mcc & 0x8000)
    fields["mcc"] = mcc & 0x7FFF
    fields["mnc"] = reader.number(2 if wide else 1, "mnc")
    cells: list[NeighbourCell] = []
    for _ in range(_NEIGHBOURS):
        cell = NeighbourCell(
            lac=reader.number(2, "cell lac"),
            cell_id=reader.number(3, "cell id"),
            rssi_raw=reader.number(1, "cell rssi"),
        )
        if cell["lac"] or cell["cell_id"]:
            cells.append(cell)
    fields["cells"] = cells
    fields["extra"] = reader.rest("extra").hex()


def read_address_request(reader: Reader, fields: FrameFields) -> None:
    """0x2A: a position that the device wants as a street address, for the phone given."""
    fields["kind"] = "address_request"
    read_gps(reader, fields)
    fields["phone"] = reader.take(_PHONE_SIZE, "phone").rstrip(b"\0").decode("ascii", "replace")
    fields["language"] = reader.number(2, "language")
    if reader.left:
        fields["extra"] = reader.rest("extra").hex()
