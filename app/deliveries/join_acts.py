"""Joining a shipment with a batch by hand, declining a join, and taking either back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from app import platform
from app.deliveries.errors import DeliveryError, NotFound
from app.fleet.text import storable
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.tables import Act, DeliveryBatchRow, ShipmentBatch, ShipmentRow
from app.store.upsert import insert_or

MANUAL, DECLINED = "manual", "declined"
_KINDS = ("shipment_batch.join", "shipment_batch.decline", "shipment_batch.undo")


@dataclass(frozen=True, slots=True)
class Decided:
    """``act_id`` takes it back."""

    act_id: int
    shipment_id: str
    batch_id: str
    how: str


@dataclass(frozen=True, slots=True)
class LastDecision:
    """The newest act on the joins of a shipment. ``how`` is what it made of the join, "" for none of its own."""

    act_id: int
    subject: str
    how: str
    who: str
    at: datetime


def last_decision(connection: Connection, shipment_id: str) -> LastDecision | None:
    """What :func:`undo` would take back, whoever did it and whenever; None where nobody ever decided."""
    query = (
        select(Act.id, Act.subject, Act.who, Act.at, Act.after)
        .where(Act.what.in_(_KINDS), Act.after["shipment"].as_string() == shipment_id)
        .order_by(Act.id.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else LastDecision(row.id, row.subject, str(row.after["how"]), row.who, row.at)


def join(
    connection: Connection, shipment_id: str, batch_id: str, reason: str = "", *, now: datetime, who: str | None = None
) -> Decided:
    """Say that a shipment travels in a batch. Raises NotFound, DeliveryError."""
    return _decide(connection, "join", shipment_id, batch_id, MANUAL, reason or "Joined by hand.", now, who)


def decline(
    connection: Connection, shipment_id: str, batch_id: str, reason: str = "", *, now: datetime, who: str | None = None
) -> Decided:
    """Say that it does not: the join is not found again. Raises NotFound, DeliveryError."""
    return _decide(connection, "decline", shipment_id, batch_id, DECLINED, reason or "Declined by hand.", now, who)


def undo(connection: Connection, act_id: int, *, now: datetime, who: str | None = None) -> Decided:
    """Take a decision back; undoing can be undone. Raises NotFound, DeliveryError where it has been changed since."""
    act = connection.execute(select(Act.what, Act.before, Act.after).where(Act.id == act_id)).one_or_none()
    if act is None or act.what not in _KINDS or not act.after:
        raise NotFound(f"Act {act_id} joined or declined nothing, so there is nothing to take back.")
    shipment_id, batch_id = str(act.after["shipment"]), str(act.after["batch"])
    raise_topic(connection, "deliveries")
    stands = _kept(connection, shipment_id, batch_id)
    if _how(stands) != act.after["how"]:
        raise DeliveryError("This join was changed since, so it was not taken back. Look at it as it is now.")
    how, reason = str(act.before["how"]), str(act.before.get("reason", ""))
    return _write(connection, "undo", shipment_id, batch_id, how, reason, stands, now, who)


def _decide(
    connection: Connection,
    act: str,
    shipment_id: str,
    batch_id: str,
    how: str,
    reason: str,
    now: datetime,
    who: str | None,
) -> Decided:
    raise_topic(connection, "deliveries")
    _subject(connection, shipment_id, batch_id)
    stands = _kept(connection, shipment_id, batch_id)
    if _how(stands) == how:
        word = "joined by hand" if how == MANUAL else "declined"
        raise DeliveryError(f"This is {word} already. Nothing was changed.")
    return _write(connection, act, shipment_id, batch_id, how, storable(reason.strip(), 2_000), stands, now, who)


def _write(
    connection: Connection,
    act: str,
    shipment_id: str,
    batch_id: str,
    how: str,
    reason: str,
    stands: Any,
    now: datetime,
    who: str | None,
) -> Decided:
    """``how`` "" takes the row away: the automatic look may find it again."""
    version = raise_topic(connection, "deliveries")
    who = storable(who or platform.console_user(), 200)
    if how:
        values = {"how": how, "reason": reason, "joined_by": who, "joined_at": now, "changed_version": version}
        statement = insert_or(connection, ShipmentBatch).values(shipment_id=shipment_id, batch_id=batch_id, **values)
        connection.execute(statement.on_conflict_do_update(index_elements=["shipment_id", "batch_id"], set_=values))
    else:
        here = (ShipmentBatch.shipment_id == shipment_id, ShipmentBatch.batch_id == batch_id)
        connection.execute(delete(ShipmentBatch).where(*here))
    before = {"shipment": shipment_id, "batch": batch_id, "how": _how(stands)}
    if stands is not None:
        before["reason"] = stands.reason
    after: Mapping[str, Any] = {"shipment": shipment_id, "batch": batch_id, "how": how, "reason": reason}
    number = record_act(
        connection,
        what=f"shipment_batch.{act}",
        subject=_subject(connection, shipment_id, batch_id),
        before=before,
        after=after,
        who=who,
    )
    return Decided(number, shipment_id, batch_id, how)


def _kept(connection: Connection, shipment_id: str, batch_id: str) -> Any:
    row = ShipmentBatch
    query = select(row.__table__).where(row.shipment_id == shipment_id, row.batch_id == batch_id)
    return connection.execute(query).one_or_none()


def _how(row: Any) -> str:
    return "" if row is None else str(row.how)


def _subject(connection: Connection, shipment_id: str, batch_id: str) -> str:
    number = connection.execute(select(ShipmentRow.number, ShipmentRow.peer_id).where(ShipmentRow.id == shipment_id))
    shipment = number.one_or_none()
    if shipment is None:
        raise NotFound(f"There is no shipment with the id {shipment_id}. Read the list again.")
    name = connection.execute(select(DeliveryBatchRow.name).where(DeliveryBatchRow.id == batch_id)).scalar_one_or_none()
    if name is None:
        raise NotFound(f"There is no batch with the id {batch_id}. Read the list again.")
    return f"Shipment {shipment.number or shipment.peer_id} in batch {name}"
