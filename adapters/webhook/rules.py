"""The rules of an operator, read from their text: what each fits, which record it makes, where each field is found.

A rules file is JSON::

    {"rules": [{"when": {"type": "stock.changed"}, "expects": {"data.store": "text", "data.lines": "list"},
                "kind": "stock_line", "each": "data.lines",
                "fields": {"peer_id": "id", "facility": "/data/store", "item": "item.code", "units": "quantity",
                           "pack_size": {"value": 1}}},
               {"when": {"type": "requisition.sent"}, "fetch": "Kano mSupply"}]}

Paths go from the element (``a.b``, numbers count list entries) or, after ``/``, from the whole message
(``/data/store``). ``each`` names a list of which every element is one record; without it the message is one.
``lines`` inside a requisition or shipment rule is a rule of the same form without ``when``. A rule with ``fetch``
makes no record: it brings the next run of that integration forward. ``expects`` is the form that a message must have
before anything is made of it: paths of the whole message, and what must stand there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from adapters import supply
from adapters.errors import SettingsInvalid
from adapters.rulebooks import RuleFault
from adapters.webhook.guards import Unreadable, read_json

KINDS: Final[Mapping[str, type[Any]]] = {
    "facility": supply.Facility,
    "program": supply.Program,
    "period": supply.Period,
    "item": supply.Item,
    "stock_line": supply.StockLine,
    "requisition": supply.Requisition,
    "shipment": supply.Shipment,
}
LINES: Final[Mapping[str, type[Any]]] = {"requisition": supply.RequisitionLine, "shipment": supply.ShipmentLine}
EXPECTED: Final = ("text", "number", "yes or no", "list", "object", "time", "anything")
"""What may be expected at a path; “anything” is any value that is there."""
_NOT_PLAIN: Final = ("lines", "attributes", "programs")
_LARGEST: Final = 1_000_000
_KNOWN: Final = frozenset({"when", "expects", "kind", "each", "fields", "lines", "fetch"})
_KNOWN_OF_LINES: Final = frozenset({"each", "fields"})


@dataclass(frozen=True, slots=True)
class Field:
    """Where one field of a record comes from, and what it may be."""

    name: str
    path: tuple[str, ...]
    from_root: bool
    is_constant: bool
    constant: Any
    wanted: type[Any]
    words: tuple[str, ...]
    is_optional: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; ``record`` None: it only brings the runs of ``fetch`` forward."""

    when: Mapping[tuple[str, ...], Any]
    record: type[Any] | None
    each: tuple[str, ...] | None
    fields: tuple[Field, ...]
    lines: Rule | None = None
    fetch: str = ""
    expects: Mapping[tuple[str, ...], str] = dataclasses.field(default_factory=dict)


class _Wrong(ValueError):
    """A rule that cannot be one; the text begins with where."""


def read_rules(file: str) -> tuple[Rule, ...]:
    """The rules in a file. Raises SettingsInvalid for ``rules`` with what is wrong and where."""
    text = read_text(file)
    found = faults(text, f"The rules file {file}")
    if found:
        raise SettingsInvalid("rules", found[0].why if found[0].rule == 0 else f"The rules file: {found[0].why}")
    return parse_rules(text)


def read_text(file: str) -> str:
    """The text of a rules file. Raises SettingsInvalid."""
    try:
        with Path(file).open("rb") as stream:
            content = stream.read(_LARGEST + 1)
    except (OSError, ValueError) as err:
        reason = getattr(err, "strerror", None) or type(err).__name__
        raise SettingsInvalid("rules", f"The rules file {file} cannot be read: {reason}.") from err
    if len(content) > _LARGEST:
        raise SettingsInvalid("rules", f"The rules file {file} is larger than a megabyte.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise SettingsInvalid("rules", f"The rules file {file} is not a text in UTF-8.") from err


def parse_rules(text: str) -> tuple[Rule, ...]:
    """The rules in a text. Raises SettingsInvalid for the first that is wrong."""
    try:
        return tuple(_rule(rule, f"rule {number}") for number, rule in enumerate(listed(text), 1))
    except _Wrong as err:
        raise SettingsInvalid("rules", f"The rules: {err}") from err


def faults(text: str, whole: str = "The text") -> list[RuleFault]:
    """Everything that is wrong, the first fault of each rule."""
    try:
        rules = listed(text, whole)
    except SettingsInvalid as err:
        return [RuleFault(0, err.why)]
    found = []
    for number, rule in enumerate(rules, 1):
        try:
            _rule(rule, f"rule {number}")
        except _Wrong as err:
            found.append(RuleFault(number, str(err)))
    return found


def listed(text: str, whole: str = "The text") -> list[Any]:
    """The list of rules in a text, each unread. Raises SettingsInvalid where there is none."""
    if len(text) > _LARGEST:
        raise SettingsInvalid("rules", f"{whole} is larger than a megabyte.")
    try:
        value = read_json(text.encode("utf-8", "replace"))
    except Unreadable as err:
        raise SettingsInvalid("rules", f"{whole} is {err}.") from err
    rules = value.get("rules") if isinstance(value, dict) else None
    if not isinstance(rules, list) or not rules:
        raise SettingsInvalid("rules", f"{whole} needs an object with a list “rules” of at least one rule.")
    return rules


def _rule(value: Any, where: str, record: type[Any] | None = None) -> Rule:
    if not isinstance(value, dict):
        raise _Wrong(f"{where} is no object.")
    if unknown := sorted(set(value) - (_KNOWN if record is None else _KNOWN_OF_LINES)):
        raise _Wrong(f"{where} has “{unknown[0]}”, which no rule has.")
    when = value.get("when", {})
    if not isinstance(when, dict):
        raise _Wrong(f"“when” of {where} is no object.")
    conditions = {_path(path)[0]: wanted for path, wanted in when.items()}
    expects = _expects(value.get("expects", {}), where)
    fetch = value.get("fetch", "")
    if record is None and fetch:
        return Rule(conditions, None, None, (), fetch=str(fetch), expects=expects)
    kind = str(value.get("kind", ""))
    made = record or KINDS.get(kind)
    if made is None:
        raise _Wrong(f"“kind” of {where} is none of {', '.join(KINDS)}.")
    fields = value.get("fields")
    if not isinstance(fields, dict):
        raise _Wrong(f"{where} needs an object “fields”.")
    each = value.get("each")
    lines = value.get("lines")
    if lines is not None and kind not in LINES:
        raise _Wrong(f"{where} has lines, and a {kind} has none.")
    return Rule(
        conditions,
        made,
        _path(each)[0] if isinstance(each, str) and each else None,
        tuple(_fields(made, fields, where)),
        _rule(lines, f"lines of {where}", LINES[kind]) if lines is not None else None,
        expects=expects,
    )


def _expects(value: Any, where: str) -> dict[tuple[str, ...], str]:
    if not isinstance(value, dict):
        raise _Wrong(f"“expects” of {where} is no object.")
    for path, wanted in value.items():
        if wanted not in EXPECTED:
            raise _Wrong(f"{where} expects “{wanted}” at “{path}”, which is none of {', '.join(EXPECTED)}.")
    return {_path(path)[0]: wanted for path, wanted in value.items()}


def _fields(made: type[Any], given: Mapping[str, Any], where: str) -> Iterator[Field]:
    types = get_type_hints(made)
    plain = {field.name: field for field in dataclasses.fields(made) if field.name not in _NOT_PLAIN}
    if unknown := sorted(set(given) - set(plain)):
        raise _Wrong(f"{where} sets “{unknown[0]}”, which its record does not have.")
    for name, field in plain.items():
        if name not in given:
            if field.default is dataclasses.MISSING:
                raise _Wrong(f"{where} must say where “{name}” comes from.")
            continue
        source = given[name]
        kind = _type(types[name])
        if isinstance(source, dict) and set(source) == {"value"}:
            yield Field(name, (), False, True, source["value"], *kind)
        elif isinstance(source, str) and source:
            path, from_root = _path(source)
            yield Field(name, path, from_root, False, None, *kind)
        else:
            raise _Wrong(f'“{name}” of {where} is neither a path nor {{"value": …}}.')


def _type(hint: Any) -> tuple[type[Any], tuple[str, ...], bool]:
    """The plain type of a field, the words that it may be, empty for any, and whether it may be missing."""
    options = get_args(hint)
    is_optional = type(None) in options
    first = next(option for option in options if option is not type(None)) if is_optional else hint
    if isinstance(first, type):
        return first, (), is_optional
    return str, get_args(first), is_optional


def _path(text: str) -> tuple[tuple[str, ...], bool]:
    """The steps of a path, and whether it begins at the whole message."""
    if text.startswith("/"):
        return tuple(text[1:].split("/")), True
    return tuple(text.split(".")), False
