"""What the engine writes down about integrations: states, the event log, the days.

All are functions of a connection inside a ``Store.write`` job. Each raises the topics it touches first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import Connection, insert, select, update

from app.clock import from_ms, to_ms
from app.engine.phases import Phase, status_word
from app.fleet.text import storable, storable_json
from app.integrations.rows import Configured
from app.security.redaction import redact, redact_text
from app.store.changes import raise_topic
from app.store.logs import append_log
from app.store.tables import (
    Cursor,
    Integration,
    IntegrationDay,
    IntegrationState,
)


@dataclass(frozen=True, slots=True)
class State:
    """One row of ``integration_states``. Times are milliseconds since 1970 UTC."""

    phase: Phase
    since_ms: int
    reason: str = ""
    error_kind: str = ""
    next_try_ms: int | None = None
    last_success_ms: int | None = None
    last_data_ms: int | None = None
    failures: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DayCounts:
    """What is added to an integration's day. ``delay_ms`` is the sum over positions of arrival minus fix."""

    runs: int = 0
    runs_failed: int = 0
    records: int = 0
    duration_ms: int = 0
    delay_ms: int = 0
    counters: Mapping[str, int] = field(default_factory=dict)


def load_integrations(connection: Connection) -> dict[str, Configured]:
    """Every integration that was not removed, by id, in the order of their making."""
    columns = [getattr(Integration, field.name) for field in fields(Configured)]
    rows = connection.execute(select(*columns).where(Integration.removed_at.is_(None)).order_by(Integration.key))
    return {row.id: Configured(*row) for row in rows}


def load_states(connection: Connection) -> dict[str, State]:
    return {row.integration_id: _state(row) for row in connection.execute(select(IntegrationState.__table__))}


def load_cursors(connection: Connection, integration_id: str) -> dict[str, str]:
    """How far each stream was read: stream name to value."""
    query = select(Cursor.stream, Cursor.value).where(Cursor.integration_id == integration_id)
    return {row.stream: row.value for row in connection.execute(query)}


def save_state(connection: Connection, integration_id: str, state: State, *, last_sync_ms: int | None = None) -> None:
    """Write a state, and the platform's status word where it changes with it."""
    word = status_word(state.phase, ever_succeeded=state.last_success_ms is not None)
    known = select(Integration.status, Integration.removed_at).where(Integration.id == integration_id)
    integration = connection.execute(known).one_or_none()
    version = raise_topic(connection, "integration_states")
    values = {
        "phase": state.phase.value,
        "reason": _clean(state.reason),
        "error_kind": state.error_kind,
        "since": from_ms(state.since_ms),
        "next_try": _time(state.next_try_ms),
        "last_success": _time(state.last_success_ms),
        "last_data": _time(state.last_data_ms),
        "failures": state.failures,
        "detail": storable_json(redact(state.detail)),
        "changed_version": version,
    }
    row = IntegrationState.integration_id == integration_id
    if connection.execute(update(IntegrationState).where(row).values(values)).rowcount == 0:
        connection.execute(insert(IntegrationState).values(integration_id=integration_id, **values))
    changes: dict[str, Any] = {}
    if last_sync_ms is not None:
        changes["last_sync"] = from_ms(last_sync_ms)
    if integration is not None and integration.removed_at is None and integration.status != word:
        changes |= {"status": word, "changed_version": raise_topic(connection, "integrations")}
    if changes:
        connection.execute(update(Integration).where(Integration.id == integration_id).values(changes))


def write_log(
    connection: Connection,
    integration_id: str | None,
    event_type: str,
    text: str,
    *,
    payload: Mapping[str, Any],
    now_ms: int,
) -> None:
    """One line of the event log. ``text`` is a sentence; both it and ``payload`` are redacted here."""
    append_log(
        connection,
        event_type=event_type,
        text=_clean(text),
        integration_id=integration_id,
        payload=storable_json(redact(payload)),
        created_at=from_ms(now_ms),
    )


def log_line(
    integration_id: str | None, event_type: str, text: str, *, payload: Mapping[str, Any], now_ms: int
) -> dict[str, Any]:
    """One line for :func:`app.store.logs.append_logs`, redacted like those of :func:`write_log`."""
    return {
        "integration_id": integration_id,
        "event_type": event_type,
        "text": _clean(text),
        "payload": storable_json(redact(payload)),
        "created_at": from_ms(now_ms),
    }


def add_to_day(connection: Connection, integration_id: str, now_ms: int, counts: DayCounts) -> None:
    """Add to the analytics of the UTC day of ``now_ms``."""
    day = from_ms(now_ms).date().isoformat()
    row = (IntegrationDay.integration_id == integration_id) & (IntegrationDay.day == day)
    change: dict[str, Any] = {
        "runs": IntegrationDay.runs + counts.runs,
        "runs_failed": IntegrationDay.runs_failed + counts.runs_failed,
        "records": IntegrationDay.records + counts.records,
        "duration_ms": IntegrationDay.duration_ms + counts.duration_ms,
        "delay_ms": IntegrationDay.delay_ms + counts.delay_ms,
    }
    if counts.counters:
        known = connection.execute(select(IntegrationDay.counters).where(row)).scalar_one_or_none() or {}
        change["counters"] = {
            name: known.get(name, 0) + counts.counters.get(name, 0) for name in {*known, *counts.counters}
        }
    if connection.execute(update(IntegrationDay).where(row).values(change)).rowcount == 0:
        first = {
            "runs": counts.runs,
            "runs_failed": counts.runs_failed,
            "records": counts.records,
            "duration_ms": counts.duration_ms,
            "delay_ms": counts.delay_ms,
            "counters": dict(counts.counters),
        }
        connection.execute(insert(IntegrationDay).values(integration_id=integration_id, day=day, **first))


def _state(row: Any) -> State:
    return State(
        phase=Phase(row.phase),
        since_ms=to_ms(row.since),
        reason=row.reason,
        error_kind=row.error_kind,
        next_try_ms=_ms(row.next_try),
        last_success_ms=_ms(row.last_success),
        last_data_ms=_ms(row.last_data),
        failures=row.failures,
        detail=row.detail,
    )


def _clean(text: str) -> str:
    """Without secrets, and without what a peer's answer may hold and a database cannot."""
    return storable(redact_text(text))


def _time(ms: int | None) -> Any:
    return None if ms is None else from_ms(ms)


def _ms(moment: Any) -> int | None:
    return None if moment is None else to_ms(moment)
