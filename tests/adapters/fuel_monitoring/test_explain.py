"""Stored evidence field by field: every byte in one row, and the rows say what the frame says."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import FieldView
from adapters.fuel_monitoring.can import gvret, slcan
from adapters.fuel_monitoring.can.frame import CanFrame
from adapters.fuel_monitoring.explain import explain
from adapters.fuel_monitoring.lls import requests
from adapters.fuel_monitoring.lls.crc import crc8
from adapters.fuel_monitoring.lls.frames import FROM_SENSOR, build
from adapters.fuel_monitoring.modbus import rtu
from app.catalogue import Catalogue
from tests.adapters.fuel_monitoring.support import vectors

PROTOCOLS = ["lls", "modbus", "slcan", "gvret", "elm327", "other"]
DASH = CanFrame(0x18FEFC21, bytes.fromhex("FF7DFFFFFFFF50FF"), timestamp_s=0.029_087)
PIECES = st.sampled_from([
    requests.read_once(1), build(FROM_SENSOR, 1, 0x06, b"\x11\x01\x00\x02\x00"), b"F=0AF9 t=1A N=03FF.0\r\n",
    rtu.read_request(1, 3, 0, 4), slcan.frame_line(DASH), gvret.frame_bytes(DASH), b"7E803412FAA\r\r>",
    b"\xf1\x09\xde\xad", b"V1013\r", b"t1230\x07", b"\r", b">",
])  # fmt: skip


def says(rows: Sequence[FieldView]) -> dict[str, str]:
    return {row.name: f"{row.value} {row.unit}".strip() for row in rows}


def assert_covered(data: bytes, rows: list[FieldView]) -> None:
    assert b"".join(bytes.fromhex(row.hex) for row in rows) == data
    assert [row.offset for row in rows] == [sum(one.length for one in rows[:at]) for at in range(len(rows))]
    assert all(row.name and row.length for row in rows)


@given(st.sampled_from(PROTOCOLS), st.lists(PIECES | st.binary(max_size=30), max_size=6))
def test_every_byte_is_in_one_row_whatever_the_bytes(protocol: str, pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    assert_covered(data, list(explain(protocol, data)))


@pytest.mark.parametrize("name", ["lls", "slcan", "elm327"])
def test_every_shared_vector_is_covered(name: str) -> None:
    for vector in vectors(name):
        data = bytes.fromhex(vector.get("hex") or vector.get("reply_hex") or "")
        for protocol in PROTOCOLS:
            assert_covered(data, list(explain(protocol, data)))


def test_a_measurement_and_what_stands_around_it() -> None:
    rows = list(explain("lls", b"\x00\x31" + build(FROM_SENSOR, 7, 0x06, b"\xff\x00\x08\xf9\x0a") + b"\x3e"))
    assert [(row.name, row.value, row.length) for row in rows] == [
        ("not part of a frame", "", 2),
        ("prefix", "from the sensor", 1),
        ("address", "7", 1),
        ("command", "single read", 1),
        ("temperature", "-1", 1),
        ("level", "2048", 2),
        ("frequency", "2809", 2),
        ("checksum", "right", 1),
        ("not decoded", "", 1),
    ]


def test_settings_history_identity_and_supply() -> None:
    settings = b"LLS 5".ljust(16, b"\0") + b"v 1.2".ljust(11, b"\0") + bytes((1, 5, 10))
    settings += b"\x00\x00\xff\x0f" + (64_000).to_bytes(3, "little") + (77_000).to_bytes(3, "little")
    told = says(explain("lls", build(FROM_SENSOR, 1, 0x10, settings)))
    assert told["model"] == "LLS 5"
    assert told["interval"] == "5 s"
    assert told["CNT2 full"] == "77000"
    record = (3).to_bytes(4, "little") + b"\x08\x00" + (1_700_000_000).to_bytes(4, "little") + b"\x01\x00\x00\x00"
    history = (15).to_bytes(2, "little") + record + bytes((crc8(record),))
    assert says(explain("lls", build(FROM_SENSOR, 1, 0x0F, history)))["change 3"] == (
        "CNT2 full 1, 2023-11-14 22:13:20 UTC"
    )
    assert says(explain("lls", build(FROM_SENSOR, 1, 0x42, bytes((24, 1, 9, 1, 0, 0, 2, 3)))))["made"] == "2024-02-09"
    assert says(explain("lls", build(FROM_SENSOR, 1, 0x50, (56_014).to_bytes(2, "little"))))["supply"] == "12.00 V"
    assert says(explain("lls", requests.set_interval(1, 10)))["interval"] == "10 s"
    assert says(explain("lls", build(FROM_SENSOR, 1, 0x13, b"\x01")))["result"] == "cannot be done (1)"
    text = explain("lls", b"F=0AF9 t=E7 N=03FF.0\r\n")
    assert [(row.name, row.value, row.length) for row in text] == [
        ("frequency", "2809", 7),
        ("temperature", "-25", 5),
        ("level", "1023", 8),
        ("end of the line", "", 2),
    ]


def test_registers_requests_and_refusals() -> None:
    assert says(explain("modbus", rtu.closed(b"\x1e\x04\x04\x02\x0b\x00\x07")))["register 2 of the answer"] == "7"
    assert says(explain("modbus", rtu.read_request(1, 3, 0x0300, 2)))["register"] == "768"
    assert says(explain("modbus", rtu.closed(b"\x01\x83\x02")))["why"] == "illegal data address"
    assert [row.name for row in explain("modbus", b"\x01\x03\x02\x00\x00\x00\x00")] == [
        "no whole frame with a right checksum"
    ]


@pytest.mark.parametrize(("protocol", "data"), [("slcan", slcan.frame_line(DASH)), ("gvret", gvret.frame_bytes(DASH))])
def test_signals_of_a_frame_through_either_bridge(protocol: str, data: bytes) -> None:
    rows = explain(protocol, data)
    levels = [bytes.fromhex(row.hex) for row in rows if row.name.startswith("fuel level")]
    assert levels == {"slcan": [b"7D", b"50"], "gvret": [b"\x7d", b"\x50"]}[protocol]
    told = says(rows)
    assert told["identifier"] == "18FEFC21: PGN 65276 from 33"
    assert told["fuel level 1"] == "50 %"
    assert told["washer fluid level"] == "not available"
    assert told["bridge's clock"] == {"slcan": "29 ms", "gvret": "29087 µs"}[protocol]


def test_answers_of_control_units() -> None:
    rows = list(explain("elm327", b"7E803412F80\rNO DATA\r\r>"))
    assert [(row.name, row.value) for row in rows] == [
        ("answer of 7E8", "fuel level 50.1961 %"),
        ("end of the line", ""),
        ("line", "no answer in time, or not supported"),
        ("prompt", ""),
    ]


def test_the_console_finds_it() -> None:
    assert Catalogue.load().explainer("fuel_monitoring") is explain
