"""Single facts of the store, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, select

from app.store.tables import StoreFact
from app.store.upsert import insert_or

DEVICE_STATES_UPTO = "device_states_upto"
"""Up to which position and raw frame the rows of ``device_states`` are true; written by :mod:`app.fleet.states`."""


def get_fact(connection: Connection, name: str) -> dict[str, Any] | None:
    """The fact, or None where it was never set."""
    return connection.execute(select(StoreFact.value).where(StoreFact.name == name)).scalar_one_or_none()


def set_fact(connection: Connection, name: str, value: Mapping[str, Any]) -> None:
    """Write a fact over the one of that name. The caller raises the topic that its readers watch."""
    statement = insert_or(connection, StoreFact).values(name=name, value=dict(value))
    connection.execute(
        statement.on_conflict_do_update(index_elements=["name"], set_={"value": statement.excluded.value})
    )


def clear_fact(connection: Connection, name: str) -> None:
    """Forget a fact; nothing happens where there is none."""
    connection.execute(delete(StoreFact).where(StoreFact.name == name))
