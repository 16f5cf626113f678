"""CAN bridges and J1939: lines and frames beside independent implementations, codes that are no values, broadcasts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import SettingsInvalid
from adapters.fuel_monitoring.can import candump, gvret, j1939, slcan
from adapters.fuel_monitoring.can.dbc import UserSignals
from adapters.fuel_monitoring.can.dm1 import TroubleCode, read_dm1
from adapters.fuel_monitoring.can.frame import CanFrame
from adapters.fuel_monitoring.can.transport import LONGEST, BamAssembler, bam_frames
from tests.adapters.fuel_monitoring.support import in_pieces

CUTS = st.lists(st.integers(0, 80), max_size=8)
FRAMES = st.builds(
    lambda can_id, data, bus: CanFrame(can_id, data, extended=True, bus=bus, timestamp_s=0.25),
    st.integers(0, 0x1FFF_FFFF),
    st.binary(max_size=8),
    st.integers(0, 1),
)


@given(st.lists(FRAMES, max_size=8), CUTS)
def test_frames_pass_an_slcan_line_and_come_back(frames: list[CanFrame], cuts: list[int]) -> None:
    stream = b"\r" + b"".join(map(slcan.frame_line, frames))
    lines = in_pieces(slcan.SlcanParser().feed, stream, cuts)
    found = [line.frame for line in lines if line.frame is not None]
    assert [(one.can_id, one.data) for one in found] == [(one.can_id, one.data) for one in frames]


@given(st.lists(FRAMES, max_size=8), st.binary(max_size=20), CUTS)
def test_frames_pass_gvret_and_come_back(frames: list[CanFrame], noise: bytes, cuts: list[int]) -> None:
    clean = noise.replace(b"\xf1", b"")
    stream = clean + b"".join(map(gvret.frame_bytes, frames))
    parser = gvret.GvretParser()
    assert in_pieces(parser.feed, stream, cuts) == frames
    assert parser.skipped_bytes == len(clean)


@given(st.binary(max_size=300), CUTS)
def test_any_bytes_cost_nothing(data: bytes, cuts: list[int]) -> None:
    for parser in (slcan.SlcanParser(), gvret.GvretParser()):
        feed: Any = parser.feed
        in_pieces(feed, data, cuts)
        assert len(parser._buffer) <= 64
    for code in (read_dm1(data), j1939.decode_payload(65_276, data)):
        assert isinstance(code, tuple | list)


@given(st.lists(st.binary(max_size=90) | st.sampled_from([b"\r", b"\x07", b"t1231AA\r"]), max_size=8), CUTS)
def test_lines_are_the_same_in_any_chunks(parts: list[bytes], cuts: list[int]) -> None:
    whole, cut = slcan.SlcanParser(), slcan.SlcanParser()
    data = b"".join(parts)
    expected = whole.feed(data)
    assert in_pieces(cut.feed, data, [cut_at * 4 for cut_at in cuts]) == expected
    assert cut.skipped_bytes == whole.skipped_bytes


@given(st.text(st.characters(max_codepoint=255), max_size=12))
def test_no_character_is_too_strange_for_a_command(rest: str) -> None:
    for head in "SsZXMmVvNFOLCPA":
        slcan.command_of(head + rest)
        slcan.read_line(head + rest)


@given(st.integers(0, 0xFFFF_FFFF))
def test_a_bridges_clock_comes_back_to_the_microsecond(micros: int) -> None:
    frame = CanFrame(0x123, b"", extended=False, timestamp_s=micros / 1e6)
    assert gvret.GvretParser().feed(gvret.frame_bytes(frame)) == [frame]


def test_a_bridges_milliseconds_all_come_back() -> None:
    frames = [CanFrame(0x123, b"", extended=False, timestamp_s=at / 1000) for at in range(60_000)]
    lines = slcan.SlcanParser().feed(b"".join(map(slcan.frame_line, frames)))
    assert [line.frame for line in lines] == frames


@pytest.mark.parametrize("extended", [True, False])
@pytest.mark.parametrize("remote", [True, False])
def test_lines_are_those_of_an_independent_implementation(extended: bool, remote: bool) -> None:
    can = pytest.importorskip("can")
    bridge = pytest.importorskip("can.interfaces.slcan").slcanBus("loop://", sleep_after_open=0)
    frame = CanFrame(0x18FEFC21 if extended else 0x7E8, b"\x00" * 3 if remote else b"\xff\x7d\x00", extended, remote)
    with bridge:
        while bridge.recv(0.01) is not None:
            pass
        bridge.serialPortOrig.reset_input_buffer()
        bridge.serialPortOrig.write(slcan.frame_line(frame))
        heard = bridge.recv(5)
        assert (heard.arbitration_id, heard.is_extended_id, heard.is_remote_frame) == (frame.can_id, extended, remote)
        assert heard.dlc == 3
        assert remote or bytes(heard.data) == frame.data
        bridge.send(
            can.Message(
                arbitration_id=frame.can_id,
                is_extended_id=extended,
                is_remote_frame=remote,
                dlc=3,
                data=None if remote else frame.data,
            )
        )
        (line,) = slcan.SlcanParser().feed(bridge.serialPortOrig.read_until(b"\r"))
        assert line.frame == frame
        bridge.serialPortOrig.reset_input_buffer()


def test_logs_are_those_of_an_independent_implementation(tmp_path: Path) -> None:
    can = pytest.importorskip("can")
    frames = [
        CanFrame(0x18FEFC21, bytes.fromhex("FF7DFFFFFFFF50FF"), timestamp_s=1436509052.249713),
        CanFrame(0x7DF, b"\x02\x01\x2f", extended=False, timestamp_s=1436509053.5),
        CanFrame(0x123, b"", extended=False, remote=True, timestamp_s=1436509054.0),
    ]
    ours, theirs = tmp_path / "ours.log", tmp_path / "theirs.log"
    ours.write_text("".join(f"{log_line(frame, 'can0')}\n" for frame in frames))
    with can.CanutilsLogReader(ours) as reader:
        messages = list(reader)
    assert [(one.arbitration_id, bytes(one.data), one.is_remote_frame) for one in messages] == [
        (frame.can_id, frame.data, frame.remote) for frame in frames
    ]
    with can.CanutilsLogWriter(theirs) as writer:
        for message in messages:
            writer.on_message_received(message)
    again = [candump.parse_line(line)[0] for line in theirs.read_text().splitlines()]
    assert again == frames


def test_a_bell_ends_a_line_as_an_error_whatever_stood_before_it() -> None:
    parser = slcan.SlcanParser()
    found = parser.feed(b"t1230\x07t1231AA\r" + b"x" * 500 + b"\r\r")
    assert parser.skipped_bytes == 500
    in_parts = [line for part in (b"x" * 65, b"T1\rV1013\r") for line in parser.feed(part)]
    assert [(line.text, line.error) for line in in_parts] == [("", "too_long"), ("V1013", "")]
    assert [line.error or line.facts.get("reply") or line.text for line in found] == [
        "error",
        "t1231AA",
        "too_long",
        "ok",
    ]


def test_the_bus_is_opened_to_listen_only() -> None:
    assert slcan.open_sequence(250_000)[-2:] == [b"S5\r", b"L\r"]
    assert slcan.open_sequence(500_000, listen_only=False, timestamps=True)[-3:] == [b"S6\r", b"Z1\r", b"O\r"]
    with pytest.raises(ValueError, match="no bit rate"):
        slcan.open_sequence(123)
    assert gvret.set_speed((250_000, 0))[2:6] == (250_000 | 0b111 << 29).to_bytes(4, "little")


@given(st.sampled_from(sorted(j1939.PGNS)), st.data())
def test_codes_that_are_no_values_are_never_shown_as_values(pgn: int, data: st.DataObject) -> None:
    payload = data.draw(st.binary(min_size=8, max_size=8))
    for spn, signal in zip(j1939.PGNS[pgn], j1939.decode_payload(pgn, payload), strict=True):
        top = payload[spn.at + spn.size - 1]
        assert (signal.value is not None) == (top <= 0xFA) == (signal.status == "ok")
    for signal in j1939.decode_payload(pgn, payload[:1]):
        assert signal.status in ("missing", "ok", "reserved", "error", "not_available")


def written_dbc() -> str:
    """Every message of our table as an operator's DBC file would describe it."""
    lines = ['VERSION ""', "NS_ :", "BS_:", "BU_: X"]
    for pgn, spns in j1939.PGNS.items():
        lines.append(f"BO_ {j1939.make_id(pgn, 0xFE) | 1 << 31} P{pgn}: 8 X")
        lines += [
            f' SG_ S{one.spn} : {8 * one.at}|{8 * one.size}@1+ ({one.scale},{one.offset}) [0|0] "" X' for one in spns
        ]
    lines += ["BO_ 291 Own: 2 X", ' SG_ Level : 0|8@1+ (1,0) [0|200] "" X', ' SG_ Flags : 8|2@1+ (1,0) [0|0] "" X', ""]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def own_signals(tmp_path_factory: pytest.TempPathFactory) -> UserSignals:
    pytest.importorskip("cantools")
    path = tmp_path_factory.mktemp("dbc") / "fuel.dbc"
    path.write_text(written_dbc())
    return UserSignals(path)


@given(st.sampled_from(sorted(j1939.PGNS)), st.binary(min_size=8, max_size=8), st.integers(0, 255), st.integers(0, 7))
def test_values_agree_with_a_dbc_decoder(
    own_signals: UserSignals, pgn: int, data: bytes, source: int, priority: int
) -> None:
    frame = CanFrame(j1939.make_id(pgn, source, priority=priority), data)
    ours = {f"P{pgn}.S{one.spn}": one.value for one in j1939.decode_frame(frame) if one.value is not None}
    assert own_signals.decode(frame) == pytest.approx(ours)


def test_a_users_signals_keep_to_their_range_and_to_their_kind_of_identifier(own_signals: UserSignals) -> None:
    assert {"P65276.S96", "Own.Level"} <= set(own_signals.names())
    assert own_signals.decode(CanFrame(0x123, b"\xc8\x03", extended=False)) == {"Own.Level": 200.0, "Own.Flags": 3.0}
    assert own_signals.decode(CanFrame(0x123, b"\xc9\x03", extended=False)) == {"Own.Flags": 3.0}
    assert own_signals.decode(CanFrame(0x123, b"\xc8\x03")) == {}
    assert own_signals.decode(CanFrame(0x124, b"\xc8\x03", extended=False)) == {}
    assert own_signals.decode(CanFrame(0x123, b"\xc8\x03", extended=False, remote=True)) == {}
    assert own_signals.decode(CanFrame(0x123, b"", extended=False)) == {}


def test_a_file_that_is_no_dbc_says_so(tmp_path: Path) -> None:
    pytest.importorskip("cantools")
    path = tmp_path / "fuel.dbc"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(SettingsInvalid, match="not a DBC file"):
        UserSignals(path)
    with pytest.raises(SettingsInvalid, match=r"absent\.dbc cannot be read: No such file"):
        UserSignals(tmp_path / "absent.dbc")


@given(st.binary(min_size=9, max_size=200), st.integers(0, 255), st.integers(0, 255))
def test_broadcasts_of_several_senders_are_put_together(payload: bytes, first: int, second: int) -> None:
    assembler = BamAssembler()
    mine, other = (
        bam_frames(65_260, first, payload),
        bam_frames(65_226, second ^ 1 if second == first else second, payload),
    )
    found = [assembler.feed(frame, 0.0) for pair in zip(mine, other, strict=True) for frame in pair]
    assert [message.payload for message in found if message is not None] == [payload, payload]


def test_a_broadcast_with_a_packet_missing_or_late_is_dropped_alone() -> None:
    frames = bam_frames(65_260, 3, bytes(30))
    assembler = BamAssembler()
    assert all(assembler.feed(frame, 0.0) is None for frame in [*frames[:2], *frames[3:]])
    assert assembler.dropped == 1
    late = [assembler.feed(frame, at * 1.0) for at, frame in enumerate(frames)]
    assert late.count(None) == len(late)
    whole = [assembler.feed(frame, at * 0.1) for at, frame in enumerate(frames)]
    assert whole[-1] is not None
    with pytest.raises(ValueError, match="no announced broadcast"):
        bam_frames(65_260, 3, bytes(LONGEST + 1))


def test_trouble_codes_of_the_fuel_sender() -> None:
    (code,) = read_dm1(bytes.fromhex("04FF60000301FFFF"))
    assert code == TroubleCode(96, 3, 1)
    assert code.is_fuel_sensor_fault
    assert read_dm1(bytes.fromhex("00FF00000000FFFF")) == ()


def test_what_is_sent_is_what_is_read() -> None:
    data = j1939.encode_signals(65_276, {96: 50.0, 38: "error"})
    values = {signal.spn: (signal.status, signal.value) for signal in j1939.decode_payload(65_276, data)}
    assert values == {80: ("not_available", None), 96: ("ok", 50.0), 38: ("error", None)}
    with pytest.raises(ValueError, match="cannot say"):
        j1939.encode_signals(65_276, {96: 101.0})


def log_line(frame: CanFrame, channel: str) -> str:
    """As candump writes it."""
    data = f"R{len(frame.data) or ''}" if frame.remote else frame.data.hex().upper()
    return f"({frame.timestamp_s or 0.0:.6f}) {channel} {frame.shown_id}#{data}"


@given(FRAMES)
def test_candump_lines_come_back(frame: CanFrame) -> None:
    again, channel = candump.parse_line(log_line(frame, "vcan0"))
    assert (again.can_id, again.data, channel) == (frame.can_id, frame.data, "vcan0")


@pytest.mark.parametrize("line", ["", "(1.0) can0 123", "(1.0) can0 FFF#00", "(x) can0 123#00", "(1.0) can0 123##100"])
def test_other_lines_are_refused_with_a_reason(line: str) -> None:
    with pytest.raises(ValueError, match=r"candump|CAN-FD|beyond"):
        candump.parse_line(line)
