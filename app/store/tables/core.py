"""The tables of integrations, of the engine, of acts and of the store itself."""

from sqlalchemy import JSON, Boolean, Index, Integer, String, Text

from app.store.columns import Base, column, optional
from app.store.types import Key, UtcDateTime


class Integration(Base):
    """One configured integration; the platform's columns first. ``config`` never holds a secret."""

    __tablename__ = "integrations"

    id = column(String(36), unique=True)
    type = column(String(64))
    name = column(String(200))
    status = column(String(16))  # active, inactive, configured, error
    config = column(JSON)
    last_sync = optional(UtcDateTime)
    created_at = column(UtcDateTime)
    updated_at = column(UtcDateTime)
    key = column(Key, primary_key=True, autoincrement=True)
    enabled = column(Boolean)
    removed_at = optional(UtcDateTime)
    peer_unique_id = optional(String(300))
    secrets_version = column(Integer, default=0)  # raised when a secret changes: the engine restarts it
    changed_version = column(Key, index=True, default=0)


class IntegrationLog(Base):
    """The event log: every run, every loss and return of a peer; the platform's columns."""

    __tablename__ = "integration_logs"

    id = column(Key, primary_key=True, autoincrement=True)
    integration_id = optional(String(36))  # None: the console itself
    event_type = column(String(64))
    payload = column(JSON)
    created_at = column(UtcDateTime, index=True)
    text = column(Text, default="")  # one sentence, what the search reads

    # The index over the text itself is each database's own; app.store.logs and the first migration describe it.
    __table_args__ = (
        Index("ix_integration_logs_integration_id_id", "integration_id", "id"),
        Index("ix_integration_logs_event_type_id", "event_type", "id"),
        Index("ix_integration_logs_integration_id_event_type_id", "integration_id", "event_type", "id"),
    )


class IntegrationState(Base):
    """What the engine knows of one integration now: the phase behind the platform's four words."""

    __tablename__ = "integration_states"

    integration_id = column(String(36), primary_key=True)
    phase = column(String(24))
    reason = column(Text, default="")  # what failed and what to do, one or two sentences
    error_kind = column(String(32), default="")  # class name in adapters.errors
    since = column(UtcDateTime)
    next_try = optional(UtcDateTime)
    last_success = optional(UtcDateTime)
    last_data = optional(UtcDateTime)
    failures = column(Integer, default=0)  # tries in a row that failed
    detail = column(JSON)  # identity, version, streams, addresses listened on
    changed_version = column(Key, index=True, default=0)


class IntegrationDay(Base):
    """One UTC day of one integration, for the 30-day analytics."""

    __tablename__ = "integration_days"

    integration_id = column(String(36), primary_key=True)
    day = column(String(10), primary_key=True)
    runs = column(Integer, default=0)
    runs_failed = column(Integer, default=0)
    records = column(Key, default=0)
    duration_ms = column(Key, default=0)
    delay_ms = column(Key, default=0)  # sum over positions of arrival minus fix
    counters = column(JSON)  # skipped_bytes, bad_checksum, refused_connections …


class Cursor(Base):
    """How far a stream was read; saved in the transaction that stored its records."""

    __tablename__ = "cursors"

    integration_id = column(String(36), primary_key=True)
    stream = column(String(200), primary_key=True)
    value = column(Text)
    saved_at = column(UtcDateTime)


class Command(Base):
    """A wish of a console or a one-shot command to the engine, and its outcome."""

    __tablename__ = "commands"

    id = column(String(36), primary_key=True)
    name = column(String(40))  # sync, check, engine.stop, port.lend, port.return, report.send
    integration_id = optional(String(36))
    payload = column(JSON)
    created_at = column(UtcDateTime)
    taken_at = optional(UtcDateTime)
    done_at = optional(UtcDateTime, index=True)
    outcome = optional(JSON)


class Change(Base):
    """The version of each topic; every writing transaction raises the topics it touches, first."""

    __tablename__ = "changes"

    topic = column(String(40), primary_key=True)
    version = column(Key)


class Act(Base):
    """An operator's act, hash-linked to the one before it."""

    __tablename__ = "acts"

    id = column(Key, primary_key=True, autoincrement=True)
    at = column(UtcDateTime, index=True)
    who = column(String(200))
    host = column(String(200))
    what = column(String(80))  # integration.add, device.adopt …
    subject = column(String(300))
    before = optional(JSON)
    after = optional(JSON)
    previous_hash = column(String(64))
    hash = column(String(64))


class RejectedRecord(Base):
    """A record set aside: unreadable or refused; never blocks the others."""

    __tablename__ = "rejected_records"

    id = column(Key, primary_key=True, autoincrement=True)
    integration_id = column(String(36), index=True)
    record_key = column(String(300))
    why = column(Text)
    sample = column(Text)
    at = column(UtcDateTime)


class Problem(Base):
    """Something only a person can fix, with the next step; cleared when it is over."""

    __tablename__ = "problems"

    id = column(Key, primary_key=True, autoincrement=True)
    problem_key = column(String(200), index=True)  # e.g. sign_in:<integration id>
    integration_id = optional(String(36))
    title = column(String(300))
    detail = column(Text)
    fix = column(String(40))  # what the button does: sign_in, settings, start_engine, none
    since = column(UtcDateTime)
    cleared_at = optional(UtcDateTime, index=True)
    changed_version = column(Key, index=True, default=0)


class StoreFact(Base):
    """Single facts: engine heartbeat, retention, up to which id device_states are true, last recovery."""

    __tablename__ = "store_facts"

    name = column(String(60), primary_key=True)
    value = column(JSON)
