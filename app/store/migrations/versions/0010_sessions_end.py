"""Sessions of drivers end through the outbox: a stage in place of a flag, and what waits to be sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # A mirror that is read whole at every run: the table is made anew, in one piece.
    op.drop_table("driver_sessions")
    op.create_table(
        "driver_sessions",
        sa.Column("key", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("peer_id", sa.String(length=200), nullable=False),
        sa.Column("user", sa.String(length=200), nullable=False),
        sa.Column("device", sa.String(length=200), nullable=False),
        sa.Column("status", sa.String(length=40), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("started_ms", KEY, nullable=False),
        sa.Column("active_ms", KEY, nullable=True),
        sa.Column("ended_ms", KEY, nullable=True),
        sa.Column("end_reason", sa.String(length=200), nullable=False),
        sa.Column("vehicle", sa.String(length=200), nullable=False),
        sa.Column("pending", sa.JSON(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=16), nullable=False),
        sa.Column("gone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_driver_sessions")),
        sa.UniqueConstraint("id", name=op.f("uq_driver_sessions_id")),
        sa.UniqueConstraint("integration_id", "peer_id", name=op.f("uq_driver_sessions_integration_id_peer_id")),
    )
    op.create_index(op.f("ix_driver_sessions_changed_version"), "driver_sessions", ["changed_version"], unique=False)
    op.create_index(
        op.f("ix_driver_sessions_integration_id_user"), "driver_sessions", ["integration_id", "user"], unique=False
    )
