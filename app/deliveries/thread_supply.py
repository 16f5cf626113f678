"""The supply system's part of a thread: the order, the shipment, its receipt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from app.deliveries.rows import by_place, shown_in
from app.deliveries.steps import Step, StepState
from app.deliveries.times import moment_words, span_words
from app.fleet.times import iso_ms
from app.identity.lookup import same_places
from app.store.tables import FacilityRow, Integration, RequisitionRow, ShipmentRow
from app.supply.filters import Place
from app.supply.queries_lines import shipment_lines

SENT = ("shipped", "delivered", "received", "verified")
ARRIVED = ("received", "verified")


@dataclass(frozen=True, slots=True)
class Found:
    """A shipment with what belongs to it. ``lines`` are its listings of :mod:`app.supply.queries_lines`."""

    shipment: Any
    lines: Sequence[Any]
    requisition: Any | None
    source: str
    sender: str
    receiver: str

    @property
    def number(self) -> str:
        return str(self.shipment.number or self.shipment.peer_id)

    @property
    def numbers(self) -> tuple[str, ...]:
        """Numbers of its papers, its own first."""
        return tuple(number for number in (self.shipment.number, getattr(self.requisition, "number", "")) if number)

    @property
    def title(self) -> str:
        return f"Shipment {self.number}" + (f" to {self.receiver}" if self.receiver else "")

    @property
    def stage(self) -> str:
        return str(shown_in(self.shipment, "stage"))


def shipment_of(connection: Connection, shipment_id: str) -> Found | None:
    """By the id of its row."""
    row = connection.execute(select(ShipmentRow.__table__).where(ShipmentRow.id == shipment_id)).one_or_none()
    if row is None:
        return None
    here = Place(row.integration_id, row.requisition)
    columns = list(RequisitionRow.__table__.columns)
    requisition = by_place(connection, RequisitionRow, [here], columns).get(here)
    ends = [Place(row.integration_id, row.sender), Place(row.integration_id, row.receiver)]
    names = by_place(connection, FacilityRow, ends, (FacilityRow.name,))
    source = connection.execute(
        select(Integration.name).where(Integration.id == row.integration_id)
    ).scalar_one_or_none()
    return Found(
        row,
        shipment_lines(connection, row.integration_id, row.peer_id),
        requisition,
        source or "",
        *(names[end].name if end in names else "" for end in ends),
    )


def receiver_places(connection: Connection, found: Found) -> frozenset[tuple[str, str]]:
    """The receiver as every system knows it: (integration, its id there)."""
    place = Place(found.shipment.integration_id, found.shipment.receiver)
    if not place.peer_id:
        return frozenset()
    return frozenset((one.integration_id, one.peer_id) for one in same_places(connection, "facility", place))


def order_steps(found: Found) -> list[Step]:
    """The requisition that a shipment answers; a shipment may well answer none."""
    if found.requisition is None:
        if not found.shipment.requisition:
            return [Step("order", "done", "No order", f"{found.source} tells no requisition that it answers.")]
        return [
            Step(
                "order", "gap", "Order unknown",
                f"It answers a requisition ({found.shipment.requisition}) that {found.source} has not told of.",
                since_ms=found.shipment.created_ms, next_step=f"Look whether {found.source} lets this account read it.",
            )
        ]  # fmt: skip
    row = found.requisition
    number = row.number or row.peer_id
    at_ms = row.sent_ms or row.created_ms
    detail = f"Asked for {moment_words(at_ms)}, now “{row.stage}”."
    return [Step("order", "done", f"Order {number}", detail, at_ms, record_id=row.id, facts={"stage": row.stage})]


def shipment_steps(found: Found, now_ms: int) -> list[Step]:
    """How far it is at its own system."""
    row, stage = found.shipment, found.stage
    units = sum(line.units for line in found.lines if not line.is_placeholder)
    facts = {"stage": stage, "lines": len(found.lines), "units": units}
    if stage in SENT:
        at_ms = row.shipped_ms or row.delivered_ms or row.received_ms
        lines = "1 line" if len(found.lines) == 1 else f"{len(found.lines)} lines"
        word = f"Shipped {moment_words(at_ms)}, {lines}, {units:,.0f} units."
        return [Step("shipment", "done", found.title, word, at_ms, record_id=row.id, facts=facts)]
    if stage == "cancelled":
        return [Step("shipment", "warning", found.title, "It was cancelled.", record_id=row.id, facts=facts)]
    at_ms = row.picked_ms or row.allocated_ms or row.created_ms
    waits = " A change of it waits in the outbox." if row.pending else ""
    age = f" since {span_words(now_ms - at_ms)}" if at_ms is not None else ""
    detail = f"It is “{stage}”{age} and not shipped yet.{waits}"
    return [Step("shipment", "open", found.title, detail, at_ms, at_ms, record_id=row.id, facts=facts)]


def receipt_steps(found: Found, delivered_ms: int | None, now_ms: int) -> list[Step]:
    """Whether the receiver has taken it in at the supply system."""
    row, stage = found.shipment, found.stage
    if stage in ARRIVED:
        at_ms = row.received_ms or row.verified_ms
        by = f" by {row.received_by}" if row.received_by else ""
        detail = f"Received{by} {moment_words(at_ms)} at {found.source}.{_rejected(found)}"
        state: StepState = "warning" if _rejected(found) else "done"
        return [Step("receipt", state, "Receipt", detail, at_ms, record_id=row.id)]
    if delivered_ms is None:
        return [Step("receipt", "open", "Receipt", "Nothing was delivered yet that could be received.")]
    return [
        Step(
            "receipt", "gap", "No receipt",
            f"It was delivered {span_words(now_ms - delivered_ms)} ago, and {found.source} says “{stage}”.",
            since_ms=delivered_ms, next_step=f"Have {found.receiver or 'the receiver'} receive it in {found.source}.",
            record_id=row.id,
        )
    ]  # fmt: skip


def _rejected(found: Found) -> str:
    short = [line for line in found.lines if (line.rejected_units or 0) > 0]
    if not short:
        return ""
    named = ", ".join(f"{line.item_name} {line.rejected_units:,.0f}" for line in short[:3])
    return f" Rejected: {named}{' and more' if len(short) > 3 else ''}."


def facts_of(found: Found) -> Mapping[str, Any]:
    """A shipment as JSON holds it."""
    row = found.shipment
    return {
        "shipment": {
            "id": row.id, "number": found.number, "source": found.source, "stage": found.stage, "sender": found.sender,
            "receiver": found.receiver, "shipped_at": iso_ms(row.shipped_ms), "received_at": iso_ms(row.received_ms),
            "received_by": row.received_by, "transport_reference": row.transport_reference,
            "requisition": "" if found.requisition is None else found.requisition.number,
            "lines": [
                {"item": line.item_name, "code": line.item_code, "units": line.units, "batch": line.batch,
                 "expires_on": line.expires_on, "accepted_units": line.accepted_units,
                 "rejected_units": line.rejected_units, "rejection_reason": line.rejection_reason}
                for line in found.lines
            ],
        }
    }  # fmt: skip
