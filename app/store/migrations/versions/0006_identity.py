"""The identity map: which records of several systems are the same thing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "identities",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("merged_into", sa.String(length=36), nullable=True),
        sa.Column("removed_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identities")),
    )
    op.create_index(op.f("ix_identities_changed_version"), "identities", ["changed_version"], unique=False)
    op.create_index(op.f("ix_identities_kind_name"), "identities", ["kind", "name"], unique=False)
    op.create_table(
        "identity_links",
        sa.Column("record_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("identity_id", sa.String(length=36), nullable=False),
        sa.Column("how", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("linked_by", sa.String(length=200), nullable=False),
        sa.Column("linked_at", TIME, nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("record_id", name=op.f("pk_identity_links")),
    )
    op.create_index(op.f("ix_identity_links_changed_version"), "identity_links", ["changed_version"], unique=False)
    op.create_index(op.f("ix_identity_links_identity_id"), "identity_links", ["identity_id"], unique=False)
    op.create_table(
        "identity_declines",
        sa.Column("low_id", sa.String(length=36), nullable=False),
        sa.Column("high_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("declined_by", sa.String(length=200), nullable=False),
        sa.Column("declined_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("low_id", "high_id", name=op.f("pk_identity_declines")),
    )
    op.create_index(op.f("ix_identity_declines_high_id"), "identity_declines", ["high_id"], unique=False)
    op.create_table(
        "identity_acts",
        sa.Column("seq", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("batch_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("act", sa.String(length=8), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("undoes", sa.String(length=36), nullable=True),
        sa.Column("undone_by", sa.String(length=36), nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_identity_acts")),
        sa.UniqueConstraint("id", name=op.f("uq_identity_acts_id")),
    )
    op.create_index(op.f("ix_identity_acts_batch_id"), "identity_acts", ["batch_id"], unique=False)
    op.create_index(op.f("ix_identity_acts_changed_version"), "identity_acts", ["changed_version"], unique=False)
    op.create_table(
        "identity_suggestions",
        sa.Column("low_id", sa.String(length=36), nullable=False),
        sa.Column("high_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("how", sa.String(length=8), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("rival_id", sa.String(length=36), nullable=True),
        sa.Column("is_certain", sa.Boolean(), nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("low_id", "high_id", name=op.f("pk_identity_suggestions")),
    )
    op.create_index(
        op.f("ix_identity_suggestions_changed_version"), "identity_suggestions", ["changed_version"], unique=False
    )
    op.create_index(op.f("ix_identity_suggestions_high_id"), "identity_suggestions", ["high_id"], unique=False)
    op.create_index(op.f("ix_identity_suggestions_kind_score"), "identity_suggestions", ["kind", "score"], unique=False)
