"""What this console itself adds to deliveries: joins, departure checks, verdicts on proofs, doubled trackers, mail."""

from sqlalchemy import JSON, Boolean, Double, Index, Integer, String, Text, UniqueConstraint

from app.store.columns import Base, column, optional
from app.store.types import Key, UtcDateTime


class ShipmentBatch(Base):
    """A shipment of a supply system travels in a batch.

    ``how``: ``number``, ``reference``, ``place``, ``manual``, ``declined``. The last keeps a join from being found
    again. ``shipment_id`` and ``batch_id`` are ids of rows of the store.
    """

    __tablename__ = "shipment_batches"

    shipment_id = column(String(36), primary_key=True)
    batch_id = column(String(36), primary_key=True)
    how = column(String(12))
    reason = column(Text)  # a sentence
    joined_by = column(String(200))
    joined_at = column(UtcDateTime)
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (Index("ix_shipment_batches_batch_id", "batch_id"),)


class DepartureCheck(Base):
    """A batch was looked at before it left. ``findings``: [{check, ok, detail}]; overridden ones name who and why."""

    __tablename__ = "departure_checks"

    id = column(String(36), primary_key=True)
    batch_id = column(String(36), index=True)
    checked_at = column(UtcDateTime)
    is_ready = column(Boolean)
    findings = column(JSON)
    overridden_by = column(String(200), default="")
    override_reason = column(Text, default="")
    changed_version = column(Key, index=True, default=0)


class ProofVerdict(Base):
    """What independent evidence says of one delivery: ``confirmed``, ``doubtful``, ``no_evidence``.

    ``evidence`` is what was compared: distances in m, times in ms, the vehicle, the fence. Recomputed when late
    positions or events arrive; ``rests_on_ms`` is the newest of them.
    """

    __tablename__ = "proof_verdicts"

    batch_id = column(String(36), primary_key=True)
    facility = column(String(200), primary_key=True)  # the peer's id of the place
    verdict = column(String(12), index=True)
    reasons = column(JSON)  # sentences
    evidence = column(JSON)
    distance_m = optional(Double)
    rests_on_ms = column(Key)
    computed_at = column(UtcDateTime)
    changed_version = column(Key, index=True, default=0)


class TwinGap(Base):
    """Two sources disagree about one vehicle: from when to when, by how much at most, and the likely cause."""

    __tablename__ = "twin_gaps"

    key = column(Key, primary_key=True, autoincrement=True)
    vehicle_id = column(String(36))
    device_key = column(Key)
    other_device_key = column(Key)
    since_ms = column(Key)
    until_ms = optional(Key)  # None while it lasts
    worst_m = column(Double)
    cause = column(String(24))
    explanation = column(Text)
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (
        UniqueConstraint("vehicle_id", "device_key", "other_device_key", "since_ms"),
        Index("ix_twin_gaps_since_ms", "since_ms"),
    )


class MailMessage(Base):
    """A mail for the operator's own mail server. ``state``:

    - ``waiting``: not sent yet, or to be tried again at ``next_try``
    - ``sending``: with the mail server now; an engine that finds one at its start counts a doubt
    - ``sent``: the mail server took it
    - ``refused``: it will not be taken as it is; an operator may try again
    - ``doubtful``: its answer was lost twice, so it may have been sent twice; an operator decides
    - ``cancelled``: an operator gave it up

    ``values`` fill the template; links with tokens are asked for when it is sent and never kept.
    """

    __tablename__ = "mail_messages"

    seq = column(Key, primary_key=True, autoincrement=True)
    id = column(String(36), unique=True)
    integration_id = column(String(36), index=True)
    outbox_id = column(String(36), default="", index=True)  # the change that makes the invitation, "" for one there is
    invitation = column(String(200), default="")  # the platform's id, "" while it is not known
    recipient = column(String(320))
    template = column(String(40))
    values = column(JSON)
    message_id = column(String(400))  # the header's, the same at every try
    state = column(String(12))
    tries = column(Integer, default=0)
    doubts = column(Integer, default=0)  # tries of which nobody knows what became
    last_answer = column(Text, default="")
    last_try = optional(UtcDateTime)
    next_try = optional(UtcDateTime)
    created_at = column(UtcDateTime)
    created_by = column(String(200))
    ended_at = optional(UtcDateTime)
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (Index("ix_mail_messages_state_seq", "state", "seq"),)
