"""One run of polling: new orders page by page, and the optional lists of items and customers (nhlmis.md, A4, C3, C4).

Cursors. ``orders``: ``t:`` and the server's time at the beginning of the last complete reading, or ``m:`` and the
marker that the server gave; it moves only after the last page, so that an interruption reads again, which is harmless:
an order is known by its id. ``orders:again``: ids of orders that could not be read as they were, a JSON list: one bad
order holds up no marker, and is asked for by its id until it is right. ``items`` and ``customers``: ``t:`` and the time
of the last reading.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from adapters.connect import capital
from adapters.errors import BadReply, NotReady, RecordRejected
from adapters.nhlmis import fields, paths
from adapters.nhlmis.client import Forbidden, Missing, NhlmisClient
from adapters.nhlmis.orders import items_of, order_id, people_of, read_customer, read_item, read_order
from adapters.nhlmis.requests import order_request, orders_request, since_text
from adapters.records import Batch, Record, Rejected
from adapters.reporting import json_text
from adapters.supply import Facility, Item, Program, Requisition, StreamRead

AGAIN = "orders:again"
MOST_AGAIN = 20
MOST_PAGES = 10_000
HOUR_MS = 3_600_000
MINUTE_MS = 60_000
_LONGEST_MARKER = 500


@dataclass(slots=True)
class _Again:
    """Orders that cannot be read, to be asked for again; ``told`` are those of earlier runs: nobody is told again."""

    told: frozenset[str]
    ids: dict[str, None] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    nameless: int = 0
    readable: int = 0
    unreadable: int = 0


class Pull:
    """Reads one server."""

    def __init__(self, client: NhlmisClient) -> None:
        self._client = client
        self._profile = client.profile

    async def run(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        """The items first: they tell how large an ordered pack is."""
        at = self._profile.paths
        if at.items and (not self._client.pack_sizes or self._is_due(cursors.get("items", ""))):
            yield await self._whole_list("items", at.items, self._item)
        if at.customers and self._is_due(cursors.get("customers", "")):
            yield await self._whole_list("customers", at.customers, self._customer)
        async for batch in self._orders(cursors):
            yield batch

    # -- orders

    async def _orders(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        since = self._since(cursors.get("orders", ""))
        seen: dict[str, bytes] = {}
        again = await self._read_again(cursors.get(AGAIN, ""))
        if again.records:
            yield Batch(tuple(again.records))
        first: list[str] = []
        marker = ""
        for page in range(MOST_PAGES):
            data, server_ms = await self._page(since, page)
            raws = self._client.list_of(data, self._profile.orders.list_path, "orders.list_path")
            marker = self._marker_of(data) or marker or f"t:{server_ms}"
            ids = [order_id(self._profile, raw) for raw in raws]
            if page == 0:
                first = ids
            elif ids and ids == first:
                raise BadReply(self._first_page_again())
            fresh = [raw for raw, known in zip(raws, ids, strict=True) if self._is_new(seen, known, raw)]
            if fresh:
                yield Batch(self._records(fresh, again))
            if not fresh or self._is_last(len(raws)):
                break
        else:
            raise BadReply(f"{capital(self._client.peer)} sends orders without end. Check “orders” in the profile.")
        if trouble := self._trouble(again):  # they are read again from the same place
            yield Batch((StreamRead("orders", trouble),))
            return
        yield Batch((StreamRead("orders"),), {"orders": marker, AGAIN: json_text(list(again.ids))})

    def _is_last(self, count: int) -> bool:
        """Unless the profile says so, a page that is not full is no end: a server may have a smaller page."""
        orders = self._profile.orders
        return orders.paging == "none" or (orders.short_page_is_last and count < orders.page_size)

    def _first_page_again(self) -> str:
        return (
            f"{capital(self._client.peer)} sends its first page of orders again when asked for the next, so that "
            "orders may be missing. Check “orders.page_param” and “orders.first_page” in the profile. Where the server "
            "sends all at once, set “orders.paging” to “none”; where it repeats its last page, set "
            "“orders.short_page_is_last” to true."
        )

    def _trouble(self, again: _Again) -> str:
        """Why the marker must not move: more orders could not be read than can be asked for one by one."""
        if len(again.ids) <= MOST_AGAIN and not (again.nameless and not again.readable):
            return ""
        count = f"{again.unreadable} of {again.unreadable + again.readable}" if again.readable else "None"
        of_all = "" if again.readable else f" of {again.unreadable}"
        not_read = "could not be read" if again.readable else "could be read"
        return (
            f"{count}{of_all} orders {not_read}: the profile does not fit what is sent. Look at the rejected records, "
            "correct “fields.order” and “fields.order_line”, and read again; no order is passed over."
        )

    async def _read_again(self, cursor: str) -> _Again:
        """Ask once more for the orders that could not be read before; those that are gone are let go."""
        again = _Again(told=frozenset(_ids(cursor)))
        for wanted in sorted(again.told):
            try:
                raw = await self._client.read(order_request(self._client.wire, wanted), "paths.order")
                order = read_order(self._profile, raw, self._client.pack_sizes)
            except (Missing, ValueError):
                continue
            except (BadReply, RecordRejected):
                again.ids[wanted] = None
            else:
                again.records += self._with_others(order, raw)
        return again

    async def _page(self, since: str, page: int) -> tuple[object, int]:
        """One page and the server's time before it was asked for."""
        request = orders_request(self._client.wire, since, page)
        started_ms = self._client.kit.clock.now_ms()
        try:
            data = await self._client.read(request, "paths.orders")
        except Missing:
            if page == 0:
                raise
            data = []  # some servers know no page behind the last
        return data, started_ms + self._client.skew_ms - MINUTE_MS

    def _since(self, cursor: str) -> str:
        if cursor.startswith("m:"):
            return cursor[2:]
        if cursor.startswith("t:") and cursor[2:].isascii() and cursor[2:].isdigit():
            at_ms = int(cursor[2:15]) - self._profile.orders.overlap_min * MINUTE_MS
            return since_text(self._profile, max(at_ms, 0))
        return ""

    def _marker_of(self, data: object) -> str:
        path = self._profile.orders.marker_path
        found = fields.text(paths.read(data, path), _LONGEST_MARKER) if path else ""
        return f"m:{found}" if found else ""

    def _is_new(self, seen: dict[str, bytes], known: str, raw: object) -> bool:
        """Whether this order was not read in this run already, in this very form."""
        digest = sha256(fields.whole(raw).encode("utf-8", "replace")).digest()
        name = known or digest.hex()
        if seen.get(name) == digest:
            return False
        seen[name] = digest
        return True

    def _records(self, raws: Sequence[object], again: _Again) -> list[Record]:
        found: dict[tuple[type, str], Record] = {}
        rejected: list[Record] = []
        for raw in raws:
            try:
                order = read_order(self._profile, raw, self._client.pack_sizes)
            except RecordRejected as err:
                known = order_id(self._profile, raw)
                if known:
                    again.ids[known] = None
                if known not in again.told:
                    rejected.append(Rejected(err.key, err.why, fields.sample(raw)))
                    again.unreadable += 1
                    again.nameless += not known
                continue
            again.readable += 1
            again.ids.pop(order.peer_id, None)
            for record in self._with_others(order, raw):
                found[type(record), str(getattr(record, "peer_id", ""))] = record  # of two in one answer, the later
        return [*found.values(), *rejected]

    def _with_others(self, order: Requisition, raw: object) -> list[Record]:
        """An order, behind what it points at; nothing where it is for a store that takes no orders here."""
        chosen = self._client.settings.store_codes
        if chosen and order.supplier and order.supplier not in chosen:
            return []
        found: list[Record] = []
        if order.program:
            found.append(Program(order.program, order.program[:100], order.program))
        if not self._profile.paths.customers:
            found += people_of(order)
        if not self._profile.paths.items:
            found += items_of(self._profile, order, raw)
        return [*found, order]

    # -- items and customers

    def _is_due(self, cursor: str) -> bool:
        last = int(cursor[2:15]) if cursor.startswith("t:") and cursor[2:15].isdigit() else 0
        return self._client.now_ms() - last >= self._profile.schedule.items_every_h * HOUR_MS

    async def _whole_list(self, stream: str, path: str, read: Callable[[object], Item | Facility]) -> Batch:
        """A list that is sent whole. What is wrong with it is trouble of this stream and stops no orders."""
        started_ms = self._client.now_ms()
        try:
            data = await self._client.read(self._client.wire.get(path, step=stream), f"paths.{stream}")
            raws = self._client.list_of(data, "", f"paths.{stream}")
        except (BadReply, NotReady, Forbidden) as err:  # a line that is down stops the orders behind it by itself
            return Batch((StreamRead(stream, err.why),))
        found: dict[str, Record] = {}
        rejected: list[Record] = []
        for raw in raws:
            try:
                one = read(raw)
                found[one.peer_id] = one
            except RecordRejected as err:
                rejected.append(Rejected(err.key, err.why, fields.sample(raw)))
        return Batch((*found.values(), *rejected, StreamRead(stream)), {stream: f"t:{started_ms}"})

    def _item(self, raw: object) -> Item:
        item = read_item(self._profile, raw)
        if item.attributes is None:
            self._client.pack_sizes[item.code] = item.pack_size
        return item

    def _customer(self, raw: object) -> Facility:
        return read_customer(self._profile, raw)


def _ids(cursor: str) -> list[str]:
    try:
        found = json.loads(cursor or "[]")
    except ValueError:
        return []
    return [one for one in found if isinstance(one, str)][:MOST_AGAIN] if isinstance(found, list) else []
