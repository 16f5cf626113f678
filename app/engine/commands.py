"""Command rows: what a window or a one-shot command wishes of the engine, and the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from app.clock import from_ms
from app.fleet.text import storable_json
from app.security.redaction import redact
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import Command

STOP = "engine.stop"
SYNC = "sync"
CHECK = "check"
LEND = "port.lend"
RETURN = "port.return"
SEND_REPORT = "report.send"

EXPIRES_AFTER_MS = 60_000
"""A wish older than this when the engine starts has nobody waiting for it any more."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One command row that the engine has taken."""

    id: str
    name: str
    integration_id: str | None
    payload: Mapping[str, Any]


def give_command(
    connection: Connection,
    name: str,
    *,
    now_ms: int,
    integration_id: str | None = None,
    payload: Mapping[str, Any] | None = None,
) -> str:
    """Leave a wish for the engine; returns its id, under which :func:`outcome_of` finds the answer."""
    raise_topic(connection, "commands")
    command_id = new_id()
    row = {
        "id": command_id,
        "name": name,
        "integration_id": integration_id,
        "payload": dict(payload or {}),
        "created_at": from_ms(now_ms),
    }
    connection.execute(insert(Command).values(row))
    return command_id


def outcome_of(connection: Connection, command_id: str) -> dict[str, Any] | None:
    """The answer to a wish, None while it is not done (or its row is gone)."""
    return connection.execute(select(Command.outcome).where(Command.id == command_id)).scalar_one_or_none()


def take_commands(connection: Connection, now_ms: int) -> list[Wish]:
    """Mark every waiting wish as taken, and return them, oldest first."""
    waiting = Command.taken_at.is_(None) & Command.done_at.is_(None)
    columns = (Command.id, Command.name, Command.integration_id, Command.payload)
    rows = connection.execute(select(*columns).where(waiting).order_by(Command.created_at, Command.id)).all()
    if rows:
        raise_topic(connection, "commands")
        taken = update(Command).where(Command.id.in_([row.id for row in rows])).values(taken_at=from_ms(now_ms))
        connection.execute(taken)
    return [Wish(*row) for row in rows]


def finish_command(connection: Connection, command_id: str, outcome: Mapping[str, Any], now_ms: int) -> None:
    raise_topic(connection, "commands")
    done = {"done_at": from_ms(now_ms), "outcome": storable_json(redact(dict(outcome)))}
    connection.execute(update(Command).where(Command.id == command_id).values(done))


def close_left_over(connection: Connection, now_ms: int) -> None:
    """At the engine's start: answer what the last engine took and never finished, and what is too old to be meant.

    A wish to stop was meant for an engine that is gone.
    """
    old = Command.created_at < from_ms(now_ms - EXPIRES_AFTER_MS)
    left = Command.done_at.is_(None) & (Command.taken_at.is_not(None) | old | (Command.name == STOP))
    if connection.execute(select(Command.id).where(left).limit(1)).first() is None:
        return
    raise_topic(connection, "commands")
    outcome = {"ok": False, "error": "The engine ended before this was done. Ask again."}
    connection.execute(update(Command).where(left).values(done_at=from_ms(now_ms), outcome=outcome))
