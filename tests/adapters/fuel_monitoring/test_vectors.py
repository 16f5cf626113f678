"""Every shared vector of the fuel sensors decodes as it says, and streams do so in any chunking."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.fuel_monitoring.can.gvret import GvretParser
from adapters.fuel_monitoring.can.slcan import SlcanParser
from adapters.fuel_monitoring.decoders import DECODERS
from adapters.fuel_monitoring.lls.frames import LlsParser
from adapters.fuel_monitoring.obd.elm327 import ElmParser
from adapters.fuel_monitoring.obd.estimates import fuel_from_air_l_h
from tests.adapters.fuel_monitoring.support import in_pieces, says, vectors

CUTS = st.lists(st.integers(0, 80), max_size=6)
ANY_CHUNKING = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def decoded(protocol: str, vector: dict[str, Any]) -> list[Any]:
    return list(DECODERS[protocol](bytes.fromhex(vector.get("hex", "")), vector))


@pytest.mark.parametrize(
    ("name", "protocol", "kinds"),
    [
        ("lls", "lls", ("request", "measurement", "ack", "settings", "history", "ede-serial", "text")),
        ("lls", "lls", ("truncated", "bad-prefix", "bad-crc", "zero-length")),
        ("lls", "modbus", ("modbus-rtu",)),
        ("j1939", "j1939", ("frame", "id", "request", "dm1", "transport")),
        ("slcan", "slcan", ("frame", "command", "reply", "malformed")),
        ("slcan", "gvret", ("gvret",)),
        ("elm327", "elm327", ("exchange",)),
    ],
)
def test_vectors_decode_as_they_say(name: str, protocol: str, kinds: tuple[str, ...]) -> None:
    found = vectors(name, *kinds)
    assert found
    for vector in found:
        (shown,) = decoded(protocol, vector)
        assert says(shown, vector["decoded"]), (vector["id"], shown)
        assert vector.get("valid", True) != ("error" in shown), vector["id"]


def test_candump_lines_decode_as_they_say() -> None:
    for vector in vectors("slcan", "candump"):
        (shown,) = DECODERS["candump"](vector["text"].encode(), vector)
        assert says(shown, vector["decoded"]), vector["id"]


def test_estimates_from_air_flow_are_those_of_the_vectors() -> None:
    for vector in vectors("elm327", "maf-estimate"):
        found = fuel_from_air_l_h(vector["maf_g_s"], vector["fuel"])
        assert says(found, vector["decoded"]["fuel_l_h"])


@ANY_CHUNKING
@given(CUTS)
def test_lls_streams_give_their_frames_in_any_chunking(cuts: list[int]) -> None:
    for vector in vectors("lls", "stream"):
        for pieces in (cuts, range(200)):
            parser = LlsParser()
            found = in_pieces(parser.feed, bytes.fromhex(vector["hex"]), list(pieces)) + parser.close()
            assert [frame.raw.hex().upper() for frame in found] == vector["decoded"]["frames"], vector["name"]
            assert parser.skipped_bytes == vector["decoded"]["skipped_bytes"], vector["name"]


@ANY_CHUNKING
@given(CUTS)
def test_slcan_streams_give_their_lines_in_any_chunking(cuts: list[int]) -> None:
    for vector in vectors("slcan", "stream"):
        for pieces in (cuts, range(200)):
            found = in_pieces(SlcanParser().feed, bytes.fromhex(vector["hex"]), list(pieces))
            assert [line.text for line in found] == vector["decoded"]["lines"], vector["name"]


@ANY_CHUNKING
@given(CUTS)
def test_all_gvret_frames_in_one_stream(cuts: list[int]) -> None:
    found = vectors("slcan", "gvret")
    stream = b"".join(bytes.fromhex(vector["hex"]) for vector in found)
    frames = in_pieces(GvretParser().feed, stream, cuts)
    assert len(frames) == len(found)


@ANY_CHUNKING
@given(CUTS)
def test_all_obd_replies_in_one_stream(cuts: list[int]) -> None:
    found = vectors("elm327", "exchange")
    stream = b"".join(bytes.fromhex(vector["reply_hex"]) for vector in found)
    replies = in_pieces(ElmParser().feed, stream, [cut * 20 for cut in cuts])
    assert [reply + b">" for reply in replies] == [bytes.fromhex(vector["reply_hex"]) for vector in found]
