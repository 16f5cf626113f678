"""One run of reading: what is due, stream by stream and store by store, as batches with their cursors.

Cursors are JSON texts that only this package reads:

- ``facilities``, ``programs``, ``items``, ``stock:<store>``: :class:`adapters.msupply.snapshots.Snapshot`
- ``requisitions:<store>``, ``shipments:<store>:<side>``: :class:`adapters.msupply.papers.Progress`

A stream that this account may not read, or that this server answers otherwise than we know, gets its trouble in a
:class:`adapters.supply.StreamRead`; the others go on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

from adapters.base import Kit
from adapters.cursors import load
from adapters.errors import AuthFailed, BadReply, RecordRejected, SettingsInvalid
from adapters.msupply import fields, mapping
from adapters.msupply.client import CutOff, Forbidden, MSupplyClient, ServerFault
from adapters.msupply.mapping import Store
from adapters.msupply.pages import Lists
from adapters.msupply.papers import Papers
from adapters.msupply.settings import MSupplySettings
from adapters.msupply.snapshots import Snapshots
from adapters.records import Batch
from adapters.supply import StreamRead

MINUTE_MS = 60_000
Read = Callable[[Mapping[str, str]], AsyncIterator[Batch]]


class Pull:
    """Reads one server; keeps between runs what would cost a request each time."""

    def __init__(self, client: MSupplyClient, settings: MSupplySettings, kit: Kit) -> None:
        self._client = client
        self._settings = settings
        self._clock = kit.clock
        self._lists = Lists(client, kit.clock, settings.page_size)
        self._snapshots = Snapshots(client, self._lists, settings, kit.clock)
        self.papers = Papers(client, self._lists, settings, self._snapshots.programs)
        self.stores: tuple[Store, ...] = ()
        """Every store of the account."""
        self.followed: tuple[Store, ...] = ()
        """Those of them that are read."""
        self.programs = self._snapshots.programs
        self.homes = self.papers.homes
        """In which store a paper was read, by its id."""

    async def learn_stores(self) -> tuple[Store, ...]:
        """The stores to follow. Raises SettingsInvalid for a code that is none of the account's."""
        data = await self._client.call("Me")
        raw = fields.nodes(fields.nested(data, "me"), "stores")
        if raw is None:
            raise BadReply(f"{self._client.name} does not tell the stores of this account.", repr(data)[:2000])
        try:
            self.stores = tuple(mapping.store(node) for node in raw)
        except RecordRejected as err:
            raise BadReply(f"{self._client.name} describes a store so that it cannot be read. {err.why}") from err
        if not self.stores:
            raise AuthFailed(
                f"{self._client.name} gives this account no store. Ask the mSupply administrator for access to one."
            )
        self.followed = self._choose()
        return self.followed

    def _choose(self) -> tuple[Store, ...]:
        codes = self._settings.store_codes
        if not codes:
            return tuple(store for store in self.stores if not store.is_disabled)
        known = {store.code.casefold(): store for store in self.stores}
        if unknown := [code for code in codes if code.casefold() not in known]:
            offered = ", ".join(sorted(store.code for store in self.stores))
            raise SettingsInvalid(
                "stores", f"This account has no store {', '.join(unknown)}. It has: {offered}. Correct the codes."
            )
        return tuple(known[code.casefold()] for code in codes)

    async def permissions(self, store: Store) -> frozenset[str]:
        """What the account may do in one store, in the server's words."""
        data = await self._client.call("MyPermissions", {"storeId": store.id})
        nodes = fields.nodes(fields.nested(data, "me"), "permissions") or []
        return frozenset(
            name
            for node in nodes
            if isinstance(node, dict) and isinstance(node.get("permissions"), list)
            for name in node["permissions"]
            if isinstance(name, str)
        )

    async def run(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        """One run. Raises what ends all streams: NotReady, AuthFailed, and an answer that did not come whole."""
        await self._client.connect()
        followed = await self.learn_stores()
        catalogue_ms = self._settings.catalogue_every_h * 60 * MINUTE_MS
        async for batch in self._stream(
            "facilities",
            {"facilities": lambda _: self._snapshots.facilities(followed)},
            cursors,
            catalogue_ms,
        ):
            yield batch
        async for batch in self._stream(
            "programs", {"programs": lambda _: self._snapshots.read_programs(followed)}, cursors, catalogue_ms
        ):
            yield batch
        await self._snapshots.know_programs(followed)
        requisitions = {f"requisitions:{store.id}": self.papers.requisitions(store) for store in followed}
        every_ms = self._settings.requisitions_every_min * MINUTE_MS
        async for batch in self._stream("requisitions", requisitions, cursors, every_ms):
            yield batch
        shipments = {
            f"shipments:{store.id}:{side}": self.papers.shipments(store, side)
            for store in followed
            for side in ("outbound", "inbound")
        }
        every_ms = self._settings.shipments_every_min * MINUTE_MS
        async for batch in self._stream("shipments", shipments, cursors, every_ms):
            yield batch
        stock = {f"stock:{store.id}": self._snapshots.stock(store) for store in followed}
        async for batch in self._stream("stock", stock, cursors, self._settings.stock_every_min * MINUTE_MS):
            yield batch
        async for batch in self._stream(
            "items", {"items": lambda c: self._snapshots.items(c, followed)}, cursors, catalogue_ms
        ):
            yield batch

    async def _stream(
        self, stream: str, parts: Mapping[str, Read], cursors: Mapping[str, str], every_ms: int
    ) -> AsyncIterator[Batch]:
        """The parts of one stream that are due, and at the end how it went."""
        troubles: list[str] = []
        was_read = False
        for name, read in parts.items():
            if not self._is_due(cursors.get(name), every_ms):
                continue
            was_read = True
            try:
                async for batch in read(cursors):
                    yield batch
            except CutOff:
                raise  # the line, not this stream
            except (Forbidden, BadReply, ServerFault) as err:
                troubles.append(self._trouble(name, err.why))
        if was_read:
            yield Batch((StreamRead(stream, trouble=" ".join(dict.fromkeys(troubles))),))

    def _is_due(self, cursor: str | None, every_ms: int) -> bool:
        read_ms = fields.integer(load(cursor), "read_ms")
        if read_ms is None:
            return True
        # Half a minute is forgiven: the host's own interval jitters. A clock that went back does not silence a stream.
        since_ms = self._clock.now_ms() - read_ms
        return since_ms < -MINUTE_MS or since_ms >= every_ms - MINUTE_MS // 2

    def _trouble(self, cursor_name: str, why: str) -> str:
        _, _, place = cursor_name.partition(":")
        store = next((store for store in self.stores if place and store.id == place.split(":")[0]), None)
        return f"{why} This concerns the store {store.code}." if store is not None else why
