"""Telling NHLMIS what was shipped for its order: a change from the outbox, applied once (nhlmis.md, A5, C3)."""

from __future__ import annotations

import json
from typing import Any

from adapters.base import SHIPMENT_FIELD, Outgoing, Receipt
from adapters.connect import capital
from adapters.errors import AdapterError, BadReply, RecordRejected
from adapters.exchange import Reply
from adapters.nhlmis import fields, paths
from adapters.nhlmis.answers import is_mute, read_verdict
from adapters.nhlmis.client import Missing, NhlmisClient, require_approval
from adapters.nhlmis.orders import order_id, read_order
from adapters.nhlmis.profile import Profile
from adapters.nhlmis.requests import order_request, shipment_request
from adapters.records import Record
from adapters.reporting import Shipped

_DEEPEST = 12


async def send_shipment(client: NhlmisClient, outgoing: Outgoing) -> Receipt:
    """Send one shipment. After an earlier try the order is read first, and nothing sent that it already has.

    Raises RecordRejected for what NHLMIS refuses, NotReady, BadReply and AuthFailed otherwise.
    """
    require_approval(client.settings, client.wire)
    shipped = _shipped(outgoing)
    name = f"shipment {shipped.number} for order {shipped.order_id}"
    if outgoing.is_doubtful or outgoing.tries:
        raw = await _read(client, shipped.order_id)
        if has_shipment(client.profile, raw, shipped.number):
            answer = f"{capital(client.peer)} has {name} already: an earlier try had reached it."
            return Receipt(answer, _records(client, raw), was_applied_before=True)
    try:
        request = shipment_request(client.wire, shipped, outgoing.key)
    except ValueError as err:
        raise RecordRejected(name, f"The {name} cannot be written: {err}") from err
    reply = await client.send(request)
    _raise_refusal(client, reply, shipped, name)
    raw = await _read_back(client, reply, shipped.order_id)
    is_shown = raw is not None and has_shipment(client.profile, raw, shipped.number)
    if not is_shown and (is_mute(reply.status, reply.body) or client.profile.shipments.accepted_when == "shown"):
        raise _not_shown(client, name)
    told = "" if is_shown else " The order does not show it yet."
    return Receipt(f"{capital(client.peer)} accepted {name}.{told}", [] if raw is None else _records(client, raw))


async def fetch_order(client: NhlmisClient, wanted: str) -> Any:
    """One order as it came. Raises RecordRejected where there is none of this id."""
    return await _read(client, wanted)


def has_shipment(profile: Profile, raw: object, number: str) -> bool:
    """Whether an order tells of our shipment: at the profile's place, else under the name that we gave its number."""
    at = profile.fields.order.shipments
    if at:
        return _holds(paths.read(raw, at), number, "", 0)
    name = profile.fields.shipment.number.rpartition(".")[2]
    return bool(name) and _holds(raw, number, name.casefold(), 0)


def _holds(value: object, number: str, name: str, depth: int) -> bool:
    """Whether the number stands anywhere below ``value``; only under ``name`` where one is given."""
    if depth > _DEEPEST:
        return False
    if isinstance(value, dict):
        return any(
            (str(key).casefold() == name and fields.text(inner, 300) == number)
            or _holds(inner, number, name, depth + 1)
            for key, inner in value.items()
        )
    if isinstance(value, list):
        return any(_holds(inner, number, name, depth + 1) for inner in value)
    return not name and fields.text(value, 300) == number


def _shipped(outgoing: Outgoing) -> Shipped:
    key = f"order {outgoing.peer_id}"
    try:
        shipped = Shipped.from_text(str(outgoing.values.get(SHIPMENT_FIELD) or ""))
    except ValueError as err:
        raise RecordRejected(key, "What waits for this order is no shipment. Cancel it and make it again.") from err
    if shipped.order_id != outgoing.peer_id:
        raise RecordRejected(key, "This shipment was made for another order. Cancel it and make it again.")
    return shipped


async def _read(client: NhlmisClient, wanted: str) -> Any:
    try:
        raw = await client.read(order_request(client.wire, wanted), "paths.order")
    except ValueError as err:
        raise RecordRejected(f"order {wanted[:100]}", f"No order can be asked for by this id: {err}") from err
    except Missing as err:
        raise RecordRejected(
            f"order {wanted}",
            f"{capital(client.peer)} does not know order {wanted}. It may have been removed there: ask the NHLMIS "
            "team, and check “paths.order” in the profile.",
        ) from err
    found = _order_in(client.profile, raw)
    if found is None or order_id(client.profile, found) != wanted:
        raise BadReply(
            f"{capital(client.peer)} sent something else than order {wanted}. Check “paths.order” and "
            "“fields.order.id” in the profile.",
            fields.sample(raw),
        )
    return found


def _order_in(profile: Profile, raw: object) -> object:
    """The order itself, or inside the one object or one-element list that wraps it."""
    if isinstance(raw, list) and len(raw) == 1:
        raw = raw[0]
    if not isinstance(raw, dict) or order_id(profile, raw):
        return raw if isinstance(raw, dict) else None
    inner = [value for value in raw.values() if isinstance(value, dict) and order_id(profile, value)]
    return inner[0] if len(inner) == 1 else None


def _raise_refusal(client: NhlmisClient, reply: Reply, shipped: Shipped, name: str) -> None:
    if reply.status < 400 and _echoed(client, reply, shipped.order_id) is not None:
        return
    request = shipment_request(client.wire, shipped)
    verdict = read_verdict(client.profile.answers, reply.status, reply.body, request.records)
    if verdict.is_good:
        return
    lines = "; ".join(f"{refusal.key}: {refusal.why}" for refusal in verdict.refusals[:5])
    said = "; ".join(part for part in (verdict.whole, lines) if part)
    raise RecordRejected(
        name,
        f"{capital(client.peer)} refused {name} ({reply.status}): {said}. Correct what it names and send it again, or "
        "set it aside and ask the NHLMIS team.",
    )


def _echoed(client: NhlmisClient, reply: Reply, wanted: str) -> object:
    """The order in the answer to a change; None where it answers with something else."""
    try:
        found = _order_in(client.profile, json.loads(reply.body))
    except (ValueError, RecursionError):
        return None
    return found if found is not None and order_id(client.profile, found) == wanted else None


async def _read_back(client: NhlmisClient, reply: Reply, wanted: str) -> object:
    """The order after the change, from the answer where that holds it; None where it cannot be read now.

    Where the answer alone decides, it is accepted already: a failing line here fails nothing.
    """
    raw = _echoed(client, reply, wanted)
    if raw is not None:
        return raw
    try:
        return await _read(client, wanted)
    except AdapterError as err:
        if client.profile.shipments.accepted_when == "shown":
            err.is_doubtful = True
            raise
        client.kit.log.debug("Order %s was not read back: %s", wanted, err)
        return None


def _not_shown(client: NhlmisClient, name: str) -> BadReply:
    lost = BadReply(
        f"{capital(client.peer)} answered {name} with a success, but the order does not show it. It is looked for and "
        "sent again by itself; if this lasts, check “fields.order.shipments” in the profile."
    )
    lost.is_doubtful = True
    return lost


def _records(client: NhlmisClient, raw: object) -> list[Record]:
    if client.profile.paths.items and not client.pack_sizes:
        return []  # its quantities cannot be told in units before the items were read
    try:
        return [read_order(client.profile, raw, client.pack_sizes)]
    except RecordRejected:
        return []
