"""The identity map: which records of several systems are the same facility, item, programme or vehicle.

A record without a row in ``identity_links`` is its own identity, by its own id; one with a row shares the identity
with at least one other record. ``kind`` is one of :mod:`app.identity.kinds`.
"""

from sqlalchemy import JSON, Boolean, Index, Integer, String, Text

from app.store.columns import Base, column, optional
from app.store.types import Key, UtcDateTime


class IdentityRow(Base):
    """One thing that several records speak of. One that was merged into another, or fell apart, keeps its row."""

    __tablename__ = "identities"

    id = column(String(36), primary_key=True)
    kind = column(String(16))
    name = column(String(300))
    created_at = column(UtcDateTime)
    merged_into = optional(String(36))
    removed_at = optional(UtcDateTime)
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (Index("ix_identities_kind_name", "kind", "name"),)


class IdentityLink(Base):
    """A record's place in an identity; the key is the record, so that none has two. ``how``: code, gtin, name, place,
    operator. ``reason`` is the evidence in words.
    """

    __tablename__ = "identity_links"

    record_id = column(String(36), primary_key=True)
    kind = column(String(16))
    identity_id = column(String(36), index=True)
    how = column(String(8))
    reason = column(Text, default="")
    linked_by = column(String(200))
    linked_at = column(UtcDateTime)
    changed_version = column(Key, index=True, default=0)


class IdentityDecline(Base):
    """Two records that somebody said are not the same; ``low_id`` sorts before ``high_id``."""

    __tablename__ = "identity_declines"

    low_id = column(String(36), primary_key=True)
    high_id = column(String(36), primary_key=True, index=True)
    kind = column(String(16))
    declined_by = column(String(200))
    declined_at = column(UtcDateTime)


class IdentityAct(Base):
    """What was merged, split, declined or undone, with all that is needed to take it back.

    ``payload``: ``links`` {record id: [before, after]}, ``identities`` {id: [before, after]}, ``declines`` {"low
    high": [before, after]}; each side is the row's values, or null. ``batch_id`` is shared by acts done in one go.
    """

    __tablename__ = "identity_acts"

    seq = column(Key, primary_key=True, autoincrement=True)
    id = column(String(36), unique=True)
    batch_id = column(String(36), index=True)
    kind = column(String(16))
    act = column(String(8))  # merge, split, decline, undo
    subject = column(String(300))
    payload = column(JSON)
    who = column(String(200))
    at = column(UtcDateTime)
    undoes = optional(String(36))
    undone_by = optional(String(36))  # the act that took it back
    changed_version = column(Key, index=True, default=0)


class IdentitySuggestion(Base):
    """Two records that are probably the same, as last looked for. ``score`` 0 to 100; ``reasons`` are sentences.

    ``rival_id`` is another record that fits the left or the right one about as well.
    """

    __tablename__ = "identity_suggestions"

    low_id = column(String(36), primary_key=True)
    high_id = column(String(36), primary_key=True, index=True)
    kind = column(String(16))
    score = column(Integer)
    how = column(String(8))
    reasons = column(JSON)
    rival_id = optional(String(36))
    is_certain = column(Boolean, default=False)  # equal code and agreeing name, and no rival
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (Index("ix_identity_suggestions_kind_score", "kind", "score"),)
