"""Where batches of every kind are stored in one transaction: supply is merged, messages kept, the rest is telemetry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

from sqlalchemy import Connection

from adapters.records import Batch, PushedMessage, Record, Rejected
from app.fleet.telemetry import Ingested, TelemetrySink
from app.store.store import Store
from app.supply.merge import SUPPLY_RECORDS, SupplyMerge
from app.supply.seams import Noticed, notice_nothing
from app.sync.inbox import keep_messages

_LOOKED_AT = SUPPLY_RECORDS | {Rejected, PushedMessage}
"""What is not telemetry alone; the merge wants to see what was set aside: it came, too."""


class StoreSink:
    """One per engine. Use it from jobs of ``store.write`` only, with :meth:`forget` as their ``on_rollback``.

    ``noticed`` is told, in the same transaction, what peers changed under changes that wait to be sent.
    """

    def __init__(self, store: Store, noticed: Noticed = notice_nothing) -> None:
        self._telemetry = TelemetrySink(store)
        self._supply = SupplyMerge(store.engine.dialect, noticed)

    def forget(self) -> None:
        """Drop everything kept in memory: the work of a job was not committed."""
        self._telemetry.forget()
        self._supply.forget()

    def ingest(self, connection: Connection, integration_id: str, batches: Sequence[Batch], now_ms: int) -> Ingested:
        """Store ``batches`` and their cursors. Raises LookupError for an integration that the store does not know."""
        if all(_LOOKED_AT.isdisjoint(map(type, batch.records)) for batch in batches):
            return self._telemetry.ingest(connection, integration_id, batches, now_ms)
        try:
            return self._ingest(connection, integration_id, batches, now_ms)
        except BaseException:
            self.forget()
            raise

    def _ingest(self, connection: Connection, integration_id: str, batches: Sequence[Batch], now_ms: int) -> Ingested:
        supply: list[Record] = []
        others: list[Record] = []
        pushed: list[PushedMessage] = []
        for record in chain.from_iterable(batch.records for batch in batches):
            kind = type(record)
            if kind in SUPPLY_RECORDS:
                supply.append(record)
            elif isinstance(record, PushedMessage):
                pushed.append(record)
            else:
                others.append(record)
                if kind is Rejected:
                    supply.append(record)
        merged = self._supply.merge(connection, integration_id, supply, now_ms)
        kept = keep_messages(connection, integration_id, pushed) if pushed else 0
        cursors = {stream: value for batch in batches for stream, value in batch.cursors.items()}
        rest = Batch((*others, *merged.rejected), cursors)
        done = self._telemetry.ingest(connection, integration_id, [rest], now_ms)
        return replace(
            done,
            supply=merged.changed,
            pushed=kept,
            duplicates=done.duplicates + merged.unchanged + len(pushed) - kept,
            # What a peer says of its stock is true when it says it.
            newest_data_ms=now_ms if merged.records or pushed else done.newest_data_ms,
        )

    def flush(self, connection: Connection, now_ms: int) -> int:
        """Write the device states that still wait; for idle moments and the end. Returns how many were written."""
        return self._telemetry.flush(connection, now_ms)

    @property
    def has_unwritten_states(self) -> bool:
        """Whether :meth:`flush` has something to do."""
        return self._telemetry.has_unwritten_states
