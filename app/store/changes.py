"""Topics and their versions: how one process learns what another has written.

A writing transaction raises each topic it touches before anything else. A page keeps the version it has read and
re-reads rows whose ``changed_version`` is greater.
"""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from app.store.tables import Change
from app.store.upsert import insert_or

TOPICS = frozenset(
    {
        "integrations",
        "integration_states",
        "logs",
        "devices",
        "device_states",
        "vehicles",
        "positions",
        "events",
        "geofences",
        "acts",
        "commands",
        "problems",
        "engine",
        "facts",
        "tanks",
        "fuel_sensors",
        "fuel_readings",
        "calibrations",
        "fuel_events",
        "fuel_days",
        "fuel_parameters",
        "fuel_receipts",
        "sensor_profiles",
        "alarms",
        "alarm_rules",
        "facilities",
        "items",
        "stock",
        "requisitions",
        "shipments",
        "outbox",
        "inbox",
        "conflicts",
        "streams",
        "identities",
        "suggestions",
        "drivers",
        "batches",
        "deliveries",
        "mail",
        "proof_files",
        "reports",
        "report_runs",
    }
)

CHANNEL = "biko_changes"
"""PostgreSQL's notification channel; the payload is the topic."""


def raise_topic(connection: Connection, topic: str) -> int:
    """Raise a topic's version, first thing in a transaction that touches it; returns the new version.

    Raises ValueError for a topic that is not in :data:`TOPICS`.
    """
    if topic not in TOPICS:
        raise ValueError(f"{topic} is not a topic of the store")
    statement = insert_or(connection, Change).values(topic=topic, version=1)
    statement = statement.on_conflict_do_update(index_elements=["topic"], set_={"version": Change.version + 1})
    version = connection.execute(statement.returning(Change.version)).scalar_one()
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_notify(CHANNEL, topic)))
    return version


def topic_versions(connection: Connection) -> dict[str, int]:
    """The version of every topic raised so far."""
    return {row.topic: row.version for row in connection.execute(select(Change.topic, Change.version))}
