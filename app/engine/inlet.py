"""From an adapter to the store: everything that arrives while the writer is busy shares its next commit.

A group stays open until the writer thread begins with it, and groups begin some time apart, so one job, one
transaction and one future serve all batches of the meantime, however many connections they came from. The event loop
pays for an append per batch and for one call from the writer thread per group (docs/decisions/0041).
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from typing import Protocol

from sqlalchemy import Connection

from adapters.base import Clock
from adapters.records import Batch, Record, Rejected
from app.engine.alone import TransactionGone, run_alone
from app.engine.journal import DayCounts, add_to_day
from app.fleet.telemetry import Ingested
from app.store.errors import StoreClosed, StoreError
from app.store.store import Store

GROUP_RECORDS = 2_000
"""Records after which a group is closed: a longer transaction would keep the other process waiting."""
GATHER_S = 0.02
"""Seconds between the beginnings of two groups: one commit costs as much as a hundred records, and the disk a write.
Whoever delivers after a quiet moment is not kept waiting."""
ROOM_RECORDS = 10_000
"""Records waiting for their commit above which an inlet calls itself full."""

COUNTED = (
    "raw_frames", "positions", "statuses", "events", "infos", "geofences", "fuel", "supply", "pushed",
    "rejected", "duplicates", "blocked", "unattributed", "unkept",
)  # fmt: skip
"""The counts of :class:`Ingested` that logs and answers show."""
NOT_STORED = ("blocked", "unattributed", "unkept")
"""Those of them that only the day's counters remember."""

_SAMPLE_CHARACTERS = 2_000

_log = logging.getLogger(__name__)


class Sink(Protocol):
    """What writes batches inside a store job; :class:`app.engine.sink.StoreSink`."""

    def ingest(
        self, connection: Connection, integration_id: str, batches: Sequence[Batch], now_ms: int
    ) -> Ingested: ...

    def forget(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """What one commit brought. ``defects`` are records that our code could not store; they are set aside."""

    parts: tuple[Ingested, ...]
    defects: tuple[str, ...] = ()

    def counts(self) -> dict[str, int]:
        """What was counted, by kind of record; only what is not 0."""
        totals = {name: sum(getattr(part, name) for part in self.parts) for name in COUNTED}
        return {name: total for name, total in totals.items() if total}

    def not_stored(self) -> dict[str, int]:
        return {name: total for name in NOT_STORED if (total := sum(getattr(part, name) for part in self.parts))}


@dataclass(slots=True, eq=False)
class _Group:
    future: asyncio.Future[None]
    batches: list[Batch] = field(default_factory=list)
    records: int = 0
    counters: Mapping[str, int] = field(default_factory=dict)
    closed: bool = False


class Intake:
    """Group commit of one integration's batches. Everything but the commit itself runs on the loop that made it.

    ``on_stored`` and ``on_failed`` are called on that loop, before the futures of the group are done. With
    ``keeps_refused`` what the store refused is never acknowledged, but kept and tried again by :meth:`probe`: most
    trackers never send a fix twice. What is kept counts as waiting, so a store that refuses for long stops the reading.
    """

    def __init__(
        self,
        store: Store,
        sink: Sink,
        integration_id: str,
        clock: Clock,
        *,
        on_stored: Callable[[Stored], None],
        on_failed: Callable[[BaseException], None],
        keeps_refused: bool = False,
    ) -> None:
        self._store = store
        self._keeps_refused = keeps_refused
        self._refused: deque[_Group] = deque()
        self._refusing = False  # whether the last commit failed
        self._sink = sink
        self._integration_id = integration_id
        self._clock = clock
        self._on_stored = on_stored
        self._on_failed = on_failed
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()  # between the loop, which fills the open group, and the writer, which closes it
        self._open: _Group | None = None
        self._gathering: asyncio.TimerHandle | None = None  # until the open group goes to the writer
        self._submitted_s = -math.inf  # on the loop's clock
        self._under_way: set[asyncio.Future[None]] = set()
        self._waiting = 0
        self._room = asyncio.Event()
        self._room.set()
        self._counters: dict[str, int] = {}

    def deliver(self, batch: Batch) -> asyncio.Future[None]:
        """See :meth:`adapters.base.Inlet.deliver`."""
        size = len(batch.records) or 1
        with self._lock:
            group = self._open
            if group is not None:
                self._add(group, batch, size)
        if group is None:
            group = self._new_group()
            self._add(group, batch, size)
            self._begin(group)
        elif group.closed:
            self._submit_gathering(group)
        self._waiting += size
        if self._waiting >= ROOM_RECORDS:
            self._room.clear()
        return group.future

    @property
    def is_full(self) -> bool:
        return not self._room.is_set()

    async def wait_for_room(self) -> None:
        await self._room.wait()

    def count(self, counter: str, amount: int = 1) -> None:
        self._counters[counter] = self._counters.get(counter, 0) + amount

    def flush_counters(self) -> None:
        """Store what was only counted, when no batch has taken it along."""
        if self._counters and self._open is None:
            group = self._new_group()
            self._submit(group)

    def probe(self) -> None:
        """Try what was refused again, or an empty group, to learn whether the store works again."""
        if self._under_way:
            return
        group = self._new_group()
        if self._refused:
            refused = self._refused.popleft()
            group.batches, group.records = refused.batches, refused.records
            self._close(group)
        self._submit(group)

    async def drain(self, seconds: float) -> bool:
        """Wait until everything delivered is stored, or refused by the store; False when that takes longer."""
        if self._open is not None:
            self._submit_gathering(self._open)
        self.flush_counters()
        until_s = self._loop.time() + seconds
        while True:
            if self._refused:
                self.probe()
            if not self._under_way:
                return True
            _done, late = await asyncio.wait(self._under_way, timeout=max(0.0, until_s - self._loop.time()))
            if late or self._refusing:
                return False

    def _new_group(self) -> _Group:
        group = _Group(self._loop.create_future())
        self._under_way.add(group.future)
        return group

    def _add(self, group: _Group, batch: Batch, size: int) -> None:
        group.batches.append(batch)
        group.records += size
        if group.records >= GROUP_RECORDS:
            self._close(group)

    def _close(self, group: _Group) -> None:
        group.closed = True
        if self._open is group:
            self._open = None

    def _begin(self, group: _Group) -> None:
        """Give the group to the writer, at once where the last one is some time ago."""
        wait_s = self._submitted_s + GATHER_S - self._loop.time()
        if wait_s <= 0 or group.closed:
            self._submit(group)
        else:
            self._open = group
            self._gathering = self._loop.call_later(wait_s, self._submit, group)

    def _submit_gathering(self, group: _Group) -> None:
        """Give the group to the writer now, unless it has it already."""
        if self._gathering is not None:
            self._gathering.cancel()
            self._submit(group)

    def _submit(self, group: _Group) -> None:
        self._gathering = None
        self._submitted_s = self._loop.time()
        group.counters, self._counters = self._counters, {}
        if not group.closed:
            self._open = group
        outcome = self._store.write(lambda connection: self._commit(connection, group), on_rollback=self._sink.forget)
        outcome.add_done_callback(lambda done: self._hand_over(group, done))

    def _commit(self, connection: Connection, group: _Group) -> Stored:
        """Runs on the writer thread."""
        with self._lock:
            self._close(group)
        now_ms = self._clock.now_ms()
        stored = store_batches(self._sink, connection, self._integration_id, group.batches, now_ms)
        counts = DayCounts(
            records=sum(part.records for part in stored.parts),
            delay_ms=sum(part.delay_ms_sum for part in stored.parts),
            counters={**group.counters, **stored.not_stored()},
        )
        add_to_day(connection, self._integration_id, now_ms, counts)
        return stored

    def _hand_over(self, group: _Group, outcome: Future[Stored]) -> None:
        try:
            self._loop.call_soon_threadsafe(self._finish, group, outcome)
        except RuntimeError:  # the loop has ended; nobody waits for the answer any more
            _log.debug("a commit ended after its loop")

    def _finish(self, group: _Group, outcome: Future[Stored]) -> None:
        with self._lock:
            self._close(group)
        self._under_way.discard(group.future)
        error = _error_of(outcome)
        self._refusing = error is not None
        if error is not None and self._keeps_refused and group.batches and isinstance(error, StoreError):
            self._refused.append(group)
        else:
            self._waiting -= group.records
        if self._waiting < ROOM_RECORDS // 2:
            self._room.set()
        if error is None:
            self._on_stored(outcome.result())
            group.future.set_result(None)
            if self._refused:
                self.probe()
            return
        for counter, amount in group.counters.items():
            self.count(counter, amount)
        self._on_failed(error)
        group.future.set_exception(error)
        group.future.exception()  # whoever delivered may have gone; that alone is no defect


class ListenInlet(Intake):
    """The inlet that a listening adapter is lent: :class:`adapters.base.Inlet`."""

    def __init__(
        self,
        store: Store,
        sink: Sink,
        integration_id: str,
        clock: Clock,
        *,
        on_stored: Callable[[Stored], None],
        on_failed: Callable[[BaseException], None],
        on_connected: Callable[[str], None],
        on_fetch_wanted: Callable[[str], None],
    ) -> None:
        super().__init__(
            store, sink, integration_id, clock, on_stored=on_stored, on_failed=on_failed, keeps_refused=True
        )
        self._on_connected = on_connected
        self._on_fetch_wanted = on_fetch_wanted

    def connected(self, detail: str) -> None:
        self._on_connected(detail)

    def request_fetch(self, why: str) -> None:
        self._on_fetch_wanted(why)


def store_batches(
    sink: Sink, connection: Connection, integration_id: str, batches: Sequence[Batch], now_ms: int
) -> Stored:
    """Ingest ``batches`` as one; when a defect of ours stops that, one by one, setting aside what cannot be stored.

    One record that our code cannot handle must cost neither its neighbours nor the peer that would send it for ever.
    Raises what is the store's trouble: then nothing may be acknowledged.
    """

    def ingest(*some: Batch) -> Ingested:
        return run_alone(connection, lambda: sink.ingest(connection, integration_id, some, now_ms))

    try:
        try:
            return Stored((ingest(*batches),))
        except TransactionGone:
            raise
        except Exception:  # noqa: BLE001 - the culprit is found below
            sink.forget()
            _log.exception("A group of records of %s could not be stored; each is tried alone", integration_id)
        return _store_one_by_one(sink, ingest, batches)
    except TransactionGone as gone:
        raise gone.cause from gone


def _store_one_by_one(sink: Sink, ingest: Callable[..., Ingested], batches: Sequence[Batch]) -> Stored:
    parts: list[Ingested] = []
    defects: list[str] = []
    for batch in batches:
        for record in batch.records:
            try:
                parts.append(ingest(Batch((record,))))
            except TransactionGone:
                raise
            except Exception as err:  # noqa: BLE001 - whatever it is, it belongs to this record alone
                sink.forget()
                rejected = _set_aside(record, err)
                defects.append(rejected.why)
                parts.append(ingest(Batch((rejected,))))
        if batch.cursors:
            parts.append(ingest(Batch((), batch.cursors)))
    return Stored(tuple(parts), tuple(defects))


def _set_aside(record: Record, err: Exception) -> Rejected:
    why = f"This program could not store it ({type(err).__name__}: {err}). Report it with the log of this day."
    return Rejected(key=type(record).__name__, why=why, sample=repr(record)[:_SAMPLE_CHARACTERS])


def _error_of(outcome: Future[Stored]) -> BaseException | None:
    try:
        return outcome.exception()
    except CancelledError:
        return StoreClosed("The store was closed before this was written.")
