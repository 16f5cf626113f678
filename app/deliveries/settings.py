"""What the operator chose for deliveries: when one must have been received, how long files of proofs are kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from sqlalchemy import Connection

from app.deliveries.errors import DeliveryError
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.facts import get_fact, set_fact

FACT = "deliveries_settings"


@dataclass(frozen=True, slots=True)
class DeliverySettings:
    """``receipt_hours``: a delivery not received by then is a custody gap. ``days``: how far gaps look back.

    Files of proofs are kept for ``photo_days``; the oldest go where all have more than ``photo_total_mb``.
    """

    receipt_hours: int = 24
    days: int = 60
    photo_days: int = 400
    photo_total_mb: int = 10_000


def load_settings(connection: Connection) -> DeliverySettings:
    fact = get_fact(connection, FACT) or {}
    return DeliverySettings(**{name: int(fact.get(name, usual)) for name, usual in asdict(DeliverySettings()).items()})


def set_settings(
    connection: Connection,
    *,
    receipt_hours: int | None = None,
    days: int | None = None,
    photo_days: int | None = None,
    photo_total_mb: int | None = None,
    who: str | None = None,
) -> DeliverySettings:
    """Change what is given. Raises DeliveryError."""
    changes = {"receipt_hours": receipt_hours, "days": days, "photo_days": photo_days, "photo_total_mb": photo_total_mb}
    raise_topic(connection, "deliveries")
    before = load_settings(connection)
    after = replace(before, **{name: value for name, value in changes.items() if value is not None})
    if not 1 <= after.receipt_hours <= 24 * 30:
        raise DeliveryError("The hours until a receipt must lie between 1 and 720.")
    if not 1 <= after.days <= 730:
        raise DeliveryError("The days that gaps look back must lie between 1 and 730.")
    if not 1 <= after.photo_days <= 3650:
        raise DeliveryError("The days that photos are kept must lie between 1 and 3650.")
    if not 100 <= after.photo_total_mb <= 1_000_000:
        raise DeliveryError("The room for all photos must lie between 100 and 1,000,000 MB.")
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
