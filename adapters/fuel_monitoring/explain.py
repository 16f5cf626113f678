"""What was stored of a sensor, a CAN bridge or an OBD adapter, field by field, for the raw inspector.

Every byte is in exactly one row, in order; bytes that belong to nothing are rows of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from adapters.base import FieldView
from adapters.fuel_monitoring.can import gvret, j1939, slcan
from adapters.fuel_monitoring.can.frame import CanFrame
from adapters.fuel_monitoring.lls import replies, requests
from adapters.fuel_monitoring.lls.frames import LlsFrame, LlsParser
from adapters.fuel_monitoring.lls.text import read_line
from adapters.fuel_monitoring.modbus import rtu
from adapters.fuel_monitoring.obd.elm327 import WORDS, read_unasked
from adapters.fuel_monitoring.obd.pids import PIDS

_LINES = re.compile(rb"[^\r\n]+|[\r\n]+")
_SLCAN_LINES = re.compile(rb"([^\r\x07]*)([\r\x07]?)")
_ELM_LINES = re.compile(rb"[^\r\n\x00>]+|[\r\n\x00>]+")


class _Rows:
    """Rows behind each other over all of ``data``."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.rows: list[FieldView] = []

    def add(self, length: int, name: str, value: object = "", unit: str = "") -> None:
        """The next ``length`` bytes; none where nothing is left."""
        part = self.data[self.at : self.at + length]
        if part:
            self.rows.append(FieldView(self.at, len(part), part.hex(" "), name, str(value), unit))
            self.at += len(part)

    def until(self, end: int, name: str) -> None:
        """Everything before ``end`` that has no row yet."""
        self.add(max(0, end - self.at), name)

    def number(self, length: int, name: str, unit: str = "", *, signed: bool = False) -> None:
        """A number with its least significant byte first."""
        part = self.data[self.at : self.at + length]
        self.add(length, name, int.from_bytes(part, "little", signed=signed), unit)


def explain(protocol: str, data: bytes) -> Sequence[FieldView]:
    """Rows for all of ``data``; bytes that cannot be read, and those of other protocols, are one row."""
    rows = _Rows(data)
    _READERS.get(protocol, _nothing)(rows)
    rows.until(len(data), "not decoded")
    return rows.rows


def _nothing(rows: _Rows) -> None:
    del rows


def _lls(rows: _Rows) -> None:
    if rows.data[:1] == b"F":
        _lls_text(rows)
        return
    parser = LlsParser()
    for frame in parser.feed(rows.data) + parser.close():
        rows.until(rows.data.index(frame.raw, rows.at), "not part of a frame")
        rows.add(1, "prefix", "to the sensor" if frame.is_request else "from the sensor")
        rows.number(1, "address")
        rows.add(1, "command", requests.MEANINGS.get(frame.command, "unknown"))
        _lls_data(rows, frame)
        rows.add(1, "checksum", "right")


def _lls_text(rows: _Rows) -> None:
    for found in _LINES.finditer(rows.data):
        line = read_line(found[0])
        if line is None:
            rows.add(len(found[0]), "end of the line" if found[0][0] in b"\r\n" else "no whole line")
            continue
        rows.add(7, "frequency", line.frequency)
        rows.add(found[0].index(b" N=") - 6, "temperature", line.temperature_c, "°C")
        rows.add(found.end() - rows.at, "level", line.level)


def _lls_data(rows: _Rows, frame: LlsFrame) -> None:
    end = rows.at + len(frame.data)
    if frame.is_request:
        name = requests.ARGUMENTS.get(frame.command, "value")
        rows.number(len(frame.data), name.removesuffix("_s").replace("_", " "), "s" if name.endswith("_s") else "")
        return
    reply = replies.read_reply(frame)
    match reply:
        case replies.Measurement():
            rows.number(1, "temperature", "°C", signed=True)
            rows.number(2, "level")
            rows.number(2, "frequency")
        case replies.Ack():
            rows.add(1, "result", "done" if reply.ok else f"cannot be done ({reply.return_code})")
        case replies.LlsSettings():
            rows.add(16, "model", reply.model)
            rows.add(11, "program", reply.firmware)
            for size, name, unit in _SETTINGS:
                rows.number(size, name, unit)
        case replies.History():
            rows.number(2, "length", "bytes")
            for record in reply.records:
                rows.add(replies.RECORD_BYTES, f"change {record.number}", _change(record))
        case replies.EdeIdentity():
            rows.add(3, "made", f"{reply.year}-{reply.month:02}-{reply.day:02}")
            rows.number(3, "serial")
            rows.number(1, "model code")
            rows.number(1, "firmware")
        case replies.EdeVoltage():
            rows.add(2, "supply", f"{reply.volts:.2f}", "V")
    rows.until(end, "not decoded")


_SETTINGS: Final = (
    (1, "output mode", ""), (1, "interval", "s"), (1, "filter length", ""), (2, "level minimum", ""),
    (2, "level maximum", ""), (3, "CNT1 empty", ""), (3, "CNT2 full", ""),
)  # fmt: skip


def _change(record: replies.HistoryRecord) -> str:
    what = replies.HISTORY_TYPES.get(record.kind, f"type {record.kind}")
    when = datetime.fromtimestamp(record.unix_time, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return f"{what} {record.value}, {when} UTC{'' if record.ok else ', its checksum is wrong'}"


def _modbus(rows: _Rows) -> None:
    data = rows.data
    if len(data) < 5 or rtu.crc16(data) != 0:
        rows.add(len(data), "no whole frame with a right checksum")
        return
    function, size = data[1], len(data)
    rows.number(1, "unit")
    rows.add(1, "function", f"{function & 0x7F}{', refused' if function & rtu.EXCEPTION else ''}")
    if function & rtu.EXCEPTION:
        rows.add(1, "why", rtu.EXCEPTIONS.get(data[2], f"exception {data[2]}"))
    elif function in (rtu.READ_HOLDING, rtu.READ_INPUT) and size == 5 + data[2] and data[2] % 2 == 0:
        rows.number(1, "bytes that follow")
        for number in range(data[2] // 2):
            rows.add(2, f"register {number + 1} of the answer", int.from_bytes(data[rows.at : rows.at + 2], "big"))
    elif function in (rtu.READ_HOLDING, rtu.READ_INPUT, rtu.WRITE_ONE) and size == rtu.REQUEST_BYTES:
        rows.add(2, "register", int.from_bytes(data[2:4], "big"))
        rows.add(2, "value" if function == rtu.WRITE_ONE else "count", int.from_bytes(data[4:6], "big"))
    rows.until(size - 2, "not decoded")
    rows.add(2, "checksum", "right")


def _slcan(rows: _Rows) -> None:
    for found in _SLCAN_LINES.finditer(rows.data):
        text, end = found[1], found[2]
        line = slcan.read_line(text.decode("latin-1")) if end == b"\r" and text else None
        if line is not None and line.frame is not None:
            _slcan_frame(rows, line.frame, len(text))
        elif text:
            facts = line.facts if line is not None else {}
            says = ", ".join(f"{name} {value}" for name, value in facts.items())
            rows.add(len(text), "answer" if facts else "no line of a bridge", says)
        rows.add(len(end), "end of the line", "error" if end == b"\x07" else "")


def _slcan_frame(rows: _Rows, frame: CanFrame, size: int) -> None:
    end = rows.at + size
    rows.add(1, "type", f"{29 if frame.extended else 11}-bit {'remote' if frame.remote else 'data'} frame")
    rows.add(8 if frame.extended else 3, "identifier", _identifier(frame))
    rows.add(1, "data bytes", len(frame.data))
    _signals(rows, frame, width=2)
    if rows.at < end and frame.timestamp_s is not None:
        rows.add(end - rows.at, "bridge's clock", round(frame.timestamp_s * 1000), "ms")


def _gvret(rows: _Rows) -> None:
    parser = gvret.GvretParser()
    at = 0
    for found in parser.feed(rows.data):
        if not isinstance(found, CanFrame):
            raw = bytes((gvret.MARK, found.command)) + found.data
            at = rows.data.index(raw, at)
            rows.until(at, "not part of a frame")
            rows.add(2, "answer", f"{found.command:02X}")
            rows.add(len(found.data), "says", found.data.hex(" "))
            at += len(raw)
            continue
        at = rows.data.index(gvret.frame_bytes(found)[:-1], at)  # its closing byte is not known
        rows.until(at, "not part of a frame")
        rows.add(2, "start of a frame")
        rows.add(4, "bridge's clock", round((found.timestamp_s or 0.0) * 1e6), "µs")
        rows.add(4, "identifier", _identifier(found))
        rows.add(1, "bus, data bytes", f"{found.bus}, {len(found.data)}")
        _signals(rows, found, width=1)
        rows.add(1, "end of the frame")
        at = rows.at


def _signals(rows: _Rows, frame: CanFrame, *, width: int) -> None:
    """The data by its signals; ``width`` is how many bytes of the stream carry one byte of data."""
    if frame.remote:
        return
    start, end = rows.at, rows.at + width * len(frame.data)
    known = j1939.PGNS.get(j1939.split_id(frame.can_id).pgn, ()) if frame.extended else ()
    for spn, signal in zip(known, j1939.decode_frame(frame), strict=False):
        if signal.status == "missing":
            continue
        rows.until(start + width * spn.at, "data")
        value = signal.status.replace("_", " ") if signal.value is None else f"{signal.value:.6g}"
        rows.add(width * spn.size, spn.name, value, "" if signal.value is None else spn.unit.replace("degC", "°C"))
    rows.until(end, "data")


def _identifier(frame: CanFrame) -> str:
    if not frame.extended:
        return frame.shown_id
    parts = j1939.split_id(frame.can_id)
    return f"{frame.shown_id}: PGN {parts.pgn} from {parts.source}"


def _elm327(rows: _Rows) -> None:
    for found in _ELM_LINES.finditer(rows.data):
        if found[0][0] in b"\r\n\x00>":
            rows.add(len(found[0]), "prompt" if b">" in found[0] else "end of the line")
            continue
        result = read_unasked(found[0])
        sender = f"answer of {result.answers[0].ecu}" if result.answers and result.answers[0].ecu else "line"
        if result.value is not None:
            pid = PIDS[result.answers[0].data[1]]
            rows.add(len(found[0]), sender, f"{pid.name} {result.value:.6g} {pid.unit}".strip())
        else:
            rows.add(len(found[0]), sender, WORDS.get(result.error, "") if not result.answers else "")


_READERS: Final[Mapping[str, Callable[[_Rows], None]]] = {
    "lls": _lls,
    "modbus": _modbus,
    "slcan": _slcan,
    "gvret": _gvret,
    "elm327": _elm327,
}
