"""The fields in what passes over a line: the live monitor and the replay of a capture use this alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from adapters.bench import Traffic
from adapters.fuel_monitoring.can.frame import CanFrame
from adapters.fuel_monitoring.can.gvret import GvretParser
from adapters.fuel_monitoring.can.j1939 import decode_frame, split_id
from adapters.fuel_monitoring.can.slcan import SlcanParser, command_of
from adapters.fuel_monitoring.decoders import DECODERS, elm_fields
from adapters.fuel_monitoring.lls.frames import LlsFrame, LlsParser
from adapters.fuel_monitoring.lls.text import TextParser
from adapters.fuel_monitoring.modbus.rtu import ModbusParser
from adapters.fuel_monitoring.obd.elm327 import ElmParser, ElmResult, read_reply
from adapters.fuel_monitoring.obd.pids import PIDS

Fields = tuple[tuple[str, str], ...]

_UNITS: Final = {
    "temperature_c": ("temperature", "°C"),
    "interval_s": ("interval", "s"),
    "period_s": ("period", "s"),
    "volts": ("supply", "V"),
    "unix_time": ("time", "s"),
}
_UNINTERESTING: Final = {"prefix", "dialect", "frame", "skipped_bytes", "ok", "mode", "pid", "byte_count"}


class TrafficExplainer:
    """Explains the traffic of one session, piece by piece; a frame's fields stand at the piece that completes it."""

    def __init__(self, dialect: str) -> None:
        kinds: Mapping[str, Callable[[], Callable[[Traffic], Fields]]] = {
            "lls": _LlsFields,
            "ede": _LlsFields,
            "lls_text": _LlsFields,
            "modbus": _ModbusFields,
            "escort_td500": _ModbusFields,
            "slcan": _SlcanFields,
            "gvret": _GvretFields,
            "elm327": _ElmFields,
        }
        self._fields = kinds[dialect]()

    def explain(self, traffic: Traffic) -> Traffic:
        """The same piece with its fields. Never raises for any bytes."""
        if traffic.direction == "note" or not traffic.data:
            return traffic
        return replace(traffic, fields=self._fields(traffic))


def shown(facts: Mapping[str, Any]) -> Fields:
    """Facts of a decoder as names and values with units."""
    found = []
    for key, value in facts.items():
        if key in _UNINTERESTING:
            continue
        name, unit = _UNITS.get(key, (key.replace("_", " "), ""))
        found.append((name, f"{_text(value)} {unit}".strip()))
    return tuple(found)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{name.replace('_', ' ')} {_text(one)}" for name, one in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(_text(one) for one in value)
    return "".join(one if one.isprintable() else "·" for one in str(value))


class _LlsFields:
    def __init__(self) -> None:
        self._parsers = {"sent": LlsParser(), "received": LlsParser()}
        self._text = TextParser()
        self._asked = b""

    def __call__(self, traffic: Traffic) -> Fields:
        if traffic.direction == "sent":
            self._asked = traffic.data
            if traffic.data in (b"DO", b"DP"):
                return (("meaning", "one text line" if traffic.data == b"DO" else "text lines from now on"),)
            self._parsers["sent"].close()
        fields: Fields = ()
        for frame in self._parsers[traffic.direction].feed(traffic.data):
            fields += self._frame(frame, traffic)
        if not fields and traffic.direction == "received":
            for line in self._text.feed(traffic.data):
                fields += shown({"level": line.level, "temperature_c": line.temperature_c, "frequency": line.frequency})
        return fields

    def _frame(self, frame: LlsFrame, traffic: Traffic) -> Fields:
        if traffic.direction == "received" and frame.raw == self._asked:
            return (("echo", "of the request"),)
        return shown(DECODERS["lls"](frame.raw, {})[0])


class _ModbusFields:
    def __init__(self) -> None:
        self._parser = ModbusParser()

    def __call__(self, traffic: Traffic) -> Fields:
        if traffic.direction == "sent":
            self._parser = ModbusParser()  # any unit may answer: some ignore the address
            return shown(DECODERS["modbus"](traffic.data, {})[0])
        fields: Fields = ()
        for reply in self._parser.feed(traffic.data):
            fields += shown(DECODERS["modbus"](reply.raw, {})[0])
        return fields


class _SlcanFields:
    def __init__(self) -> None:
        self._parser = SlcanParser()

    def __call__(self, traffic: Traffic) -> Fields:
        if traffic.direction == "sent":
            text = traffic.data.decode("latin-1")
            return tuple(("command", _text(command_of(one))) for one in text.split("\r") if command_of(one))
        fields: Fields = ()
        for line in self._parser.feed(traffic.data):
            fields += can_fields(line.frame) if line.frame is not None else shown(line.facts)
        return fields


class _GvretFields:
    def __init__(self) -> None:
        self._parser = GvretParser()

    def __call__(self, traffic: Traffic) -> Fields:
        if traffic.direction == "sent":
            return ()
        fields: Fields = ()
        for found in self._parser.feed(traffic.data):
            fields += can_fields(found) if isinstance(found, CanFrame) else (("reply", f"{found.command:02X}"),)
        return fields


def can_fields(frame: CanFrame) -> Fields:
    """A CAN frame and the signals in it; those without a value say why."""
    fields: list[tuple[str, str]] = [("frame", f"{frame.shown_id} {frame.data.hex(' ').upper()}".strip())]
    if frame.extended and not frame.remote:
        fields.append(("PGN", f"{(parts := split_id(frame.can_id)).pgn} from {parts.source}"))
    for signal in decode_frame(frame):
        value = signal.status.replace("_", " ") if signal.value is None else f"{signal.value:.6g} {signal.unit}"
        fields.append((signal.name, value.strip()))
    return tuple(fields)


class _ElmFields:
    def __init__(self) -> None:
        self._parser = ElmParser()
        self._command = ""

    def __call__(self, traffic: Traffic) -> Fields:
        if traffic.direction == "sent":
            self._command = traffic.data.decode("latin-1").strip() or self._command
            return (("command", _text(self._command)),)
        fields: Fields = ()
        for reply in self._parser.feed(traffic.data):
            fields += _elm_fields(read_reply(self._command, reply))
        return fields


def _elm_fields(result: ElmResult) -> Fields:
    value = result.value
    if value is None:
        return shown(elm_fields(result))
    pid, unit = PIDS[result.answers[0].data[1]], result.answers[0].ecu
    ecu = (("control unit", unit),) if unit else ()
    return (*ecu, (pid.name, f"{value:.6g} {pid.unit}".strip()))


def explain_capture(dialect: str, capture: Sequence[Traffic]) -> list[Traffic]:
    """A whole capture through the decoder of a live session."""
    explainer = TrafficExplainer(dialect)
    return [explainer.explain(one) for one in capture]
