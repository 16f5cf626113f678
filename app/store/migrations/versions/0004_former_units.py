"""In which unit a fuel sensor told its readings formerly."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "fuel_sensor_units",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("sensor_key", KEY, nullable=False),
        sa.Column("until_ms", KEY, nullable=False),
        sa.Column("unit", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["sensor_key"], ["fuel_sensors.key"], name=op.f("fk_fuel_sensor_units_sensor_key")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fuel_sensor_units")),
    )
    op.create_index(op.f("ix_fuel_sensor_units_sensor_key"), "fuel_sensor_units", ["sensor_key"], unique=False)
