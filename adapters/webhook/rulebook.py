"""The rules as operators edit them in the window: faults rule by rule, and a trial on one message."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from adapters.base import Meaning, Settings
from adapters.errors import SettingsInvalid
from adapters.rulebooks import RuleFault
from adapters.webhook.mapping import translate
from adapters.webhook.rules import EXPECTED, KINDS, LINES, faults, listed, parse_rules, read_text

EXAMPLE = json.dumps(
    {
        "rules": [
            {
                "when": {"type": "stock.changed"},
                "expects": {"data.store": "text", "data.lines": "list"},
                "kind": "stock_line",
                "each": "data.lines",
                "fields": {
                    "peer_id": "id",
                    "facility": "/data/store",
                    "item": "item.code",
                    "units": "quantity",
                    "pack_size": {"value": 1},
                },
            },
            {"when": {"type": "requisition.sent"}, "fetch": "Kano mSupply"},
        ]
    },
    indent=2,
)
_HELP = """Each rule says which messages it fits and what they bring.

when      paths and the values that they must have; without it the rule fits every message
expects   what must stand at a path, or the message is refused whole:
          {expected}
kind      the record that is made; its fields stand below
each      the list whose elements are the records; without it the message is one
fields    where each field is found: a.b from the element, /a/b from the whole message,
          {{"value": 1}} is a constant
lines     of a requisition or a shipment: a rule of the same form for its lines
fetch     makes no record; the next run of the integration of that name comes at once

{kinds}"""


class WebhookRules:
    """See :class:`adapters.rulebooks.RuleBook`."""

    field = "rules"
    example = EXAMPLE

    @property
    def help(self) -> str:
        kinds = [f"{name}\n  {_named(made)}" for name, made in KINDS.items()]
        kinds += [f"lines of a {name}\n  {_named(made)}" for name, made in LINES.items()]
        return _HELP.format(expected=", ".join(EXPECTED), kinds="\n".join(kinds))

    def text(self, settings: Settings) -> str:
        """The text in force, "" where no file is named. Raises SettingsInvalid."""
        file = str(getattr(settings, self.field, ""))
        return read_text(file) if file else ""

    def faults(self, text: str) -> Sequence[RuleFault]:
        return faults(text)

    def titles(self, text: str) -> Sequence[str]:
        try:
            return [_title(rule) for rule in listed(text)]
        except SettingsInvalid:
            return []

    def translate(self, text: str, body: bytes) -> Meaning:
        """Raises SettingsInvalid for wrong rules, RecordRejected for the message."""
        return translate(parse_rules(text), body)


def _title(rule: Any) -> str:
    if not isinstance(rule, dict):
        return "–"
    when = rule.get("when")
    fits = ", ".join(f"{path} = {value}" for path, value in when.items()) if isinstance(when, dict) and when else ""
    makes = f"run {rule['fetch']}" if rule.get("fetch") else str(rule.get("kind") or "–").replace("_", " ")
    return f"{makes}, when {fits}"[:200] if fits else f"{makes}, always"[:200]


def _named(made: type[Any]) -> str:
    return ", ".join(one.name for one in fields(made) if one.name not in ("lines", "attributes", "programs"))


RULES = WebhookRules()
