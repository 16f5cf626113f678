"""Requisitions and shipments without a changed-since filter (msupply.md, section 5).

A run reads, per store and kind:

1. everything that is still open there, whatever its age;
2. what was created, sent, shipped … since the newest moment that the *server* has shown, less 15 minutes: clocks drift,
   and a status may be dated back;
3. one by one, what was open at the last run and came in neither: it has become final outside the windows, or was
   deleted, which is then said with :class:`adapters.supply.Gone`.

The first run reads what was created within the days chosen, in slices, so that it goes on where it broke off.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from adapters.cursors import dump, load
from adapters.errors import RecordRejected
from adapters.msupply import fields, mapping
from adapters.msupply.client import MSupplyClient
from adapters.msupply.mapping import Store
from adapters.msupply.pages import Lists
from adapters.msupply.settings import MSupplySettings
from adapters.records import Batch, Record, Rejected
from adapters.supply import Gone, Requisition, Shipment

DAY_MS = 86_400_000
OVERLAP_MS = 15 * 60_000
SLICE_MS = 10 * DAY_MS
MOST_HOMES = 200_000
MOST_ASKED_SINGLY = 2000
"""Beyond it, papers that left the open ones wait for the next run."""

Paper = Requisition | Shipment
Side = Literal["outbound", "inbound"]
Filter = dict[str, Any]

MOVING = ("SHIPPED", "DELIVERED", "RECEIVED")
REQUISITION_MOMENTS = ("createdDatetime", "sentDatetime", "finalisedDatetime")
SHIPMENT_MOMENTS = (
    "createdDatetime",
    "shippedDatetime",
    "deliveredDatetime",
    "receivedDatetime",
    "verifiedDatetime",
)


@dataclass(slots=True)
class Progress:
    """How far one kind of paper of one store was read.

    ``high_ms`` is the newest moment that the server has shown, ``first_ms`` where the first reading goes on, ``open``
    the ids of what was open.
    """

    high_ms: int | None = None
    first_ms: int | None = None
    open: set[str] = field(default_factory=set)

    @classmethod
    def load(cls, cursor: str | None) -> Progress:
        facts = load(cursor)
        ids = facts.get("open")
        known = {found for found in ids if isinstance(found, str)} if isinstance(ids, list) else set()
        return cls(fields.integer(facts, "high_ms"), fields.integer(facts, "first_ms"), known)

    def dump(self, read_ms: int | None) -> str:
        return dump(read_ms=read_ms, high_ms=self.high_ms, first_ms=self.first_ms, open=sorted(self.open) or None)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one kind of paper is asked for. ``still_open`` are the filters that together find everything open."""

    cursor: str
    operation: str
    root: str
    variables: Mapping[str, Any]
    filter: Filter
    still_open: tuple[Filter, ...]
    moments: tuple[str, ...]
    make: Callable[[object], Paper]
    detail: Callable[[str], Any]
    word: Literal["requisition", "shipment"]


class Papers:
    """Reads requisitions and shipments of one server."""

    def __init__(
        self, client: MSupplyClient, lists: Lists, settings: MSupplySettings, programs: Mapping[str, str]
    ) -> None:
        self.homes: dict[str, Store] = {}
        self._client = client
        self._lists = lists
        self._settings = settings
        self._programs = programs

    def requisitions(self, store: Store) -> Callable[[Mapping[str, str]], AsyncIterator[Batch]]:
        kind = _Kind(
            cursor=f"requisitions:{store.id}",
            operation="RequisitionsWithLines",
            root="requisitions",
            variables={"storeId": store.id},
            filter={},
            still_open=({"status": {"equalAny": list(mapping.OPEN_REQUISITION)}},),
            moments=REQUISITION_MOMENTS,
            make=lambda raw: mapping.requisition(raw, store, self._programs),
            detail=lambda found: self.requisition_detail(store, found),
            word="requisition",
        )
        return lambda cursors: self._read(kind, store, Progress.load(cursors.get(kind.cursor)))

    def shipments(self, store: Store, side: Side) -> Callable[[Mapping[str, str]], AsyncIterator[Batch]]:
        kind_word = "OUTBOUND_SHIPMENT" if side == "outbound" else "INBOUND_SHIPMENT"
        moments = tuple(
            name for name in SHIPMENT_MOMENTS if name != "receivedDatetime" or self._client.dialect.knows_received
        )
        # A customer that is no store never yields a delivery (section 6): its shipments would be “open” for ever.
        since_ms = self._client.now_ms() - self._settings.follow_days * DAY_MS
        moving = {
            "status": {"equalAny": list(MOVING)},
            "shippedDatetime": {"afterOrEqualTo": fields.iso_time(since_ms)},
        }
        kind = _Kind(
            cursor=f"shipments:{store.id}:{side}",
            operation="ShipmentsWithLines",
            root="invoices",
            variables={"storeId": store.id, "type": [kind_word]},
            filter={"type": {"equalTo": kind_word}},
            still_open=({"status": {"equalAny": list(mapping.EDITABLE_SHIPMENT)}}, moving),
            moments=moments,
            make=lambda raw: mapping.shipment(raw, store),
            detail=lambda found: self.shipment_detail(store, found, kind_word),
            word="shipment",
        )
        return lambda cursors: self._read(kind, store, Progress.load(cursors.get(kind.cursor)))

    # -- single papers

    async def requisition_detail(self, store: Store, found: str) -> fields.Json | None:
        """A requisition with its lines as the server has it; None where it has none of this id in this store."""
        data = await self._client.call("RequisitionDetail", {"storeId": store.id, "id": found})
        node = fields.nested(data, "requisition")
        return None if node.get("__typename") == "RecordNotFound" or "id" not in node else node

    async def shipment_detail(self, store: Store, found: str, kind_word: str) -> fields.Json | None:
        """A shipment with its lines; ``kind_word`` is its invoice type, which decides the permission asked for."""
        variables: dict[str, Any] = {"storeId": store.id, "id": found}
        if declared := self._client.dialect.shipment_type:
            variables["type"] = [kind_word] if declared.startswith("[") else kind_word
        data = await self._client.call("ShipmentDetail", variables)
        node = fields.nested(data, "invoice")
        return None if node.get("__typename") == "NodeError" or "id" not in node else node

    # -- a run

    async def _read(self, kind: _Kind, store: Store, progress: Progress) -> AsyncIterator[Batch]:
        began_ms = self._client.now_ms()
        run = _Run(kind, store, self, progress)
        for still_open in kind.still_open:
            async for batch in self._list(run, still_open, is_open=True):
                yield batch
        if progress.high_ms is None:
            async for batch in self._first(run, began_ms):
                yield batch
        else:
            since = {"afterOrEqualTo": fields.iso_time(max(progress.high_ms - OVERLAP_MS, 0))}
            for moment in kind.moments:
                async for batch in self._list(run, {moment: since}):
                    yield batch
        left = sorted(progress.open - run.seen)
        for found in left[:MOST_ASKED_SINGLY]:
            yield Batch(await self._look_for(run, found))
        waiting = set(left[MOST_ASKED_SINGLY:])
        # Moments beyond the server's own clock are typed in by hand; they must not hide what is created meanwhile.
        newest = max((at for at in run.moments if at <= began_ms), default=progress.high_ms or began_ms - OVERLAP_MS)
        done = Progress(max(newest, progress.high_ms or 0), None, run.still_open | waiting)
        yield Batch((), {kind.cursor: done.dump(self._client.our_now_ms())})

    async def _first(self, run: _Run, began_ms: int) -> AsyncIterator[Batch]:
        from_ms = run.progress.first_ms or began_ms - self._settings.first_history_days * DAY_MS
        while from_ms < began_ms:
            until_ms = from_ms + SLICE_MS
            window: dict[str, str] = {"afterOrEqualTo": fields.iso_time(from_ms)}
            if until_ms < began_ms:
                window["beforeOrEqualTo"] = fields.iso_time(until_ms)
            async for batch in self._list(run, {"createdDatetime": window}):
                yield batch
            from_ms = until_ms
            if from_ms < began_ms:
                yield Batch((), {run.kind.cursor: Progress(None, from_ms, set(run.still_open)).dump(None)})

    async def _list(self, run: _Run, more: Filter, *, is_open: bool = False) -> AsyncIterator[Batch]:
        kind = run.kind
        variables = {**kind.variables, "filter": {**kind.filter, **more}}
        async for page in self._lists.pages(kind.operation, variables, kind.root):
            if records := run.take(page.nodes, is_open=is_open):
                yield Batch(records)

    async def _look_for(self, run: _Run, found: str) -> list[Record]:
        node = await run.kind.detail(found)
        if node is None:
            return [Gone(run.kind.word, found)]
        return run.take([node])

    def note_home(self, found: str, store: Store) -> None:
        if len(self.homes) >= MOST_HOMES:
            self.homes.clear()
        self.homes[found] = store


class _Run:
    """What one run has seen of one kind."""

    def __init__(self, kind: _Kind, store: Store, papers: Papers, progress: Progress) -> None:
        self.kind = kind
        self.progress = progress
        self.seen: set[str] = set()
        self.still_open: set[str] = set()
        self.moments: set[int] = set()
        self._store = store
        self._papers = papers
        self._periods: set[str] = set()

    def take(self, nodes: Iterable[object], *, is_open: bool = False) -> list[Record]:
        """The records of these nodes; each paper once in a run. ``is_open``: they come from the list of open ones."""
        records: list[Record] = []
        for node in nodes:
            raw_id = node.get("id") if isinstance(node, dict) else None
            if isinstance(raw_id, str):
                if raw_id in self.seen:
                    continue
                self.seen.add(raw_id)
                if is_open:
                    self.still_open.add(raw_id)
            try:
                paper = self.kind.make(node)
            except RecordRejected as err:
                records.append(Rejected(err.key, err.why))
                continue
            self._papers.note_home(paper.peer_id, self._store)
            self._note(paper)
            period = mapping.period(node)
            if period is not None and period.peer_id not in self._periods:
                self._periods.add(period.peer_id)
                records.append(period)
            records.append(paper)
        return records

    def _note(self, paper: Paper) -> None:
        if isinstance(paper, Requisition):
            moments = [paper.created_ms, paper.sent_ms, paper.closed_ms]
        else:
            moments = [paper.created_ms, paper.shipped_ms, paper.delivered_ms, paper.received_ms, paper.verified_ms]
        self.moments.update(at for at in moments if at is not None)
