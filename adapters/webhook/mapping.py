"""What pushed messages mean by the rules of the operator (:mod:`adapters.webhook.rules`): a body becomes records."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final

from adapters.base import Meaning, Settings
from adapters.errors import RecordRejected, SettingsInvalid
from adapters.records import Record, Rejected
from adapters.webhook.guards import Unreadable, read_json
from adapters.webhook.rules import Field, Rule, read_rules

_NAMES: Final = {str: "text", bool: "yes or no", int: "a number", float: "a number"}
_MOST_RECORDS: Final = 20_000
_MOST_NAMED: Final = 5


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
    misshapen = [fault for rule in fitting for fault in _misshapen(rule, message)]
    if misshapen:
        more = f" {len(misshapen) - _MOST_NAMED} more differ." if len(misshapen) > _MOST_NAMED else ""
        raise RecordRejected(
            "message",
            f"It has not the form that the rules expect: {'; '.join(misshapen[:_MOST_NAMED])}.{more} Ask the sender "
            "what has changed, or correct the rules.",
        )
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


def _misshapen(rule: Rule, message: Any) -> list[str]:
    """Where a message is not as its rule expects, in words."""
    found = []
    for path, wanted in rule.expects.items():
        value = _at(message, path)
        if not _is_a(value, wanted):
            seen = "nothing" if value is None else _kind_of(value)
            found.append(f"“{'.'.join(path)}” holds {seen} where {_ARTICLES[wanted]} is expected")
    return found


_ARTICLES: Final = {
    "text": "a text", "number": "a number", "yes or no": "yes or no", "list": "a list", "object": "an object",
    "time": "a time in the ISO form", "anything": "a value",
}  # fmt: skip


def _is_a(value: Any, wanted: str) -> bool:
    if wanted == "time":
        return isinstance(value, str) and _is_time(value)
    if wanted == "number":
        return _number(value) is not None
    kinds: dict[str, type[Any]] = {"text": str, "yes or no": bool, "list": list, "object": dict}
    return value is not None if wanted == "anything" else isinstance(value, kinds[wanted])


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _kind_of(value: Any) -> str:
    kinds = {bool: "yes or no", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "something else")


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


def _value(field: Field, element: Any, message: Any) -> Any:
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


def _moment(field: Field, text: str) -> int | str:
    """Milliseconds of an ISO time (UTC where it names no zone), or the ISO day of one."""
    try:
        if field.name.endswith("_on"):
            return date.fromisoformat(text[:10]).isoformat()
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _Unfit(f"its “{field.name}” is no time in the ISO form") from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _word(field: Field, text: str) -> str:
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
