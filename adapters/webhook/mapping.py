"""What pushed messages mean: rules of the operator, read from a file, that turn a body into records.

A rules file is JSON::

    {"rules": [{"when": {"type": "stock.changed"},
                "kind": "stock_line", "each": "data.lines",
                "fields": {"peer_id": "id", "facility": "/data/store", "item": "item.code", "units": "quantity",
                           "pack_size": {"value": 1}}},
               {"when": {"type": "requisition.sent"}, "fetch": "Kano mSupply"}]}

Paths go from the element (``a.b``, numbers count list entries) or, after ``/``, from the whole message
(``/data/store``). ``each`` names a list of which every element is one record; without it the message is one.
``lines`` inside a requisition or shipment rule is a rule of the same form without ``when``. A rule with ``fetch``
makes no record: it brings the next run of that integration forward.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from adapters import supply
from adapters.base import Meaning, Settings
from adapters.errors import RecordRejected, SettingsInvalid
from adapters.records import Record, Rejected
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
_NAMES: Final = {str: "text", bool: "yes or no", int: "a number", float: "a number"}
_NOT_PLAIN: Final = ("lines", "attributes", "programs")
_LARGEST_RULES: Final = 1_000_000
_MOST_RECORDS: Final = 20_000


@dataclass(frozen=True, slots=True)
class _Field:
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
    fields: tuple[_Field, ...]
    lines: Rule | None = None
    fetch: str = ""


def read_rules(file: str) -> tuple[Rule, ...]:
    """The rules in a file. Raises SettingsInvalid for ``rules`` with what is wrong and where."""
    try:
        content = Path(file).read_bytes()
    except OSError as err:
        raise SettingsInvalid("rules", f"The rules file {file} cannot be read: {err.strerror}.") from err
    if len(content) > _LARGEST_RULES:
        raise SettingsInvalid("rules", f"The rules file {file} is larger than a megabyte.")
    try:
        value = read_json(content)
    except Unreadable as err:
        raise SettingsInvalid("rules", f"The rules file {file} is {err}.") from err
    rules = value.get("rules") if isinstance(value, dict) else None
    if not isinstance(rules, list) or not rules:
        raise SettingsInvalid(
            "rules", f"The rules file {file} needs an object with a list “rules” of at least one rule."
        )
    return tuple(_rule(rule, f"rule {number}") for number, rule in enumerate(rules, 1))


def translator(settings: Settings) -> Callable[[bytes], Meaning]:
    """What understands the messages of one integration (:class:`adapters.base.Translator`)."""
    file = str(getattr(settings, "rules", ""))
    if not file:
        raise SettingsInvalid("rules", "Messages are stored and wait: no rules file says what they mean.")
    return partial(translate, read_rules(file))


def translate(rules: Sequence[Rule], body: bytes) -> Meaning:
    """What a message means by the first rules that fit; an element that cannot be one is Rejected, the others go on.

    Raises RecordRejected where the body cannot be read or no rule fits.
    """
    try:
        message = read_json(body)
    except Unreadable as err:
        raise RecordRejected("message", f"The body is {err}.") from err
    fitting = [rule for rule in rules if all(_at(message, path) == value for path, value in rule.when.items())]
    if not fitting:
        raise RecordRejected("message", "No rule of the rules file fits this message. Add one, then process it again.")
    records: list[Record] = []
    for rule in fitting:
        if rule.record is None:
            continue
        for number, element in enumerate(_elements(message, rule.each), 1):
            if len(records) >= _MOST_RECORDS:
                raise RecordRejected("message", f"It holds more than {_MOST_RECORDS} records.")
            try:
                records.append(_record(rule, element, message))
            except _Unfit as err:
                records.append(Rejected(f"element {number}", str(err), repr(element)[:500]))
    return Meaning(records, tuple(rule.fetch for rule in fitting if rule.fetch))


class _Unfit(ValueError):
    """An element that cannot be the record that its rule makes of it."""


def _rule(value: Any, where: str, record: type[Any] | None = None) -> Rule:
    if not isinstance(value, dict):
        raise SettingsInvalid("rules", f"The rules file: {where} is no object.")
    known = {"when", "kind", "each", "fields", "lines", "fetch"} if record is None else {"each", "fields"}
    if unknown := sorted(set(value) - known):
        raise SettingsInvalid("rules", f"The rules file: {where} has “{unknown[0]}”, which no rule has.")
    when = value.get("when", {})
    if not isinstance(when, dict):
        raise SettingsInvalid("rules", f"The rules file: “when” of {where} is no object.")
    conditions = {_path(path)[0]: wanted for path, wanted in when.items()}
    fetch = value.get("fetch", "")
    if record is None and fetch:
        return Rule(conditions, None, None, (), fetch=str(fetch))
    kind = str(value.get("kind", ""))
    made = record or KINDS.get(kind)
    if made is None:
        raise SettingsInvalid("rules", f"The rules file: “kind” of {where} is none of {', '.join(KINDS)}.")
    fields = value.get("fields")
    if not isinstance(fields, dict):
        raise SettingsInvalid("rules", f"The rules file: {where} needs an object “fields”.")
    each = value.get("each")
    lines = value.get("lines")
    if lines is not None and kind not in LINES:
        raise SettingsInvalid("rules", f"The rules file: {where} has lines, and a {kind} has none.")
    return Rule(
        conditions,
        made,
        _path(each)[0] if isinstance(each, str) and each else None,
        tuple(_fields(made, fields, where)),
        _rule(lines, f"lines of {where}", LINES[kind]) if lines is not None else None,
    )


def _fields(made: type[Any], given: Mapping[str, Any], where: str) -> Iterator[_Field]:
    types = get_type_hints(made)
    plain = {field.name: field for field in dataclasses.fields(made) if field.name not in _NOT_PLAIN}
    if unknown := sorted(set(given) - set(plain)):
        raise SettingsInvalid("rules", f"The rules file: {where} sets “{unknown[0]}”, which its record does not have.")
    for name, field in plain.items():
        if name not in given:
            if field.default is dataclasses.MISSING:
                raise SettingsInvalid("rules", f"The rules file: {where} must say where “{name}” comes from.")
            continue
        source = given[name]
        kind = _type(types[name])
        if isinstance(source, dict) and set(source) == {"value"}:
            yield _Field(name, (), False, True, source["value"], *kind)
        elif isinstance(source, str) and source:
            path, from_root = _path(source)
            yield _Field(name, path, from_root, False, None, *kind)
        else:
            raise SettingsInvalid("rules", f'The rules file: “{name}” of {where} is neither a path nor {{"value": …}}.')


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


def _at(value: Any, path: Sequence[str]) -> Any:
    for step in path:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isascii() and step.isdigit() and int(step[:9]) < len(value):
            value = value[int(step[:9])]
        else:
            return None
    return value


def _elements(message: Any, each: Sequence[str] | None) -> Sequence[Any]:
    if each is None:
        return (message,)
    found = _at(message, each)
    if found is None:
        return ()
    return found if isinstance(found, list) else (found,)


def _record(rule: Rule, element: Any, message: Any) -> Any:
    values = {field.name: _value(field, element, message) for field in rule.fields}
    assert rule.record is not None  # noqa: S101 - rules that only fetch make no records
    if rule.lines is not None:
        lines = rule.lines
        values["lines"] = [_record(lines, line, message) for line in _elements(element, lines.each)]
    try:
        return rule.record(**values)
    except TypeError as err:
        raise _Unfit(str(err)) from err


def _value(field: _Field, element: Any, message: Any) -> Any:
    value = field.constant if field.is_constant else _at(message if field.from_root else element, field.path)
    if value is None:
        if field.is_optional:
            return None
        raise _Unfit(f"it has no “{field.name}”")
    if isinstance(value, str) and field.name.endswith(("_ms", "_on")):
        return _moment(field, value)
    if field.wanted is bool and isinstance(value, bool):
        return value
    if field.wanted is str and isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return _word(field, str(value))
    if field.wanted in (int, float):
        number = _number(value)
        if number is not None:
            return int(number) if field.wanted is int else number
    raise _Unfit(f"its “{field.name}” is not {_NAMES[field.wanted]}")


def _moment(field: _Field, text: str) -> int | str:
    """Milliseconds of an ISO time (UTC where it names no zone), or the ISO day of one."""
    try:
        if field.name.endswith("_on"):
            return date.fromisoformat(text[:10]).isoformat()
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _Unfit(f"its “{field.name}” is no time in the ISO form") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _word(field: _Field, text: str) -> str:
    if not field.words or text in field.words:
        return text
    if "unknown" in field.words:
        return "unknown"
    raise _Unfit(f"its “{field.name}” is none of {', '.join(field.words)}")


def _number(value: Any) -> float | None:
    """A finite number from a number or its text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
