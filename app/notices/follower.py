"""Putting messages for receivers into the outbox: one for each change, none lost and none twice.

How far a kind was told to a receiver is a cursor that is saved with the messages themselves. A receiver that was just
added is told what changes from then on, not what happened before it.
"""

from __future__ import annotations

import json
import uuid
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, insert, select

from app.clock import from_ms
from app.fleet.text import storable, storable_json
from app.fleet.times import iso
from app.notices.kinds import KINDS, NoticeKind, changed_since
from app.store.changes import raise_topic, topic_versions
from app.store.ids import new_id
from app.store.store import Store
from app.store.tables import Cursor, Integration, OutboxItem
from app.store.upsert import insert_or
from app.sync.words import UNSENT, State

TYPE = "webhook_sender"
PAGE = 200
MOST_WAITING = 5_000
"""While so many messages wait for one receiver nothing is added: the cursors stand, and it goes on from there."""
PATIENCE_S = 30.0
LONGEST_BODY = 100_000


class NoticeFollower:
    """Looks for what changed, kind by kind and receiver by receiver."""

    name = "messages to other systems"
    topics = frozenset({*(kind.topic for kind in KINDS), "integrations"})

    def step(self, store: Store, now_ms: int) -> float | None:
        """One page of each kind for each receiver."""
        with store.read() as connection:
            receivers = _receivers(connection)
            due = _due(connection, receivers)
        more = False
        for integration_id, kind in due:
            job = partial(queue_notices, integration_id=integration_id, kind=kind, now_ms=now_ms)
            more |= store.write(job, rows=PAGE).result() == PAGE
        if more:
            return 0.0
        return PATIENCE_S if due else None


def queue_notices(connection: Connection, integration_id: str, kind: NoticeKind, now_ms: int) -> int:
    """Queue the next page of one kind for one receiver; returns how many rows were looked at."""
    now = from_ms(now_ms)
    known = _cursor(connection, integration_id, kind)
    if known is None:  # from now on
        _save(connection, integration_id, kind, topic_versions(connection).get(kind.topic, 0), "", now)
        return 0
    waiting = select(func.count()).where(OutboxItem.integration_id == integration_id, OutboxItem.state.in_(UNSENT))
    room = MOST_WAITING - int(connection.execute(waiting).scalar_one())
    if room <= 0:
        return 0
    rows = connection.execute(changed_since(kind, *known, min(PAGE, room))).mappings().all()
    if not rows:
        return 0
    version = raise_topic(connection, "outbox")
    messages = [_message(connection, kind, dict(row), integration_id, now, version) for row in rows]
    connection.execute(insert(OutboxItem), messages)
    _save(connection, integration_id, kind, rows[-1]["changed_version"], rows[-1]["id"], now)
    return len(rows)


def _message(
    connection: Connection, kind: NoticeKind, row: dict[str, Any], integration_id: str, now: Any, version: int
) -> dict[str, Any]:
    data = storable_json(kind.told(connection, row))
    body = json.dumps({"type": kind.name, "timestamp": iso(now), "data": data}, ensure_ascii=False)
    if len(body) > LONGEST_BODY:
        short = {"id": data.get("id", ""), "note": "Too long to be sent whole."}
        body = json.dumps({"type": kind.name, "timestamp": iso(now), "data": short})
    item_id = new_id()
    return {
        "id": item_id,
        "integration_id": integration_id,
        "write": "message",
        "record": "notice",
        "record_id": item_id,
        "peer_id": "",
        "parent_peer_id": "",
        "family": item_id,
        "subject": storable(" ".join(kind.subject(row).split()), 300),
        "values": {"body": body},
        "seen": {},
        "key": str(uuid.uuid4()),
        "state": State.WAITING,
        "is_doubtful": False,
        "is_paused": False,
        "tries": 0,
        "last_answer": "",
        "created_at": now,
        "created_by": "console",
        "changed_version": version,
    }


def _receivers(connection: Connection) -> list[tuple[str, dict[str, Any]]]:
    row = Integration
    query = select(row.id, row.config).where(row.type == TYPE, row.enabled.is_(True), row.removed_at.is_(None))
    return [(one.id, dict(one.config)) for one in connection.execute(query.order_by(row.key))]


def _due(connection: Connection, receivers: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, NoticeKind]]:
    """What has moved since it was told. A switch that was never set is as the settings have it by default."""
    if not receivers:
        return []
    versions = topic_versions(connection)
    found = []
    for integration_id, config in receivers:
        for kind in KINDS:
            if not config.get(kind.switch, kind.by_default):
                continue
            known = _cursor(connection, integration_id, kind)
            if known is None or versions.get(kind.topic, 0) >= known[0]:
                found.append((integration_id, kind))
    return found


def _cursor(connection: Connection, integration_id: str, kind: NoticeKind) -> tuple[int, str] | None:
    mine = (Cursor.integration_id == integration_id) & (Cursor.stream == f"notices:{kind.name}")
    value = connection.execute(select(Cursor.value).where(mine)).scalar_one_or_none()
    if value is None:
        return None
    version, _, row_id = value.partition(":")
    return int(version), row_id


def _save(connection: Connection, integration_id: str, kind: NoticeKind, version: int, row_id: str, now: Any) -> None:
    statement = insert_or(connection, Cursor).values(
        integration_id=integration_id, stream=f"notices:{kind.name}", value=f"{version}:{row_id}", saved_at=now
    )
    values = {"value": f"{version}:{row_id}", "saved_at": now}
    connection.execute(statement.on_conflict_do_update(index_elements=["integration_id", "stream"], set_=values))
