"""A frame field by field, for the raw inspector: which bytes say what.

Every byte of a frame is in exactly one row, in order, so that rows and bytes can be shown side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from adapters.base import FieldView
from adapters.gt02_tracker import gt02, gt06
from adapters.gt02_tracker.fields import FrameFields
from adapters.gt02_tracker.framing import Frame, StreamFramer
from adapters.gt02_tracker.gt06_blocks import Span
from adapters.gt02_tracker.gt06_crc import crc_x25
from adapters.gt02_tracker.wire import iso_utc

_LABELS: Final = {
    "acc": "ignition",
    "acc_from_course_bits": "ignition (course bits)",
    "alarm_bits": "alarm bits",
    "course_status": "course and status word",
    "defence": "armed",
    "external_v": "external voltage",
    "gps_info_length": "GPS block length",
    "imei": "IMEI",
    "lat": "latitude",
    "lbs_length": "cell block length",
    "lon": "longitude",
    "oil_cut": "fuel or power cut",
    "reupload": "sent again from the buffer",
    "snr": "signal-to-noise ratios",
    "speed_kmh": "speed",
    "tz_offset_minutes": "time zone",
    "voltage_v": "voltage",
    "battery_v": "battery voltage",
    "battery_percent": "battery",
}
_UNITS: Final = {
    "accuracy": "m",
    "altitude_m": "m",
    "battery_percent": "%",
    "battery_v": "V",
    "course": "°",
    "external_v": "V",
    "humidity": "%",
    "lat": "°",
    "lon": "°",
    "snr": "dB-Hz",
    "speed_kmh": "km/h",
    "temperature_c": "°C",
    "tz_offset_minutes": "min",
    "voltage_v": "V",
}
_GT02_LOCATION: Final = (
    Span(16, 6, ("time",)),
    Span(22, 4, ("lat",)),
    Span(26, 4, ("lon",)),
    Span(30, 1, ("speed_kmh",)),
    Span(31, 2, ("course",)),
    Span(33, 3, ("reserved",)),
    Span(36, 4, ("flags", "located", "north", "east", "charging", "sos", "forced_power_off")),
)


def explain(protocol: str, data: bytes) -> Sequence[FieldView]:
    """Rows for the first frame in ``data``; bytes around it are rows of their own.

    ``protocol`` is "gt02", "gt06" or "auto" and is judged from the bytes anyway; bytes that are no frame give one row.
    """
    del protocol
    framer = StreamFramer()
    whole = next((p for p in framer.feed(data) if isinstance(p, Frame) and p.verdict != "malformed"), None)
    if whole is None:
        return [_row(data, Span(0, len(data), ("not a frame",)), {})]
    start = data.index(whole.data)
    spans, fields = _gt02_spans(whole.data) if whole.protocol == "gt02" else _gt06_spans(whole.data)
    rows = [_row(whole.data, span, fields) for span in _gapless(spans, len(whole.data))]
    moved = [FieldView(row.offset + start, row.length, row.hex, row.name, row.value, row.unit) for row in rows]
    before = [_row(data, Span(0, start, ("not part of the frame",)), {})] if start else []
    end = start + len(whole.data)
    after = [_row(data, Span(end, len(data) - end, ("after the frame",)), {})] if end < len(data) else []
    return before + moved + after


def _gt02_spans(frame: bytes) -> tuple[list[Span], dict[str, Any]]:
    decoded = gt02.decode(frame)
    fields = _values(decoded)
    is_heartbeat = decoded["kind"] == "heartbeat"
    spans = [
        Span(0, 2, ("start",)),
        Span(2, 1, ("length",)),
        *(
            (Span(3, 1, ("power_level",)), Span(4, 1, ("gsm_level",)))
            if is_heartbeat
            else (Span(3, 2, ("reserved_header",)),)
        ),
        Span(5, 8, ("imei",)),
        Span(13, 2, ("serial",)),
        Span(15, 1, ("type", "kind")),
    ]
    fields.setdefault("reserved_header", frame[3:5].hex())
    if decoded["kind"] == "location":
        spans += _GT02_LOCATION
    elif is_heartbeat:
        listed = len(decoded["snr"])
        spans += [
            span
            for span in (
                Span(16, 1, ("locate_status",)),
                Span(17, 1, ("satellites",)),
                Span(18, listed, ("snr",)),
                Span(18 + listed, len(frame) - 20 - listed, ("trailing",)),
            )
            if span.length > 0 and span.offset + span.length <= len(frame) - 2
        ]
    elif decoded["kind"] == "command_result":
        fields["text length"] = frame[16]
        spans += [Span(16, 1, ("text length",)), Span(17, frame[16], ("text",))]
    elif len(frame) > 18:
        fields["content"] = frame[16:-2].hex()
        spans.append(Span(16, len(frame) - 18, ("content",)))
    return [*spans, Span(len(frame) - 2, 2, ("tail",))], fields


def _gt06_spans(frame: bytes) -> tuple[list[Span], dict[str, Any]]:
    decoded = gt06.decode(frame)
    width = 2 if frame[0] == 0x79 else 1
    end = len(frame)
    fields = _values(decoded.fields)
    expected = crc_x25(frame[2:-4])
    fields["checksum"] = "right" if decoded.fields["crc_ok"] else f"wrong, {expected:04x} would be right"
    return [
        Span(0, 2, ("start",)),
        Span(2, width, ("length",)),
        Span(2 + width, 1, ("type", "kind")),
        *decoded.spans,
        Span(end - 6, 2, ("serial",)),
        Span(end - 4, 2, ("checksum",)),
        Span(end - 2, 2, ("tail",)),
    ], fields


def _values(decoded: FrameFields) -> dict[str, Any]:
    fields: dict[str, Any] = dict(decoded)
    fields["time"] = iso_utc(decoded.get("time_ms")) or "no valid date"
    fields["kind"] = decoded["kind"].replace("_", " ")
    fields["tail"] = "end of the frame"
    cell = decoded.get("cell")
    if cell is not None:
        fields |= {
            "cell mcc": cell["mcc"],
            "cell mnc": cell["mnc"],
            "cell lac": cell["lac"],
            "cell id": cell["cell_id"],
        }
    return fields


def _gapless(spans: Sequence[Span], size: int) -> list[Span]:
    """The spans in order, with rows for bytes that none of them covers."""
    rows: list[Span] = []
    position = 0
    for span in sorted(spans):
        if span.offset > position:
            rows.append(Span(position, span.offset - position, ("not decoded",)))
        if span.offset >= position:
            rows.append(span)
            position = span.offset + span.length
    if position < size:
        rows.append(Span(position, size - position, ("not decoded",)))
    return rows


def _row(data: bytes, span: Span, fields: Mapping[str, Any]) -> FieldView:
    part = data[span.offset : span.offset + span.length]
    known = [name for name in span.names if name in fields]
    if len(span.names) == 1 or len(known) <= 1:
        name = known[0] if known else span.names[0]
        value = _text(fields[name]) if known else str(int.from_bytes(part, "big")) if 0 < len(part) <= 4 else ""
        return FieldView(span.offset, span.length, part.hex(" "), _label(name), value, _UNITS.get(name, ""))
    value = ", ".join(f"{_label(name)} {_text(fields[name])}{_unit_suffix(name)}" for name in known)
    return FieldView(span.offset, span.length, part.hex(" "), _label(known[0]), value, "")


def _label(name: str) -> str:
    return _LABELS.get(name, name.replace("_", " "))


def _unit_suffix(name: str) -> str:
    return f" {_UNITS[name]}" if name in _UNITS else ""


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "none"
    if isinstance(value, list):
        return " ".join(str(item) for item in value)
    return str(value)
