"""Learning what one server offers: one small introspection query per start (msupply.md, section 9).

``apiVersion`` is the constant of a library, so nothing is decided by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.msupply.operations import SENT, Dialect, types_in_use, uses

_ARGUMENT = "name type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }"
_TYPED_FIELDS = f"fields(includeDeprecated: true) {{ name args {{ {_ARGUMENT} }} }}"
_FIELDS = "fields(includeDeprecated: true) { name args { name } }"


def question() -> str:
    """The query: the fields of the roots and of every type that our operations select."""
    types = "\n".join(f'  {name}: __type(name: "{name}") {{ {_FIELDS} }}' for name in types_in_use())
    return (
        f"query Facts {{\n  __schema {{\n    queryType {{ {_TYPED_FIELDS} }}\n    mutationType {{ {_FIELDS} }}\n  }}\n"
        f"{types}\n}}"
    )


def learn(data: Mapping[str, Any]) -> Dialect:
    """The dialect behind the answer to :func:`question`; whatever is not there counts as missing."""
    schema = _object(data, "__schema")
    offered: set[str] = set()
    types: dict[str, Mapping[str, Any]] = {
        "Queries": _object(schema, "queryType"),
        "Mutations": _object(schema, "mutationType"),
        **{name: _object(data, name) for name in types_in_use()},
    }
    shipment_type = ""
    for kind, facts in types.items():
        for field in _list(facts, "fields"):
            place = f"{kind}.{field.get('name')}"
            offered.add(place)
            for argument in _list(field, "args"):
                offered.add(f"{place}({argument.get('name')})")
                if place == "Queries.invoice" and argument.get("name") == "type":
                    shipment_type = _type_text(argument.get("type"))
    wanted = {use for name in SENT for use in uses(name)}
    return Dialect(frozenset(wanted - offered), shipment_type)


def _object(record: object, name: str) -> Mapping[str, Any]:
    found = record.get(name) if isinstance(record, Mapping) else None
    return found if isinstance(found, dict) else {}


def _list(record: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    found = record.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _type_text(facts: object) -> str:
    """A type as a variable declares it: ``[InvoiceTypeInput!]``. "" for what is none."""
    if not isinstance(facts, dict):
        return ""
    kind, inner = facts.get("kind"), _type_text(facts.get("ofType"))
    if kind == "NON_NULL":
        return f"{inner}!" if inner else ""
    if kind == "LIST":
        return f"[{inner}]" if inner else ""
    name = facts.get("name")
    return name if isinstance(name, str) and name.isidentifier() else ""
