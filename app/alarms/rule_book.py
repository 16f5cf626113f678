"""The rules in the store: list, add, change, switch, remove. Every change is recorded as an act in its transaction."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from app.alarms.defaults import DEFAULT_RULES
from app.alarms.errors import AlarmError, NotFound
from app.alarms.rules import Rule, read_settings
from app.alarms.words import Kind, Priority
from app.clock import utc_now
from app.fleet.text import storable
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.facts import get_fact, set_fact
from app.store.ids import new_id
from app.store.tables import AlarmRule, AlarmSpell

DEFAULTS_FACT = "alarm_defaults"
"""That the rules of :mod:`app.alarms.defaults` were written once; removed ones do not come back."""

LONGEST_NAME = 200

_log = logging.getLogger(__name__)


def write_defaults(connection: Connection) -> bool:
    """Write the first rules where that never happened; whether it did now."""
    if get_fact(connection, DEFAULTS_FACT) is not None:
        return False
    version = raise_topic(connection, "alarm_rules")
    for kind, name, priority, values in DEFAULT_RULES:
        settings = read_settings(kind, values).model_dump(mode="json")
        _insert(connection, kind, name, priority, settings, version)
    set_fact(connection, DEFAULTS_FACT, {"count": len(DEFAULT_RULES)})
    return True


def list_rules(connection: Connection) -> list[Rule]:
    """Every rule that was not removed, by kind and name. One that this program cannot read is left out and logged."""
    rows = connection.execute(select(AlarmRule.__table__).where(AlarmRule.removed_at.is_(None)))
    rules = []
    for row in rows:
        try:
            rules.append(_rule_of(row))
        except (AlarmError, ValueError) as err:
            _log.warning("the alarm rule %s is left out: %s", row.name, err)
    kinds = list(Kind)
    return sorted(rules, key=lambda rule: (kinds.index(rule.kind), rule.name.casefold(), rule.id))


def find_rule(connection: Connection, wanted: str) -> Rule:
    """A rule by id, by the beginning of its id or by its name. Raises NotFound, or AlarmError when several match."""
    rules = list_rules(connection)
    found = [rule for rule in rules if rule.id == wanted or rule.name.casefold() == wanted.casefold()]
    found = found or [rule for rule in rules if len(wanted) >= 4 and rule.id.startswith(wanted)]
    if not found:
        raise NotFound(f"There is no alarm rule {wanted}. See the rules that there are.")
    if len(found) > 1:
        raise AlarmError(f"{len(found)} alarm rules answer to {wanted}. Name one by its id.")
    return found[0]


def add_rule(
    connection: Connection,
    kind: Kind,
    name: str,
    priority: Priority,
    values: Mapping[str, Any],
    *,
    enabled: bool = True,
) -> str:
    """A new rule; returns its id. Raises AlarmError for a setting that cannot be."""
    settings = read_settings(kind, values).model_dump(mode="json")
    name = _name_of(name)
    version = raise_topic(connection, "alarm_rules")
    rule_id = _insert(connection, kind, name, priority, settings, version, enabled=enabled)
    after = {"kind": kind, "priority": priority, "enabled": enabled, **settings}
    record_act(connection, what="alarm_rule.add", subject=name, after=after)
    return rule_id


def change_rule(
    connection: Connection,
    rule_id: str,
    *,
    name: str | None = None,
    priority: Priority | None = None,
    values: Mapping[str, Any] | None = None,
    enabled: bool | None = None,
) -> None:
    """Change what is given; ``values`` replace single settings. Raises NotFound, AlarmError."""
    version = raise_topic(connection, "alarm_rules")
    before = find_rule(connection, rule_id)
    settings = {**before.settings.model_dump(mode="json"), **(values or {})}
    after: dict[str, Any] = {
        "name": before.name if name is None else _name_of(name),
        "priority": before.priority if priority is None else priority,
        "enabled": before.is_enabled if enabled is None else enabled,
        "settings": read_settings(before.kind, settings).model_dump(mode="json"),
    }
    was = {
        "name": before.name,
        "priority": before.priority,
        "enabled": before.is_enabled,
        "settings": before.settings.model_dump(mode="json"),
    }
    if was == after:
        return
    change = update(AlarmRule).where(AlarmRule.id == before.id)
    connection.execute(change.values(**after, changed_version=version))
    record_act(connection, what="alarm_rule.change", subject=after["name"], before=was, after=after)


def remove_rule(connection: Connection, rule_id: str) -> None:
    """Take a rule away; its alarms stay. Raises NotFound."""
    version = raise_topic(connection, "alarm_rules")
    rule = find_rule(connection, rule_id)
    change = update(AlarmRule).where(AlarmRule.id == rule.id)
    connection.execute(change.values(removed_at=utc_now(), changed_version=version))
    connection.execute(delete(AlarmSpell).where(AlarmSpell.rule_id == rule.id))
    before = {"kind": rule.kind, "priority": rule.priority, **rule.settings.model_dump(mode="json")}
    record_act(connection, what="alarm_rule.remove", subject=rule.name, before=before)


def _insert(
    connection: Connection,
    kind: Kind,
    name: str,
    priority: Priority,
    settings: Mapping[str, Any],
    version: int,
    *,
    enabled: bool = True,
) -> str:
    rule_id = new_id()
    row = {
        "id": rule_id,
        "kind": kind.value,
        "name": name,
        "enabled": enabled,
        "priority": priority.value,
        "settings": dict(settings),
        "created_at": utc_now(),
        "changed_version": version,
    }
    connection.execute(insert(AlarmRule).values(row))
    return rule_id


def _rule_of(row: Any) -> Rule:
    kind = Kind(row.kind)
    settings = read_settings(kind, row.settings)
    return Rule(row.id, kind, row.name, row.enabled, Priority(row.priority), settings, row.changed_version)


def _name_of(text: str) -> str:
    name = storable(" ".join(text.split()), LONGEST_NAME)
    if not name:
        raise AlarmError("Name: give the rule a name by which the operators know it.", "name")
    return name
