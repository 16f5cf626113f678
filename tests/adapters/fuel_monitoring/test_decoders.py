"""What ``decode`` says about fuel sensors, on bytes built from the documented layouts; nothing given to it ends it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.fuel_monitoring.can import gvret
from adapters.fuel_monitoring.can.frame import CanFrame
from adapters.fuel_monitoring.can.transport import bam_frames
from adapters.fuel_monitoring.decoders import DECODERS
from adapters.fuel_monitoring.lls.frames import FROM_SENSOR, build
from adapters.fuel_monitoring.modbus.rtu import closed, read_request

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.binary(max_size=12).map(bytes.hex),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["can_id", "data", "x"]), inner),
    max_leaves=8,
)
CONTEXTS = st.dictionaries(
    st.sampled_from(["can_id", "data", "frames", "command", "reply_hex", "settings", "kind", "extended", "text"]),
    ANYTHING,
)


def decoded(protocol: str, data: bytes, context: Mapping[str, Any] = MappingProxyType({})) -> list[dict[str, Any]]:
    return [dict(one) for one in DECODERS[protocol](data, context)]


def bam(text: bytes) -> list[dict[str, str]]:
    return [{"can_id": one.shown_id, "data": one.data.hex()} for one in bam_frames(65_260, 3, text)]


@pytest.mark.parametrize(
    ("protocol", "data", "context", "wanted"),
    [
        (
            "lls",
            build(FROM_SENSOR, 5, 0x06, b"\xd8\x10\x20\x30\x40"),
            {},
            {"address": 5, "temperature_c": -40, "level": 0x2010, "frequency": 0x4030},
        ),
        ("lls", build(FROM_SENSOR, 9, 0x56, b"\x00"), {}, {"dialect": "ede", "return_code": 0, "ok": True}),
        ("lls", build(FROM_SENSOR, 2, 0x41, b"\x18\x01"), {}, {"address": 2, "dialect": "ede", "data": "1801"}),
        ("lls", bytes.fromhex("31FF1CCA"), {}, {"prefix": "31", "address": 255, "command": "1C", "data": ""}),
        ("lls", build(FROM_SENSOR, 1, 0x06, bytes(5))[:-1], {}, {"error": "incomplete"}),
        ("lls", b"\x99\x01\x06\x00", {}, {"error": "prefix"}),
        ("lls", b"F=0AF9 t=-1A N=03FF.0", {}, {"frequency": 0x0AF9, "temperature_c": -26, "level": 0x3FF}),
        ("modbus", read_request(1, 3, 0x0300, 4), {}, {"start": 0x0300, "count": 4}),
        ("modbus", closed(b"\x01\x03\x08\xf6\x12\x34" + bytes(5)), {}, {"temperature_c": -10, "level": 0x1234}),
        ("modbus", closed(b"\x01\x84\x0b"), {}, {"function": 4, "meaning": "gateway target did not answer"}),
        ("modbus", closed(b"\x01\x04\x02\x00\x07")[:-1] + b"\x00", {}, {"error": "crc"}),
        ("j1939", b"", {"can_id": "18FEFC21"}, {"pgn": 65_276, "priority": 6, "source": 0x21}),
        ("j1939", b"", {"can_id": "18FEFC21", "data": "FF", "extended": False}, {"error"}),
        ("j1939", b"", {"can_id": "38FEFC21", "data": "FF"}, {"error"}),
        ("j1939", b"", {"can_id": 0x18EAFFF9, "data": "E9FE00"}, {"requested_pgn": 65_257}),
        ("j1939", b"", {"frames": bam(b"VIN0123456789*")}, {"pgn": 65_260, "text": "VIN0123456789"}),
        ("j1939", b"", {"frames": bam(b"VIN0123456789*")[:2]}, {"error": "incomplete"}),
        ("slcan", b"t1232 102", {}, {"error": "hex"}),
        ("slcan", b"S\xb2\r", {}, {"error": "unknown"}),
        ("slcan", b"X1\r", {}, {"command": "auto_forward", "on": True}),
        ("slcan", b"T18FEFC2120102EA5F\r", {}, {"data": "0102", "timestamp_ms": 59_999}),
        ("gvret", gvret.frame_bytes(CanFrame(0x7FF, b"\x01", extended=False)), {}, {"id": "7FF", "extended": False}),
        ("candump", b"(1.5) can0 123#R8", {}, {"time": 1.5, "channel": "can0", "remote": True, "data": ""}),
        ("elm327", b"7E803412F80\r\r>", {}, {"ecu": "7E8", "pid": "2F", "value": 50.196078}),
        ("elm327", b"412F80\r\r>", {"command": "010D"}, {"error": "mismatch"}),
        ("elm327", b"", {"command": "012F", "reply_hex": "zz"}, {"error"}),
    ],
)
def test_documented_layouts_are_told_by_their_names(
    protocol: str, data: bytes, context: dict[str, Any], wanted: dict[str, Any] | set[str]
) -> None:
    (shown,) = decoded(protocol, data, context)
    if isinstance(wanted, set):
        assert set(shown) == wanted
    else:
        assert {name: shown[name] for name in wanted} == wanted


def test_signals_without_a_value_say_why() -> None:
    (shown,) = decoded("j1939", b"", {"can_id": "18FEFC21", "data": "FFFEFFFFFFFFFB"})
    assert [(one["spn"], one["status"], one["value"]) for one in shown["signals"]] == [
        (80, "not_available", None),
        (96, "error", None),
        (38, "reserved", None),
    ]


def test_skipped_bytes_are_counted_on_the_last_object() -> None:
    frame = build(FROM_SENSOR, 1, 0x06, bytes(5))
    first, last = decoded("lls", frame + b"\x00\x00" + frame)
    assert "skipped_bytes" not in first
    assert last["skipped_bytes"] == 2


@given(st.sampled_from(sorted(DECODERS)), st.binary(max_size=80), CONTEXTS)
def test_no_bytes_and_no_object_are_too_strange(protocol: str, data: bytes, context: dict[str, Any]) -> None:
    shown = decoded(protocol, data, context)
    assert shown
    json.dumps(shown)
