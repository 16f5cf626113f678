"""What this console itself adds to deliveries: joins, checks, verdicts, proofs' files, doubled trackers, mail."""

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


class ProofFile(Base):
    """The file of a photo or signature that was told with an address: one row for each address. ``state``:

    - ``waiting``: to be fetched, or to be tried again at ``next_try_ms``
    - ``fetching``: its bytes are coming; an engine that finds one at its start goes on with it
    - ``kept``: it lies beside the store under its ``sha256``; ``format`` is "" where it is no picture
    - ``off``: not fetched unless somebody asks, ``reason`` says why
    - ``blocked``: this console's settings do not allow it; looked at again when they change
    - ``refused``: the server refused for good, or it can be no file; an operator may try again
    - ``removed``: it was kept, and made room or became too old

    ``received`` are the bytes of a part that are safe on the disk, ``validator`` what the server calls that content.
    Times in ms of Unix time; ``since_ms`` belongs to the state, ``captured_ms`` to the newest telling of the file.
    """

    __tablename__ = "proof_files"

    seq = column(Key, primary_key=True, autoincrement=True)
    id = column(String(36), unique=True)
    integration_id = column(String(36))
    address_hash = column(String(64))  # SHA-256 of the address, which is too long for an index
    url = column(Text)
    place = column(String(300), default="")  # host:port
    batch = column(String(200))
    facility = column(String(200))
    purpose = column(String(40), default="")
    captured_ms = column(Key)
    state = column(String(12))
    is_wanted = column(Boolean, default=False)  # asked for by somebody, whatever the switch says
    reason = column(Text, default="")
    since_ms = column(Key)
    received = column(Key, default=0)
    total = optional(Key)
    validator = column(String(400), default="")
    tries = column(Integer, default=0)
    failures = column(Integer, default=0)  # in a row, without a byte
    last_try_ms = optional(Key)
    next_try_ms = optional(Key)
    sha256 = column(String(64), default="", index=True)
    format = column(String(8), default="")
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (
        UniqueConstraint("integration_id", "address_hash"),
        Index("ix_proof_files_state_captured_ms", "state", "captured_ms"),
    )


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
