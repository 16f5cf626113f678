"""Rules as they are edited: every fault by its rule, the form that is expected, and that no text breaks anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import RecordRejected, SettingsInvalid
from adapters.supply import StockLine
from adapters.webhook import WebhookSettings
from adapters.webhook.rulebook import RULES
from adapters.webhook.rules import EXPECTED

SECRET = "a secret of a test that is long enough"
STOCK = {
    "kind": "stock_line",
    "fields": {"peer_id": "id", "facility": "store", "item": "item", "units": "units"},
}


def text(*rules: Any) -> str:
    return json.dumps({"rules": rules})


def test_the_example_is_right_and_the_help_names_every_field() -> None:
    assert RULES.faults(RULES.example) == []
    assert RULES.titles(RULES.example) == [
        "stock line, when type = stock.changed", "run Kano mSupply, when type = requisition.sent",
    ]  # fmt: skip
    for word in ("average_monthly_units", "transport_reference", "requested_units", *EXPECTED):
        assert word in RULES.help


def test_every_wrong_rule_is_named_with_its_number() -> None:
    found = RULES.faults(text({"kind": "truck"}, STOCK, {**STOCK, "expects": {"a": "colour"}}, 7))
    assert [(fault.rule, fault.why.split(" ")[0]) for fault in found] == [(1, "“kind”"), (3, "rule"), (4, "rule")]
    assert "expects “colour” at “a”, which is none of text" in found[1].why


@pytest.mark.parametrize("wrong", ["", "{", "[]", '{"rules": []}', '{"rules": 7}', '{"rules"' + "[" * 5_000])
def test_a_text_without_rules_is_one_fault_of_the_whole(wrong: str) -> None:
    (fault,) = RULES.faults(wrong)
    assert fault.rule == 0
    assert RULES.titles(wrong) == []
    with pytest.raises(SettingsInvalid):
        RULES.translate(wrong, b"{}")


@pytest.mark.parametrize(
    ("expected", "good", "bad"),
    [
        ("text", "a", 1),
        ("number", "12.5", "many"),
        ("yes or no", True, 1),
        ("list", [], {}),
        ("object", {}, []),
        ("time", "2026-11-25T08:00:00Z", "soon"),
        ("anything", 0, None),
    ],
)
def test_a_message_of_another_form_is_refused_whole(expected: str, good: Any, bad: Any) -> None:
    rule = {**STOCK, "expects": {"data.x": expected}}
    message = {"id": "s1", "store": "kano", "item": "AL6", "units": 3, "data": {"x": good}}
    found = RULES.translate(text(rule), json.dumps(message).encode())
    assert list(found.records) == [StockLine("s1", "kano", "AL6", 3.0)]
    message["data"] = {"x": bad}
    with pytest.raises(RecordRejected, match=r"“data\.x” holds .* is expected"):
        RULES.translate(text(rule), json.dumps(message).encode())
    del message["data"]
    with pytest.raises(RecordRejected, match=r"“data\.x” holds nothing"):
        RULES.translate(text(rule), json.dumps(message).encode())


def test_many_differences_are_named_in_part() -> None:
    rule = {**STOCK, "expects": {f"f{number}": "text" for number in range(8)}}
    with pytest.raises(RecordRejected, match=r"3 more differ\."):
        RULES.translate(text(rule), b"{}")


def test_the_text_in_force_is_that_of_the_file(tmp_path: Any) -> None:
    file = tmp_path / "rules.json"
    file.write_text(text(STOCK), encoding="utf-8-sig")
    settings = WebhookSettings.model_validate({"secret": SECRET, "rules": str(file)})
    assert json.loads(RULES.text(settings)) == {"rules": [STOCK]}
    assert RULES.text(settings.model_copy(update={"rules": ""})) == ""
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        RULES.text(settings.model_copy(update={"rules": str(tmp_path / "none.json")}))
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsInvalid, match="not a text"):
        RULES.text(settings)


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["rules", "when", "kind", "fields", "lines", "expects", "each", "fetch", "id"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


@given(ANY, ANY)
def test_no_text_and_no_message_break_a_trial(rules: Any, message: Any) -> None:
    for whole in (json.dumps(rules), json.dumps({"rules": [rules]})):
        found, titles = RULES.faults(whole), RULES.titles(whole)
        assert all(len(title) <= 200 for title in titles)
        try:
            RULES.translate(whole, json.dumps(message).encode())
        except SettingsInvalid:
            assert found
        except RecordRejected:
            assert not found
        else:
            assert not found
