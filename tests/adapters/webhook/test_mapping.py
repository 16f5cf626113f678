"""Rules of the operator: from a message to records, with clear words for what does not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import RecordRejected, SettingsInvalid
from adapters.records import Rejected
from adapters.supply import Requisition, RequisitionLine, StockLine
from adapters.webhook.mapping import translate
from adapters.webhook.rules import KINDS, Rule, read_rules

STOCK = {
    "when": {"type": "stock.changed"},
    "kind": "stock_line",
    "each": "data.lines",
    "fields": {
        "peer_id": "id",
        "facility": "/data/store",
        "item": "item.code",
        "units": "quantity",
        "expires_on": "expiry",
        "pack_size": {"value": 100},
    },
}
PAPER = {
    "when": {"type": "requisition"},
    "kind": "requisition",
    "fields": {
        "peer_id": "id",
        "number": "no",
        "side": {"value": "response"},
        "status": "state",
        "stage": "state",
        "facility": "from",
        "created_ms": "at",
    },
    "lines": {"each": "items", "fields": {"peer_id": "id", "item": "code", "requested_units": "wanted"}},
}
FETCH = {"when": {"type": "ping"}, "fetch": "Kano mSupply"}


def rules(tmp_path: Path, *some: Any) -> tuple[Rule, ...]:
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"rules": some}))
    return read_rules(str(file))


def test_each_element_becomes_a_record(tmp_path: Path) -> None:
    lines = [
        {"id": 7, "item": {"code": "AL6"}, "quantity": "12.5", "expiry": "2027-03-31T00:00:00Z"},
        {"id": "8", "item": {"code": "ORS"}, "quantity": 3},
    ]
    message = {"type": "stock.changed", "data": {"store": "kano", "lines": lines}}
    found = translate(rules(tmp_path, STOCK, FETCH), json.dumps(message).encode())
    assert found.records == [
        StockLine("7", "kano", "AL6", 12.5, expires_on="2027-03-31", pack_size=100.0),
        StockLine("8", "kano", "ORS", 3.0, expires_on=None, pack_size=100.0),
    ]
    assert found.fetch == ()


def test_a_paper_brings_its_lines(tmp_path: Path) -> None:
    message = {
        "type": "requisition",
        "id": "r1",
        "no": 12,
        "state": "submitted",
        "from": "f1",
        "at": "2026-11-25T10:00:00+01:00",
        "items": [{"id": "l1", "code": "AL6", "wanted": 40}, {"id": "l2", "code": "ORS"}],
    }
    (paper,) = translate(rules(tmp_path, PAPER), json.dumps(message).encode()).records
    assert isinstance(paper, Requisition)
    assert (paper.number, paper.stage, paper.created_ms) == ("12", "submitted", 1_795_597_200_000)
    assert paper.lines == [RequisitionLine("l1", "AL6", 40.0), RequisitionLine("l2", "ORS", None)]


def test_a_word_that_nobody_knows_is_the_unknown_stage(tmp_path: Path) -> None:
    message = {"type": "requisition", "id": "r1", "no": 1, "state": "QUUX", "from": "f1", "items": []}
    (paper,) = translate(rules(tmp_path, PAPER), json.dumps(message).encode()).records
    assert isinstance(paper, Requisition)
    assert (paper.status, paper.stage) == ("QUUX", "unknown")


def test_one_element_that_does_not_fit_costs_the_others_nothing(tmp_path: Path) -> None:
    lines = [
        {"id": "7", "item": {"code": "AL6"}, "quantity": "many"},
        {"id": "8", "item": {"code": "ORS"}, "quantity": 3},
    ]
    message = {"type": "stock.changed", "data": {"store": "kano", "lines": lines}}
    bad, good = translate(rules(tmp_path, STOCK), json.dumps(message).encode()).records
    assert isinstance(bad, Rejected)
    assert bad.why == "its “units” is not a number"
    assert isinstance(good, StockLine)


def test_a_ping_brings_a_run_forward(tmp_path: Path) -> None:
    found = translate(rules(tmp_path, STOCK, FETCH), b'{"type": "ping"}')
    assert (list(found.records), found.fetch) == ([], ("Kano mSupply",))


def test_a_message_that_no_rule_fits_waits_with_a_reason(tmp_path: Path) -> None:
    with pytest.raises(RecordRejected, match="No rule of the rules file fits"):
        translate(rules(tmp_path, STOCK), b'{"type": "other"}')


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("text", "rule 1 is no object"),
        ({}, "“kind” of rule 1 is none of facility"),
        ({"kind": "truck"}, "“kind” of rule 1 is none of"),
        ({"kind": "item"}, "needs an object “fields”"),
        ({"kind": "item", "fields": {"peer_id": "id", "code": "c"}}, "must say where “name” comes from"),
        ({"kind": "item", "fields": {"peer_id": "id", "code": "c", "name": "n", "colour": "x"}}, "sets “colour”"),
        ({"kind": "item", "fields": {"peer_id": 5, "code": "c", "name": "n"}}, "neither a path nor"),
        ({"kind": "item", "fields": {}, "lines": {"fields": {}}}, "has lines, and a item has none|must say where"),
        ({"kind": "item", "fields": {}, "if": 1}, "has “if”"),
    ],
)
def test_a_wrong_rule_says_what_is_wrong(tmp_path: Path, rule: Any, says: str) -> None:
    with pytest.raises(SettingsInvalid, match=says) as caught:
        rules(tmp_path, rule)
    assert caught.value.field == "rules"


PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
NAMES = st.sampled_from(["id", "item", "code", "data", "lines", "quantity", "type"])
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=20
)


@given(message=VALUES)
def test_no_message_breaks_the_rules(tmp_path_factory: pytest.TempPathFactory, message: Any) -> None:
    chosen = rules(tmp_path_factory.mktemp("rules"), {**STOCK, "when": {}}, {**PAPER, "when": {}})
    made = (*KINDS.values(), Rejected)
    try:
        found = translate(chosen, json.dumps(message).encode())
    except RecordRejected:
        return
    assert all(isinstance(record, made) for record in found.records)
