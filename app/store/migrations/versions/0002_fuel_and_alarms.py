"""Tanks, fuel sensors and readings, calibrations, fuel events; alarms and their rules."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "alarm_rules",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("priority", sa.String(length=8), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("removed_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_rules")),
    )
    op.create_index(op.f("ix_alarm_rules_changed_version"), "alarm_rules", ["changed_version"], unique=False)
    op.create_table(
        "alarm_spells",
        sa.Column("rule_id", sa.String(length=36), nullable=False),
        sa.Column("subject", sa.String(length=36), nullable=False),
        sa.Column("fence_id", sa.String(length=36), nullable=False),
        sa.Column("since_ms", KEY, nullable=False),
        sa.Column("is_confirmed", sa.Boolean(), nullable=False),
        sa.Column("is_raised", sa.Boolean(), nullable=False),
        sa.Column("out_since_ms", KEY, nullable=True),
        sa.PrimaryKeyConstraint("rule_id", "subject", "fence_id", name=op.f("pk_alarm_spells")),
    )
    op.create_table(
        "engine_readings",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("sensor_key", KEY, nullable=False),
        sa.Column("measured_at_ms", KEY, nullable=False),
        sa.Column("total_fuel_l", sa.Double(), nullable=True),
        sa.Column("trip_fuel_l", sa.Double(), nullable=True),
        sa.Column("fuel_rate_l_h", sa.Double(), nullable=True),
        sa.Column("engine_rpm", sa.Double(), nullable=True),
        sa.Column("speed_km_h", sa.Double(), nullable=True),
        sa.Column("engine_hours", sa.Double(), nullable=True),
        sa.Column("odometer_m", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_engine_readings")),
    )
    op.create_index("uq_engine_readings_natural", "engine_readings", ["sensor_key", "measured_at_ms"], unique=True)
    op.create_table(
        "fuel_days",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tank_id", sa.String(length=36), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("start_l", sa.Double(), nullable=True),
        sa.Column("end_l", sa.Double(), nullable=True),
        sa.Column("refuelled_l", sa.Double(), nullable=False),
        sa.Column("drained_l", sa.Double(), nullable=False),
        sa.Column("used_l", sa.Double(), nullable=True),
        sa.Column("distance_km", sa.Double(), nullable=False),
        sa.Column("engine_h", sa.Double(), nullable=True),
        sa.Column("norm_l", sa.Double(), nullable=True),
        sa.Column("counter_l", sa.Double(), nullable=True),
        sa.Column("quality", sa.Integer(), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.Column("computed_at", TIME, nullable=False),
        sa.Column("superseded_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fuel_days")),
    )
    op.create_index(op.f("ix_fuel_days_changed_version"), "fuel_days", ["changed_version"], unique=False)
    op.create_index("ix_fuel_days_tank_id_day", "fuel_days", ["tank_id", "day"], unique=False)
    op.create_table(
        "fuel_parameters",
        sa.Column("scope", sa.String(length=60), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("changed_at", TIME, nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("scope", name=op.f("pk_fuel_parameters")),
    )
    op.create_index(op.f("ix_fuel_parameters_changed_version"), "fuel_parameters", ["changed_version"], unique=False)
    op.create_table(
        "fuel_readings",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("sensor_key", KEY, nullable=False),
        sa.Column("measured_at_ms", KEY, nullable=False),
        sa.Column("received_at_ms", KEY, nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("temperature_c", sa.Double(), nullable=True),
        sa.Column("attributes", sa.JSON(), nullable=True),
        sa.Column("position_id", KEY, nullable=True),
        sa.Column("raw_frame_id", KEY, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fuel_readings")),
    )
    op.create_index("uq_fuel_readings_natural", "fuel_readings", ["sensor_key", "measured_at_ms"], unique=True)
    op.create_table(
        "sensor_profiles",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("dialect", sa.String(length=24), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("removed_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sensor_profiles")),
    )
    op.create_index(op.f("ix_sensor_profiles_changed_version"), "sensor_profiles", ["changed_version"], unique=False)
    op.create_table(
        "alarms",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("alarm_key", sa.String(length=200), nullable=False),
        sa.Column("rule_id", sa.String(length=36), nullable=True),
        sa.Column("parent_id", sa.String(length=36), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("priority", sa.String(length=8), nullable=False),
        sa.Column("vehicle_id", sa.String(length=36), nullable=True),
        sa.Column("device_key", KEY, nullable=True),
        sa.Column("integration_id", sa.String(length=36), nullable=True),
        sa.Column("fuel_event_id", sa.String(length=36), nullable=True),
        sa.Column("position_id", KEY, nullable=True),
        sa.Column("event_id", KEY, nullable=True),
        sa.Column("title", sa.String(length=300), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("advice", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("raised_at_ms", KEY, nullable=False),
        sa.Column("last_at_ms", KEY, nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("cleared_at_ms", KEY, nullable=True),
        sa.Column("acknowledged_at_ms", KEY, nullable=True),
        sa.Column("acknowledged_by", sa.String(length=200), nullable=False),
        sa.Column("shelved_until_ms", KEY, nullable=True),
        sa.Column("shelved_reason", sa.Text(), nullable=False),
        sa.Column("assigned_to", sa.String(length=200), nullable=False),
        sa.Column("comments", sa.JSON(), nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.ForeignKeyConstraint(["rule_id"], ["alarm_rules.id"], name=op.f("fk_alarms_rule_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarms")),
    )
    op.create_index(op.f("ix_alarms_alarm_key"), "alarms", ["alarm_key"], unique=False)
    op.create_index(op.f("ix_alarms_changed_version"), "alarms", ["changed_version"], unique=False)
    op.create_index("ix_alarms_cleared_at_ms", "alarms", ["cleared_at_ms"], unique=False)
    op.create_index(op.f("ix_alarms_parent_id"), "alarms", ["parent_id"], unique=False)
    op.create_index("ix_alarms_raised_at_ms", "alarms", ["raised_at_ms"], unique=False)
    op.create_table(
        "fuel_receipts",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("vehicle_id", sa.String(length=36), nullable=False),
        sa.Column("at_ms", KEY, nullable=False),
        sa.Column("litres", sa.Double(), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("removed_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_fuel_receipts_vehicle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fuel_receipts")),
    )
    op.create_index(op.f("ix_fuel_receipts_changed_version"), "fuel_receipts", ["changed_version"], unique=False)
    op.create_index("ix_fuel_receipts_vehicle_id_at_ms", "fuel_receipts", ["vehicle_id", "at_ms"], unique=False)
    op.create_table(
        "tanks",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("vehicle_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("fuel", sa.String(length=16), nullable=False),
        sa.Column("capacity_l", sa.Double(), nullable=True),
        sa.Column("combine", sa.String(length=16), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("removed_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_tanks_vehicle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tanks")),
    )
    op.create_index(op.f("ix_tanks_changed_version"), "tanks", ["changed_version"], unique=False)
    op.create_index(op.f("ix_tanks_vehicle_id"), "tanks", ["vehicle_id"], unique=False)
    op.create_table(
        "fuel_events",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("vehicle_id", sa.String(length=36), nullable=False),
        sa.Column("tank_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("start_ms", KEY, nullable=False),
        sa.Column("end_ms", KEY, nullable=False),
        sa.Column("litres", sa.Double(), nullable=False),
        sa.Column("level_before_l", sa.Double(), nullable=False),
        sa.Column("level_after_l", sa.Double(), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("at_least", sa.Boolean(), nullable=False),
        sa.Column("in_motion", sa.Boolean(), nullable=False),
        sa.Column("provisional", sa.Boolean(), nullable=False),
        sa.Column("lat", sa.Double(), nullable=True),
        sa.Column("lon", sa.Double(), nullable=True),
        sa.Column("driver", sa.String(length=200), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("decision", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.String(length=200), nullable=False),
        sa.Column("decided_at", TIME, nullable=True),
        sa.Column("found_at", TIME, nullable=False),
        sa.Column("withdrawn_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.ForeignKeyConstraint(["tank_id"], ["tanks.id"], name=op.f("fk_fuel_events_tank_id")),
        sa.ForeignKeyConstraint(["vehicle_id"], ["vehicles.id"], name=op.f("fk_fuel_events_vehicle_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fuel_events")),
    )
    op.create_index(op.f("ix_fuel_events_changed_version"), "fuel_events", ["changed_version"], unique=False)
    op.create_index("ix_fuel_events_vehicle_id_start_ms", "fuel_events", ["vehicle_id", "start_ms"], unique=False)
    op.create_table(
        "fuel_sensors",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("unique_id", sa.String(length=200), nullable=False),
        sa.Column("tank_id", sa.String(length=36), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("unit", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("model", sa.String(length=100), nullable=False),
        sa.Column("serial", sa.String(length=60), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("first_seen_ms", KEY, nullable=False),
        sa.Column("last_ms", KEY, nullable=True),
        sa.Column("last_value", sa.Double(), nullable=True),
        sa.Column("last_status", sa.String(length=16), nullable=False),
        sa.Column("removed_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.ForeignKeyConstraint(["tank_id"], ["tanks.id"], name=op.f("fk_fuel_sensors_tank_id")),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_fuel_sensors")),
        sa.UniqueConstraint("id", name=op.f("uq_fuel_sensors_id")),
        sa.UniqueConstraint("integration_id", "unique_id", name=op.f("uq_fuel_sensors_integration_id_unique_id")),
    )
    op.create_index(op.f("ix_fuel_sensors_changed_version"), "fuel_sensors", ["changed_version"], unique=False)
    op.create_index(op.f("ix_fuel_sensors_tank_id"), "fuel_sensors", ["tank_id"], unique=False)
    op.create_table(
        "fuel_sensor_spells",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("sensor_key", KEY, nullable=False),
        sa.Column("tank_id", sa.String(length=36), nullable=False),
        sa.Column("from_ms", KEY, nullable=False),
        sa.Column("to_ms", KEY, nullable=True),
        sa.ForeignKeyConstraint(["sensor_key"], ["fuel_sensors.key"], name=op.f("fk_fuel_sensor_spells_sensor_key")),
        sa.ForeignKeyConstraint(["tank_id"], ["tanks.id"], name=op.f("fk_fuel_sensor_spells_tank_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fuel_sensor_spells")),
    )
    op.create_index(op.f("ix_fuel_sensor_spells_sensor_key"), "fuel_sensor_spells", ["sensor_key"], unique=False)
    op.create_index(op.f("ix_fuel_sensor_spells_tank_id"), "fuel_sensor_spells", ["tank_id"], unique=False)
    op.create_table(
        "calibrations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("tank_id", sa.String(length=36), nullable=False),
        sa.Column("sensor_id", sa.String(length=36), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from_ms", KEY, nullable=False),
        sa.Column("valid_to_ms", KEY, nullable=True),
        sa.Column("rows", sa.JSON(), nullable=False),
        sa.Column("unit", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.String(length=24), nullable=False),
        sa.Column("sensor_serial", sa.String(length=60), nullable=False),
        sa.Column("temperature_c", sa.Double(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("made_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("removed_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.ForeignKeyConstraint(["sensor_id"], ["fuel_sensors.id"], name=op.f("fk_calibrations_sensor_id")),
        sa.ForeignKeyConstraint(["tank_id"], ["tanks.id"], name=op.f("fk_calibrations_tank_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibrations")),
    )
    op.create_index(op.f("ix_calibrations_changed_version"), "calibrations", ["changed_version"], unique=False)
    op.create_index(op.f("ix_calibrations_sensor_id"), "calibrations", ["sensor_id"], unique=False)
    op.create_index(op.f("ix_calibrations_tank_id"), "calibrations", ["tank_id"], unique=False)
    op.add_column("vehicles", sa.Column("vehicle_class", sa.String(length=24), nullable=True))
