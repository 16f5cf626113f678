"""The first tables, as of the console's first release."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "acts",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("host", sa.String(length=200), nullable=False),
        sa.Column("what", sa.String(length=80), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_acts")),
    )
    op.create_index(op.f("ix_acts_at"), "acts", ["at"], unique=False)
    op.create_table(
        "changes",
        sa.Column("topic", sa.String(length=40), nullable=False),
        sa.Column("version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("topic", name=op.f("pk_changes")),
    )
    op.create_table(
        "commands",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=True),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("taken_at", TIME, nullable=True),
        sa.Column("done_at", TIME, nullable=True),
        sa.Column("outcome", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commands")),
    )
    op.create_index(op.f("ix_commands_done_at"), "commands", ["done_at"], unique=False)
    op.create_table(
        "cursors",
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("stream", sa.String(length=200), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("saved_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("integration_id", "stream", name=op.f("pk_cursors")),
    )
    op.create_table(
        "device_events",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("device_key", KEY, nullable=False),
        sa.Column("occurred_at_ms", KEY, nullable=False),
        sa.Column("received_at_ms", KEY, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=60), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("marks", sa.Integer(), nullable=False),
        sa.Column("peer_id", sa.String(length=40), nullable=True),
        sa.Column("key_extra", sa.String(length=80), nullable=False),
        sa.Column("raw_frame_id", KEY, nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_events")),
    )
    op.create_index("ix_device_events_occurred_at_ms", "device_events", ["occurred_at_ms"], unique=False)
    op.create_index(
        "uq_device_events_natural", "device_events", ["device_key", "occurred_at_ms", "code", "key_extra"], unique=True
    )
    op.create_table(
        "geofences",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("shape", sa.String(length=16), nullable=False),
        sa.Column("points", sa.JSON(), nullable=False),
        sa.Column("radius_m", sa.Double(), nullable=True),
        sa.Column("speed_limit_km_h", sa.Double(), nullable=True),
        sa.Column("visible", sa.Boolean(), nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_geofences")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_geofences_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_geofences_changed_version"), "geofences", ["changed_version"], unique=False)
    op.create_table(
        "integration_days",
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.Column("runs_failed", sa.Integer(), nullable=False),
        sa.Column("records", KEY, nullable=False),
        sa.Column("duration_ms", KEY, nullable=False),
        sa.Column("delay_ms", KEY, nullable=False),
        sa.Column("counters", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("integration_id", "day", name=op.f("pk_integration_days")),
    )
    op.create_table(
        "integration_logs",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=True),
        sa.Column("event_type", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_integration_logs")),
    )
    op.create_index(op.f("ix_integration_logs_created_at"), "integration_logs", ["created_at"], unique=False)
    op.create_index("ix_integration_logs_event_type_id", "integration_logs", ["event_type", "id"], unique=False)
    op.create_index(
        "ix_integration_logs_integration_id_event_type_id",
        "integration_logs",
        ["integration_id", "event_type", "id"],
        unique=False,
    )
    op.create_index("ix_integration_logs_integration_id_id", "integration_logs", ["integration_id", "id"], unique=False)
    op.create_table(
        "integration_states",
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("phase", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("error_kind", sa.String(length=32), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("next_try", TIME, nullable=True),
        sa.Column("last_success", TIME, nullable=True),
        sa.Column("last_data", TIME, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("integration_id", name=op.f("pk_integration_states")),
    )
    op.create_index(
        op.f("ix_integration_states_changed_version"), "integration_states", ["changed_version"], unique=False
    )
    op.create_table(
        "integrations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("config", sa.JSON(), nullable=False),
        sa.Column("last_sync", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("removed_at", TIME, nullable=True),
        sa.Column("peer_unique_id", sa.String(length=300), nullable=True),
        sa.Column("secrets_version", sa.Integer(), nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_integrations")),
        sa.UniqueConstraint("id", name=op.f("uq_integrations_id")),
    )
    op.create_index(op.f("ix_integrations_changed_version"), "integrations", ["changed_version"], unique=False)
    op.create_table(
        "positions",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("device_key", KEY, nullable=False),
        sa.Column("fixed_at_ms", KEY, nullable=False),
        sa.Column("received_at_ms", KEY, nullable=False),
        sa.Column("lat", sa.Double(), nullable=False),
        sa.Column("lon", sa.Double(), nullable=False),
        sa.Column("speed_km_h", sa.Double(), nullable=True),
        sa.Column("course_deg", sa.Double(), nullable=True),
        sa.Column("altitude_m", sa.Double(), nullable=True),
        sa.Column("satellites", sa.Integer(), nullable=True),
        sa.Column("located", sa.Boolean(), nullable=False),
        sa.Column("marks", sa.Integer(), nullable=False),
        sa.Column("clock_offset_s", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("serial", sa.Integer(), nullable=True),
        sa.Column("peer_id", sa.String(length=40), nullable=True),
        sa.Column("key_extra", sa.String(length=32), nullable=False),
        sa.Column("raw_frame_id", KEY, nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_positions")),
    )
    op.create_index(
        "uq_positions_natural", "positions", ["device_key", "fixed_at_ms", "lat", "lon", "key_extra"], unique=True
    )
    op.create_table(
        "problems",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("problem_key", sa.String(length=200), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=True),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("fix", sa.String(length=40), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("cleared_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_problems")),
    )
    op.create_index(op.f("ix_problems_changed_version"), "problems", ["changed_version"], unique=False)
    op.create_index(op.f("ix_problems_cleared_at"), "problems", ["cleared_at"], unique=False)
    op.create_index(op.f("ix_problems_problem_key"), "problems", ["problem_key"], unique=False)
    op.create_table(
        "raw_frames",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("integration_key", sa.Integer(), nullable=False),
        sa.Column("device_key", KEY, nullable=True),
        sa.Column("received_at_ms", KEY, nullable=False),
        sa.Column("protocol", sa.String(length=16), nullable=False),
        sa.Column("peer", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("reply", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_raw_frames")),
    )
    op.create_index(op.f("ix_raw_frames_received_at_ms"), "raw_frames", ["received_at_ms"], unique=False)
    op.create_table(
        "rejected_records",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("record_key", sa.String(length=300), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("sample", sa.Text(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejected_records")),
    )
    op.create_index(op.f("ix_rejected_records_integration_id"), "rejected_records", ["integration_id"], unique=False)
    op.create_table(
        "store_facts",
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_store_facts")),
    )
    op.create_table(
        "vehicles",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("plate", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("make_model", sa.String(length=200), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("removed_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vehicles")),
        sa.UniqueConstraint("plate", name=op.f("uq_vehicles_plate")),
    )
    op.create_index(op.f("ix_vehicles_changed_version"), "vehicles", ["changed_version"], unique=False)
    op.create_table(
        "devices",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("unique_id", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("vehicle_id", sa.String(length=36), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("phone", sa.String(length=60), nullable=False),
        sa.Column("peer_id", sa.String(length=60), nullable=True),
        sa.Column("group_name", sa.String(length=200), nullable=False),
        sa.Column("visible", sa.Boolean(), nullable=False),
        sa.Column("clock_offset_s", sa.Integer(), nullable=True),
        sa.Column("first_seen_ms", KEY, nullable=False),
        sa.Column("attributes", sa.JSON(), nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_devices_vehicle_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_devices")),
        sa.UniqueConstraint("id", name=op.f("uq_devices_id")),
        sa.UniqueConstraint("integration_id", "unique_id", name=op.f("uq_devices_integration_id_unique_id")),
    )
    op.create_index(op.f("ix_devices_changed_version"), "devices", ["changed_version"], unique=False)
    op.create_table(
        "device_assignments",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("device_key", KEY, nullable=False),
        sa.Column("vehicle_id", sa.String(length=36), nullable=False),
        sa.Column("from_ms", KEY, nullable=False),
        sa.Column("to_ms", KEY, nullable=True),
        sa.ForeignKeyConstraint(["device_key"], ["devices.key"], name=op.f("fk_device_assignments_device_key")),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_device_assignments_vehicle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_assignments")),
    )
    op.create_index(op.f("ix_device_assignments_device_key"), "device_assignments", ["device_key"], unique=False)
    op.create_index(op.f("ix_device_assignments_vehicle_id"), "device_assignments", ["vehicle_id"], unique=False)
    op.create_table(
        "device_states",
        sa.Column("device_key", KEY, nullable=False),
        sa.Column("last_seen_ms", KEY, nullable=False),
        sa.Column("last_kind", sa.String(length=32), nullable=False),
        sa.Column("frames", KEY, nullable=False),
        sa.Column("blocked_frames", KEY, nullable=False),
        sa.Column("position_id", KEY, nullable=True),
        sa.Column("fixed_at_ms", KEY, nullable=True),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("speed_km_h", sa.Double(), nullable=True),
        sa.Column("course_deg", sa.Double(), nullable=True),
        sa.Column("marks", sa.Integer(), nullable=False),
        sa.Column("power_level", sa.Integer(), nullable=True),
        sa.Column("gsm_level", sa.Integer(), nullable=True),
        sa.Column("satellites", sa.Integer(), nullable=True),
        sa.Column("battery_v", sa.Double(), nullable=True),
        sa.Column("external_v", sa.Double(), nullable=True),
        sa.Column("charging", sa.Boolean(), nullable=True),
        sa.Column("ignition", sa.Boolean(), nullable=True),
        sa.Column("clock_lag_s", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("raw_frame_id", KEY, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.ForeignKeyConstraint(["device_key"], ["devices.key"], name=op.f("fk_device_states_device_key")),
        sa.PrimaryKeyConstraint("device_key", name=op.f("pk_device_states")),
    )
    op.create_index(op.f("ix_device_states_changed_version"), "device_states", ["changed_version"], unique=False)
    if op.get_context().dialect.name == "postgresql":
        _index_log_texts_on_postgresql()
    else:
        _index_log_texts_on_sqlite()


def _index_log_texts_on_sqlite() -> None:
    """Every trigram of a log line's text, kept by triggers; the texts themselves stay in their table alone."""
    op.execute(
        "CREATE VIRTUAL TABLE integration_logs_search USING fts5("
        "text, content='integration_logs', content_rowid='id', tokenize='trigram', detail='none', columnsize=0)"
    )
    forget = (
        "INSERT INTO integration_logs_search(integration_logs_search, rowid, text) VALUES ('delete', old.id, old.text);"
    )
    learn = "INSERT INTO integration_logs_search(rowid, text) VALUES (new.id, new.text);"
    for name, when, what in (
        ("inserted", "INSERT", learn),
        ("deleted", "DELETE", forget),
        ("updated", "UPDATE OF text", forget + learn),
    ):
        op.execute(f"CREATE TRIGGER integration_logs_{name} AFTER {when} ON integration_logs BEGIN {what} END")


def _index_log_texts_on_postgresql() -> None:
    """The same with what every PostgreSQL has: pg_trgm is an extension that a server may lack."""
    op.execute(
        "CREATE FUNCTION log_trigrams(value text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ "
        "SELECT array(SELECT DISTINCT substr(lower(value), i, 3) FROM generate_series(1, length(value) - 2) AS i) $$"
    )
    op.execute("CREATE INDEX ix_integration_logs_trigrams ON integration_logs USING gin (log_trigrams(text))")
