from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import AuthFailed
from app.integrations import (
    Desk,
    ImportRefused,
    add,
    apply_import,
    configured,
    export_settings,
    list_integrations,
    plan_import,
    remove,
    stored_settings,
)
from tests.helpers.desks import GOOD, make_desk

TOKEN = {"token": "planted-transfer"}


def exported(desk: Desk) -> Any:
    with desk.store.read() as connection:
        return json.loads(json.dumps(export_settings(connection, desk.catalogue)))


def plan(desk: Desk, document: Any) -> Any:
    with desk.store.read() as connection:
        return plan_import(connection, desk.catalogue, document)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Any:
    made = make_desk(tmp_path / "elsewhere")
    yield made
    made.store.close()


def test_the_file_holds_settings_and_no_secret(desk: Desk) -> None:
    made = add(desk, "cold_room", "Room", GOOD, TOKEN)
    document = exported(desk)
    assert document["integrations"][0]["id"] == made
    assert document["integrations"][0]["config"]["port"] == 7070
    assert "planted-transfer" not in json.dumps(document)


def test_a_new_site_gets_them_disabled_under_their_own_ids_until_somebody_signs_in(desk: Desk, elsewhere: Desk) -> None:
    made = add(desk, "cold_room", "Room", GOOD, TOKEN)
    (line,) = plan(elsewhere, exported(desk))
    assert (line.action, line.id) == ("add", made)
    assert apply_import(elsewhere, [line]) == [made]
    with elsewhere.store.read() as connection:
        saved = configured(connection, made)
        assert list_integrations(connection)[0].phase == "disabled"
    assert elsewhere.vault.owners() == frozenset()
    with pytest.raises(AuthFailed):
        stored_settings(elsewhere.catalogue, elsewhere.vault, made, saved.type, saved.config)


def test_the_same_again_changes_nothing(desk: Desk) -> None:
    add(desk, "cold_room", "Room", GOOD, TOKEN)
    (line,) = plan(desk, exported(desk))
    assert line.action == "same"
    assert apply_import(desk, [line]) == []


def test_differences_are_shown_before_they_are_applied(desk: Desk) -> None:
    made = add(desk, "cold_room", "Room", GOOD, TOKEN)
    document = exported(desk)
    document["integrations"][0]["name"] = "Store room"
    document["integrations"][0]["config"] |= {"port": 7071, "poll_interval_s": 120}
    (line,) = plan(desk, document)
    shown = [(item.field, item.ours, item.theirs) for item in line.differences]
    assert shown == [("name", "Room", "Store room"), ("poll_interval_s", 60, 120), ("port", 7070, 7071)]
    assert apply_import(desk, [line]) == [made]
    with desk.store.read() as connection:
        assert configured(connection, made).config["port"] == 7071
    assert desk.vault.get(made, "token") == "planted-transfer"


def test_without_the_same_id_the_name_decides(desk: Desk) -> None:
    made = add(desk, "cold_room", "Room", GOOD, TOKEN)
    document = exported(desk)
    document["integrations"][0] |= {"id": "01900000-0000-7000-8000-000000000000", "name": "ROOM"}
    (line,) = plan(desk, document)
    assert (line.action, line.id) == ("change", made)


def test_an_id_that_was_removed_here_is_not_used_again(desk: Desk) -> None:
    made = add(desk, "cold_room", "Room", GOOD, TOKEN)
    document = exported(desk)
    remove(desk, made)
    (line,) = plan(desk, document)
    assert (line.action, line.id) == ("add", None)
    assert apply_import(desk, [line]) != [made]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ({"type": "nonsense"}, "no integration named “nonsense”"),
        ({"config": {"host": "h", "port": 0}}, "Port must be at least 1"),
        ({"config": {"host": "h", "colour": "red"}}, "no setting named “colour”"),
        ({"config": []}, "are damaged in the file"),
        ({"id": "other", "name": " "}, "needs a name"),
    ],
)
def test_a_line_that_cannot_be_right_is_refused_alone(desk: Desk, spoil: dict[str, Any], words: str) -> None:
    add(desk, "cold_room", "Room", GOOD, TOKEN)
    document = exported(desk)
    document["integrations"].append({**document["integrations"][0], **spoil})
    good, bad = plan(desk, document)
    assert good.action == "same"
    assert bad.action == "refused"
    assert words in bad.why


def test_a_secret_smuggled_into_a_file_is_left_out(desk: Desk, elsewhere: Desk) -> None:
    add(desk, "cold_room", "Room", GOOD, TOKEN)
    document = exported(desk)
    document["integrations"][0]["config"]["token"] = "planted-smuggled"
    (line,) = plan(elsewhere, document)
    apply_import(elsewhere, [line])
    assert "planted-smuggled" not in json.dumps(exported(elsewhere))


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"format": "other"}, {"format": "biko-console-integrations", "version": 99, "integrations": []},
     {"format": "biko-console-integrations", "version": 1, "integrations": [7]}],
)  # fmt: skip
def test_other_files_are_refused_with_a_sentence(desk: Desk, document: Any) -> None:
    with pytest.raises(ImportRefused, match=r"\.$"):
        plan(desk, document)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
_item = st.fixed_dictionaries(
    {}, optional={name: _json | st.just("cold_room") for name in ("id", "type", "name", "config", "enabled")}
)


@pytest.fixture(scope="module")
def shared_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    made = make_desk(tmp_path_factory.mktemp("shared"))
    yield made
    made.store.close()


@settings(deadline=None, max_examples=60)
@given(items=st.lists(_item, max_size=3) | _json, version=st.just(1) | _json)
def test_any_document_is_planned_or_refused(items: Any, version: Any, shared_desk: Desk) -> None:
    try:
        lines = plan(shared_desk, {"format": "biko-console-integrations", "version": version, "integrations": items})
    except ImportRefused:
        return
    assert all(line.action == "refused" for line in lines)
