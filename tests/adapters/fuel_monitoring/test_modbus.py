"""Modbus RTU: frames beside an independent implementation, registers, and maps that people write."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.errors import SettingsInvalid
from adapters.fuel_monitoring.modbus import rtu
from adapters.fuel_monitoring.modbus.maps import RawReply, load_map
from adapters.fuel_monitoring.modbus.registers import Register, WordOrder, value_of
from tests.adapters.fuel_monitoring.support import in_pieces

CUTS = st.lists(st.integers(0, 60), max_size=8)
WORDS = st.lists(st.integers(0, 65_535), min_size=1, max_size=12)
RAW_MAP = (
    '{"key": "straddling", "label": "x", "level_unit": "counts", '
    '"raw_reply": {"function": 3, "start": 0, "count": 4, "temperature_at": 0, "level_at": 1}}'
)


def answer(unit: int, words: list[int], function: int = 3) -> bytes:
    body = b"".join(word.to_bytes(2, "big") for word in words)
    return rtu.closed(bytes((unit, function, len(body))) + body)


def test_frames_are_those_of_an_independent_implementation() -> None:
    framer = pytest.importorskip("pymodbus.framer.rtu").FramerRTU
    for data in (b"\x01\x03\x00\x00\x00\x04", b"\x07\x04\x02\x00\x0a", bytes(range(200))):
        assert rtu.crc16(data).to_bytes(2, "little") == framer.compute_CRC(data).to_bytes(2, "big")
    assert rtu.read_request(1, 3, 0, 4).hex() == "010300000004" + "4409"


def test_an_independent_implementation_reads_our_requests_and_we_its_answers() -> None:
    pytest.importorskip("pymodbus")
    from pymodbus.framer.rtu import FramerRTU
    from pymodbus.pdu import DecodePDU
    from pymodbus.pdu.register_message import ReadHoldingRegistersResponse, ReadInputRegistersResponse

    server, client = FramerRTU(DecodePDU(is_server=True)), FramerRTU(DecodePDU(is_server=False))
    for function, answer_of in ((3, ReadHoldingRegistersResponse), (4, ReadInputRegistersResponse)):
        request = rtu.read_request(17, function, 0x0300, 5)
        used, pdu = server.handleFrame(request, 0, 0)
        assert pdu is not None
        assert (used, pdu.dev_id, pdu.function_code, pdu.address, pdu.count) == (8, 17, function, 0x0300, 5)
        parser = rtu.ModbusParser()
        parser.expect(request)
        frame = client.buildFrame(answer_of(dev_id=17, registers=[1, 65_535, 0, 256, 7]))
        assert [reply.registers for reply in parser.feed(frame)] == [(1, 65_535, 0, 256, 7)]


@given(st.integers(1, 247), st.integers(0, 65_535), WORDS, st.booleans(), st.binary(max_size=5), CUTS)
@example(1, 0x0300, [7], True, b"", [])
def test_the_awaited_answer_is_found_behind_echo_and_noise(
    unit: int, start: int, words: list[int], echoed: bool, noise: bytes, cuts: list[int]
) -> None:
    request = rtu.read_request(unit, 3, start, len(words))
    parser = rtu.ModbusParser()
    parser.expect(request)
    clean = bytes(byte for byte in noise if byte != unit)
    replies = in_pieces(parser.feed, (request if echoed else b"") + clean + answer(unit, words), cuts)
    assert [reply.registers for reply in replies] == [tuple(words)]


@given(st.binary(max_size=400), CUTS)
def test_any_bytes_cost_nothing(data: bytes, cuts: list[int]) -> None:
    parser = rtu.ModbusParser()
    in_pieces(parser.feed, data, cuts)
    assert len(parser._buffer) <= 2 * rtu.MOST_REGISTERS + 5


def test_an_echo_behind_noise_is_no_answer() -> None:
    request = rtu.read_request(1, 3, 0x0300, 1)  # its third byte might be the length of a reply
    parser = rtu.ModbusParser()
    parser.expect(request)
    assert [reply.registers for reply in parser.feed(b"\x00" + request + answer(1, [7]))] == [(7,)]
    assert parser.skipped_bytes == 9


def test_an_exception_says_why() -> None:
    parser = rtu.ModbusParser()
    parser.expect(rtu.read_request(1, 3, 9000, 2))
    (reply,) = parser.feed(rtu.closed(b"\x01\x83\x02"))
    assert (reply.exception, reply.why) == (2, "illegal data address")


def test_a_write_is_answered_by_its_own_echo() -> None:
    request = rtu.closed(bytes.fromhex("03060006001F"))
    parser = rtu.ModbusParser()
    parser.expect(request)
    assert [reply.function for reply in parser.feed(request)] == [6]


@pytest.mark.parametrize(("order", "words"), [
    ("ABCD", (0x4148, 0x0000)), ("CDAB", (0x0000, 0x4148)), ("BADC", (0x4841, 0x0000)), ("DCBA", (0x0000, 0x4841)),
])  # fmt: skip
def test_floats_come_in_four_orders(order: WordOrder, words: tuple[int, int]) -> None:
    assert value_of(Register(4, 0, "f32", order), words) == 12.5


def test_what_means_not_valid_is_no_value() -> None:
    register = Register(4, 0, "u16", scale=0.1, invalid=frozenset({65_535}))
    assert value_of(register, (65_535,)) is None
    assert value_of(register, (253,)) == pytest.approx(25.3)
    assert value_of(Register(4, 0, "f32"), struct.unpack(">HH", struct.pack(">f", float("nan")))) is None
    with pytest.raises(ValueError, match="2 words"):
        value_of(Register(4, 0, "i32"), (1,))


def test_a_map_says_where_each_value_is() -> None:
    level = {"function": 4, "address": 0, "kind": "f32", "word_order": "CDAB", "scale": 0.1, "invalid": [65535, -1]}
    read = load_map(written_map(level=level))
    wanted = Register(4, 0, "f32", "CDAB", 0.1, invalid=frozenset({65_535, -1}))
    assert (read.level_unit, read.registers) == ("percent", {"level": wanted})
    assert read.registers["level"].shown == "30001"


def test_a_map_of_the_bytes_of_a_reply_is_read() -> None:
    assert load_map(RAW_MAP).raw_reply == RawReply(3, 0, 4, temperature_at=0, level_at=1)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"count": 1, "level_at": 1}, "1 registers are 2 bytes"),
        ({"count": 200}, "raw_reply → count"),
        ({"registers": {"level": {"address": 1}}}, "not by both"),
    ],
)
def test_a_raw_map_that_cannot_be_right_says_why(change: dict[str, Any], why: str) -> None:
    whole = json.loads(RAW_MAP)
    registers = change.pop("registers", None)
    whole["raw_reply"] |= change
    if registers is not None:
        whole["registers"] = registers
    with pytest.raises(SettingsInvalid, match=why):
        load_map(json.dumps(whole))


def written_map(level_unit: str = "percent", **registers: dict[str, Any]) -> str:
    return json.dumps({"key": "a", "label": "x", "level_unit": level_unit, "registers": registers})


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ("{", "not JSON"),
        (written_map(level={"address": -1}), "address"),
        (written_map("barrels", level={"address": 1}), "level_unit"),
        (written_map(water={"address": 1}), "no register “level”"),
        (written_map(level={"address": 65_535, "kind": "f32"}), "behind 65535 there is none"),
        (written_map(level={"address": 1, "scale": 0}), "a scale of 0"),
        (written_map(level={"address": 1}, other={"address": 2}).replace("other", "x" * 41), "registers"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_map_that_is_wrong_names_the_place(wrong: str, where: str) -> None:
    with pytest.raises(SettingsInvalid, match=where):
        load_map(wrong)
