"""Explaining bytes of fuel sensors and CAN bridges to people: the command ``decode`` uses this.

Objects are shaped like the ``decoded`` of the test vectors; what cannot be read gives ``{"error": …}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from adapters.base import Decoders
from adapters.fuel_monitoring.can import candump as candump_log
from adapters.fuel_monitoring.can import gvret as gvret_bridge
from adapters.fuel_monitoring.can import j1939 as bus
from adapters.fuel_monitoring.can.dm1 import read_dm1
from adapters.fuel_monitoring.can.frame import CanFrame
from adapters.fuel_monitoring.can.slcan import SlcanParser, command_of
from adapters.fuel_monitoring.can.transport import BamAssembler
from adapters.fuel_monitoring.lls import replies, requests
from adapters.fuel_monitoring.lls import text as lls_text
from adapters.fuel_monitoring.lls.crc import crc8
from adapters.fuel_monitoring.lls.frames import FROM_SENSOR, LEAST_BYTES, TO_SENSOR, LlsFrame, LlsParser
from adapters.fuel_monitoring.modbus import rtu
from adapters.fuel_monitoring.obd.elm327 import WORDS, ElmResult, read_reply, read_unasked, supported
from adapters.fuel_monitoring.obd.pids import MASKS, PIDS

Shown = dict[str, Any]

_EDE = frozenset({0x41, 0x42, 0x45, 0x50, 0x54, 0x55, 0x56})
_MODES = {0: "none", 1: "binary", 2: "text"}


def _lls(data: bytes, context: Mapping[str, Any]) -> Sequence[Shown]:
    del context
    if data[:1] == b"F":
        return _lls_text(data)
    parser = LlsParser()
    frames = parser.feed(data) + parser.close()
    if not frames and len(data) >= LEAST_BYTES and data[0] in (TO_SENSOR, FROM_SENSOR) and crc8(data) == 0:
        return [_lls_undocumented(data)]
    if not frames:
        return [{"error": _lls_fault(data, parser)}]
    shown = [_lls_frame(frame) for frame in frames]
    if len(frames) > 1 or parser.skipped_bytes:
        shown = [{"frame": frame.raw.hex().upper()} | one for frame, one in zip(frames, shown, strict=True)]
        shown[-1]["skipped_bytes"] = parser.skipped_bytes
    return shown


def _lls_fault(data: bytes, parser: LlsParser) -> str:
    if data and data[0] not in (TO_SENSOR, FROM_SENSOR):
        return "prefix"
    return "crc" if parser.crc_errors else "incomplete"


def _lls_undocumented(data: bytes) -> Shown:
    """A frame by its checksum, whose command no document describes, or whose layout depends on the model (41h)."""
    dialect = {"dialect": "ede"} if data[2] in _EDE else {}
    return {
        "prefix": f"{data[0]:02X}",
        "address": data[1],
        "command": f"{data[2]:02X}",
        **dialect,
        "data": data[3:-1].hex().upper(),
    }


def _lls_text(data: bytes) -> Sequence[Shown]:
    parser = lls_text.TextParser()
    lines = parser.feed(data if data.endswith(b"\n") else data + b"\r\n")
    if not lines:
        return [{"error": "This is no whole line of the text mode: F=hhhh t=hh N=hhhh.h is expected."}]
    shown: list[Shown] = [
        {"frequency": line.frequency, "temperature_c": line.temperature_c, "level": line.level} for line in lines
    ]
    if parser.bad_lines:
        shown[-1]["bad_lines"] = parser.bad_lines
    return shown


def _lls_frame(frame: LlsFrame) -> Shown:
    shown: Shown = {
        "prefix": f"{frame.prefix:02X}",
        "address": frame.address,
        "command": f"{frame.command:02X}",
    }
    if frame.command in _EDE:
        shown["dialect"] = "ede"
    if frame.is_request:
        shown["meaning"] = requests.MEANINGS.get(frame.command, "unknown")
        if frame.command in requests.ARGUMENTS:
            given = frame.data[0]
            is_mode = frame.command == requests.POWER_UP
            shown[requests.ARGUMENTS[frame.command]] = _MODES.get(given, str(given)) if is_mode else given
        return shown
    reply = replies.read_reply(frame)
    match reply:
        case replies.Ack():
            shown |= {"return_code": reply.return_code, "ok": reply.ok}
        case replies.History():
            records = [
                {"number": one.number, "type": one.kind, "unix_time": one.unix_time, "value": one.value}
                | ({} if one.ok else {"crc_ok": False})
                for one in reply.records
            ]
            shown |= {"length": int.from_bytes(frame.data[:2], "little"), "records": records}
        case _:
            shown |= asdict(reply)
    return shown


def _modbus(data: bytes, context: Mapping[str, Any]) -> Sequence[Shown]:
    del context
    if len(data) < 5:
        return [{"error": "incomplete"}]
    if rtu.crc16(data) != 0:
        return [{"error": "crc"}]
    unit, function = data[0], data[1]
    shown: Shown = {"unit": unit, "function": function & 0x7F}
    if function & rtu.EXCEPTION:
        shown |= {"exception": data[2], "meaning": rtu.EXCEPTIONS.get(data[2], "unknown exception")}
    elif function in (rtu.READ_HOLDING, rtu.READ_INPUT) and len(data) == 5 + data[2] and data[2] % 2 == 0:
        shown |= _modbus_values(data[3:-2])
    elif function in (rtu.READ_HOLDING, rtu.READ_INPUT, rtu.WRITE_ONE) and len(data) == rtu.REQUEST_BYTES:
        second = "value" if function == rtu.WRITE_ONE else "count"
        shown |= {"start": int.from_bytes(data[2:4], "big"), second: int.from_bytes(data[4:6], "big")}
    else:
        return [{"error": f"Function {function} with {len(data)} bytes is not read here."}]
    return [shown]


def _modbus_values(payload: bytes) -> Shown:
    """Registers; eight bytes of which the last five are 0 are the answer of a TD-500, which is not register aligned."""
    shown: Shown = {"byte_count": len(payload)}
    if len(payload) == 8 and not any(payload[3:]):
        temperature = int.from_bytes(payload[:1], "big", signed=True)
        return shown | {"temperature_c": temperature, "level": int.from_bytes(payload[1:3], "big")}
    words = [int.from_bytes(payload[at : at + 2], "big") for at in range(0, len(payload) - 1, 2)]
    return shown | {"registers": words}


def _j1939(data: bytes, context: Mapping[str, Any]) -> Sequence[Shown]:
    if "frames" in context:
        return _transport(context["frames"])
    if "can_id" not in context:
        if len(data) < 4:
            return [{"error": "Give a JSON object with can_id and data, or four bytes of identifier and the data."}]
        return [_j1939_frame(int.from_bytes(data[:4], "big"), data[4:])]
    can_id, error = _id_of(context["can_id"])
    if error:
        return [{"error": error}]
    if context.get("extended") is False:
        return [{"error": "An 11-bit identifier carries no J1939."}]
    if context.get("data") is None:
        return [asdict(bus.split_id(can_id))]
    try:
        return [_j1939_frame(can_id, bytes.fromhex(str(context["data"])))]
    except ValueError:
        return [{"error": "The data are not hex."}]


def _id_of(given: object) -> tuple[int, str]:
    try:
        can_id = given if isinstance(given, int) else int(str(given), 16)
    except ValueError:
        return 0, "The identifier is not hex."
    return (can_id, "") if 0 <= can_id <= 0x1FFF_FFFF else (0, "The identifier is beyond 29 bits.")


def _j1939_frame(can_id: int, data: bytes) -> Shown:
    parts = bus.split_id(can_id)
    head: Shown = {
        "priority": parts.priority,
        "pgn": parts.pgn,
        "source": parts.source,
        "destination": parts.destination,
    }
    if parts.pgn == bus.REQUEST:
        return head | {"requested_pgn": bus.requested_pgn(data)}
    if parts.pgn == bus.DM1:
        return head | {"dtcs": [asdict(code) for code in read_dm1(data)]}
    return head | {"signals": [_rounded(asdict(signal)) for signal in bus.decode_payload(parts.pgn, data)]}


def _rounded(shown: Shown) -> Shown:
    if isinstance(shown.get("value"), float):
        shown["value"] = round(shown["value"], 6)
    return shown


def _transport(frames: object) -> Sequence[Shown]:
    """A broadcast in several frames; its frames are taken to be in time."""
    if not isinstance(frames, list):
        return [{"error": "frames must be a list of objects with can_id and data."}]
    assembler = BamAssembler()
    shown: list[Shown] = []
    for entry in frames:
        try:
            frame = CanFrame(int(str(entry["can_id"]), 16), bytes.fromhex(str(entry["data"])))
        except (TypeError, KeyError, ValueError):
            return [{"error": "Each frame needs can_id and data in hex."}]
        message = assembler.feed(frame, 0.0)
        if message is not None:
            text = message.payload.decode("latin-1").rstrip("\x00\xff").removesuffix("*")
            one: Shown = {"pgn": message.pgn, "source": message.source, "payload": message.payload.hex().upper()}
            shown.append(one | ({"text": text} if text.isprintable() else {}))
    return shown or [{"error": "incomplete"}]


def _slcan(data: bytes, context: Mapping[str, Any]) -> Sequence[Shown]:
    is_sent = context.get("kind") == "command" or context.get("direction") == "sent"
    parser = SlcanParser()
    lines = parser.feed(data)
    if parser.is_pending:
        lines += parser.feed(b"\r")
    if not lines:
        return [{"error": "incomplete"}]
    shown = []
    for line in lines:
        one: Shown = {} if len(lines) == 1 else {"line": line.text}
        command = command_of(line.text)
        if line.frame is not None:
            one |= _frame(line.frame)
            one["dlc"] = len(line.frame.data)
            stamp = line.frame.timestamp_s
            one["timestamp_ms"] = None if stamp is None else round(stamp * 1000)
        elif command and (is_sent or not line.facts):
            one |= command
        elif line.error:
            one["error"] = line.error
        else:
            one |= line.facts
        shown.append(one)
    return shown


def _frame(frame: CanFrame) -> Shown:
    data = "" if frame.remote else frame.data.hex().upper()
    return {"id": frame.shown_id, "extended": frame.extended, "remote": frame.remote, "data": data}


def _gvret(data: bytes, context: Mapping[str, Any]) -> Sequence[Shown]:
    del context
    parser = gvret_bridge.GvretParser()
    shown: list[Shown] = []
    for found in parser.feed(data):
        if isinstance(found, CanFrame):
            stamp = round((found.timestamp_s or 0.0) * 1e6)
            one = {"timestamp_us": stamp} | _frame(found) | {"bus": found.bus}
            del one["remote"]
            shown.append(one)
        else:
            shown.append({"reply": f"{found.command:02X}", "data": found.data.hex().upper()})
    if not shown:
        return [{"error": "incomplete" if parser.is_pending else "There is no GVRET frame in these bytes."}]
    if parser.skipped_bytes:
        shown[-1]["skipped_bytes"] = parser.skipped_bytes
    return shown


def _candump(data: bytes, context: Mapping[str, Any]) -> Sequence[Shown]:
    del context
    shown: list[Shown] = []
    for line in data.decode("latin-1").splitlines():
        try:
            frame, channel = candump_log.parse_line(line)
        except ValueError as err:
            shown.append({"error": str(err)})
            continue
        shown.append({"time": frame.timestamp_s, "channel": channel} | _frame(frame))
    return shown or [{"error": "incomplete"}]


def _elm327(data: bytes, context: Mapping[str, Any]) -> Sequence[Shown]:
    reply_hex = context.get("reply_hex")
    if reply_hex is not None:
        try:
            data = bytes.fromhex(str(reply_hex))
        except ValueError:
            return [{"error": "reply_hex is not hex."}]
    if not data:
        return [{"error": "incomplete"}]
    command = context.get("command")
    return [elm_fields(read_reply(str(command), data) if command else read_unasked(data))]


def elm_fields(result: ElmResult) -> Shown:
    """A reply in the names of the vectors; an error carries its meaning in words."""
    if result.error:
        return {"error": result.error, "meaning": WORDS[result.error]}
    if result.facts:
        return dict(result.facts)
    first = result.answers[0]
    shown: Shown = {"mode": first.data[0] - 0x40, "pid": f"{first.data[1]:02X}" if len(first.data) > 1 else ""}
    if first.ecu:
        shown["ecu"] = first.ecu
    if first.data[0] == 0x41 and first.data[1] in MASKS:
        return shown | {"supported": list(supported(result))}
    value = result.value
    if value is not None:
        known = PIDS[first.data[1]]
        return shown | {"value": round(value, 6), "unit": known.unit}
    if first.length is not None:
        shown["length"] = first.length
    text = first.data[3:].decode("latin-1").strip("\x00")
    return shown | ({"text": text} if text.isprintable() and text else {"data": first.data[2:].hex().upper()})


DECODERS: Final[Decoders] = {
    "lls": _lls,
    "modbus": _modbus,
    "j1939": _j1939,
    "slcan": _slcan,
    "gvret": _gvret,
    "candump": _candump,
    "elm327": _elm327,
}
