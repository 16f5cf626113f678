"""Rules: what may be set, and what the store keeps of it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from sqlalchemy import insert

from adapters.base import settings_form
from app.alarms.errors import AlarmError, NotFound
from app.alarms.rule_book import add_rule, change_rule, find_rule, list_rules, remove_rule, write_defaults
from app.alarms.rules import MODELS, SpeedRule, read_settings
from app.alarms.words import ADVICE, KIND_WORDS, Kind, Priority
from app.clock import utc_now
from app.store.store import Store
from app.store.tables import Act, AlarmRule
from tests.helpers.fleet import rows_of


def do(store: Store, act: Any, *arguments: Any, **named: Any) -> Any:
    return store.write(lambda connection: act(connection, *arguments, **named)).result()


def rules(store: Store) -> list[Any]:
    with store.read() as connection:
        return list_rules(connection)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_can_be_set_shown_and_said(kind: Kind) -> None:
    assert read_settings(kind, {}) == MODELS[kind]()
    assert all(spec.label for spec in settings_form(MODELS[kind]))
    assert KIND_WORDS[kind]
    assert ADVICE[kind].endswith(".")


@pytest.mark.parametrize(
    ("kind", "values", "field"),
    [
        (Kind.SPEED, {"limit_km_h": 4}, "limit_km_h"),
        (Kind.SPEED, {"limit_km_h": "fast"}, "limit_km_h"),
        (Kind.SPEED, {"colour": "red"}, "colour"),
        (Kind.DRAIN, {"work_from": "25:00"}, "work_from"),
        (Kind.DRAIN, {"zone": "Mars/Olympus"}, "zone"),
        (Kind.FENCE_ENTER, {"hours": "sometimes"}, "hours"),
        (Kind.TRACKER_SILENT, {"after_min": 0}, "after_min"),
    ],
)
def test_what_cannot_be_names_its_field(kind: Kind, values: dict[str, Any], field: str) -> None:
    with pytest.raises(AlarmError) as refused:
        read_settings(kind, values)
    assert refused.value.field == field
    assert refused.value.why.endswith(".")


def test_a_rule_is_added_changed_and_removed_and_each_is_recorded(store: Store) -> None:
    rule_id = do(store, add_rule, Kind.SPEED, " Town  speed ", Priority.MEDIUM, {"limit_km_h": 50})
    do(store, change_rule, rule_id, values={"hold_s": 10}, priority=Priority.LOW)
    do(store, change_rule, rule_id, values={"hold_s": 10})  # changes nothing
    (rule,) = rules(store)
    assert (rule.name, rule.priority) == ("Town speed", Priority.LOW)
    assert rule.said(SpeedRule).limit_km_h == 50
    assert rule.said(SpeedRule).hold_s == 10
    do(store, change_rule, rule_id, enabled=False)
    assert not rules(store)[0].is_enabled
    do(store, remove_rule, "town speed")
    assert rules(store) == []
    assert [row.what.partition(".")[2] for row in rows_of(store, Act)] == ["add", "change", "change", "remove"]


def test_a_change_that_cannot_be_changes_nothing(store: Store) -> None:
    rule_id = do(store, add_rule, Kind.SPEED, "Speed", Priority.LOW, {})
    with pytest.raises(AlarmError):
        do(store, change_rule, rule_id, name="Other", values={"limit_km_h": 1})
    with pytest.raises(AlarmError):
        do(store, add_rule, Kind.SPEED, "  ", Priority.LOW, {})
    assert [rule.name for rule in rules(store)] == ["Speed"]


def test_names_that_mislead_are_refused(store: Store) -> None:
    for _ in range(2):
        do(store, add_rule, Kind.SPEED, "Speed", Priority.LOW, {})
    with store.read() as connection:
        with pytest.raises(AlarmError, match="2 alarm rules"):
            find_rule(connection, "speed")
        with pytest.raises(NotFound):
            find_rule(connection, "nothing")


def test_a_rule_of_a_newer_program_is_left_out(sqlite_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    do(sqlite_store, write_defaults)
    count = len(rules(sqlite_store))
    row = {
        "id": "x",
        "kind": "tyre_pressure",
        "name": "Tyres",
        "enabled": True,
        "priority": "low",
        "settings": {},
        "created_at": utc_now(),
    }
    sqlite_store.write(lambda connection: connection.execute(insert(AlarmRule).values(**row))).result()
    with caplog.at_level(logging.WARNING):
        assert len(rules(sqlite_store)) == count
    assert "Tyres" in caplog.text
