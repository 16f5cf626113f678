"""Drivers, their sign-in to the driver app, batches, what was told of deliveries, and what the console adds to it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "shipment_batches",
        sa.Column("shipment_id", sa.String(length=36), nullable=False),
        sa.Column("batch_id", sa.String(length=36), nullable=False),
        sa.Column("how", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("joined_by", sa.String(length=200), nullable=False),
        sa.Column("joined_at", TIME, nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("shipment_id", "batch_id", name=op.f("pk_shipment_batches")),
    )
    op.create_index(op.f("ix_shipment_batches_batch_id"), "shipment_batches", ["batch_id"], unique=False)
    op.create_index(op.f("ix_shipment_batches_changed_version"), "shipment_batches", ["changed_version"], unique=False)
    op.create_table(
        "departure_checks",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("batch_id", sa.String(length=36), nullable=False),
        sa.Column("checked_at", TIME, nullable=False),
        sa.Column("is_ready", sa.Boolean(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("overridden_by", sa.String(length=200), nullable=False),
        sa.Column("override_reason", sa.Text(), nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_departure_checks")),
    )
    op.create_index(op.f("ix_departure_checks_batch_id"), "departure_checks", ["batch_id"], unique=False)
    op.create_index(op.f("ix_departure_checks_changed_version"), "departure_checks", ["changed_version"], unique=False)
    op.create_table(
        "proof_verdicts",
        sa.Column("batch_id", sa.String(length=36), nullable=False),
        sa.Column("facility", sa.String(length=200), nullable=False),
        sa.Column("verdict", sa.String(length=12), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("distance_m", sa.Double(), nullable=True),
        sa.Column("rests_on_ms", KEY, nullable=False),
        sa.Column("computed_at", TIME, nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "facility", name=op.f("pk_proof_verdicts")),
    )
    op.create_index(op.f("ix_proof_verdicts_changed_version"), "proof_verdicts", ["changed_version"], unique=False)
    op.create_index(op.f("ix_proof_verdicts_verdict"), "proof_verdicts", ["verdict"], unique=False)
    op.create_table(
        "twin_gaps",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("vehicle_id", sa.String(length=36), nullable=False),
        sa.Column("device_key", KEY, nullable=False),
        sa.Column("other_device_key", KEY, nullable=False),
        sa.Column("since_ms", KEY, nullable=False),
        sa.Column("until_ms", KEY, nullable=True),
        sa.Column("worst_m", sa.Double(), nullable=False),
        sa.Column("cause", sa.String(length=24), nullable=False),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_twin_gaps")),
        sa.UniqueConstraint(
            "vehicle_id",
            "device_key",
            "other_device_key",
            "since_ms",
            name=op.f("uq_twin_gaps_vehicle_id_device_key_other_device_key_since_ms"),
        ),
    )
    op.create_index(op.f("ix_twin_gaps_changed_version"), "twin_gaps", ["changed_version"], unique=False)
    op.create_index(op.f("ix_twin_gaps_since_ms"), "twin_gaps", ["since_ms"], unique=False)
    op.create_table(
        "mail_messages",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=False),
        sa.Column("template", sa.String(length=40), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_answer", sa.Text(), nullable=False),
        sa.Column("next_try", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_messages")),
    )
    op.create_index(op.f("ix_mail_messages_changed_version"), "mail_messages", ["changed_version"], unique=False)
    op.create_index(op.f("ix_mail_messages_integration_id"), "mail_messages", ["integration_id"], unique=False)
    op.create_index(op.f("ix_mail_messages_state"), "mail_messages", ["state"], unique=False)
    op.create_table(
        "workspaces",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("members", KEY, nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_workspaces")),
        sa.UniqueConstraint("id", name=op.f("uq_workspaces_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_workspaces_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_workspaces_changed_version"), "workspaces", ["changed_version"], unique=False)
    op.create_table(
        "drivers",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("phone", sa.String(length=60), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("is_available", sa.Boolean(), nullable=False),
        sa.Column("licence_number", sa.String(length=100), nullable=False),
        sa.Column("licence_type", sa.String(length=40), nullable=False),
        sa.Column("licence_expires_on", sa.String(length=10), nullable=True),
        sa.Column("is_licence_verified", sa.Boolean(), nullable=False),
        sa.Column("is_onboarded", sa.Boolean(), nullable=False),
        sa.Column("shift_starts", sa.String(length=8), nullable=False),
        sa.Column("shift_ends", sa.String(length=8), nullable=False),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("located_ms", KEY, nullable=True),
        sa.Column("away_on", sa.JSON(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_drivers")),
        sa.UniqueConstraint("id", name=op.f("uq_drivers_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_drivers_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_drivers_changed_version"), "drivers", ["changed_version"], unique=False)
    op.create_table(
        "driver_links",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("user", sa.String(length=200), nullable=False),
        sa.Column("driver", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("method", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("linked_ms", KEY, nullable=True),
        sa.Column("linked_by", sa.String(length=300), nullable=False),
        sa.Column("pending", sa.JSON(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_driver_links")),
        sa.UniqueConstraint("id", name=op.f("uq_driver_links_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_driver_links_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_driver_links_changed_version"), "driver_links", ["changed_version"], unique=False)
    op.create_index(
        op.f("ix_driver_links_integration_id_user"), "driver_links", ["integration_id", "user"], unique=False
    )
    op.create_table(
        "one_time_codes",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("tries", KEY, nullable=False),
        sa.Column("most_tries", KEY, nullable=False),
        sa.Column("created_ms", KEY, nullable=False),
        sa.Column("expires_ms", KEY, nullable=False),
        sa.Column("used_ms", KEY, nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_one_time_codes")),
        sa.UniqueConstraint("id", name=op.f("uq_one_time_codes_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_one_time_codes_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_one_time_codes_changed_version"), "one_time_codes", ["changed_version"], unique=False)
    op.create_table(
        "onboarding_requests",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("phone", sa.String(length=60), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("organisation", sa.String(length=300), nullable=False),
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("submitted_ms", KEY, nullable=False),
        sa.Column("reviewed_ms", KEY, nullable=True),
        sa.Column("reviewed_by", sa.String(length=300), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("pending", sa.JSON(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_onboarding_requests")),
        sa.UniqueConstraint("id", name=op.f("uq_onboarding_requests_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_onboarding_requests_integration_id_peer_id")),
    )
    op.create_index(
        op.f("ix_onboarding_requests_changed_version"), "onboarding_requests", ["changed_version"], unique=False
    )
    op.create_table(
        "invitations",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("invited_ms", KEY, nullable=False),
        sa.Column("expires_ms", KEY, nullable=False),
        sa.Column("invited_by", sa.String(length=300), nullable=False),
        sa.Column("accepted_ms", KEY, nullable=True),
        sa.Column("revoked_ms", KEY, nullable=True),
        sa.Column("pending", sa.JSON(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_invitations")),
        sa.UniqueConstraint("id", name=op.f("uq_invitations_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_invitations_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_invitations_changed_version"), "invitations", ["changed_version"], unique=False)
    op.create_table(
        "driver_devices",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("user", sa.String(length=200), nullable=False),
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("platform", sa.String(length=60), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("registered_ms", KEY, nullable=False),
        sa.Column("seen_ms", KEY, nullable=True),
        sa.Column("revoked_ms", KEY, nullable=True),
        sa.Column("pending", sa.JSON(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_driver_devices")),
        sa.UniqueConstraint("id", name=op.f("uq_driver_devices_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_driver_devices_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_driver_devices_changed_version"), "driver_devices", ["changed_version"], unique=False)
    op.create_index(
        op.f("ix_driver_devices_integration_id_user"), "driver_devices", ["integration_id", "user"], unique=False
    )
    op.create_table(
        "driver_sessions",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("user", sa.String(length=200), nullable=False),
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("started_ms", KEY, nullable=False),
        sa.Column("active_ms", KEY, nullable=True),
        sa.Column("ended_ms", KEY, nullable=True),
        sa.Column("end_reason", sa.String(length=200), nullable=False),
        sa.Column("vehicle", sa.String(length=200), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_driver_sessions")),
        sa.UniqueConstraint("id", name=op.f("uq_driver_sessions_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_driver_sessions_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_driver_sessions_changed_version"), "driver_sessions", ["changed_version"], unique=False)
    op.create_index(
        op.f("ix_driver_sessions_integration_id_user"), "driver_sessions", ["integration_id", "user"], unique=False
    )
    op.create_table(
        "fleet_vehicles",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("plate", sa.String(length=60), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("fuel_type", sa.String(length=40), nullable=False),
        sa.Column("capacity", sa.Double(), nullable=True),
        sa.Column("driver", sa.String(length=200), nullable=False),
        sa.Column("telematics_provider", sa.String(length=60), nullable=False),
        sa.Column("telematics_id", sa.String(length=100), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_fleet_vehicles")),
        sa.UniqueConstraint("id", name=op.f("uq_fleet_vehicles_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_fleet_vehicles_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_fleet_vehicles_changed_version"), "fleet_vehicles", ["changed_version"], unique=False)
    op.create_index(op.f("ix_fleet_vehicles_plate"), "fleet_vehicles", ["plate"], unique=False)
    op.create_table(
        "delivery_batches",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("warehouse", sa.String(length=200), nullable=False),
        sa.Column("driver", sa.String(length=200), nullable=False),
        sa.Column("vehicle", sa.String(length=200), nullable=False),
        sa.Column("scheduled_on", sa.String(length=10), nullable=True),
        sa.Column("scheduled_at", sa.String(length=8), nullable=False),
        sa.Column("started_ms", KEY, nullable=True),
        sa.Column("ended_ms", KEY, nullable=True),
        sa.Column("driver_status", sa.String(length=40), nullable=False),
        sa.Column("stop_index", KEY, nullable=True),
        sa.Column("is_locked", sa.Boolean(), nullable=False),
        sa.Column("total_units", sa.Double(), nullable=True),
        sa.Column("distance_km", sa.Double(), nullable=True),
        sa.Column("duration_min", sa.Double(), nullable=True),
        sa.Column("medication", sa.String(length=200), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("created_ms", KEY, nullable=True),
        sa.Column("changed_ms", KEY, nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=True),
        sa.Column("pending", sa.JSON(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_delivery_batches")),
        sa.UniqueConstraint("id", name=op.f("uq_delivery_batches_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_delivery_batches_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_delivery_batches_changed_version"), "delivery_batches", ["changed_version"], unique=False)
    op.create_index(op.f("ix_delivery_batches_scheduled_on"), "delivery_batches", ["scheduled_on"], unique=False)
    op.create_index(
        op.f("ix_delivery_batches_stage_scheduled_on"), "delivery_batches", ["stage", "scheduled_on"], unique=False
    )
    op.create_table(
        "batch_stops",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("batch", sa.String(length=200), nullable=False),
        sa.Column("sequence", KEY, nullable=False),
        sa.Column("facility", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("planned_arrival_ms", KEY, nullable=True),
        sa.Column("arrived_ms", KEY, nullable=True),
        sa.Column("left_ms", KEY, nullable=True),
        sa.Column("recipient", sa.String(length=300), nullable=False),
        sa.Column("proof_url", sa.String(length=1000), nullable=False),
        sa.Column("delay_reason", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_batch_stops")),
        sa.UniqueConstraint("id", name=op.f("uq_batch_stops_id")),
        sa.UniqueConstraint(
            "integration_id", "batch", "peer_id", name=op.f("uq_batch_stops_integration_id_batch_peer_id")
        ),
    )
    op.create_index(op.f("ix_batch_stops_changed_version"), "batch_stops", ["changed_version"], unique=False)
    op.create_index(op.f("ix_batch_stops_facility"), "batch_stops", ["integration_id", "facility"], unique=False)
    op.create_table(
        "batch_papers",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("batch", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("number", sa.String(length=60), nullable=False),
        sa.Column("facility", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_batch_papers")),
        sa.UniqueConstraint("id", name=op.f("uq_batch_papers_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_batch_papers_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_batch_papers_changed_version"), "batch_papers", ["changed_version"], unique=False)
    op.create_index(
        op.f("ix_batch_papers_integration_id_batch"), "batch_papers", ["integration_id", "batch"], unique=False
    )
    op.create_index(op.f("ix_batch_papers_number"), "batch_papers", ["number"], unique=False)
    op.create_table(
        "dispatch_runs",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("batch", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("driver", sa.String(length=200), nullable=False),
        sa.Column("vehicle", sa.String(length=200), nullable=False),
        sa.Column("planned_departure_ms", KEY, nullable=True),
        sa.Column("dispatched_ms", KEY, nullable=True),
        sa.Column("departed_ms", KEY, nullable=True),
        sa.Column("completed_ms", KEY, nullable=True),
        sa.Column("cancelled_ms", KEY, nullable=True),
        sa.Column("stops_total", KEY, nullable=False),
        sa.Column("stops_completed", KEY, nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("cancel_reason", sa.Text(), nullable=False),
        sa.Column("pending", sa.JSON(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_dispatch_runs")),
        sa.UniqueConstraint("id", name=op.f("uq_dispatch_runs_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_dispatch_runs_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_dispatch_runs_changed_version"), "dispatch_runs", ["changed_version"], unique=False)
    op.create_index(
        op.f("ix_dispatch_runs_integration_id_batch"), "dispatch_runs", ["integration_id", "batch"], unique=False
    )
    op.create_table(
        "delivery_events",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("captured_ms", KEY, nullable=False),
        sa.Column("word", sa.String(length=60), nullable=False),
        sa.Column("received_ms", KEY, nullable=True),
        sa.Column("driver", sa.String(length=200), nullable=False),
        sa.Column("session", sa.String(length=200), nullable=False),
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("vehicle", sa.String(length=200), nullable=False),
        sa.Column("batch", sa.String(length=200), nullable=False),
        sa.Column("facility", sa.String(length=200), nullable=False),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("recipient", sa.String(length=300), nullable=False),
        sa.Column("item", sa.String(length=200), nullable=False),
        sa.Column("expected_units", sa.Double(), nullable=True),
        sa.Column("delivered_units", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("photo_url", sa.String(length=1000), nullable=False),
        sa.Column("photo_kind", sa.String(length=40), nullable=False),
        sa.Column("is_uploaded", sa.Boolean(), nullable=False),
        sa.Column("told", sa.JSON(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_delivery_events")),
        sa.UniqueConstraint("id", name=op.f("uq_delivery_events_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_delivery_events_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_delivery_events_captured_ms"), "delivery_events", ["captured_ms"], unique=False)
    op.create_index(op.f("ix_delivery_events_changed_version"), "delivery_events", ["changed_version"], unique=False)
    op.create_index(
        op.f("ix_delivery_events_integration_id_batch_captured_ms"),
        "delivery_events",
        ["integration_id", "batch", "captured_ms"],
        unique=False,
    )
