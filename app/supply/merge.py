"""Merging what peers say of their stock and papers into the store.

One :class:`SupplyMerge` per engine; its methods run inside jobs of the store's writer thread. Rows hold the peer's
values alone (docs/decisions/0100), compared by a hash over them: what comes again unchanged is not written, and
nothing here ever touches ``pending``. Records are taken in the order in which they came, with the same outcome
wherever they are cut into batches (docs/decisions/0101).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, func, select

from adapters.records import Record, Rejected
from adapters.supply import FullRead, Gone, StreamRead
from app.store.changes import raise_topic
from app.supply.batch import Batch
from app.supply.kinds import KINDS, OF_RECORD
from app.supply.plan import Keys
from app.supply.readings import Readings
from app.supply.seams import Noticed, PeerChange, notice_nothing
from app.supply.streams import Counted, save_streams
from app.supply.writes import peer_changes, writers

SUPPLY_RECORDS: frozenset[type[Any]] = frozenset({*OF_RECORD, Gone, FullRead, StreamRead})


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of a batch.

    ``changed`` rows were written, lines included; ``unchanged`` records brought nothing new. ``rejected`` is for the
    list of what was set aside.
    """

    records: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: Sequence[Rejected] = ()


class SupplyMerge:
    """Merges supply records. :meth:`forget` drops what is in memory when a job's work was not committed."""

    def __init__(self, dialect: Dialect, noticed: Noticed = notice_nothing) -> None:
        self._writers = writers(dialect)
        self._noticed = noticed
        self.forget()

    def forget(self) -> None:
        """Open readings are lost with it, and mark nothing gone when they end."""
        self._keys = Keys()
        self._readings = Readings()
        self._counted: dict[str, Counted] = {}

    def merge(self, connection: Connection, integration_id: str, records: Iterable[Record], now_ms: int) -> Merged:
        """Merge ``records``: supply records, and among them what an adapter set aside.

        An adapter that sets a record aside within a complete reading ends the key of its ``Rejected`` with the
        record's peer id: what is stored of it came, if unreadably, and is not gone.
        """
        _plan_by_size(connection)
        batch = Batch(connection, integration_id, self._keys, self._readings)
        batch.take(records)
        batch.load()
        batch.play(self._counted.setdefault(integration_id, Counted()))
        changed = batch.changed()
        topics = {kind.topic for kind in KINDS if changed[kind.kind]}
        if batch.ended:
            topics.add("streams")
        versions = {topic: raise_topic(connection, topic) for topic in sorted(topics)}
        moved: list[PeerChange] = []
        for kind in KINDS:
            for plan in batch.plans_of(kind) if changed[kind.kind] else ():
                moved += peer_changes(connection, plan)
                writer = self._writers[plan.part.name]
                writer.write(connection, integration_id, plan, versions[kind.topic], now_ms)
        if batch.ended:
            save_streams(connection, integration_id, batch.ended, versions["streams"], now_ms)
        if moved:
            self._noticed(connection, integration_id, moved, now_ms)
        return Merged(batch.records, sum(changed.values()), batch.records - batch.records_changed(), batch.rejected)


def _plan_by_size(connection: Connection) -> None:
    """PostgreSQL keeps a prepared plan until a table is analysed: one made for an empty table would read a million rows
    for each page of a first reading. For this transaction it plans anew, by the table's size."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.set_config("plan_cache_mode", "force_custom_plan", True)))
