"""Answers of any shape: what is refused is tied to its line, what cannot be tied is told, good answers stay good."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.nhlmis.answers import read_verdict
from adapters.nhlmis.profile import Answers
from adapters.nhlmis.simulator_api import AnswerStyle, refusal_answer
from adapters.reporting import SentRecord

RECORDS = (
    SentRecord(("row-a",), "AL-20-120", "NG01"),
    SentRecord(("row-b", "row-c"), "MRDT-25", "NG02"),
    SentRecord(("row-d",), "AL-20-120", "NG03"),
    SentRecord(("row-e",), "TLD-30"),
)
UNKNOWN = "Unknown item"


def verdict(status: int, said: object, answers: Answers | None = None) -> tuple[dict[str, str], str]:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    found = read_verdict(answers or Answers(), status, body, RECORDS)
    return {refusal.key: refusal.why for refusal in found.refusals}, found.whole


GOOD: list[object] = [
    b"",
    b"OK",
    [],
    {},
    None,
    {"status": "success"},
    {"success": True, "errors": []},
    {"message": "4 records created", "error": None},
    {"failed": 0, "accepted": 4},
    {"results": [{"status": "created"}, {"status": "created"}, {"status": "updated"}, {"status": 201}]},
    [{"id": 1, "itemCode": "AL-20-120"}, {"id": 2}, {"id": 3}, {"id": 4}],
    {"data": [{"itemCode": "AL-20-120", "batchNumber": "NG01", "errors": []}], "warnings": ["slow"]},
    {"data": {"items": [{"itemCode": "TLD-30", "status": "ok"}]}},
    {"errors": None, "details": []},
]


@pytest.mark.parametrize("said", GOOD)
@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_good_answer_accepts_every_line(status: int, said: object) -> None:
    assert verdict(status, said) == ({}, "")


TIED: list[tuple[object, dict[str, str]]] = [
    ({"errors": [{"index": 1, "message": UNKNOWN}]}, {"row-b": UNKNOWN, "row-c": UNKNOWN}),
    ({"errors": [{"row": "3", "error": UNKNOWN}]}, {"row-e": UNKNOWN}),
    ([{}, {}, {"itemCode": [UNKNOWN]}, {}], {"row-d": f"itemCode: {UNKNOWN}"}),
    ({"errors": [None, None, {"itemCode": [UNKNOWN]}, None]}, {"row-d": f"itemCode: {UNKNOWN}"}),
    ({"detail": [{"loc": ["body", 3, "itemCode"], "msg": UNKNOWN, "type": "value_error"}]}, {"row-e": UNKNOWN}),
    ({"errors": {"[0].itemCode": [UNKNOWN]}}, {"row-a": UNKNOWN}),
    ({"errors": {"3": [UNKNOWN]}}, {"row-e": UNKNOWN}),
    ({"rejected": [{"itemCode": "TLD-30", "reason": UNKNOWN}]}, {"row-e": UNKNOWN}),
    ({"rejected": [{"item_code": "al-20-120", "batch": "NG03", "reason": UNKNOWN}]}, {"row-d": UNKNOWN}),
    ({"rejected": [{"item_code": "AL-20-120", "reason": UNKNOWN}]}, {"row-a": UNKNOWN, "row-d": UNKNOWN}),
    ({"results": [{"ok": True}, {"ok": True}, {"success": False, "message": UNKNOWN}, {}]}, {"row-d": UNKNOWN}),
    ({"data": {"failed": [{"sku": "TLD-30", "description": UNKNOWN}]}}, {"row-e": UNKNOWN}),
    ({"error": {"errors": [{"position": 0, "reason": UNKNOWN}]}}, {"row-a": UNKNOWN}),
    ({"errors": ["record 3: " + UNKNOWN]}, {"row-e": f"record 3: {UNKNOWN}"}),
    ({"errors": ["TLD-30 is not known"]}, {"row-e": "TLD-30 is not known"}),
    ({"errors": [{"source": {"pointer": "/data/3/itemCode"}, "title": UNKNOWN, "row": 3}]}, {"row-e": UNKNOWN}),
    ({"issues": [{"path": "items[0].quantity", "message": UNKNOWN}]}, {"row-a": UNKNOWN}),
]  # fmt: skip


@pytest.mark.parametrize(("said", "refused"), TIED)
@pytest.mark.parametrize("status", [207, 400, 422])
def test_a_refused_line_is_found_whatever_the_shape(status: int, said: object, refused: dict[str, str]) -> None:
    assert verdict(status, said) == (refused, "")


@pytest.mark.parametrize(
    ("said", "whole"),
    [
        ({"message": "Organisation is suspended"}, "Organisation is suspended"),
        ({"detail": "Not allowed"}, "Not allowed"),
        (b"Bad things happened", "Bad things happened"),
        (b"", "no reason given"),
        ({}, "no reason given"),
        ({"errors": [{"message": "The period is closed"}]}, "The period is closed"),
        ({"errors": ["ZINC-20 is not known"]}, "ZINC-20 is not known"),
    ],
)
def test_what_cannot_be_tied_counts_for_the_whole_call(said: object, whole: str) -> None:
    assert verdict(400, said) == ({}, whole)


@pytest.mark.parametrize(
    "said",
    [
        {"success": False, "message": "Nothing stored"},
        {"status": "error", "message": "Nothing stored"},
        {"error": "Nothing stored"},
    ],
)
def test_a_refusal_under_a_good_status_is_one(said: object) -> None:
    assert verdict(200, said) == ({}, "Nothing stored")


def test_the_profile_names_the_places() -> None:
    answers = Answers(refusals_path="outcome.bad", index_path="at.line", why_path="text", first_index=1)
    said = {"outcome": {"bad": [{"at": {"line": 4}, "text": UNKNOWN}]}, "errors": [{"index": 0, "message": "no"}]}
    assert verdict(422, said, answers) == ({"row-e": UNKNOWN}, "")
    assert verdict(200, {"outcome": {"bad": []}}, answers) == ({}, "")


@pytest.mark.parametrize("style", ["indexed", "parallel", "by_code", "texts", "placed", "keyed"])
def test_each_style_of_the_simulator_is_understood(style: AnswerStyle) -> None:
    faults = [(1, {"item_code": "MRDT-25", "batch": "NG02"}, "itemCode", UNKNOWN)]
    refused, whole = verdict(422, refusal_answer(style, faults, len(RECORDS)))
    assert refused.keys() == {"row-b", "row-c"}
    assert not whole
    assert all(UNKNOWN in why for why in refused.values())


def test_text_from_outside_is_one_plain_line() -> None:
    refused, _ = verdict(400, {"errors": [{"index": 0, "message": "a\x00b\r\n=1+1\u2028" + "x" * 9000}]})
    (why,) = refused.values()
    assert len(why) <= 300
    assert why.isprintable()


NAMES = st.sampled_from(
    [
        "errors",
        "error",
        "detail",
        "results",
        "index",
        "message",
        "success",
        "status",
        "itemCode",
        "rejected",
        "0",
        "loc",
    ]
)
TEXTS = st.sampled_from(["TLD-30", "failed", "row 2", ""]) | st.text(max_size=9)
SAID = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 500) | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)


@given(st.sampled_from([200, 207, 400, 422, 500]), SAID)
def test_any_answer_is_read_and_no_refusal_is_swallowed(status: int, said: Any) -> None:
    found = read_verdict(Answers(), status, json.dumps(said).encode(), RECORDS)
    known = {row for record in RECORDS for row in record.rows}
    assert {refusal.key for refusal in found.refusals} <= known
    assert all(refusal.why for refusal in found.refusals)
    assert status < 400 or not found.is_good


@given(st.integers(200, 500), st.binary(max_size=200))
def test_any_bytes_are_read(status: int, body: bytes) -> None:
    read_verdict(Answers(), status, body, RECORDS)


@given(
    st.sets(st.integers(0, 5)),
    st.sampled_from(["indexed", "parallel", "placed", "keyed", "texts"]),
    st.integers(1, 6),
)
def test_just_the_refused_lines_are_refused(places: set[int], style: AnswerStyle, count: int) -> None:
    places = {place for place in places if place < count}
    if not places:
        return
    records = [SentRecord((f"row-{place}",), f"ITEM-{place}X", f"B{place}") for place in range(count)]
    said = refusal_answer(style, [(place, {}, "itemCode", "No such thing") for place in sorted(places)], count)
    found = read_verdict(Answers(), 422, json.dumps(said).encode(), records)
    assert {refusal.key for refusal in found.refusals} == {f"row-{place}" for place in places}
    assert not found.whole
