"""The battery in percent, as some trackers tell it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("device_states", sa.Column("battery_percent", sa.Integer(), nullable=True))
