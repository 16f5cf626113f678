"""Our operations against what a live server says it offers (msupply.md, section 9)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, cast

from graphql import GraphQLSchema, IntrospectionQuery, build_client_schema, get_introspection_query, validate

from adapters.base import Adapter, Difference
from adapters.errors import BadReply, Unsupported
from adapters.msupply import operations
from adapters.msupply.adapter import MSupplyAdapter
from adapters.msupply.operations import ESSENTIAL, SENT

_FIELD = re.compile(r"Cannot query field '(\w+)' on type '(\w+)'")
_ROOTS = ("Queries", "Mutations")


async def compare(adapter: Adapter[Any]) -> Sequence[Difference]:
    """See :class:`adapters.base.Comparison`; needs no sign-in, introspection is open."""
    if not isinstance(adapter, MSupplyAdapter):
        raise Unsupported("This comparison is the one of mSupply. Choose an mSupply integration.")
    client = adapter.client
    data = await client.introspect(get_introspection_query(descriptions=False, input_value_deprecation=False))
    return await asyncio.to_thread(differences, data, client.peer)


def differences(data: dict[str, Any], peer: str) -> list[Difference]:
    """What every operation of ours lacks in an introspected interface. Raises BadReply for one that cannot be read."""
    try:
        schema = build_client_schema(cast("IntrospectionQuery", data))
    except Exception as err:
        raise BadReply(
            f"What {peer} says about its interface cannot be read. Check that the address leads to open mSupply.",
            repr(data)[:2000],
        ) from err
    found: list[Difference] = []
    for name in operations.names():
        found += _of_operation(name, schema)
    return found


def _of_operation(name: str, schema: GraphQLSchema) -> list[Difference]:
    told = dict.fromkeys(error.message for error in validate(schema, operations.document(name)))
    return [Difference(name, _plain(message), _consequence(name, message)) for message in told]


def _plain(message: str) -> str:
    """The finding without guesses of what else may have been meant."""
    return message.split(" Did you mean", maxsplit=1)[0].rstrip(".")


def _consequence(name: str, message: str) -> str:
    if name not in SENT:
        return "Not sent by this console at present."
    field = _FIELD.search(message)
    if field is not None:
        place = f"{field[2]}.{field[1]}"
        if place in ESSENTIAL or not _known(place):
            return "This operation is not sent to this server."
        return "Left out when it is sent to this server."
    if "Unknown argument" in message:
        return "Sent without it to this server."
    return "This operation may be refused by this server."


def _known(place: str) -> bool:
    """Whether it is a field of one of our types; calls themselves cannot be left out."""
    kind, _, _ = place.partition(".")
    return kind in operations.interface().type_map and kind not in _ROOTS
