"""ELM327: replies of every form, damage, and the session that sets an adapter up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.fuel_monitoring.obd.elm327 import LONGEST_REPLY, WORDS, ElmParser, read_reply, read_unasked, supported
from adapters.fuel_monitoring.obd.estimates import fuel_from_air_l_h
from adapters.fuel_monitoring.obd.session import ElmSession, Step

COMMANDS = st.sampled_from(["012F", "0100", "0902", "ATZ", "ATRV", "", "zz", "01", "03"])


@pytest.mark.parametrize("reply", [
    b"412FAA\r\r>", b"41 2F AA \r\r>", b"7E8 03 41 2F AA \r\r>", b"7E803412FAA\r\r>", b"012F\r412FAA\r\r>",
    b"SEARCHING...412FAA\r\r>", b"\x0041\x002FAA\r\n\r\n>", b"18DAF110 03 41 2F AA\r\r>",
])  # fmt: skip
def test_every_form_of_one_answer_says_the_same(reply: bytes) -> None:
    result = read_reply("012F", reply)
    assert result.error == ""
    assert result.value == pytest.approx(66.667, rel=1e-4)


@pytest.mark.parametrize(("reply", "ecu"), [
    (b"48 6B 10 41 2F AA 9D\r\r>", "486B10"),  # ISO 9141-2, J1850 VPW
    (b"416B10412FAA1C\r\r>", "416B10"),  # J1850 PWM
    (b"83F110412FAA9E\r\r>", "83F110"),  # KWP 2000
    (b"BUS INIT: ...OK\r83 F1 10 41 2F AA 9E \r\r>", "83F110"),
])  # fmt: skip
def test_headers_of_buses_before_can_are_understood(reply: bytes, ecu: str) -> None:
    result = read_reply("012F", reply)
    assert [(one.ecu, one.data.hex()) for one in result.answers] == [(ecu, "412faa")]
    assert result.value == pytest.approx(66.667, rel=1e-4)


def test_a_long_answer_is_taken_in_order_or_not_at_all() -> None:
    lines = [b"7E81014490201575030", b"7E8215A5A5A39395A54", b"7E82253333930303030"]
    whole = read_reply("0902", b"\r".join(lines) + b"\r\r>")
    assert (whole.error, whole.answers[0].data[3:]) == ("", b"WP0ZZZ99ZTS390000")
    for wrong in ([lines[0], lines[2], lines[1]], [lines[0], lines[2]], [lines[0], lines[1]], [lines[1], lines[2]]):
        assert read_reply("0902", b"\r".join(wrong) + b"\r\r>").error == "incomplete"
    numbered = b"014\r0: 490201575030\r1: 5A5A5A39395A54\r2: 53333930303030\r"
    assert read_reply("0902", numbered + b"\r>").error == ""
    assert read_reply("0902", numbered + numbered + b"\r>").error == "incomplete"


def test_a_refusal_of_another_request_is_no_answer() -> None:
    assert read_reply("012F", b"7F0912\r\r>").error == "mismatch"
    assert read_reply("012F", b"7F0178\r412FAA\r\r>").value == pytest.approx(66.667, rel=1e-4)


@pytest.mark.parametrize("reply", [b"412F80\r>", b"012F\r412F80\r>", b"7E8 03 41 2F 80\r>", b"48 6B 10 41 2F 80 73\r>"])
def test_without_the_command_the_answer_tells_it(reply: bytes) -> None:
    assert read_unasked(reply).value == pytest.approx(50.196, rel=1e-4)


def test_several_control_units_are_kept_apart() -> None:
    result = read_reply("012F", b"7E803412F80\r7E903412FFF\r\r>")
    assert [(answer.ecu, answer.data.hex()) for answer in result.answers] == [("7E8", "412f80"), ("7E9", "412fff")]


def test_a_late_answer_to_another_request_is_no_value() -> None:
    result = read_reply("012F", b"410D50\r\r>")
    assert (result.error, result.value) == ("mismatch", None)


@pytest.mark.parametrize(("reply", "error"), [
    (b"7F0112\r\r>", "not_supported"), (b"7F0121\r\r>", "busy"), (b"7F0178\r\r>", "pending"),
    (b"?\r\r>", "unknown_command"),
    (b"7E8037F0112\r\r>", "not_supported"), (b"STOPPED\r\r>", "stopped"), (b"ERR94\r\r>", "internal_error"),
    (b"LV RESET\r\r>", "low_voltage_reset"), (b">", "incomplete"), (b"<RX ERROR\r>", "rx_error"),
    (b"412FA\r>", "incomplete"),
])  # fmt: skip
def test_refusals_and_faults_have_their_names(reply: bytes, error: str) -> None:
    result = read_reply("012F", reply)
    assert (result.error, result.value) == (error, None)
    assert WORDS[error]


@given(COMMANDS, st.binary(max_size=300))
def test_any_bytes_cost_nothing(command: str, reply: bytes) -> None:
    result = read_reply(command, reply)
    assert result.error == "" or result.error in WORDS
    assert result.error or result.answers or result.facts
    supported(result)


@given(
    st.lists(st.binary(max_size=40).map(lambda part: part.replace(b">", b"").replace(b"\0", b"")), max_size=6),
    st.data(),
)
def test_replies_are_cut_at_the_prompt_whatever_the_chunks(replies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(reply + b">" for reply in replies)
    parser = ElmParser()
    found: list[bytes] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += parser.feed(stream[:size])
        stream = stream[size:]
    assert found == replies
    assert not parser.is_pending


def test_an_adapter_that_never_prompts_is_held_small() -> None:
    parser = ElmParser()
    for _round in range(100):
        assert parser.feed(b"x" * 1_000) == []
    assert parser.skipped_bytes > 0
    assert len(parser._buffer) <= 8_192


def test_an_endless_reply_is_cut_alike_in_any_chunks() -> None:
    data = bytes(range(0x41, 0x5B)) * 400 + b">412F80\r>"
    whole, cut = ElmParser(), ElmParser()
    expected = whole.feed(data)
    assert [reply for at in range(0, len(data), 997) for reply in cut.feed(data[at : at + 997])] == expected
    assert [len(reply) for reply in expected] == [LONGEST_REPLY, 7]
    assert whole.skipped_bytes == cut.skipped_bytes == 26 * 400 - LONGEST_REPLY


def answers(session: ElmSession, replies: dict[str, bytes]) -> list[str]:
    """Run the session against canned replies; returns what was sent."""
    sent = []
    while (step := session.next_step()) is not None:
        sent.append(step.command)
        session.take(read_reply(step.command, replies.get(step.command, b"OK\r\r>")))
    return sent


def test_the_session_finds_what_the_vehicle_supports() -> None:
    session = ElmSession()
    sent = answers(session, {
        "ATZ": b"ATZ\r\r\rELM327 v1.5\r\r>", "ATL0": b"?\r\r>", "0100": b"SEARCHING...\r7E8064100BE3FA813\r\r>",
        "ATDPN": b"A6\r\r>", "0120": b"7E8064120A003A001\r\r>", "0140": b"7E806414000000004\r\r>",
    })  # fmt: skip
    assert sent[:7] == ["ATZ", "ATE0", "ATL0", "ATS0", "ATH1", "ATAT1", "ATSP0"]
    assert sent[7:] == ["0100", "ATDPN", "0120", "0140"]
    assert (session.device, session.protocol, session.is_ready) == ("ELM327 v1.5", "A6", True)
    assert {0x0C, 0x0D, 0x2F, 0x5E} <= session.pids


def test_a_vehicle_that_does_not_answer_is_tried_again_from_the_protocol_search() -> None:
    session = ElmSession()
    answers(session, {"0100": b"SEARCHING...\rUNABLE TO CONNECT\r\r>"})
    assert session.trouble == "unable_to_connect"
    assert not session.is_ready
    session.restart()
    assert session.next_step() == Step("ATSP0")
    session.restart(reset=True)
    assert session.next_step() == Step("ATZ", 3.0)


def test_a_parameter_without_data_rests_until_a_restart_and_stays_listed() -> None:
    session = ElmSession()
    session.pids = frozenset({0x2F})
    for _try in range(2):
        session.note(0x2F, read_reply("012F", b"NO DATA\r\r>"))
    assert not session.rests(0x2F)
    session.note(0x2F, read_reply("012F", b"NO DATA\r\r>"))
    assert session.rests(0x2F)
    assert session.tells(0x2F)
    session.restart()
    session.note(0x2F, read_reply("012F", b"NO DATA\r\r>"))
    assert not session.rests(0x2F), "it is counted anew"


def test_diesel_without_a_measured_lambda_gives_no_estimate() -> None:
    assert fuel_from_air_l_h(20.0, "diesel") is None
    lean = fuel_from_air_l_h(20.0, "diesel", equivalence_ratio=2.0)
    assert lean == pytest.approx(20 * 3600 / (14.5 * 2.0 * 832))
    assert fuel_from_air_l_h(13.11, "petrol") == pytest.approx(4.3095, rel=1e-4)
    assert fuel_from_air_l_h(20.0, "LPG") is None
