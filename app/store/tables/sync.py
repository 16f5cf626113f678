"""What waits to be sent, what both sides changed, and how each stream of an integration goes."""

from sqlalchemy import JSON, Boolean, Index, Integer, LargeBinary, String, Text, UniqueConstraint

from app.store.columns import Base, column, optional
from app.store.types import Key, UtcDateTime


class OutboxItem(Base):
    """One change for a peer, written in the transaction of the change itself and never deleted while unsent.

    ``seq`` is the order in which changes were made; within one record, and between a line and its requisition or
    shipment (``family``), they are sent in it. ``state``:

    - ``waiting``: saved here, not sent yet, or to be tried again at ``next_try``
    - ``sending``: with the peer now; an engine that finds one at its start takes it for doubtful
    - ``doubtful``: sent, the answer was lost; the next try asks first
    - ``accepted``: the peer has it
    - ``refused``: the peer will not have it; later changes of its family wait for an operator's decision
    - ``conflict``: the peer's value changed meanwhile, see ``conflicts``
    - ``set_aside``: an operator decided not to send it now; blocks nothing, can be restored
    - ``cancelled``: an operator gave it up
    """

    __tablename__ = "outbox_items"

    seq = column(Key, primary_key=True, autoincrement=True)
    id = column(String(36), unique=True)
    integration_id = column(String(36))
    write = column(String(60))  # name of the adapter's Write
    record = column(String(24))  # requisition, requisition_line, shipment, shipment_line
    record_id = column(String(36), index=True)  # the row's id
    peer_id = column(String(200))
    parent_peer_id = column(String(200), default="")
    family = column(String(36), index=True)  # id of the requisition or shipment itself
    subject = column(String(300))  # what the operator calls it: Shipment 1042 to Gwagwalada
    values = column(JSON)
    seen = column(JSON)
    key = column(String(36), unique=True)  # the change's own UUID at the peer
    state = column(String(12))
    is_doubtful = column(Boolean, default=False)  # a try was not answered, and nothing has told since what became of it
    is_paused = column(Boolean, default=False)
    tries = column(Integer, default=0)
    last_answer = column(Text, default="")
    last_try = optional(UtcDateTime)
    next_try = optional(UtcDateTime)
    created_at = column(UtcDateTime)
    created_by = column(String(200))
    ended_at = optional(UtcDateTime)  # accepted, set aside or cancelled
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (
        Index("ix_outbox_items_integration_id_state_seq", "integration_id", "state", "seq"),
        Index("ix_outbox_items_state_seq", "state", "seq"),
    )


class ConflictRow(Base):
    """Both sides changed the same fields of one record. ``fields`` is {field: {base, ours, theirs}}.

    ``state``: ``open``, ``resolved``. ``kept``: ours, theirs, both or merge; ``chosen`` the values decided on.
    Undoing a decision opens the conflict again, or, where the peer has accepted it already, sends the value before
    it.
    """

    __tablename__ = "conflicts"

    id = column(String(36), primary_key=True)
    integration_id = column(String(36), index=True)
    outbox_id = column(String(36), index=True)
    record = column(String(24))
    record_id = column(String(36))
    subject = column(String(300))
    fields = column(JSON)
    ours_by = column(String(200), default="")
    ours_at = column(UtcDateTime)
    theirs_by = column(String(200), default="")  # "" where the peer does not tell
    theirs_at = optional(UtcDateTime)
    detected_at = column(UtcDateTime)
    state = column(String(12), index=True)
    kept = column(String(8), default="")
    chosen = optional(JSON)
    resolved_by = column(String(200), default="")
    resolved_at = optional(UtcDateTime)
    changed_version = column(Key, index=True, default=0)


class StreamState(Base):
    """How one stream of one integration goes: when it was read, how much came, what stood in the way."""

    __tablename__ = "stream_states"

    integration_id = column(String(36), primary_key=True)
    stream = column(String(200), primary_key=True)
    last_read = optional(UtcDateTime)
    last_changed = optional(UtcDateTime)
    records = column(Key, default=0)  # at the last complete reading
    changed = column(Key, default=0)
    trouble = column(Text, default="")  # permission missing for this stream only …
    trouble_since = optional(UtcDateTime)
    is_paused = column(Boolean, default=False)
    both = column(String(8), default="")  # ours, theirs, ask; "" the write's own rule
    changed_version = column(Key, index=True, default=0)


class InboxMessage(Base):
    """A message that a peer pushed, kept before it was answered. ``state``: ``waiting``, ``done``, ``refused``.

    Rows stay for some time after they are done, so that a message that comes again is known.
    """

    __tablename__ = "inbox_messages"

    key = column(Key, primary_key=True, autoincrement=True)
    integration_id = column(String(36))
    message_id = column(String(200))  # the sender's
    sent_at = column(UtcDateTime)
    received_at = column(UtcDateTime, index=True)
    peer = column(String(60))
    body = column(LargeBinary)
    state = column(String(8))
    why = column(Text, default="")  # what could not be understood, and what to do
    records = column(Integer, default=0)  # that it brought
    handled_at = optional(UtcDateTime)
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (
        UniqueConstraint("integration_id", "message_id"),
        Index("ix_inbox_messages_integration_id_state_key", "integration_id", "state", "key"),
    )
