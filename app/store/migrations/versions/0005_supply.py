"""Supply: facilities, items, stock, requisitions, shipments; what waits to be sent and what both sides changed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "conflicts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("outbox_id", sa.String(length=36), nullable=False),
        sa.Column("record", sa.String(length=24), nullable=False),
        sa.Column("record_id", sa.String(length=36), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("ours_by", sa.String(length=200), nullable=False),
        sa.Column("ours_at", TIME, nullable=False),
        sa.Column("theirs_by", sa.String(length=200), nullable=False),
        sa.Column("theirs_at", TIME, nullable=True),
        sa.Column("detected_at", TIME, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("kept", sa.String(length=8), nullable=False),
        sa.Column("chosen", sa.JSON(), nullable=True),
        sa.Column("resolved_by", sa.String(length=200), nullable=False),
        sa.Column("resolved_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conflicts")),
    )
    op.create_index(op.f("ix_conflicts_changed_version"), "conflicts", ["changed_version"], unique=False)
    op.create_index(op.f("ix_conflicts_integration_id"), "conflicts", ["integration_id"], unique=False)
    op.create_index(op.f("ix_conflicts_outbox_id"), "conflicts", ["outbox_id"], unique=False)
    op.create_index(op.f("ix_conflicts_state"), "conflicts", ["state"], unique=False)
    op.create_table(
        "facilities",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("code", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("is_ours", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("zone", sa.String(length=200), nullable=False),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_facilities")),
        sa.UniqueConstraint("id", name=op.f("uq_facilities_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_facilities_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_facilities_changed_version"), "facilities", ["changed_version"], unique=False)
    op.create_table(
        "items",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("code", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("unit", sa.String(length=60), nullable=False),
        sa.Column("pack_size", sa.Double(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("version", sa.String(length=60), nullable=False),
        sa.Column("programs", sa.JSON(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_items")),
        sa.UniqueConstraint("id", name=op.f("uq_items_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_items_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_items_changed_version"), "items", ["changed_version"], unique=False)
    op.create_index(op.f("ix_items_code"), "items", ["code"], unique=False)
    op.create_index(op.f("ix_items_name"), "items", ["name"], unique=False)
    op.create_table(
        "outbox_items",
        sa.Column("seq", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("write", sa.String(length=60), nullable=False),
        sa.Column("record", sa.String(length=24), nullable=False),
        sa.Column("record_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("parent_peer_id", sa.String(length=200), nullable=False),
        sa.Column("family", sa.String(length=36), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("seen", sa.JSON(), nullable=False),
        sa.Column("key", sa.String(length=36), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("is_doubtful", sa.Boolean(), nullable=False),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("last_answer", sa.Text(), nullable=False),
        sa.Column("last_try", TIME, nullable=True),
        sa.Column("next_try", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox_items")),
        sa.UniqueConstraint("id", name=op.f("uq_outbox_items_id")),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_items_key")),
    )
    op.create_index(op.f("ix_outbox_items_changed_version"), "outbox_items", ["changed_version"], unique=False)
    op.create_index(op.f("ix_outbox_items_family"), "outbox_items", ["family"], unique=False)
    op.create_index(
        op.f("ix_outbox_items_integration_id_state_seq"),
        "outbox_items",
        ["integration_id", "state", "seq"],
        unique=False,
    )
    op.create_index(op.f("ix_outbox_items_record_id"), "outbox_items", ["record_id"], unique=False)
    op.create_index(op.f("ix_outbox_items_state_seq"), "outbox_items", ["state", "seq"], unique=False)
    op.create_table(
        "periods",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("starts_on", sa.String(length=10), nullable=False),
        sa.Column("ends_on", sa.String(length=10), nullable=False),
        sa.Column("schedule", sa.String(length=200), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_periods")),
        sa.UniqueConstraint("id", name=op.f("uq_periods_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_periods_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_periods_changed_version"), "periods", ["changed_version"], unique=False)
    op.create_table(
        "programs",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("code", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_programs")),
        sa.UniqueConstraint("id", name=op.f("uq_programs_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_programs_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_programs_changed_version"), "programs", ["changed_version"], unique=False)
    op.create_table(
        "requisition_lines",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("requisition", sa.String(length=200), nullable=False),
        sa.Column("item", sa.String(length=200), nullable=False),
        sa.Column("requested_units", sa.Double(), nullable=True),
        sa.Column("approved_units", sa.Double(), nullable=True),
        sa.Column("supply_units", sa.Double(), nullable=True),
        sa.Column("suggested_units", sa.Double(), nullable=True),
        sa.Column("stock_units", sa.Double(), nullable=True),
        sa.Column("opening_units", sa.Double(), nullable=True),
        sa.Column("received_units", sa.Double(), nullable=True),
        sa.Column("consumed_units", sa.Double(), nullable=True),
        sa.Column("adjusted_units", sa.Double(), nullable=True),
        sa.Column("stockout_days", sa.Double(), nullable=True),
        sa.Column("average_monthly_units", sa.Double(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=True),
        sa.Column("pending", sa.JSON(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_requisition_lines")),
        sa.UniqueConstraint("id", name=op.f("uq_requisition_lines_id")),
        sa.UniqueConstraint(
            "integration_id",
            "requisition",
            "peer_id",
            name=op.f("uq_requisition_lines_integration_id_requisition_peer_id"),
        ),
    )
    op.create_index(
        op.f("ix_requisition_lines_changed_version"), "requisition_lines", ["changed_version"], unique=False
    )
    op.create_index(op.f("ix_requisition_lines_item"), "requisition_lines", ["integration_id", "item"], unique=False)
    op.create_table(
        "requisitions",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("number", sa.String(length=60), nullable=False),
        sa.Column("side", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("facility", sa.String(length=200), nullable=False),
        sa.Column("supplier", sa.String(length=200), nullable=False),
        sa.Column("program", sa.String(length=200), nullable=False),
        sa.Column("period", sa.String(length=200), nullable=False),
        sa.Column("is_emergency", sa.Boolean(), nullable=False),
        sa.Column("created_ms", KEY, nullable=True),
        sa.Column("sent_ms", KEY, nullable=True),
        sa.Column("closed_ms", KEY, nullable=True),
        sa.Column("changed_ms", KEY, nullable=True),
        sa.Column("reference", sa.String(length=300), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("version", sa.String(length=60), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=True),
        sa.Column("pending", sa.JSON(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_requisitions")),
        sa.UniqueConstraint("id", name=op.f("uq_requisitions_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_requisitions_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_requisitions_changed_version"), "requisitions", ["changed_version"], unique=False)
    op.create_index(op.f("ix_requisitions_created_ms"), "requisitions", ["created_ms"], unique=False)
    op.create_index(op.f("ix_requisitions_stage"), "requisitions", ["stage"], unique=False)
    op.create_table(
        "shipment_lines",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("shipment", sa.String(length=200), nullable=False),
        sa.Column("item", sa.String(length=200), nullable=False),
        sa.Column("units", sa.Double(), nullable=False),
        sa.Column("batch", sa.String(length=100), nullable=False),
        sa.Column("expires_on", sa.String(length=10), nullable=True),
        sa.Column("pack_size", sa.Double(), nullable=False),
        sa.Column("accepted_units", sa.Double(), nullable=True),
        sa.Column("rejected_units", sa.Double(), nullable=True),
        sa.Column("rejection_reason", sa.String(length=300), nullable=False),
        sa.Column("is_placeholder", sa.Boolean(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=True),
        sa.Column("pending", sa.JSON(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_shipment_lines")),
        sa.UniqueConstraint("id", name=op.f("uq_shipment_lines_id")),
        sa.UniqueConstraint(
            "integration_id", "shipment", "peer_id", name=op.f("uq_shipment_lines_integration_id_shipment_peer_id")
        ),
    )
    op.create_index(op.f("ix_shipment_lines_changed_version"), "shipment_lines", ["changed_version"], unique=False)
    op.create_index(op.f("ix_shipment_lines_item"), "shipment_lines", ["integration_id", "item"], unique=False)
    op.create_table(
        "shipments",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("number", sa.String(length=60), nullable=False),
        sa.Column("side", sa.String(length=8), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("sender", sa.String(length=200), nullable=False),
        sa.Column("receiver", sa.String(length=200), nullable=False),
        sa.Column("requisition", sa.String(length=200), nullable=False),
        sa.Column("program", sa.String(length=200), nullable=False),
        sa.Column("is_on_hold", sa.Boolean(), nullable=False),
        sa.Column("created_ms", KEY, nullable=True),
        sa.Column("allocated_ms", KEY, nullable=True),
        sa.Column("picked_ms", KEY, nullable=True),
        sa.Column("shipped_ms", KEY, nullable=True),
        sa.Column("delivered_ms", KEY, nullable=True),
        sa.Column("received_ms", KEY, nullable=True),
        sa.Column("verified_ms", KEY, nullable=True),
        sa.Column("expected_on", sa.String(length=10), nullable=True),
        sa.Column("transport_reference", sa.String(length=300), nullable=False),
        sa.Column("reference", sa.String(length=300), nullable=False),
        sa.Column("received_by", sa.String(length=200), nullable=False),
        sa.Column("delivered_by", sa.String(length=200), nullable=False),
        sa.Column("received_on", sa.String(length=10), nullable=True),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("version", sa.String(length=60), nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=True),
        sa.Column("pending", sa.JSON(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_shipments")),
        sa.UniqueConstraint("id", name=op.f("uq_shipments_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_shipments_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_shipments_changed_version"), "shipments", ["changed_version"], unique=False)
    op.create_index(op.f("ix_shipments_created_ms"), "shipments", ["created_ms"], unique=False)
    op.create_index(op.f("ix_shipments_stage"), "shipments", ["stage"], unique=False)
    op.create_table(
        "stock_lines",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("facility", sa.String(length=200), nullable=False),
        sa.Column("item", sa.String(length=200), nullable=False),
        sa.Column("units", sa.Double(), nullable=False),
        sa.Column("available_units", sa.Double(), nullable=True),
        sa.Column("batch", sa.String(length=100), nullable=False),
        sa.Column("expires_on", sa.String(length=10), nullable=True),
        sa.Column("pack_size", sa.Double(), nullable=False),
        sa.Column("location", sa.String(length=100), nullable=False),
        sa.Column("program", sa.String(length=200), nullable=False),
        sa.Column("is_on_hold", sa.Boolean(), nullable=False),
        sa.Column("average_monthly_units", sa.Double(), nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_stock_lines")),
        sa.UniqueConstraint("id", name=op.f("uq_stock_lines_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_stock_lines_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_stock_lines_changed_version"), "stock_lines", ["changed_version"], unique=False)
    op.create_index(op.f("ix_stock_lines_expires_on"), "stock_lines", ["expires_on"], unique=False)
    op.create_index(op.f("ix_stock_lines_item"), "stock_lines", ["integration_id", "item"], unique=False)
    op.create_index(
        op.f("ix_stock_lines_integration_id_facility_item"),
        "stock_lines",
        ["integration_id", "facility", "item"],
        unique=False,
    )
    op.create_table(
        "stream_states",
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("stream", sa.String(length=200), nullable=False),
        sa.Column("last_read", TIME, nullable=True),
        sa.Column("last_changed", TIME, nullable=True),
        sa.Column("records", KEY, nullable=False),
        sa.Column("changed", KEY, nullable=False),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("trouble_since", TIME, nullable=True),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("both", sa.String(length=8), nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("integration_id", "stream", name=op.f("pk_stream_states")),
    )
    op.create_index(op.f("ix_stream_states_changed_version"), "stream_states", ["changed_version"], unique=False)
    op.create_table(
        "inbox_messages",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("message_id", sa.String(length=200), nullable=False),
        sa.Column("sent_at", TIME, nullable=False),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("peer", sa.String(length=60), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("handled_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_inbox_messages")),
        sa.UniqueConstraint("integration_id", "message_id", name=op.f("uq_inbox_messages_integration_id_message_id")),
    )
    op.create_index(op.f("ix_inbox_messages_changed_version"), "inbox_messages", ["changed_version"], unique=False)
    op.create_index(
        op.f("ix_inbox_messages_integration_id_state_key"),
        "inbox_messages",
        ["integration_id", "state", "key"],
        unique=False,
    )
    op.create_index(op.f("ix_inbox_messages_received_at"), "inbox_messages", ["received_at"], unique=False)
