"""The supply vocabulary: one for mSupply, OpenLMIS, NHLMIS and whoever comes later.

Frozen, slotted dataclasses like those of :mod:`adapters.records`. ``peer_id`` is a record's id at the peer, unique
within the integration and the record's kind; records point at each other by it (``facility``, ``item`` …), "" where
there is nothing to point at. Quantities are units (tablets, vials), also where the peer counts packs; ``pack_size``
says how many units a pack holds. Times are milliseconds since 1970-01-01 UTC, days are ISO texts (``2026-11-25``).
``status`` is the peer's own word; ``stage`` is ours for it, the same for every system.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from adapters.vocabulary import Attributes, record

Kind = Literal[
    "facility", "program", "period", "item", "stock_line", "requisition", "shipment",
    "workspace", "driver", "driver_link", "one_time_code", "onboarding_request", "invitation", "driver_device",
    "driver_session", "fleet_vehicle", "delivery_batch", "batch_paper", "dispatch_run", "delivery_event",
]  # fmt: skip
"""The kinds of records that stand alone, those of :mod:`adapters.dispatch` among them; lines travel inside their
requisition or shipment, stops inside their batch."""

RequisitionStage = Literal[
    "draft", "submitted", "in_approval", "approved", "ordered", "rejected", "closed", "skipped", "unknown"
]
"""draft: still written by the asking side. submitted: with the supplying side. ordered: a shipment or an order was made
of it. closed: nothing more will happen."""

ShipmentStage = Literal[
    "ordered", "new", "allocated", "picked", "shipped", "delivered", "received", "verified", "cancelled", "unknown"
]
"""ordered: an order that nobody has begun to fill (OpenLMIS). delivered: it arrived, stock is not booked yet."""


@record(frozen=True, slots=True)
class Facility:
    """A place that holds or asks for stock: a store, a clinic, a supplier.

    ``is_ours`` where this account works in it, so that its stock and papers are read.
    """

    peer_id: str
    code: str
    name: str
    kind: Literal["store", "facility", "supplier", "other"] = "facility"
    is_ours: bool = False
    is_active: bool = True
    zone: str = ""
    lat: float | None = None
    lon: float | None = None
    attributes: Attributes | None = None


@record(frozen=True, slots=True)
class Program:
    """A health programme by which stock is asked for and reported."""

    peer_id: str
    code: str
    name: str
    is_active: bool = True


@record(frozen=True, slots=True)
class Period:
    """A reporting period; both days belong to it."""

    peer_id: str
    name: str
    starts_on: str
    ends_on: str
    schedule: str = ""


@record(frozen=True, slots=True)
class Item:
    """One line of a catalogue. ``unit`` is what is counted, ``pack_size`` the units of its usual pack."""

    peer_id: str
    code: str
    name: str
    unit: str = ""
    pack_size: float = 1.0
    is_active: bool = True
    version: str = ""
    programs: Sequence[str] = ()
    attributes: Attributes | None = None


@record(frozen=True, slots=True)
class StockLine:
    """What one facility holds of one item, batch and pack size. ``available_units`` is what nobody has taken yet.

    ``average_monthly_units`` is the peer's own average monthly consumption of the item there, where it tells one.
    """

    peer_id: str
    facility: str
    item: str
    units: float
    available_units: float | None = None
    batch: str = ""
    expires_on: str | None = None
    pack_size: float = 1.0
    location: str = ""
    program: str = ""
    is_on_hold: bool = False
    average_monthly_units: float | None = None
    attributes: Attributes | None = None


@record(frozen=True, slots=True)
class RequisitionLine:
    """One item of a requisition, in units. None: the peer does not tell, or its form does not ask."""

    peer_id: str
    item: str
    requested_units: float | None = None
    approved_units: float | None = None
    supply_units: float | None = None
    suggested_units: float | None = None
    stock_units: float | None = None
    opening_units: float | None = None
    received_units: float | None = None
    consumed_units: float | None = None
    adjusted_units: float | None = None
    stockout_days: float | None = None
    average_monthly_units: float | None = None
    comment: str = ""
    attributes: Attributes | None = None


@record(frozen=True, slots=True)
class Requisition:
    """One facility asks another for stock.

    ``side`` is ours: ``request`` where our store asks, ``response`` where it supplies. ``lines`` None: they were
    not read this time, those that are stored stay. ``version`` is what the peer compares before a write (ETag), ""
    for none.
    """

    peer_id: str
    number: str
    side: Literal["request", "response"]
    status: str
    stage: RequisitionStage
    facility: str
    supplier: str = ""
    program: str = ""
    period: str = ""
    is_emergency: bool = False
    created_ms: int | None = None
    sent_ms: int | None = None
    closed_ms: int | None = None
    changed_ms: int | None = None
    reference: str = ""
    comment: str = ""
    version: str = ""
    lines: Sequence[RequisitionLine] | None = None
    attributes: Attributes | None = None


@record(frozen=True, slots=True)
class ShipmentLine:
    """One item and batch of a shipment, in units. A ``is_placeholder`` line still needs stock to be chosen for it."""

    peer_id: str
    item: str
    units: float
    batch: str = ""
    expires_on: str | None = None
    pack_size: float = 1.0
    accepted_units: float | None = None
    rejected_units: float | None = None
    rejection_reason: str = ""
    is_placeholder: bool = False
    comment: str = ""
    attributes: Attributes | None = None


@record(frozen=True, slots=True)
class Shipment:
    """Stock on its way from ``sender`` to ``receiver``; ``side`` is outbound where our store sends.

    ``transport_reference`` is the field in which the peer keeps trip and vehicle. ``received_by``, ``delivered_by`` and
    ``received_on`` are those of the peer's own proof of delivery. ``lines`` None: not read this time.
    """

    peer_id: str
    number: str
    side: Literal["outbound", "inbound"]
    status: str
    stage: ShipmentStage
    sender: str
    receiver: str
    requisition: str = ""
    program: str = ""
    is_on_hold: bool = False
    created_ms: int | None = None
    allocated_ms: int | None = None
    picked_ms: int | None = None
    shipped_ms: int | None = None
    delivered_ms: int | None = None
    received_ms: int | None = None
    verified_ms: int | None = None
    expected_on: str | None = None
    transport_reference: str = ""
    reference: str = ""
    received_by: str = ""
    delivered_by: str = ""
    received_on: str | None = None
    comment: str = ""
    version: str = ""
    lines: Sequence[ShipmentLine] | None = None
    attributes: Attributes | None = None


@record(frozen=True, slots=True)
class Gone:
    """The peer answered that this record does not exist any more."""

    kind: Kind
    peer_id: str


@record(frozen=True, slots=True)
class FullRead:
    """Marks around a complete reading of one kind within ``scope`` (a facility's id; "" for the whole integration).

    Between ``begins`` and ``ends`` the adapter hands over every record of that kind and scope; at the end the host
    marks those that did not come as gone. A reading that is not ended marks nothing.
    """

    kind: Kind
    scope: str
    mark: Literal["begins", "ends"]


@record(frozen=True, slots=True)
class StreamRead:
    """One stream was read to its end in this run, or could not be: ``trouble`` then says why and what to do.

    Trouble of one stream (a permission that this account lacks) never stops the others.
    """

    stream: str
    trouble: str = ""


SupplyRecord = Facility | Program | Period | Item | StockLine | Requisition | Shipment | Gone | FullRead | StreamRead
