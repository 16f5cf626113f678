"""Explaining bytes to people: the command ``decode`` and the raw inspector use this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapters.base import Decoder, Decoders
from adapters.gt02_tracker import foreign, gt02, gt06
from adapters.gt02_tracker.fields import FrameFields
from adapters.gt02_tracker.framing import Foreign, Frame, Piece, StreamFramer
from adapters.gt02_tracker.wire import imei_of, iso_utc

_NAMES: Final = {"gt02": "GT02", "gt06": "GT06"}


def _decoder_of(*protocols: str) -> Decoder:
    def decode(data: bytes, context: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        del context  # tracker frames explain themselves
        return _decode(data, frozenset(protocols))

    return decode


def _decode(data: bytes, protocols: frozenset[str]) -> list[dict[str, Any]]:
    """One object per frame; bytes that belong to no frame are counted in ``skipped`` on the last object."""
    framer = StreamFramer()
    pieces = framer.feed(data) + framer.close()
    objects = [_shown(piece, protocols) for piece in pieces]
    if not objects:
        objects.append({"error": f"There is no frame in these {len(data)} bytes."})
    if framer.skipped:
        objects[-1]["skipped"] = framer.skipped
    return objects


def _shown(piece: Piece, protocols: frozenset[str]) -> dict[str, Any]:
    if isinstance(piece, Foreign):
        return {
            "kind": "foreign_protocol",
            "protocol": piece.protocol,
            "device_id": piece.device_id,
            "reply_ascii": foreign.tk103_answer(piece.data, piece.device_id) if piece.protocol == "tk103" else None,
        }
    if piece.protocol not in protocols:
        wanted = " or ".join(_NAMES[name] for name in sorted(protocols))
        return {"error": f"This is a {_NAMES[piece.protocol]} frame, not {wanted}.", "protocol": piece.protocol}
    if piece.verdict == "malformed" and not _is_whole_gt02(piece):
        return _malformed(piece)
    fields = gt02.decode(piece.data) if piece.protocol == "gt02" else gt06.decode(piece.data).fields
    return shown_fields(fields)


def shown_fields(fields: FrameFields) -> dict[str, Any]:
    """Fields under the names of the test vectors. A wrong checksum is told by ``crc_ok``, not refused."""
    shown: dict[str, Any] = dict(fields)
    if "time_ms" in fields:
        shown["time"] = iso_utc(shown.pop("time_ms"))
    if fields.get("crc_ok") is False:
        del shown["error"]
    return shown


def _is_whole_gt02(frame: Frame) -> bool:
    data = frame.data
    return frame.protocol == "gt02" and len(data) >= 18 and len(data) == data[2] + 5 and data.endswith(b"\r\n")


def _malformed(frame: Frame) -> dict[str, Any]:
    """A stretch that began like a frame: its length byte is none, or it was cut off."""
    data = frame.data
    shown: dict[str, Any] = {"protocol": frame.protocol, "kind": "malformed_length", "length_ok": False}
    width, type_at = {0x68: (1, 15), 0x78: (1, 3)}.get(data[0], (2, 4))
    if frame.protocol == "gt06":
        shown["start"] = data[:2].hex()
    if len(data) >= 2 + width:
        shown["length"] = int.from_bytes(data[2 : 2 + width], "big")
    if len(data) > type_at:
        shown["type"] = f"0x{data[type_at]:02x}"
    if data[:4] == b"\x78\x78\x0d\x01" and (imei := imei_of(data[4:12])):
        shown["recoverable"] = {"type": "0x01", "imei": imei}
    return shown


DECODERS: Final[Decoders] = {
    "auto": _decoder_of("gt02", "gt06"),
    "gt02": _decoder_of("gt02"),
    "gt06": _decoder_of("gt06"),
}
