"""The dispatch tables: drivers, their sign-in to the driver app, batches and what was told of them, as peers say it.

Built and merged like the supply tables (:mod:`app.store.tables.supply`): the columns of a kind are the fields of its
record in :mod:`adapters.dispatch`, a change made here stands in ``outbox_items`` and in ``pending``. No column holds a
code, a PIN or a token.
"""

from sqlalchemy import JSON, Boolean, Double, Index, String, Text, UniqueConstraint

from app.store.columns import Base, as_told, column, mirrored, optional
from app.store.types import Key


class WorkspaceRow(Base):
    __tablename__ = "workspaces"

    key, id, integration_id, peer_id = mirrored()
    name = column(String(300))
    members = column(Key)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (UniqueConstraint("integration_id", "peer_id"),)


class DriverRow(Base):
    __tablename__ = "drivers"

    key, id, integration_id, peer_id = mirrored()
    name = column(String(300))
    phone = column(String(60), default="")
    email = column(String(320), default="")
    status = column(String(40), default="")
    is_available = column(Boolean)
    licence_number = column(String(100), default="")
    licence_type = column(String(40), default="")
    licence_expires_on = optional(String(10))
    is_licence_verified = column(Boolean)
    is_onboarded = column(Boolean)
    shift_starts = column(String(8), default="")
    shift_ends = column(String(8), default="")
    lat = optional(Double)
    lon = optional(Double)
    located_ms = optional(Key)
    away_on = column(JSON)
    attributes = optional(JSON)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (UniqueConstraint("integration_id", "peer_id"),)


class DriverLinkRow(Base):
    __tablename__ = "driver_links"

    key, id, integration_id, peer_id = mirrored()
    user = column(String(200))
    driver = column(String(200))
    status = column(String(40))
    stage = column(String(16))
    method = column(String(40))
    name = column(String(300), default="")
    email = column(String(320), default="")
    linked_ms = optional(Key)
    linked_by = column(String(300), default="")
    pending = optional(JSON)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (
        UniqueConstraint("integration_id", "peer_id"),
        Index("ix_driver_links_integration_id_user", "integration_id", "user"),
    )


class OneTimeCodeRow(Base):
    __tablename__ = "one_time_codes"

    key, id, integration_id, peer_id = mirrored()
    email = column(String(320))
    status = column(String(40))
    stage = column(String(16))
    tries = column(Key)
    most_tries = column(Key)
    created_ms = column(Key)
    expires_ms = column(Key)
    used_ms = optional(Key)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (UniqueConstraint("integration_id", "peer_id"),)


class OnboardingRequestRow(Base):
    __tablename__ = "onboarding_requests"

    key, id, integration_id, peer_id = mirrored()
    name = column(String(300))
    phone = column(String(60))
    email = column(String(320))
    organisation = column(String(300))
    device = column(String(200))
    status = column(String(40))
    stage = column(String(16))
    submitted_ms = column(Key)
    reviewed_ms = optional(Key)
    reviewed_by = column(String(300), default="")
    notes = column(Text, default="")
    pending = optional(JSON)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (UniqueConstraint("integration_id", "peer_id"),)


class InvitationRow(Base):
    __tablename__ = "invitations"

    key, id, integration_id, peer_id = mirrored()
    email = column(String(320))
    role = column(String(40))
    status = column(String(40))
    stage = column(String(16))
    invited_ms = column(Key)
    expires_ms = column(Key)
    invited_by = column(String(300), default="")
    accepted_ms = optional(Key)
    revoked_ms = optional(Key)
    pending = optional(JSON)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (UniqueConstraint("integration_id", "peer_id"),)


class DriverDeviceRow(Base):
    __tablename__ = "driver_devices"

    key, id, integration_id, peer_id = mirrored()
    user = column(String(200))
    device = column(String(200))
    name = column(String(300))
    platform = column(String(60))
    stage = column(String(16))
    registered_ms = column(Key)
    seen_ms = optional(Key)
    revoked_ms = optional(Key)
    pending = optional(JSON)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (
        UniqueConstraint("integration_id", "peer_id"),
        Index("ix_driver_devices_integration_id_user", "integration_id", "user"),
    )


class DriverSessionRow(Base):
    __tablename__ = "driver_sessions"

    key, id, integration_id, peer_id = mirrored()
    user = column(String(200))
    device = column(String(200))
    status = column(String(40))
    stage = column(String(16))
    started_ms = column(Key)
    active_ms = optional(Key)
    ended_ms = optional(Key)
    end_reason = column(String(200), default="")
    vehicle = column(String(200), default="")
    pending = optional(JSON)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (
        UniqueConstraint("integration_id", "peer_id"),
        Index("ix_driver_sessions_integration_id_user", "integration_id", "user"),
    )


class FleetVehicleRow(Base):
    __tablename__ = "fleet_vehicles"

    key, id, integration_id, peer_id = mirrored()
    plate = column(String(60))
    model = column(String(200), default="")
    kind = column(String(20), default="")
    status = column(String(40), default="")
    fuel_type = column(String(40), default="")
    capacity = optional(Double)
    driver = column(String(200), default="")
    telematics_provider = column(String(60), default="")
    telematics_id = column(String(100), default="")
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (
        UniqueConstraint("integration_id", "peer_id"),
        Index("ix_fleet_vehicles_plate", "plate"),
    )


class DeliveryBatchRow(Base):
    __tablename__ = "delivery_batches"

    key, id, integration_id, peer_id = mirrored()
    name = column(String(300))
    status = column(String(40))
    stage = column(String(16))
    priority = column(String(16), default="")
    warehouse = column(String(200), default="")
    driver = column(String(200), default="")
    vehicle = column(String(200), default="")
    scheduled_on = optional(String(10))
    scheduled_at = column(String(8), default="")
    started_ms = optional(Key)
    ended_ms = optional(Key)
    driver_status = column(String(40), default="")
    stop_index = optional(Key)
    is_locked = column(Boolean)
    total_units = optional(Double)
    distance_km = optional(Double)
    duration_min = optional(Double)
    medication = column(String(200), default="")
    notes = column(Text, default="")
    created_ms = optional(Key)
    changed_ms = optional(Key)
    attributes = optional(JSON)
    pending = optional(JSON)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (
        UniqueConstraint("integration_id", "peer_id"),
        Index("ix_delivery_batches_stage_scheduled_on", "stage", "scheduled_on"),
        Index("ix_delivery_batches_scheduled_on", "scheduled_on"),
    )


class BatchStopRow(Base):
    __tablename__ = "batch_stops"

    key, id, integration_id, peer_id = mirrored()
    batch = column(String(200))  # its batch's peer id
    sequence = column(Key)
    facility = column(String(200))
    status = column(String(40), default="")
    stage = column(String(16))
    planned_arrival_ms = optional(Key)
    arrived_ms = optional(Key)
    left_ms = optional(Key)
    recipient = column(String(300), default="")
    proof_url = column(String(1000), default="")
    delay_reason = column(Text, default="")
    notes = column(Text, default="")
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (
        UniqueConstraint("integration_id", "batch", "peer_id"),
        Index("ix_batch_stops_facility", "integration_id", "facility"),
    )


class BatchPaperRow(Base):
    __tablename__ = "batch_papers"

    key, id, integration_id, peer_id = mirrored()
    batch = column(String(200))
    kind = column(String(20))
    number = column(String(60))
    facility = column(String(200), default="")
    status = column(String(40), default="")
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (
        UniqueConstraint("integration_id", "peer_id"),
        Index("ix_batch_papers_integration_id_batch", "integration_id", "batch"),
        Index("ix_batch_papers_number", "number"),
    )


class DispatchRunRow(Base):
    __tablename__ = "dispatch_runs"

    key, id, integration_id, peer_id = mirrored()
    batch = column(String(200))
    status = column(String(40))
    stage = column(String(16))
    driver = column(String(200), default="")
    vehicle = column(String(200), default="")
    planned_departure_ms = optional(Key)
    dispatched_ms = optional(Key)
    departed_ms = optional(Key)
    completed_ms = optional(Key)
    cancelled_ms = optional(Key)
    stops_total = column(Key)
    stops_completed = column(Key)
    notes = column(Text, default="")
    cancel_reason = column(Text, default="")
    pending = optional(JSON)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (
        UniqueConstraint("integration_id", "peer_id"),
        Index("ix_dispatch_runs_integration_id_batch", "integration_id", "batch"),
    )


class DeliveryEventRow(Base):
    __tablename__ = "delivery_events"

    key, id, integration_id, peer_id = mirrored()
    source = column(String(16))
    kind = column(String(20))
    captured_ms = column(Key)
    word = column(String(60), default="")
    received_ms = optional(Key)
    driver = column(String(200), default="")
    session = column(String(200), default="")
    device = column(String(200), default="")
    vehicle = column(String(200), default="")
    batch = column(String(200), default="")
    facility = column(String(200), default="")
    lat = optional(Double)
    lon = optional(Double)
    recipient = column(String(300), default="")
    item = column(String(200), default="")
    expected_units = optional(Double)
    delivered_units = optional(Double)
    reason = column(Text, default="")
    notes = column(Text, default="")
    photo_url = column(String(1000), default="")
    photo_kind = column(String(40), default="")
    is_uploaded = column(Boolean)
    told = optional(JSON)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (
        UniqueConstraint("integration_id", "peer_id"),
        Index("ix_delivery_events_integration_id_batch_captured_ms", "integration_id", "batch", "captured_ms"),
        Index("ix_delivery_events_captured_ms", "captured_ms"),
    )
