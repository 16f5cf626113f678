"""Profiles: defaults of the reference, strict reading that names the key, writing, and differences in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.errors import SettingsInvalid
from adapters.nhlmis import paths
from adapters.nhlmis.profile import Profile, approval_code, keys
from adapters.nhlmis.profile_files import (
    described,
    differences,
    load_profile,
    profile_text,
    read_profile,
    save_profile,
)


def test_the_defaults_are_those_of_the_reference() -> None:
    told = dict(keys(Profile()))
    wanted = {
        "base_url": "",
        "auth.header": "X-API-Key",
        "auth.scheme": "",
        "paths.batches": "/batches",
        "paths.stock_counts": "/stock-counts",
        "paths.orders": "/orders",
        "paths.order": "/orders/{id}",
        "paths.items": "",
        "paths.customers": "",
        "methods.batches": "POST",
        "methods.stock_counts": "POST",
        "methods.shipment": "PATCH",
        "orders.params.genericParent": "True",
        "orders.page_size": 50,
        "batching.max_records": 100,
        "schedule.stock_every_days": 1,
        "schedule.stock_at": "20:00",
        "limits.in_flight": 2,
        "limits.per_minute": 60,
        "limits.timeout_s": 60,
        "limits.attempts": 5,
        "funder.path": "funder",
        "funder.pattern": r"funder:\s*(?P<funder>[^;\n]+)",
        "funder.text_path": "comment",
    }
    assert {key: told[key] for key in wanted} == wanted


FAULTS: dict[str, tuple[dict[str, Any] | str, str]] = {
    "misspelt": ({"auth": {"heder": "X"}}, "a key “auth.heder” that nothing knows. Did you mean “auth.header”?"),
    "unknown": ({"colour": "green"}, "a key “colour” that nothing knows."),
    "header": ({"auth": {"header": "X API"}}, "“auth.header” in the profile: a header's name"),
    "header that breaks lines": ({"auth": {"header": "X\r\nHost"}}, "“auth.header” in the profile: a header's name"),
    "header of HTTP": ({"auth": {"header": "Content-Length"}}, "“auth.header” in the profile: “Content-Length”"),
    "scheme": ({"auth": {"scheme": "Bearer x"}}, "“auth.scheme” in the profile: a scheme is one word"),
    "verb": ({"methods": {"batches": "DELETE"}}, "“methods.batches” in the profile must be “POST”, “PUT” or “PATCH”"),
    "text for number": ({"limits": {"per_minute": "60"}}, "“limits.per_minute” in the profile must be a whole number"),
    "number for text": ({"paths": {"orders": 7}}, "“paths.orders” in the profile must be text"),
    "too small": ({"batching": {"max_records": 0}}, "“batching.max_records” in the profile must be greater"),
    "path": ({"paths": {"orders": "orders"}}, "“paths.orders” in the profile: a path begins with “/”"),
    "path upwards": ({"paths": {"batches": "/../admin"}}, "“paths.batches” in the profile: a path must not lead"),
    "no placeholder": ({"paths": {"order": "/order"}}, "“paths.order” in the profile: this path needs"),
    "other placeholder": (
        {"paths": {"order": "/o/{id}/{store}"}},
        "“paths.order” in the profile: the only placeholder",
    ),
    "dots": ({"fields": {"batch": {"gtin": "a..b"}}}, "“fields.batch.gtin” in the profile: a path is made of names"),
    "clash": ({"fields": {"batch": {"gtin": "itemCode.x"}}}, "“fields.batch.item_code” and “fields.batch.gtin”"),
    "clash with a constant": (
        {"constants": {"stock_count": {"quantity": 1}}},
        "“fields.stock_count.quantity” and “constants.stock_count.quantity”",
    ),
    "omitted": ({"omit_when_empty": {"batch": ["gtni"]}}, "“omit_when_empty.batch” names “gtni”"),
    "object without a list": (
        {"bodies": {"batches": {"shape": "object"}}},
        "“bodies.batches” in the profile: “list_path”",
    ),
    "stage": ({"orders": {"stages": {"NEW": "fresh"}}}, "“orders.stages.NEW” in the profile must be “draft”"),
    "paging without a name": ({"orders": {"page_param": ""}}, "“orders” in the profile: “page_param” must name"),
    "time of day": ({"schedule": {"stock_at": "8pm"}}, "“schedule.stock_at” in the profile"),
    "group": ({"auth": "key"}, "“auth” in the profile must be a group of keys in braces"),
    "list": ({"omit_when_empty": {"batch": "gtin"}}, "“omit_when_empty.batch” in the profile must be a list"),
    "version": ({"version": 2}, "“version” in the profile must be 1"),
    "pattern": ({"funder": {"pattern": "("}}, "“funder.pattern” in the profile: this is no regular expression"),
    "twice": ('{"auth": {}, "auth": {}}', "the key “auth” stands twice"),
    "not JSON": ('{"auth": {},\n "x"}', "is not JSON: expecting ':' delimiter in line 2, column 5"),
    "not a number": ('{"limits": NaN}', "NaN is no JSON"),
    "a list": ("[]", "must be one JSON object"),
    "too deep": ("[" * 100_000, "nested too deeply"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_names_its_key(name: str) -> None:
    said, words = FAULTS[name]
    with pytest.raises(SettingsInvalid) as found:
        read_profile(said if isinstance(said, str) else json.dumps(said))
    assert words in found.value.why
    assert found.value.field == "profile"
    assert found.value.why.endswith(("Correct the profile file.", "Correct the file."))


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(SettingsInvalid) as found:
        read_profile(json.dumps({"auth": {"header": ""}, "limits": {"in_flight": 99}}))
    assert "auth.header" in found.value.why
    assert "limits.in_flight" in found.value.why


def test_a_profile_survives_its_file(tmp_path: Path) -> None:
    made = read_profile(json.dumps({"name": "Kano 2026", "constants": {"batch": {"source.system": "depot"}}}))
    file = tmp_path / "kano.json"
    save_profile(made, str(file))
    assert load_profile(str(file)) == made
    assert load_profile("") == Profile()
    assert read_profile(profile_text(made)) == made


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "cannot be read (no such file"), (b"\xff\xfe{}", "not a text file in UTF-8"), (b" " * 1_000_001, "larger")],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "profile.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsInvalid, match="rofile") as found:
        load_profile(str(file))
    assert words in found.value.why


def test_differences_are_told_key_by_key() -> None:
    old = Profile()
    new = read_profile(
        json.dumps(
            {
                "auth": {"header": "Authorization", "scheme": "Bearer"},
                "orders": {"params": {"generic_parent": "1"}},
                "stock": {"needs_funder": False},
            }
        )
    )
    assert differences(old, new) == [
        "“auth.header” changes from “X-API-Key” to “Authorization”.",
        "“auth.scheme” changes from nothing to “Bearer”.",
        "“orders.params.genericParent” is gone; it was “True”.",
        "“stock.needs_funder” changes from true to false.",
        "“orders.params.generic_parent” is new: “1”.",
    ]
    assert differences(old, Profile()) == []
    assert len(described(old)) > 100


def test_any_change_asks_for_approval_again() -> None:
    code = approval_code(Profile(), "https://nhlmis.example.org/v1")
    assert code == approval_code(Profile(), "https://nhlmis.example.org/v1")
    assert code != approval_code(Profile(), "https://nhlmis.example.org/v2")
    assert code != approval_code(read_profile('{"units": {"stock_counts": "units"}}'), "https://nhlmis.example.org/v1")


# --- paths ------------------------------------------------------------------------------------------------------------

NAMES = st.text(st.characters(categories=["L", "N"], include_characters="_-"), min_size=1, max_size=8)
PATHS = st.lists(NAMES, min_size=1, max_size=5).map(".".join)


@given(st.dictionaries(PATHS, st.integers(), max_size=6))
def test_what_was_written_is_read_at_its_path(wanted: dict[str, int]) -> None:
    if paths.clash((path, path) for path in wanted) is not None:
        return
    made: dict[str, Any] = {}
    for path, value in wanted.items():
        paths.write(made, path, value)
    assert {path: paths.read(made, path) for path in wanted} == wanted
    assert {key: value for key, value in paths.flatten(made).items() if key} == wanted


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)


@given(JSON, st.text(max_size=20))
def test_reading_at_any_path_of_anything_never_fails(value: object, path: str) -> None:
    paths.read(value, path)


KEYS = st.sampled_from([*Profile.model_fields, "x"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(ANYTHING)
def test_no_text_breaks_the_reading(said: object) -> None:
    why = "."
    try:
        read_profile(json.dumps(said))
    except SettingsInvalid as err:
        why = err.why
    assert why.endswith(".")
