"""How each stream of each integration goes: how old what it brought is, and what stands in its way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from app.store.tables import Cursor, Integration, IntegrationState, StreamState


@dataclass(frozen=True, slots=True)
class StreamRow:
    """One stream. ``cursor_at`` is when its cursor was last moved, ``next_run`` the peer's next try where one is set.

    ``both`` is the rule where both sides changed a field, "" for the writes' own.
    """

    integration_id: str
    integration: str
    stream: str
    phase: str
    cursor: str
    cursor_at: datetime | None
    last_read: datetime | None
    last_changed: datetime | None
    records: int
    changed: int
    trouble: str
    trouble_since: datetime | None
    is_paused: bool
    both: str
    next_run: datetime | None

    @property
    def key(self) -> tuple[str, str]:
        return self.integration_id, self.stream

    @property
    def read_at(self) -> datetime | None:
        """The last time that anything is known to have been read of it."""
        return max((at for at in (self.last_read, self.cursor_at) if at is not None), default=None)


def list_streams(connection: Connection) -> list[StreamRow]:
    """Every stream that has a cursor or a state, by integration and name."""
    state = IntegrationState
    query = (
        select(Integration.id, Integration.name, Integration.enabled, state.phase, state.next_try)
        .outerjoin(state, state.integration_id == Integration.id)
        .where(Integration.removed_at.is_(None))
        .order_by(Integration.key)
    )
    peers = {row.id: row for row in connection.execute(query)}
    cursors = {(row.integration_id, row.stream): row for row in connection.execute(select(Cursor.__table__))}
    states = {(row.integration_id, row.stream): row for row in connection.execute(select(StreamState.__table__))}
    places = {peer: place for place, peer in enumerate(peers)}
    rows = []
    for key in sorted(cursors.keys() | states.keys(), key=lambda key: (places.get(key[0], -1), key[1])):
        peer = peers.get(key[0])
        if peer is None:
            continue
        cursor, known = cursors.get(key), states.get(key)
        rows.append(
            StreamRow(
                integration_id=key[0],
                integration=peer.name,
                stream=key[1],
                phase=(peer.phase or "starting") if peer.enabled else "disabled",
                cursor=cursor.value if cursor is not None else "",
                cursor_at=cursor.saved_at if cursor is not None else None,
                last_read=known.last_read if known is not None else None,
                last_changed=known.last_changed if known is not None else None,
                records=known.records if known is not None else 0,
                changed=known.changed if known is not None else 0,
                trouble=known.trouble if known is not None else "",
                trouble_since=known.trouble_since if known is not None else None,
                is_paused=known.is_paused if known is not None else False,
                both=known.both if known is not None else "",
                next_run=peer.next_try,
            )
        )
    return rows
