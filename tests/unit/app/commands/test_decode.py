from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.commands.decode import explain
from tests.adapters.fuel_monitoring.support import says
from tests.helpers.command_line import VECTORS, CommandLine, assert_refused

HEARTBEAT = "68681a0604086812015620935200601a010b282a2a2c1f2824181e1d120d0a"


def test_hex_is_read_however_it_is_written(bare: CommandLine) -> None:
    pairs = [HEARTBEAT[at : at + 2] for at in range(0, len(HEARTBEAT), 2)]
    spellings = [[HEARTBEAT.upper()], pairs, [":".join(pairs)], ["0x" + ", 0x".join(pairs)]]
    found = [bare("decode", "auto", "--json", *words).json for words in spellings]
    assert found == [found[0]] * len(found)
    assert found[0][0]["imei"] == "868120156209352"
    assert found[0][0]["ack"] == "54681a0d0a"


def test_lines_of_standard_input_are_answered_line_by_line(bare: CommandLine) -> None:
    text = json.dumps(
        {"text": "(088047365460BP05354188047365460150929A3258.1754S02755.4323E009.4193927301.9000000000L00000000)"}
    )
    lines = [
        HEARTBEAT,
        "",
        json.dumps({"hex": HEARTBEAT, "name": "of no concern"}),
        text,
        "zz",
        '{"hex": ',
        "ff" + HEARTBEAT,
    ]
    outcome = bare("decode", "gt02", "--json", stdin="\n".join(lines).encode() + b"\n\xff\xfe\n")
    assert outcome.status == 0
    plain, as_object, foreign, no_hex, no_object, noisy, no_text = outcome.json_lines
    assert plain == as_object
    assert foreign[0]["kind"] == "foreign_protocol"
    assert "not hex" in no_hex[0]["error"]
    assert "JSON" in no_object[0]["error"]
    assert noisy == [{**plain[0], "skipped": 1}]
    assert "not hex" in no_text[0]["error"]


def test_people_get_a_line_per_field(bare: CommandLine) -> None:
    outcome = bare("decode", "auto", HEARTBEAT + HEARTBEAT)
    first, second = outcome.out.split("\n\n")
    assert first.strip() == second.strip()
    assert "imei: 868120156209352\n" in first


def test_an_unknown_protocol_is_refused_with_those_there_are(bare: CommandLine) -> None:
    assert_refused(bare("decode", "morse", "00"), "morse", "auto, candump, elm327, gt02, gt06, gvret")


@pytest.mark.parametrize("name", ["gt02", "gt06"])
def test_every_shared_vector_decodes_as_expected(bare: CommandLine, name: str) -> None:
    path = VECTORS / f"{name}.json"
    if not path.exists():
        pytest.skip(f"no shared vectors at {path}")
    vectors = json.loads(path.read_text(encoding="utf-8"))
    lines = "\n".join(json.dumps({"hex": vector["hex"]}) for vector in vectors)
    found = bare("decode", "auto", "--json", stdin=lines.encode()).json_lines
    assert len(found) == len(vectors)
    for vector, objects in zip(vectors, found, strict=True):
        expect = vector["expect"]
        skipped = objects[-1].pop("skipped", 0)
        if expect["kind"] == "stream":
            alone = [bare("decode", "auto", "--json", frame).json[0] for frame in expect["frames"]]
            assert objects == alone, vector["name"]
            assert skipped == len(expect.get("skipped", "")) // 2, vector["name"]
        else:
            assert objects == [expect], vector["name"]


FUEL_INPUTS = ("hex", "text", "can_id", "extended", "data", "frames", "command", "reply_hex", "settings")
OWN_PROTOCOLS = {"gvret": "gvret", "candump": "candump", "modbus-rtu": "modbus"}


@pytest.mark.parametrize("name", ["lls", "j1939", "slcan", "elm327"])
def test_every_shared_vector_of_fuel_decodes_as_expected(bare: CommandLine, name: str) -> None:
    path = VECTORS / f"{name}.json"
    if not path.exists():
        pytest.skip(f"no shared vectors at {path}")
    by_protocol: dict[str, list[dict[str, Any]]] = {}
    for vector in json.loads(path.read_text(encoding="utf-8"))["vectors"]:
        if vector["kind"] != "maf-estimate":  # arithmetic, not bytes
            by_protocol.setdefault(OWN_PROTOCOLS.get(vector["kind"], name), []).append(vector)
    for protocol, vectors in by_protocol.items():
        lines = [json.dumps({key: vector[key] for key in FUEL_INPUTS if key in vector}) for vector in vectors]
        found = bare("decode", protocol, "--json", stdin="\n".join(lines).encode()).json_lines
        for vector, objects in zip(vectors, found, strict=True):
            _assert_told(objects, vector["decoded"], vector["id"])


def _assert_told(objects: list[dict[str, Any]], wanted: dict[str, Any], name: str) -> None:
    if "frames" in wanted:
        assert [one["frame"] for one in objects] == wanted["frames"], name
        assert objects[-1]["skipped_bytes"] == wanted["skipped_bytes"], name
    elif "lines" in wanted:
        assert [one["line"] for one in objects] == wanted["lines"], name
    else:
        assert len(objects) == 1, name
        assert says(objects[0], wanted), (name, objects[0])


def test_a_log_of_a_bus_is_read_line_by_line(bare: CommandLine) -> None:
    log = b"(1436509052.249713) can0 18FEFC21#FF7DFFFFFFFF50FF\n(1436509053.0) can0 zz\n(1.0) can1 123#R\n"
    first, broken, last = bare("decode", "candump", "--json", stdin=log).json_lines
    assert (first[0]["time"], first[0]["id"]) == (1436509052.249713, "18FEFC21")
    assert "candump" in broken[0]["error"]
    assert (last[0]["channel"], last[0]["remote"]) == ("can1", True)


def _measure(data: bytes, context: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    assert isinstance(data, bytes)
    return [{"length": len(data), "context": dict(context)}]


@given(st.text() | st.binary().map(bytes.hex) | st.dictionaries(st.text(), st.integers() | st.text()).map(json.dumps))
def test_any_input_is_answered(text: str) -> None:
    found = explain(_measure, text.strip())
    assert len(found) == 1
    assert set(found[0]) in ({"error"}, {"length", "context"})


def test_an_object_without_a_bottom_costs_itself_alone() -> None:
    assert "nested" in explain(_measure, '{"hex":' + "[" * 100_000)[0]["error"]


def test_a_decoder_that_fails_costs_its_input_alone() -> None:
    def broken(data: bytes, context: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        raise IndexError("out of range")

    assert explain(broken, "00") == [{"error": "The decoder failed on this input (IndexError: out of range)."}]
