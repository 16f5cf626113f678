"""Files of proofs: where each address stands, how much of it has come, and under which hash it is kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "proof_files",
        sa.Column("seq", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("address_hash", sa.String(length=64), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("place", sa.String(length=300), nullable=False),
        sa.Column("batch", sa.String(length=200), nullable=False),
        sa.Column("facility", sa.String(length=200), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("captured_ms", KEY, nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("is_wanted", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since_ms", KEY, nullable=False),
        sa.Column("received", KEY, nullable=False),
        sa.Column("total", KEY, nullable=True),
        sa.Column("validator", sa.String(length=400), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_try_ms", KEY, nullable=True),
        sa.Column("next_try_ms", KEY, nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("format", sa.String(length=8), nullable=False),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_proof_files")),
        sa.UniqueConstraint("id", name=op.f("uq_proof_files_id")),
        sa.UniqueConstraint("integration_id", "address_hash", name=op.f("uq_proof_files_integration_id_address_hash")),
    )
    for column in ("changed_version", "sha256"):
        op.create_index(op.f(f"ix_proof_files_{column}"), "proof_files", [column], unique=False)
    op.create_index("ix_proof_files_state_captured_ms", "proof_files", ["state", "captured_ms"], unique=False)
