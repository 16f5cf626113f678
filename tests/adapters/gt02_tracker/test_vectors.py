"""Every shared vector decodes as it says, in any chunking, and every byte of it is explained."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.gt02_tracker import gt06
from adapters.gt02_tracker.decoders import DECODERS
from adapters.gt02_tracker.explain import explain
from adapters.gt02_tracker.framing import Frame, Piece, StreamFramer
from tests.adapters.gt02_tracker.support import NOW_MS, Vector, vectors


def whole_run(data: bytes, cuts: list[int]) -> tuple[list[Piece], int]:
    """Pieces and skipped bytes of ``data`` fed in the parts that ``cuts`` make."""
    framer = StreamFramer()
    pieces: list[Piece] = []
    at = 0
    for cut in [*sorted(cuts), len(data)]:
        pieces += framer.feed(data[at:cut])
        at = cut
    pieces += framer.close()
    assert framer.pending == 0
    return pieces, framer.skipped


def single(kind: str) -> list[Vector]:
    return [vector for vector in vectors() if vector.expect["kind"] == kind]


def test_vectors_decode_as_they_say() -> None:
    for vector in vectors():
        if vector.expect["kind"] in ("stream", "malformed_length"):
            continue
        assert DECODERS["auto"](vector.data, {}) == [vector.expect], vector.name


def test_vectors_decode_with_the_decoder_of_their_protocol_alone() -> None:
    for vector in vectors():
        protocol = vector.expect.get("protocol")
        if protocol not in ("gt02", "gt06") or vector.expect["kind"] == "malformed_length":
            continue
        assert DECODERS[protocol](vector.data, {}) == [vector.expect], vector.name
        other = "gt06" if protocol == "gt02" else "gt02"
        assert "error" in DECODERS[other](vector.data, {})[0], vector.name


def test_dialects_with_a_length_that_is_none_are_named_and_counted() -> None:
    good = next(vector for vector in vectors() if vector.name == "status_basic")
    for vector in single("malformed_length"):
        shown = dict(DECODERS["auto"](vector.data, {})[0])
        assert shown.pop("skipped") == len(vector.data)
        assert shown == vector.expect, vector.name
        followed = DECODERS["auto"](vector.data + good.data, {})
        assert {**good.expect, "skipped": len(vector.data)} == followed[-1], vector.name


def test_streams_give_their_frames_and_count_the_rest() -> None:
    for vector in single("stream"):
        pieces, skipped = whole_run(vector.data, [])
        assert [piece.data.hex() for piece in pieces] == vector.expect["frames"], vector.name
        assert skipped == len(bytes.fromhex(vector.expect.get("skipped", ""))), vector.name
        shown = DECODERS["auto"](vector.data, {})
        assert shown[-1].get("skipped", 0) == skipped
        if "protocols" in vector.expect:
            assert [item["protocol"] for item in shown] == vector.expect["protocols"]


def test_every_split_of_every_vector_gives_the_same() -> None:
    for vector in vectors():
        whole = whole_run(vector.data, [])
        for cut in range(1, len(vector.data)):
            assert whole_run(vector.data, [cut]) == whole, (vector.name, cut)


def test_vectors_fed_byte_by_byte_and_one_after_the_other_give_the_same() -> None:
    everything = b"".join(vector.data for vector in vectors())
    assert whole_run(everything, list(range(1, len(everything)))) == whole_run(everything, [])


def test_replies_are_those_of_the_vectors() -> None:
    for vector in vectors():
        expect = vector.expect
        if expect.get("protocol") != "gt06" or "ack" not in expect:
            continue
        reply = gt06.reply_to(gt06.decode(vector.data).fields, NOW_MS)
        if expect["ack"] == "time_reply":
            assert reply[:4].hex() == "78780b8a"
            assert reply[-6:-4] == vector.data[-6:-4]
        else:
            assert reply.hex() == (expect["ack"] or expect.get("ack_optional") or ""), vector.name


def test_explanations_cover_every_byte_in_order() -> None:
    for vector in vectors():
        rows = explain("auto", vector.data)
        assert b"".join(bytes.fromhex(row.hex) for row in rows) == vector.data, vector.name
        assert [row.offset for row in rows] == [sum(row.length for row in rows[:n]) for n in range(len(rows))], (
            vector.name
        )


def test_explanation_names_value_and_unit() -> None:
    vector = next(vector for vector in vectors() if vector.name == "constructed_north_east_charging")
    rows = {row.name: row for row in explain("gt02", vector.data)}
    speed = rows["speed"]
    assert (speed.offset, speed.length, speed.hex, speed.value, speed.unit) == (30, 1, "3e", "62", "km/h")
    assert rows["latitude"].value == "12.002179"
    assert rows["time"].value == "2026-03-14T08:30:05Z"
    assert "charging yes" in rows["flags"].value


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_mixture_is_the_same_in_any_chunking(data: st.DataObject) -> None:
    parts: list[bytes] = []
    for _ in range(data.draw(st.integers(1, 6))):
        frame = bytearray(data.draw(st.sampled_from(vectors())).data)
        match data.draw(st.sampled_from(["whole", "head", "tail", "changed", "noise"])):
            case "head":
                frame = frame[: data.draw(st.integers(0, len(frame)))]
            case "tail":
                frame = frame[data.draw(st.integers(0, len(frame))) :]
            case "changed":
                frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
            case "noise":
                frame = bytearray(data.draw(st.lists(st.sampled_from(b"hxy\r\n(#1\x9b\x00\x05"), max_size=40)))
        parts.append(bytes(frame))
    stream = b"".join(parts)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    whole = whole_run(stream, [])
    assert whole_run(stream, cuts) == whole
    assert whole_run(stream, list(range(1, len(stream)))) == whole


@pytest.mark.parametrize("protocol", ["auto", "gt02", "gt06"])
@given(data=st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_decoders_and_explanations_bear_any_bytes(protocol: str, data: bytes) -> None:
    shown: list[Any] = list(DECODERS[protocol](data, {}))
    assert shown
    assert all("error" in item or "kind" in item for item in shown)
    assert b"".join(bytes.fromhex(row.hex) for row in explain(protocol, data)) == data


def test_no_bytes_at_all_are_refused_in_words() -> None:
    assert DECODERS["auto"](b"", {}) == [{"error": "There is no frame in these 0 bytes."}]
    assert DECODERS["auto"](b"\x01\x02", {}) == [{"error": "There is no frame in these 2 bytes.", "skipped": 2}]


def test_a_frame_keeps_its_bytes() -> None:
    for vector in vectors():
        if vector.expect.get("crc_ok", True) and vector.expect.get("protocol") in ("gt02", "gt06"):
            pieces, _ = whole_run(vector.data, [])
            assert all(isinstance(piece, Frame) for piece in pieces)
            assert pieces[0].data == vector.data
