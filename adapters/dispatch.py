"""The dispatch vocabulary: drivers, their sign-in to the driver app, batches of deliveries, and what was told of them.

Frozen, slotted dataclasses like those of :mod:`adapters.supply`, and merged the same way: ``peer_id`` is a record's id
at the peer, records point at each other by it, "" where there is nothing to point at. Times are milliseconds since
1970-01-01 UTC, days are ISO texts. ``status`` is the peer's own word, ``stage`` ours. Places that are delivered to and
warehouses are :class:`adapters.supply.Facility`; positions of drivers' phones are :class:`adapters.records.Position`.

A driver has two ids (the platform's reference, 4.1): ``driver`` always points at the dispatch record
(:class:`Driver`), ``user`` is the login. :class:`DriverLink` joins them. No secret is part of this vocabulary: codes,
PINs, tokens of invitations and of sessions stay at the peer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from adapters.vocabulary import Attributes, record

LinkStage = Literal["active", "suspended", "revoked", "unknown"]
RequestStage = Literal["pending", "approved", "rejected", "unknown"]
InvitationStage = Literal["pending", "accepted", "expired", "revoked", "unknown"]
CodeStage = Literal["pending", "used", "expired", "unknown"]
DeviceStage = Literal["trusted", "revoked"]
SessionStage = Literal["open", "ended"]
BatchStage = Literal["planned", "assigned", "in_progress", "completed", "cancelled", "unknown"]
RunStage = Literal[
    "planned", "loading", "pending", "departed", "dispatched", "in_transit", "delayed", "partial_delivery", "returned",
    "completed", "failed", "cancelled", "unknown",
]  # fmt: skip
StopStage = Literal["pending", "in_transit", "arrived", "delivered", "failed", "skipped", "unknown"]

EventKind = Literal[
    "session_started", "session_ended", "batch_assigned", "batch_started", "batch_completed", "dispatched", "departed",
    "arrived", "delivery_started", "delivered", "failed", "skipped", "returned", "discrepancy", "item_reconciled",
    "photo", "signature", "proxy_reason", "proof", "position", "new_device", "delayed", "override", "other",
]  # fmt: skip
"""What an event says, whichever table of the peer it came from. ``photo``: a photo was reported as taken."""


@record(frozen=True, slots=True)
class Workspace:
    """One workspace of the platform that this account works in. ``members`` is how many belong to it."""

    peer_id: str
    name: str
    members: int = 0


@record(frozen=True, slots=True)
class Driver:
    """One driver as dispatch knows them. ``shift_starts`` and ``shift_ends`` are local times (``08:00``).

    ``lat``, ``lon`` are where the platform saw them last; it moves a driver back for a late point, so that
    ``located_ms`` may be older than they are, None for unknown. ``away_on`` are the days on which they do not drive.
    """

    peer_id: str
    name: str
    phone: str = ""
    email: str = ""
    status: str = ""
    is_available: bool = False
    licence_number: str = ""
    licence_type: str = ""
    licence_expires_on: str | None = None
    is_licence_verified: bool = False
    is_onboarded: bool = False
    shift_starts: str = ""
    shift_ends: str = ""
    lat: float | None = None
    lon: float | None = None
    located_ms: int | None = None
    away_on: Sequence[str] = ()
    attributes: Attributes | None = None


@record(frozen=True, slots=True)
class DriverLink:
    """A login that may use the driver app. ``driver`` is "" for one without a dispatch record: no batch reaches it."""

    peer_id: str
    user: str
    driver: str
    status: str
    stage: LinkStage
    method: str
    name: str = ""
    email: str = ""
    linked_ms: int | None = None
    linked_by: str = ""


@record(frozen=True, slots=True)
class OneTimeCode:
    """That a one-time code exists, never the code. ``stage`` pending is kept by the peer for ever: see the time."""

    peer_id: str
    email: str
    status: str
    stage: CodeStage
    tries: int
    most_tries: int
    created_ms: int
    expires_ms: int
    used_ms: int | None = None


@record(frozen=True, slots=True)
class OnboardingRequest:
    """Somebody asks for access. The platform keeps no workspace with it."""

    peer_id: str
    name: str
    phone: str
    email: str
    organisation: str
    device: str
    status: str
    stage: RequestStage
    submitted_ms: int
    reviewed_ms: int | None = None
    reviewed_by: str = ""
    notes: str = ""


@record(frozen=True, slots=True)
class Invitation:
    """An invitation by e-mail. Its token stays at the peer; one that is pending past ``expires_ms`` has expired."""

    peer_id: str
    email: str
    role: str
    status: str
    stage: InvitationStage
    invited_ms: int
    expires_ms: int
    invited_by: str = ""
    accepted_ms: int | None = None
    revoked_ms: int | None = None


@record(frozen=True, slots=True)
class DriverDevice:
    """A phone that a login was used on. ``device`` is the app's own id of it."""

    peer_id: str
    user: str
    device: str
    name: str
    platform: str
    stage: DeviceStage
    registered_ms: int
    seen_ms: int | None = None
    revoked_ms: int | None = None


@record(frozen=True, slots=True)
class DriverSession:
    """One time of being signed in; ``user`` is the login. Open while it has no end and ``status`` says so."""

    peer_id: str
    user: str
    device: str
    status: str
    stage: SessionStage
    started_ms: int
    active_ms: int | None = None
    ended_ms: int | None = None
    end_reason: str = ""
    vehicle: str = ""


@record(frozen=True, slots=True)
class FleetVehicle:
    """A vehicle as the platform knows it; the console's own vehicles meet it in the identity map, by plate."""

    peer_id: str
    plate: str
    model: str = ""
    kind: str = ""
    status: str = ""
    fuel_type: str = ""
    capacity: float | None = None
    driver: str = ""
    telematics_provider: str = ""
    telematics_id: str = ""


@record(frozen=True, slots=True)
class BatchStop:
    """One stop of a batch; ``peer_id`` is unique within it, ``sequence`` begins at 1.

    Times and recipient are what the platform's own record of the route says, None or "" where it has none.
    """

    peer_id: str
    sequence: int
    facility: str
    status: str = ""
    stage: StopStage = "pending"
    planned_arrival_ms: int | None = None
    arrived_ms: int | None = None
    left_ms: int | None = None
    recipient: str = ""
    proof_url: str = ""
    delay_reason: str = ""
    notes: str = ""


@record(frozen=True, slots=True)
class DeliveryBatch:
    """One trip of deliveries: a vehicle and a driver, and the stops in their order.

    ``is_locked``: its stops and quantities are frozen since it was started. ``lines`` are its stops, None: not read
    this time.
    """

    peer_id: str
    name: str
    status: str
    stage: BatchStage
    priority: str = ""
    warehouse: str = ""
    driver: str = ""
    vehicle: str = ""
    scheduled_on: str | None = None
    scheduled_at: str = ""
    started_ms: int | None = None
    ended_ms: int | None = None
    driver_status: str = ""
    stop_index: int | None = None
    is_locked: bool = False
    total_units: float | None = None
    distance_km: float | None = None
    duration_min: float | None = None
    medication: str = ""
    notes: str = ""
    created_ms: int | None = None
    changed_ms: int | None = None
    lines: Sequence[BatchStop] | None = None
    attributes: Attributes | None = None


@record(frozen=True, slots=True)
class BatchPaper:
    """A paper of a supply system that the platform says travels in a batch, by the number printed on it."""

    peer_id: str
    batch: str
    kind: Literal["requisition", "invoice"]
    number: str
    facility: str = ""
    status: str = ""


@record(frozen=True, slots=True)
class DispatchRun:
    """One departure of a batch, as the platform counts it."""

    peer_id: str
    batch: str
    status: str
    stage: RunStage
    driver: str = ""
    vehicle: str = ""
    planned_departure_ms: int | None = None
    dispatched_ms: int | None = None
    departed_ms: int | None = None
    completed_ms: int | None = None
    cancelled_ms: int | None = None
    stops_total: int = 0
    stops_completed: int = 0
    notes: str = ""
    cancel_reason: str = ""


@record(frozen=True, slots=True)
class DeliveryEvent:
    """One thing that was told of a delivery; never changed at the peer. ``source`` is the peer's table.

    ``peer_id`` begins with it, so that tables with keys of their own cannot meet. ``captured_ms`` is the phone's clock,
    ``received_ms`` the peer's. ``told`` is the peer's metadata as it came, bounded in size, for those who look closer;
    the fields of ours are what could be read from it. ``photo_url`` is where a photo is said to be, and
    ``is_uploaded`` whether that is an address that others can open: a photo reported, but on the phone only, is none.
    """

    peer_id: str
    source: Literal["mod4_events", "route_history", "delivery_logs", "driver_events", "driver_app"]
    kind: EventKind
    captured_ms: int
    word: str = ""
    received_ms: int | None = None
    driver: str = ""
    session: str = ""
    device: str = ""
    vehicle: str = ""
    batch: str = ""
    facility: str = ""
    lat: float | None = None
    lon: float | None = None
    recipient: str = ""
    item: str = ""
    expected_units: float | None = None
    delivered_units: float | None = None
    reason: str = ""
    notes: str = ""
    photo_url: str = ""
    photo_kind: str = ""
    is_uploaded: bool = False
    told: Mapping[str, Any] | None = None


DispatchRecord = (
    Workspace
    | Driver
    | DriverLink
    | OneTimeCode
    | OnboardingRequest
    | Invitation
    | DriverDevice
    | DriverSession
    | FleetVehicle
    | DeliveryBatch
    | BatchPaper
    | DispatchRun
    | DeliveryEvent
)
