"""What the operator chose for deliveries: after how many hours a delivery must have been received."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import Connection

from app.deliveries.errors import DeliveryError
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.facts import get_fact, set_fact

FACT = "deliveries_settings"


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """``receipt_hours``: a delivery not received by then is a custody gap. ``days``: how far gaps look back."""

    receipt_hours: int = 24
    days: int = 60


def load_settings(connection: Connection) -> DeliverySettings:
    fact = get_fact(connection, FACT) or {}
    usual = DeliverySettings()
    return DeliverySettings(int(fact.get("receipt_hours", usual.receipt_hours)), int(fact.get("days", usual.days)))


def set_settings(
    connection: Connection, *, receipt_hours: int | None = None, days: int | None = None, who: str | None = None
) -> DeliverySettings:
    """Change what is given. Raises DeliveryError."""
    raise_topic(connection, "deliveries")
    before = load_settings(connection)
    after = DeliverySettings(
        before.receipt_hours if receipt_hours is None else receipt_hours, before.days if days is None else days
    )
    if not 1 <= after.receipt_hours <= 24 * 30:
        raise DeliveryError("The hours until a receipt must lie between 1 and 720.")
    if not 1 <= after.days <= 730:
        raise DeliveryError("The days that gaps look back must lie between 1 and 730.")
    if after != before:
        set_fact(connection, FACT, asdict(after))
        record_act(
            connection,
            what="deliveries.settings",
            subject="deliveries",
            before=asdict(before),
            after=asdict(after),
            who=who,
        )
    return after
