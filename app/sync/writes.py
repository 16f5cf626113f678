"""Whether a peer takes a change: which of the adapter's writes it is, and what it may hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Boolean, Double, Integer, String, Text

from adapters.base import Manifest, Write, settings_form
from adapters.vocabulary import JsonScalar
from app.sync.errors import ChangeRefused
from app.sync.records import RecordKind, Target

MOST_UNITS = 1_000_000_000.0
"""More units than any store of medicines moves at once: a slip of the finger, or two figures run together."""
LONGEST_TEXT = 2_000

FREE_TEXTS = frozenset(
    {"comment", "reference", "transport_reference", "rejection_reason", "received_by", "delivered_by"}
)
"""Fields in which the words of both sides can stand together."""

FIELD_WORDS: Mapping[str, str] = {
    "stage": "stage",
    "requested_units": "quantity asked for",
    "approved_units": "quantity approved",
    "supply_units": "quantity to supply",
    "stock_units": "stock on hand",
    "opening_units": "opening stock",
    "received_units": "quantity received",
    "consumed_units": "quantity consumed",
    "adjusted_units": "adjustments",
    "stockout_days": "days out of stock",
    "units": "quantity",
    "accepted_units": "quantity accepted",
    "rejected_units": "quantity rejected",
    "rejection_reason": "reason of the rejection",
    "transport_reference": "transport reference",
    "is_on_hold": "on hold",
    "expected_on": "expected on",
    "received_on": "received on",
    "received_by": "received by",
    "delivered_by": "delivered by",
    "shipment": "shipment told",
}


def field_word(field: str) -> str:
    """What operators call a field."""
    return FIELD_WORDS.get(field, field.replace("_", " "))


def writes_of(manifest: Manifest, target: Target, config: Mapping[str, Any]) -> list[Write]:
    """The writes of fields that this peer takes for this record as it stands now."""
    columns = target.kind.table.__table__.c
    return [
        write
        for write in manifest.writes
        if write.record == target.kind.name
        and not write.makes_new
        and all(field in columns for field in write.fields)  # what is told of it otherwise: app/sync/shipped.py
        and (not write.stages or target.stage in write.stages)
        and (not write.switch or config.get(write.switch))
    ]


def find_write(
    manifest: Manifest,
    target: Target,
    fields: Sequence[str],
    values: Mapping[str, JsonScalar],
    integration: Any,
) -> Write:
    """The one write that makes this change; ``integration`` is the row with name and config.

    Raises ChangeRefused with the nearest reason why none does.
    """
    name, config = integration.name, integration.config
    if "send" not in manifest.modes:
        raise ChangeRefused(
            f"{name} takes no changes from here. Make the change there; it comes with the next download."
        )
    writes = [write for write in manifest.writes if write.record == target.kind.name and not write.makes_new]
    if not writes:
        raise ChangeRefused(f"{name} lets nobody change a {target.kind.word} from outside. Make the change there.")
    for field in fields:
        if not any(field in write.fields for write in writes):
            known = ", ".join(dict.fromkeys(one for write in writes for one in write.fields))
            raise ChangeRefused(
                f"{name} takes no change of “{field}” in a {target.kind.word}. It takes: {known}.", field
            )
    fitting = [write for write in writes if set(fields) <= set(write.fields)]
    if not fitting:
        raise ChangeRefused(f"{name} takes {_listed(fields)} in separate steps only. Change one after the other.")
    fitting = _with_allowed_values(fitting, values, name)
    staged = [write for write in fitting if not write.stages or target.stage in write.stages]
    if not staged:
        stages = ", ".join(dict.fromkeys(stage for write in fitting for stage in write.stages))
        raise ChangeRefused(
            f"{target.subject} is “{target.stage}”, and {name} takes this change only in: {stages}. "
            f"{_stage_advice(target)}"
        )
    for write in staged:
        if not write.switch or config.get(write.switch):
            return write
    label = next((spec.label for spec in settings_form(manifest.settings) if spec.name == staged[0].switch), "")
    raise ChangeRefused(
        f"“{staged[0].label}” is switched off for {name}. Switch on “{label or staged[0].switch}” in its settings "
        "first."
    )


def _with_allowed_values(writes: list[Write], values: Mapping[str, JsonScalar], name: str) -> list[Write]:
    def allows(write: Write) -> bool:
        return all(str(values[field]) in allowed for field, allowed in write.values.items() if field in values)

    fitting = [write for write in writes if allows(write)]
    if fitting:
        return fitting
    for field, value in values.items():
        allowed = dict.fromkeys(one for write in writes for one in write.values.get(field, ()))
        if allowed and str(value) not in allowed:
            raise ChangeRefused(
                f"{name} does not take “{value}” as {field_word(field)}. It takes: {', '.join(allowed)}.", field
            )
    raise ChangeRefused(f"{name} does not take these values together.")


def _stage_advice(target: Target) -> str:
    paper = (target.parent if target.kind.parent else target.row) or {}
    if "stage" in (paper.get("pending") or {}):
        return "A step that waits in the outbox takes it there; cancel that step first if this must come before it."
    return "Read it again; it may have moved on meanwhile."


def _listed(fields: Sequence[str]) -> str:
    words = [f"“{field_word(field)}”" for field in fields]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def clean_value(kind: RecordKind, field: str, value: JsonScalar) -> JsonScalar:
    """A value in the form in which the field's column keeps it; texts are read as numbers and dates where it asks.

    Raises ChangeRefused for what cannot be right: a negative or unheard-of quantity, no date, a text too long.
    """
    column = kind.table.__table__.c.get(field)
    if column is None:
        raise ChangeRefused(f"A {kind.word} has no field “{field}”.", field)
    if value is None or (value == "" and not isinstance(column.type, (String, Text))):
        if not column.nullable:
            raise ChangeRefused(f"The {field_word(field)} cannot be left empty.", field)
        return None
    if isinstance(column.type, Boolean):
        return _switch(field, value)
    if isinstance(column.type, Double):
        return _number(field, value)
    if isinstance(column.type, Integer):
        raise ChangeRefused(f"The {field_word(field)} is a time that the peer keeps itself.", field)
    if field.endswith("_on"):
        return _day(field, value)
    return _text(field, value, getattr(column.type, "length", None) or LONGEST_TEXT)


def _switch(field: str, value: JsonScalar) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    found = words.get(str(value).strip().lower())
    if found is None:
        raise ChangeRefused(f"“{value}” is neither yes nor no for “{field_word(field)}”.", field)
    return found


def _number(field: str, value: JsonScalar) -> float:
    try:
        number = float(value) if value is not None and not isinstance(value, bool) else math.nan
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ChangeRefused(f"“{value}” is no number for the {field_word(field)}.", field)
    if number < 0 and field != "adjusted_units":
        raise ChangeRefused(f"The {field_word(field)} cannot be less than 0.", field)
    if abs(number) > MOST_UNITS:
        raise ChangeRefused(
            f"{number:,.0f} is more than the {field_word(field)} can be. Look at the figure again.", field
        )
    return number + 0.0  # -0.0 is 0


def _day(field: str, value: JsonScalar) -> str:
    try:
        return date.fromisoformat(str(value).strip()).isoformat()
    except ValueError:
        raise ChangeRefused(f"“{value}” is no date for “{field_word(field)}”. Write it as 2026-11-25.", field) from None


def _text(field: str, value: JsonScalar, longest: int) -> str:
    text = str(value).strip()
    if any(not character.isprintable() and character not in "\n\t" for character in text):
        raise ChangeRefused(f"The {field_word(field)} holds characters that cannot be shown. Type it again.", field)
    if len(text) > longest:
        raise ChangeRefused(f"The {field_word(field)} is longer than the {longest} characters that it may have.", field)
    return text
