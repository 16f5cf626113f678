"""The LLS family: frames built from the documented layouts, damage, and what is read from replies."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import BadReply
from adapters.fuel_monitoring.lls import requests
from adapters.fuel_monitoring.lls.crc import RunningCrc, crc8
from adapters.fuel_monitoring.lls.frames import FROM_SENSOR, LlsFrame, LlsParser, build
from adapters.fuel_monitoring.lls.replies import Ack, EdeVoltage, History, LlsSettings, Measurement, read_reply
from adapters.fuel_monitoring.lls.text import TextParser, read_line
from tests.adapters.fuel_monitoring.support import in_pieces

CUTS = st.lists(st.integers(0, 60), max_size=8)


def reply(command: int, data: bytes, address: int = 1) -> bytes:
    return build(FROM_SENSOR, address, command, data)


def one(data: bytes) -> LlsFrame:
    (frame,) = LlsParser().feed(data)
    return frame


def test_the_checksum_is_that_of_the_standard() -> None:
    assert crc8(b"123456789") == 0xA1


@given(st.lists(st.binary(max_size=300), max_size=4), st.integers(0, 200), st.data())
def test_the_running_checksum_is_that_of_any_stretch(parts: list[bytes], dropped: int, data: st.DataObject) -> None:
    running, whole = RunningCrc(), b"".join(parts)
    for part in parts:
        running.extend(part)
    dropped = min(dropped, len(whole))
    running.drop(dropped)
    left = whole[dropped:]
    start = data.draw(st.integers(0, len(left)))
    end = data.draw(st.integers(start, len(left)))
    assert running.of(start, end) == crc8(left[start:end])


def test_requests_are_those_of_the_manual() -> None:
    assert requests.read_once(1).hex() == "3101066c"
    assert requests.read_settings(0xAA)[:3].hex() == "31aa10"
    assert requests.set_filter(6, 20).hex() == "31060e1436"
    with pytest.raises(ValueError, match="filter length must be 0 to 20"):
        requests.set_filter(1, 21)
    with pytest.raises(ValueError, match="address must be 1 to 254"):
        requests.ede_address(1, 255)


@given(st.integers(-128, 127), st.integers(0, 65_535), st.integers(0, 65_535), st.integers(0, 255), CUTS)
def test_a_measurement_comes_back_whatever_the_chunks(
    temperature: int, level: int, count: int, address: int, cuts: list[int]
) -> None:
    data = temperature.to_bytes(1, "little", signed=True) + level.to_bytes(2, "little") + count.to_bytes(2, "little")
    parser = LlsParser()
    frames = in_pieces(parser.feed, reply(requests.READ, data, address), cuts)
    assert [read_reply(frame) for frame in frames] == [Measurement(temperature, level, count)]
    assert frames[0].address == address
    assert parser.skipped_bytes == 0


@given(st.binary(max_size=300), CUTS)
def test_any_bytes_cost_nothing_and_give_the_same_in_any_chunks(data: bytes, cuts: list[int]) -> None:
    whole, cut = LlsParser(), LlsParser()
    expected = whole.feed(data) + whole.close()
    assert in_pieces(cut.feed, data, cuts) + cut.close() == expected
    assert cut.skipped_bytes == whole.skipped_bytes
    assert whole.skipped_bytes + sum(len(frame.raw) for frame in expected) == len(data)
    for frame in expected:
        if not frame.is_request:
            with suppress(BadReply):
                read_reply(frame)


STREAM_PIECES = st.sampled_from([
    requests.read_once(1), requests.set_interval(3, 10), reply(0x06, b"\x3e\x31\x3e\x06\x31"), reply(0x07, b"\x00"),
    reply(0x07, bytes(5)), reply(0x0F, (15).to_bytes(2, "little") + bytes(15)), reply(0x10, bytes(40)),
])  # fmt: skip


@given(st.lists(STREAM_PIECES | st.sampled_from([b"\x00", b"\xff\x01"]), max_size=12), CUTS)
def test_frames_between_noise_are_all_found_in_any_chunks(pieces: list[bytes], cuts: list[int]) -> None:
    parser = LlsParser()
    found = in_pieces(parser.feed, b"".join(pieces), [cut * 4 for cut in cuts]) + parser.close()
    assert [frame.raw for frame in found] == [piece for piece in pieces if len(piece) > 2]
    assert parser.skipped_bytes == sum(len(piece) for piece in pieces if len(piece) <= 2)


def test_what_is_held_stays_small_however_much_comes() -> None:
    parser = LlsParser()
    for _round in range(200):
        parser.feed(bytes((0x3E, 1, 0x0F, 0x70, 0x17)) * 200)
        assert len(parser._buffer) < 8_000
    assert parser.skipped_bytes > 0


@pytest.mark.parametrize("pattern", [
    bytes((0x3E, 1, 0x0F, 0x70, 0x17)), bytes((0x3E, 1, 0x0F, 0x69, 0x0F)), b"\x3e", b"\x31\x3e\x06", b"\x3e\x10\x10",
    b"\x3e\x07\x07",
])  # fmt: skip
@pytest.mark.parametrize("step", [None, 7])
def test_rubbish_without_end_costs_linear_work(pattern: bytes, step: int | None) -> None:
    size = 200_000 if step is None else 20_000
    data, parser = (pattern * (size // len(pattern) + 1))[:size], LlsParser()
    for at in range(0, size, step or size):
        parser.feed(data[at : at + (step or size)])
    assert parser.steps <= 40 * size
    assert len(parser._buffer) < 8_000


def test_a_history_is_never_taken_for_a_refusal() -> None:
    """The high byte of its length passes for the checksum of a refusal with some addresses."""
    for address in range(256):
        for count in range(30):
            data = (15 * count).to_bytes(2, "little") + bytes(15 * count)
            assert one(reply(requests.HISTORY, data, address)).data == data
        assert read_reply(one(reply(requests.HISTORY, b"\x01", address))) == Ack(1)


def test_a_master_takes_the_awaited_answer_only() -> None:
    parser = LlsParser()
    parser.expect(1, requests.READ)
    other, wanted = reply(requests.READ, bytes(5), 2), reply(requests.READ, b"\x11\x01\x00\x02\x00")
    assert [frame.address for frame in parser.feed(other + wanted)] == [1]
    assert parser.skipped_bytes == len(other)
    parser.expect()
    assert [frame.address for frame in parser.feed(other)] == [2]


def test_both_lengths_of_periodic_output_are_told_apart() -> None:
    parser = LlsParser()
    frames = parser.feed(reply(requests.PERIODIC, b"\x00") + reply(requests.PERIODIC, b"\x14\xdd\x05\x28\x0a"))
    assert [read_reply(frame) for frame in frames] == [Ack(0), Measurement(20, 1501, 2600)]


def test_settings_history_and_the_ede_dialect_are_read() -> None:
    data = b"LLS 5".ljust(16, b"\0") + b"v 1.2".ljust(11, b"\0") + bytes((1, 5, 10))
    data += (0).to_bytes(2, "little") + (4095).to_bytes(2, "little")
    data += (64_000).to_bytes(3, "little") + (77_000).to_bytes(3, "little")
    assert read_reply(one(reply(requests.SETTINGS, data))) == LlsSettings(
        "LLS 5", "v 1.2", 1, 5, 10, 0, 4095, 64_000, 77_000
    )
    record = (1).to_bytes(4, "little") + (8).to_bytes(2, "little") + bytes(4) + (77_000).to_bytes(4, "little")
    record += bytes((crc8(record),))
    damaged = record[:-1] + bytes((record[-1] ^ 1,))
    history = read_reply(one(reply(requests.HISTORY, (30).to_bytes(2, "little") + record + damaged)))
    assert isinstance(history, History)
    assert [(one.kind, one.value, one.ok) for one in history.records] == [(8, 77_000, True), (8, 77_000, False)]
    volts = read_reply(one(reply(requests.EDE_VOLTAGE, (56_014).to_bytes(2, "little"))))
    assert isinstance(volts, EdeVoltage)
    assert volts.volts == pytest.approx(12.0, abs=0.01)


def test_an_undocumented_answer_is_told_with_its_bytes() -> None:
    with pytest.raises(BadReply, match="42h") as told:
        read_reply(LlsFrame(FROM_SENSOR, 1, 0x42, b"\x01\x02\x03", b"\x3e\x01\x42\x01\x02\x03\x00"))
    assert told.value.sample == "3e014201020300"


@given(st.binary(max_size=400), CUTS)
def test_text_lines_are_believed_whole_or_not_at_all(noise: bytes, cuts: list[int]) -> None:
    parser = TextParser()
    good = b"F=0AF9 t=1A N=03FF.0\r\n"
    lines = in_pieces(parser.feed, noise.replace(b"\n", b"") + b"\n" + good, cuts)
    assert (lines[-1].frequency, lines[-1].temperature_c, lines[-1].level) == (0x0AF9, 26, 0x03FF)
    assert len(parser._buffer) <= 64


def test_temperatures_of_text_mode_below_zero() -> None:
    for text in (b"F=0AF9 t=E7 N=03FF.0", b"F=0AF9 t=-19 N=03FF.0"):
        line = read_line(text)
        assert line is not None
        assert line.temperature_c == -25
    for partial in (b"F=0AF9 t=1A N=03F", b"F=0AF9 t=1A N=03FF.0 ", b"F=0AF9  t=1A N=03FF.0", b""):
        assert read_line(partial) is None
