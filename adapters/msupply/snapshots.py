"""What is read whole: facilities, programmes, items and the stock of a store (msupply.md, section 5).

A complete reading stands between two :class:`adapters.supply.FullRead` marks, so that what did not come can be marked
as gone. Offset paging may skip a record while others are added: a reading whose distinct records do not add up to the
server's own count, before and after, marks nothing.

The first reading of the items may take hours on a thin line: it goes on where it broke off, without marks, and the next
one is complete.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from adapters.base import Clock
from adapters.cursors import dump, load
from adapters.errors import BadReply, RecordRejected
from adapters.msupply import fields, mapping
from adapters.msupply.client import CutOff, Forbidden, MSupplyClient, ServerFault
from adapters.msupply.mapping import Store
from adapters.msupply.pages import Lists, Page
from adapters.msupply.settings import MSupplySettings
from adapters.records import Batch, Record, Rejected
from adapters.supply import FullRead, Kind

DAY_MS = 86_400_000
Make = Callable[[object], Record | None]


class Counted:
    """Whether a reading was complete: every record of it once, as many as the server counts."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.doubles: set[str] = set()
        self._totals: set[int] = set()
        self._nodes = 0
        self._expected = 0

    def page(self, page: Page) -> None:
        self._totals.add(page.total)
        self._nodes += len(page.nodes)
        if page.ends:
            self._expected += page.total

    def next_list(self) -> None:
        """Another store's list begins; its count is its own."""
        self._totals.clear()

    def is_new(self, found: str) -> bool:
        key = hash(found)
        if key in self.seen:
            self.doubles.add(found)
            return False
        self.seen.add(key)
        return True

    @property
    def is_steady(self) -> bool:
        """The count stayed the same from the first page to the last, and as many came."""
        return len(self._totals) <= 1 and self._nodes == self._expected


class Snapshots:
    """Complete readings of one server."""

    def __init__(self, client: MSupplyClient, lists: Lists, settings: MSupplySettings, clock: Clock) -> None:
        self._client = client
        self._lists = lists
        self._settings = settings
        self._clock = clock
        self.programs: dict[str, str] = {}
        """Programmes by name: a requisition names them only."""
        self._monthly: dict[str, tuple[int, dict[str, float]]] = {}
        self._doubles: dict[str, frozenset[str]] = {}

    # -- facilities and programmes

    async def facilities(self, followed: Sequence[Store]) -> AsyncIterator[Batch]:
        """Our stores, and every name that a followed store can deal with."""
        counted, began_ms = Counted(), self._clock.now_ms()
        yield Batch((FullRead("facility", "", "begins"), *(mapping.own_facility(store) for store in followed)))
        for store in followed:
            counted.is_new(store.name_id)
        steady = True
        for store in followed:
            counted.next_list()
            async for page in self._lists.pages("Names", {"storeId": store.id}, "names"):
                counted.page(page)
                yield Batch(self._read(page, "name", mapping.facility, counted, shared=True))
            steady &= counted.is_steady
        yield self._end("facilities", "facility", "", steady, began_ms)

    async def read_programs(self, followed: Sequence[Store]) -> AsyncIterator[Batch]:
        counted, began_ms, steady = Counted(), self._clock.now_ms(), True
        yield Batch((FullRead("program", "", "begins"),))
        for store in followed:
            counted.next_list()
            async for page in self._lists.pages("Programs", {"storeId": store.id}, "programs"):
                counted.page(page)
                self._note_programs(page)
                yield Batch(self._read(page, "programme", mapping.program, counted, shared=True))
            steady &= counted.is_steady
        yield self._end("programs", "program", "", steady, began_ms)

    async def know_programs(self, followed: Sequence[Store]) -> None:
        """Names of programmes after a new start, when they are not due themselves; without them papers say the name."""
        if self.programs:
            return
        self.programs[""] = ""
        for store in followed:
            try:
                async for page in self._lists.pages("Programs", {"storeId": store.id}, "programs"):
                    self._note_programs(page)
            except CutOff:
                raise
            except (Forbidden, BadReply, ServerFault):
                return

    def _note_programs(self, page: Page) -> None:
        for node in page.nodes:
            if isinstance(node, dict) and (found := fields.text(node, "id", fields.LONGEST_ID)):
                self.programs[fields.text(node, "name", 300)] = found

    # -- items

    async def items(self, cursors: Mapping[str, str], followed: Sequence[Store]) -> AsyncIterator[Batch]:
        """The catalogue as the followed stores see it; the cursor's ``offset`` is where the first reading broke off."""
        before = load(cursors.get("items"))
        counted, began_ms, steady = Counted(), self._clock.now_ms(), True
        at_store = fields.integer(before, "at") or 0
        start = fields.integer(before, "offset") or 0
        is_first = "read_ms" not in before
        is_resumed = is_first and (start > 0 or at_store > 0)
        if not is_resumed:
            at_store = start = 0
            yield Batch((FullRead("item", "", "begins"),))
        wanted = {"isActive": True, "isVisibleOrOnHand": True}
        for index, store in enumerate(followed):
            if index < at_store:
                continue
            counted.next_list()
            variables = {"storeId": store.id, "filter": wanted}
            async for page in self._lists.pages("Items", variables, "items", start):
                counted.page(page)
                records = self._read(page, "item", mapping.item, counted, shared=True)
                reached = dump(at=index, offset=page.offset + len(page.nodes))
                yield Batch(records, {"items": reached} if is_first else {})
            steady &= counted.is_steady
            start = 0
        if is_resumed:
            yield Batch((), {"items": dump(read_ms=began_ms)})
        else:
            yield self._end("items", "item", "", steady, began_ms)

    # -- stock

    def stock(self, store: Store) -> Callable[[Mapping[str, str]], AsyncIterator[Batch]]:
        """All stock of one store that holds anything."""

        async def read(_cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
            counted, began_ms = Counted(), self._clock.now_ms()
            monthly = await self._monthly_units(store)
            yield Batch((FullRead("stock_line", store.name_id, "begins"),))

            def make(raw: object) -> Record:
                return mapping.stock_line(raw, store, monthly)

            variables = {"storeId": store.id, "filter": {"hasPacksInStore": True}}
            async for page in self._lists.pages("StockLines", variables, "stockLines"):
                counted.page(page)
                yield Batch(self._read(page, "stock line", make, counted))
            name = f"stock:{store.id}"
            steady = counted.is_steady and self._doubles_are_the_servers(name, counted)
            yield self._end(name, "stock_line", store.name_id, steady, began_ms)

        return read

    async def _monthly_units(self, store: Store) -> Mapping[str, float]:
        """Average monthly consumption by item, asked for once a day and after each start; {} where it is refused."""
        if not self._settings.consumption:
            return {}
        read_ms, known = self._monthly.get(store.id, (0, {}))
        if 0 <= self._clock.now_ms() - read_ms < DAY_MS:
            return known
        found: dict[str, float] = {}
        variables = {"storeId": store.id, "filter": {"hasStockOnHand": True}}
        try:
            async for page in self._lists.pages("ItemsWithStats", variables, "items"):
                for node in page.nodes:
                    try:
                        told = mapping.monthly_units(node)
                    except RecordRejected:
                        continue  # the reading of the items tells of it
                    if told is not None:
                        found[told[0]] = told[1]
        except CutOff:
            raise
        except (Forbidden, BadReply, ServerFault):
            return known
        self._monthly[store.id] = (self._clock.now_ms(), found)
        return found

    # -- common

    def _read(self, page: Page, what: str, make: Make, counted: Counted, *, shared: bool = False) -> list[Record]:
        """The records of a page. ``shared``: several stores list the same ones, so that a second time is no fault."""
        records: list[Record] = []
        for node in page.nodes:
            found = node.get("id") if isinstance(node, dict) else None
            if isinstance(found, str) and not counted.is_new(found):
                if not shared:
                    records.append(Rejected(fields.key_of(node, what), _TWICE))
                continue
            try:
                record = make(node)
            except RecordRejected as err:
                records.append(Rejected(err.key, err.why))
                continue
            if record is not None:
                records.append(record)
        return records

    def _doubles_are_the_servers(self, name: str, counted: Counted) -> bool:
        """None came twice; or the same ones as last time, which is then the server's fault and not one of paging."""
        doubles = frozenset(counted.doubles)
        same = self._doubles.get(name) == doubles
        self._doubles[name] = doubles
        return not doubles or same

    def _end(self, name: str, kind: Kind, scope: str, steady: bool, began_ms: int) -> Batch:
        ends = (FullRead(kind, scope, "ends"),) if steady else ()
        # An unsteady reading is repeated at the next run, not after a whole interval: it left the gone ones standing.
        return Batch(ends, {name: dump(read_ms=began_ms)} if steady else {})


_TWICE = "mSupply sent it twice in one list; the first is kept. Ask its administrator if this lasts."
