"""The mSupply integration: check, reading and writing over one signed-in client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING

from adapters.base import Adapter, CheckStep, Identity, Kit, Layer, Manifest, Outgoing, Receipt, Stream
from adapters.errors import NotReady, RecordRejected, Unsupported
from adapters.msupply.settings import MSupplySettings
from adapters.msupply.writes import WRITES
from adapters.records import Batch

if TYPE_CHECKING:
    from adapters.msupply.client import MSupplyClient
    from adapters.msupply.legacy import Legacy
    from adapters.msupply.mapping import Store

SKEW_SHOWN_MS = 60_000
SKEW_REFUSED_MS = 24 * 3_600_000
READS = {
    "STOCK_LINE_QUERY": "stock",
    "REQUISITION_QUERY": "requisitions",
    "OUTBOUND_SHIPMENT_QUERY": "outbound shipments",
    "INBOUND_SHIPMENT_QUERY": "inbound shipments",
}
CHANGES = {
    "REQUISITION_MUTATE": "requisitions",
    "REQUISITION_SEND": "sending requests",
    "OUTBOUND_SHIPMENT_MUTATE": "outbound shipments",
}


class MSupplyAdapter(Adapter[MSupplySettings]):
    """One account on one mSupply server."""

    manifest = Manifest(
        key="msupply",
        name="mSupply",
        description="Stock, requisitions and shipments of an mSupply server, next to the vehicles that carry them.",
        category="supply_chain",
        icon="package",
        capabilities=("Stock synchronization", "Requisition management", "Shipment tracking", "Item catalog sync"),
        settings=MSupplySettings,
        modes=frozenset({"pull", "send"}),
        is_new=True,
        streams=(
            Stream("facilities", "Facilities"),
            Stream("programs", "Programmes"),
            Stream("items", "Items"),
            Stream("stock", "Stock"),
            Stream("requisitions", "Requisitions"),
            Stream("shipments", "Shipments"),
        ),
        writes=WRITES,
        stale_after_s=3 * 3600,
        max_in_flight=1,
        requests_per_minute=600,
        simulator="adapters.msupply.simulator:simulate",
        comparison="adapters.msupply.compare:compare",
    )

    def __init__(self, settings: MSupplySettings, kit: Kit) -> None:
        # A card needs the manifest alone: HTTP and GraphQL are loaded with the first adapter that is made.
        super().__init__(settings, kit)
        self._legacy: Legacy | None = None
        if settings.api == "4d":
            from adapters.msupply.legacy import Legacy

            self._legacy = Legacy(settings, kit)
            return
        from adapters.msupply.client import MSupplyClient
        from adapters.msupply.pull import Pull
        from adapters.msupply.send import Writer

        self._client = MSupplyClient(settings, kit)
        self._pull = Pull(self._client, settings, kit)
        self._writer = Writer(self._client, self._pull, settings)

    @property
    def client(self) -> MSupplyClient:
        """The calls of this adapter. Raises Unsupported for the older product, which has none."""
        if self._legacy is not None:
            raise Unsupported("The older mSupply has no GraphQL interface to compare with. Choose open mSupply.")
        return self._client

    async def check(self, step: Callable[[CheckStep], None]) -> Identity:
        """Walk all layers. The identity is the server's address and the account on it."""
        from adapters.connect import walk

        if self._legacy is not None:
            return await self._legacy.check(step)
        client, settings = self._client, self.settings
        await walk(client.address, self.kit.tls, step, peer=client.peer, fingerprint=settings.fingerprint)
        await client.connect()
        await client.sign_in()
        step(CheckStep(Layer.SIGN_IN, ok=True, detail=f"Signed in as {settings.username}."))
        followed = await self._pull.learn_stores()
        for store in followed:
            step(CheckStep(Layer.PERMISSION, ok=True, detail=await self._permissions(store)))
        step(CheckStep(Layer.VERSION, ok=True, detail=self._version()))
        step(CheckStep(Layer.CLOCK, ok=True, detail=self._clock()))
        address = client.address
        site = client.site or address.authority
        return Identity(
            unique_id=f"msupply:{address.host}:{address.port}{address.path}#{settings.username.casefold()}",
            title=f"mSupply {site} ({', '.join(store.code for store in followed[:5])})",
        )

    async def fetch(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        """One run of reading; see :mod:`adapters.msupply.pull` for the cursors."""
        run = self._legacy.fetch(cursors) if self._legacy is not None else self._pull.run(cursors)
        async for batch in run:
            yield batch

    async def send(self, outgoing: Outgoing) -> Receipt:
        """One change of a requisition, a line of it or a shipment; see :mod:`adapters.msupply.send`."""
        if self._legacy is not None:
            raise RecordRejected(outgoing.peer_id, "The older mSupply is only read. Make the change in mSupply itself.")
        return await self._writer.send(outgoing)

    async def _permissions(self, store: Store) -> str:
        """What the account may do in one store, in a sentence; what it lacks, with what to ask for."""
        held = await self._pull.permissions(store)
        may = [word for name, word in READS.items() if name in held]
        lacks = [name for name in READS if name not in held]
        changes = [word for name, word in CHANGES.items() if name in held]
        text = f"{store.code} {store.name}: reads {', '.join(['items', 'facilities', *may])}"
        text += f"; changes {', '.join(changes)}." if changes else "; changes nothing."
        if lacks:
            text += f" Lacks {', '.join(lacks)}: ask the mSupply administrator where they are wanted."
        return text

    def _version(self) -> str:
        missing = self._client.dialect.missing
        if not missing:
            return "The server offers everything that this console asks for."
        calls = ("Queries.invoices(type)", "InvoiceNode.receivedDatetime")
        told = [name for name in calls if name in missing]
        rest = len(missing) - len(told)
        more = f" and {rest} more" if told and rest else f"{rest} fields" if rest else ""
        return (
            f"The server is of another version and lacks {', '.join(told)}{more}; what depends on them is left out. "
            "“integrations compare” lists the differences."
        )

    def _clock(self) -> str:
        skew_ms = self._client.skew_ms
        if abs(skew_ms) >= SKEW_REFUSED_MS:
            raise NotReady(
                f"The clocks of this computer and of the mSupply server differ by {_duration(skew_ms)}. Set the wrong "
                "one right; shipments would be dated wrongly."
            )
        if abs(skew_ms) < SKEW_SHOWN_MS:
            return "The server's clock agrees with this computer's."
        side = "ahead of" if skew_ms > 0 else "behind"
        return f"The server's clock is {_duration(skew_ms)} {side} this computer's. Set the wrong one right."


def _duration(skew_ms: int) -> str:
    seconds = abs(skew_ms) // 1000
    for size, word in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = round(seconds / size)
            return f"{count} {word}{'' if count == 1 else 's'}"
    return f"{seconds} seconds"
