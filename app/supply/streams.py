"""How each stream goes: written to ``stream_states`` when an adapter says that one was read or could not be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from adapters.supply import StreamRead
from app.clock import from_ms
from app.fleet.text import storable
from app.store.tables import StreamState
from app.store.upsert import insert_or

LONGEST_NAME = 200


@dataclass(slots=True)
class Counted:
    """What came of an integration since one of its streams last ended. ``changed`` rows, lines included."""

    records: int = 0
    changed: int = 0


def save_streams(
    connection: Connection,
    integration_id: str,
    reads: Sequence[tuple[StreamRead, Counted]],
    version: int,
    now_ms: int,
) -> None:
    """Write the ends of streams; ``version`` is that of the topic ``streams``, raised already.

    A stream in trouble keeps when it was last read and what came then, and since when it is in trouble.
    """
    now = from_ms(now_ms)
    latest = {storable(read.stream, LONGEST_NAME): (read, counted) for read, counted in reads}
    state = StreamState
    query = select(state.stream, state.trouble_since, state.last_changed).where(
        state.integration_id == integration_id, state.stream.in_(latest)
    )
    before = {row.stream: row for row in connection.execute(query)}
    for name, (read, counted) in latest.items():
        known = before.get(name)
        trouble = storable(read.trouble)
        row = {"trouble": trouble, "changed_version": version}
        if trouble:
            row["trouble_since"] = (known.trouble_since if known is not None else None) or now
        else:
            row |= {"trouble_since": None, "last_read": now, "records": counted.records, "changed": counted.changed}
            if counted.changed:
                row["last_changed"] = now
        statement = insert_or(connection, state).values(integration_id=integration_id, stream=name, **row)
        connection.execute(statement.on_conflict_do_update(index_elements=["integration_id", "stream"], set_=row))
