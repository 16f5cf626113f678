"""Telling a system what was shipped for its order: one change of the order, made of a shipment of any supply system.

docs/integrations/nhlmis.md. The goods are named by the codes of the system that is told: those of the same item in the
identity map, else the same code where that system has an item of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from adapters.base import SHIPMENT_FIELD, Write
from adapters.reporting import Shipped, ShippedLine
from app.catalogue import Catalogue
from app.clock import to_ms
from app.fleet.text import storable
from app.identity.lookup import same_as
from app.security.audit import record_act
from app.security.operator import present_operator
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import ItemRow, OutboxItem, RequisitionLineRow, ShipmentLineRow, ShipmentRow
from app.sync.errors import ChangeRefused
from app.sync.outbox import peer_of
from app.sync.records import Target, load_target
from app.sync.words import State

GONE_OUT = ("shipped", "delivered", "received", "verified")


def queue_shipped(
    connection: Connection,
    catalogue: Catalogue,
    order_id: str,
    shipment_id: str,
    *,
    now: datetime,
    who: str | None = None,
) -> str:
    """Tell the system of an order that this shipment went out for it. Returns the id of the outbox item.

    ``order_id`` and ``shipment_id`` are ids of rows. The same shipment is told once for one order, however often it is
    asked for: one that the operator gave up, or that was refused, is made again. Raises ChangeRefused, NotFound.
    """
    version = raise_topic(connection, "outbox")
    order = load_target(connection, "requisition", order_id)
    write = _write_of(connection, catalogue, order)
    shipped = shipped_for(connection, order, load_target(connection, "shipment", shipment_id), now)
    row = {
        "integration_id": order.row["integration_id"],
        "write": write.name,
        "record": "requisition",
        "record_id": order.row["id"],
        "peer_id": order.row["peer_id"],
        "parent_peer_id": "",
        "family": order.family,
        "subject": order.subject,
        "values": {SHIPMENT_FIELD: shipped.as_text()},
        "seen": {},
        "state": State.WAITING,
        "created_at": now,
        "created_by": storable(who or present_operator(), 200),
        "changed_version": version,
    }
    _refuse_a_second(connection, order, shipped)
    item_id = new_id()
    connection.execute(insert(OutboxItem).values(id=item_id, key=_free_key(connection, shipped), **row))
    told = {"shipment": shipped.number, "lines": len(shipped.lines)}
    record_act(connection, what="supply.tell_shipped", subject=order.subject, after=told, who=who)
    return item_id


def shipped_for(connection: Connection, order: Target, shipment: Target, now: datetime) -> Shipped:
    """What a shipment is for an order, in the codes of the order's system. Raises ChangeRefused naming what lacks."""
    paper = shipment.row
    if paper["stage"] not in GONE_OUT:
        raise ChangeRefused(
            f"{shipment.subject} is “{paper['stage']}” and has not gone out yet. Tell it when it is shipped."
        )
    line = ShipmentLineRow
    query = select(line.__table__).where(
        line.integration_id == paper["integration_id"], line.shipment == paper["peer_id"], line.gone_at.is_(None)
    )
    lines = [one for one in connection.execute(query.order_by(line.key)) if one.units > 0 and not one.is_placeholder]
    if not lines:
        raise ChangeRefused(f"{shipment.subject} has no lines with goods, so there is nothing to tell.")
    codes = _codes(connection, order.row["integration_id"], paper["integration_id"], [one.item for one in lines])
    nameless = sorted({names for item, (code, names) in codes.items() if not code})
    if nameless:
        raise ChangeRefused(
            f"{order.subject} is kept by a system that has no item for: {', '.join(nameless[:5])}. Match them under "
            "Supply, Matching; then tell the shipment again."
        )
    strange = sorted({codes[one.item][1] for one in lines} - _asked_for(connection, order, codes))
    if strange:
        raise ChangeRefused(
            f"{order.subject} does not ask for: {', '.join(strange[:5])}. Choose the shipment that was made for this "
            "order."
        )
    return Shipped(
        order_id=order.row["peer_id"],
        number=paper["number"] or paper["peer_id"],
        dispatched_ms=paper["shipped_ms"] or paper["picked_ms"] or to_ms(now),
        delivered_ms=paper["delivered_ms"] or paper["received_ms"],
        lines=tuple(
            ShippedLine(
                codes[one.item][0], one.units / (one.pack_size or 1.0), one.pack_size or 1.0, one.batch, one.expires_on
            )
            for one in lines
        ),
    )  # fmt: skip


def _asked_for(connection: Connection, order: Target, codes: Mapping[str, tuple[str, str]]) -> set[str]:
    """Names of those goods that the order asks for; all of them where its lines were not read."""
    line, item = RequisitionLineRow, ItemRow
    query = (
        select(item.code)
        .join(line, (line.integration_id == item.integration_id) & (line.item == item.peer_id))
        .where(line.integration_id == order.row["integration_id"], line.requisition == order.row["peer_id"])
        .where(line.gone_at.is_(None))
    )
    asked = set(connection.execute(query).scalars())
    return {name for code, name in codes.values() if not asked or code in asked}


def shipments_for(connection: Connection, *, limit: int = 200) -> Sequence[Mapping[str, Any]]:
    """Shipments that went out, the newest first: id, number, receiver's name and stage, for a choice."""
    row = ShipmentRow
    query = (
        select(row.id, row.number, row.stage, row.shipped_ms)
        .where(row.side == "outbound", row.stage.in_(GONE_OUT), row.gone_at.is_(None))
        .order_by(row.shipped_ms.desc().nullslast(), row.key.desc())
    )
    return [dict(one._mapping) for one in connection.execute(query.limit(limit))]


def _write_of(connection: Connection, catalogue: Catalogue, order: Target) -> Write:
    manifest, integration = peer_of(connection, catalogue, order.row["integration_id"])
    write = next((one for one in manifest.writes if SHIPMENT_FIELD in one.fields), None)
    if write is None:
        raise ChangeRefused(f"{integration.name} is not told of shipments by other systems. Make the shipment there.")
    if write.switch and not integration.config.get(write.switch):
        raise ChangeRefused(
            f"{integration.name} is told nothing until its way of sending is approved: look at the exact requests "
            "under Reports, Send, and approve them."
        )
    if order.row["gone_at"] is not None:
        raise ChangeRefused(f"{order.subject} does not exist at {integration.name} any more.")
    return write


def _refuse_a_second(connection: Connection, order: Target, shipped: Shipped) -> None:
    mine = select(OutboxItem.state, OutboxItem.values).where(
        OutboxItem.record_id == order.row["id"], OutboxItem.state.not_in((State.CANCELLED, State.REFUSED))
    )
    for state, values in connection.execute(mine):
        told = values.get(SHIPMENT_FIELD)
        if told and Shipped.from_text(str(told)).number == shipped.number:
            word = "has been told already" if state == State.ACCEPTED else "waits in the outbox already"
            raise ChangeRefused(f"Shipment {shipped.number} {word} for {order.subject}. Nothing was added.")


def _free_key(connection: Connection, shipped: Shipped) -> str:
    """The change's own key; a new one where an item that was given up holds it, since the peer never took that."""
    taken = connection.execute(select(OutboxItem.id).where(OutboxItem.key == shipped.key)).first()
    return shipped.key if taken is None else new_id()


def _codes(connection: Connection, told: str, system: str, items: Sequence[str]) -> dict[str, tuple[str, str]]:
    """By item of ``system``: its code with the system that is told, "" for none, and its name."""
    row = ItemRow
    found: dict[str, tuple[str, str]] = {}
    for item in dict.fromkeys(items):
        mine = connection.execute(
            select(row.id, row.code, row.name).where(row.integration_id == system, row.peer_id == item)
        ).one_or_none()
        if mine is None:
            found[item] = ("", item)
            continue
        if told == system:
            found[item] = (mine.code, mine.name)
            continue
        partners = select(row.code).where(row.integration_id == told, row.gone_at.is_(None))
        partner = connection.execute(partners.where(row.id.in_(same_as(connection, "item", mine.id))).limit(1)).scalar()
        if partner is None and mine.code:
            partner = connection.execute(partners.where(row.code == mine.code).limit(1)).scalar()
        found[item] = (partner or "", mine.name or mine.code or item)
    return found
