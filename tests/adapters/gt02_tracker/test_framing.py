"""Framing: detection, resynchronisation, limits, and work that stays linear."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.gt02_tracker.framing import BUFFER_LIMIT, EVIDENCE_LIMIT, Foreign, Frame, Piece, StreamFramer
from tests.adapters.gt02_tracker.builders import gt02, gt06, gt06_long, location_content, login

HEARTBEAT = gt02(0x1A, b"\x01\x02\x29\x2d")
LOCATION = gt02(0x10, location_content())
STATUS = gt06(0x13, bytes.fromhex("4406040002"))


def all_of(data: bytes, *, step: int | None = None) -> tuple[list[Piece], StreamFramer]:
    framer = StreamFramer()
    pieces: list[Piece] = []
    for at in range(0, len(data), step or max(len(data), 1)):
        pieces += framer.feed(data[at : at + (step or len(data))])
    return pieces, framer


def frames_of(pieces: list[Piece]) -> list[bytes]:
    return [piece.data for piece in pieces if isinstance(piece, Frame) and piece.verdict == "ok"]


@pytest.mark.parametrize("step", [1, 7, None])
def test_protocols_may_change_from_frame_to_frame(step: int | None) -> None:
    stream = [HEARTBEAT, STATUS, gt06_long(0x94, b"\x00\x04\x9f"), LOCATION, login()]
    pieces, framer = all_of(b"".join(stream), step=step)
    assert frames_of(pieces) == stream
    assert framer.skipped == 0


@pytest.mark.parametrize("step", [1, None])
def test_line_ends_inside_a_frame_are_content(step: int | None) -> None:
    frame = gt06_long(0x9B, b"\x03\r\n\r\n7788\r\n")
    pieces, _ = all_of(frame + STATUS, step=step)
    assert frames_of(pieces) == [frame, STATUS]


@pytest.mark.parametrize("step", [1, 5, None])
@pytest.mark.parametrize(
    "cut", [LOCATION[:10], STATUS[:9], gt06_long(0x94, b"\x04" + b"x" * 300)[:60], b"\x78\x78", b"h"]
)
def test_a_cut_off_frame_costs_only_itself(cut: bytes, step: int | None) -> None:
    pieces, framer = all_of(cut + HEARTBEAT + LOCATION, step=step)
    assert frames_of(pieces) == [HEARTBEAT, LOCATION]
    assert framer.skipped == len(cut)


def test_a_long_frame_that_never_comes_does_not_hold_up_what_follows() -> None:
    """A broken length byte promises 31 kB; the next good frame comes through at once."""
    framer = StreamFramer()
    assert framer.feed(b"\x79\x79\x79\x79\x94") == []
    pieces = framer.feed(STATUS)
    assert frames_of(pieces) == [STATUS]


@pytest.mark.parametrize("step", [1, None])
def test_serial_passthrough_may_carry_whole_frames_of_others(step: int | None) -> None:
    frame = gt06_long(0x9B, b"\x03" + STATUS + HEARTBEAT)
    pieces, framer = all_of(frame + LOCATION, step=step)
    assert frames_of(pieces) == [frame, LOCATION]
    assert framer.skipped == 0


@pytest.mark.parametrize("step", [1, None])
def test_a_cut_off_passthrough_gives_back_the_frames_after_it(step: int | None) -> None:
    cut = gt06_long(0x9B, b"\x03" + b"." * 60)[:20]
    stream = [STATUS, HEARTBEAT, LOCATION, STATUS]
    pieces, framer = all_of(cut + b"".join(stream), step=step)
    pieces += framer.close()
    assert frames_of(pieces) == stream
    assert framer.skipped == len(cut)


def test_a_bad_checksum_is_told_and_the_stream_goes_on() -> None:
    bad = bytearray(STATUS)
    bad[5] ^= 1
    pieces, framer = all_of(bytes(bad) + STATUS)
    assert pieces == [Frame("gt06", bytes(bad), "bad_checksum"), Frame("gt06", STATUS, "ok")]
    assert framer.skipped == 0


def test_a_gt02_frame_without_a_decimal_identity_is_malformed() -> None:
    bad = bytearray(HEARTBEAT)
    bad[7] = 0xFB
    assert all_of(bytes(bad))[0] == [Frame("gt02", bytes(bad), "malformed")]


def test_an_incomplete_frame_is_given_up_after_five_seconds_without_bytes() -> None:
    framer = StreamFramer()
    framer.feed(LOCATION[:20], 100.0)
    assert framer.tick(104.9) == []
    framer.feed(LOCATION[20:25], 104.9)
    assert framer.tick(109.8) == []
    assert framer.tick(109.9) == [Frame("gt02", LOCATION[:25], "malformed")]
    assert (framer.skipped, framer.pending) == (25, 0)
    assert frames_of(framer.feed(HEARTBEAT, 110.0)) == [HEARTBEAT]


@pytest.mark.parametrize("step", [1, None])
@pytest.mark.parametrize(
    ("text", "protocol", "device_id"),
    [
        (b"(088047365460BP05354188047365460150929A3258.1754S)", "tk103", "088047365460"),
        (b"##,imei:359586015829802,A;", "gps103", "359586015829802"),
        (b"imei:359586015829802,tracker,0809231929;", "gps103", "359586015829802"),
        (b"359586015829802;", "gps103", "359586015829802"),
        (b"#359586015829802#user#1#0000#AUTO##", "v680", "359586015829802"),
        (b"*HQ,4209951296,V1,050316,A,2212.8745,N#", "h02", "4209951296"),
    ],
)
def test_foreign_text_is_named(text: bytes, protocol: str, device_id: str, step: int | None) -> None:
    pieces, framer = all_of(text, step=step)
    assert pieces == [Foreign(protocol, device_id, text)]
    assert (framer.skipped, framer.pending) == (0, 0)


def test_binary_frames_go_on_after_text() -> None:
    text = b"(088047365460BP00000088047365460HSO)"
    pieces, framer = all_of(text + b"\r\n" + STATUS)
    assert pieces == [Foreign("tk103", "088047365460", text), Frame("gt06", STATUS, "ok")]
    assert framer.skipped == 2


def test_text_without_an_end_is_taken_as_it_is() -> None:
    text = b"(088047365460BP05" + b"1" * 3000
    whole, _ = all_of(text)
    assert whole[0] == Foreign("tk103", "088047365460", text[:1024])
    assert all_of(text, step=1)[0] == whole


@pytest.mark.parametrize("noise", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\0" * 50, b"(hello)", b"123", b"imei"])
def test_other_text_is_noise(noise: bytes) -> None:
    pieces, framer = all_of(noise + STATUS)
    assert frames_of(pieces) == [STATUS]
    assert framer.skipped == len(noise)


PIECES_WITHOUT_END = [
    b"\x78\x78\x78",
    b"\x79\x79\x01\x00",
    b"\x79\x79\x79\x79",
    b"yy\x40\x00\r\n",
    b"hh\xff",
    b"\x68\x68\x25\x00\x00\x03\x56\x78\x90\x12\x34\x56\x71\x00\x07\x10",
    b"(",
    b"(000000000000",
    b"#0000",
    b"1",
    b"\x00",
    b"\r\n",
    b"x",
    b"yy\x01\x00\x9b\x03",
]


@pytest.mark.parametrize("piece", PIECES_WITHOUT_END, ids=lambda piece: piece[:8].hex())
@pytest.mark.parametrize("step", [1, 1000, None])
def test_megabytes_without_an_end_cost_linear_work_and_no_memory(piece: bytes, step: int | None) -> None:
    size = 1_000_000 if step != 1 else 100_000
    data = (piece * (size // len(piece) + 1))[:size]
    framer = StreamFramer()
    most = 0
    for at in range(0, size, step or size):
        framer.feed(data[at : at + (step or size)])
        most = max(most, framer.pending)
    assert most <= BUFFER_LIMIT
    framer.close()
    assert framer.steps <= 32 * size
    assert framer.pending == 0
    assert framer.skipped <= size


def test_checksums_are_not_tried_without_limit() -> None:
    """A thousand starts that all promise to end at one tail would otherwise cost a thousand checksums."""
    tail = 16_000
    data = bytearray(b"\x00" * tail)
    for at in range(0, 4000, 4):
        data[at : at + 4] = b"\x79\x79" + (tail - at - 6).to_bytes(2, "big")
    data[-2:] = b"\r\n"
    framer = StreamFramer()
    framer.feed(bytes(data))
    assert framer.steps <= 12 * tail


def test_too_much_without_a_frame_is_dropped_and_counted() -> None:
    framer = StreamFramer()
    pieces = framer.feed(b"\x79\x79\x79\x79" + b"\x01" * 100_000)
    assert framer.overflowed
    assert [len(piece.data) for piece in pieces] == [EVIDENCE_LIMIT]
    assert framer.feed(STATUS) == []
    assert framer.skipped == 4 + 100_000 + len(STATUS)


@given(st.binary(max_size=2000), st.integers(1, 50))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_borne_and_accounted_for(data: bytes, step: int) -> None:
    pieces, framer = all_of(data, step=step)
    pieces += framer.close()
    kept = sum(len(piece.data) for piece in pieces)
    assert framer.pending == 0
    assert framer.skipped <= len(data)
    assert kept + framer.skipped >= len(data)
