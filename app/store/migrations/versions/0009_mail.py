"""What a mail needs to be sent once: its invitation, its Message-ID, how often its answer was lost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    # No release has written a row: the table is made anew, in one piece.
    op.drop_table("mail_messages")
    op.create_table(
        "mail_messages",
        sa.Column("seq", KEY, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("integration_id", sa.String(length=36), nullable=False),
        sa.Column("outbox_id", sa.String(length=36), nullable=False),
        sa.Column("invitation", sa.String(length=200), nullable=False),
        sa.Column("recipient", sa.String(length=320), nullable=False),
        sa.Column("template", sa.String(length=40), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("message_id", sa.String(length=400), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("doubts", sa.Integer(), nullable=False),
        sa.Column("last_answer", sa.Text(), nullable=False),
        sa.Column("last_try", TIME, nullable=True),
        sa.Column("next_try", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("changed_version", KEY, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_mail_messages")),
        sa.UniqueConstraint("id", name=op.f("uq_mail_messages_id")),
    )
    for column in ("changed_version", "integration_id", "outbox_id"):
        op.create_index(op.f(f"ix_mail_messages_{column}"), "mail_messages", [column], unique=False)
    op.create_index("ix_mail_messages_state_seq", "mail_messages", ["state", "seq"], unique=False)
