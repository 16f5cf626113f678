"""The NHLMIS integration: check, orders in, shipments out; stock reports go through its reporter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

from adapters.base import (
    SHIPMENT_FIELD,
    Adapter,
    CheckStep,
    Identity,
    Kit,
    Layer,
    Manifest,
    Outgoing,
    Receipt,
    Stream,
    Write,
)
from adapters.errors import NotReady
from adapters.nhlmis.settings import NhlmisSettings
from adapters.records import Batch

SKEW_SHOWN_MS = 60_000
SKEW_REFUSED_MS = 24 * 3_600_000

SHIPMENT = Write(
    name="shipment",
    label="Tell NHLMIS what was shipped",
    record="requisition",
    fields=(SHIPMENT_FIELD,),
    effect="NHLMIS shows the order as shipped with these batches and quantities. How it is taken back is not public.",
    switch="profile_approved",
)


class NhlmisAdapter(Adapter[NhlmisSettings]):
    """One organisation's key on one NHLMIS server."""

    manifest = Manifest(
        key="nhlmis",
        name="NHLMIS",
        description="Stock reports, orders and shipments of Nigeria's national health logistics system.",
        category="government",
        icon="building-2",
        capabilities=("Stock reporting", "Requisition sync", "Compliance tracking", "Consumption reports"),
        settings=NhlmisSettings,
        modes=frozenset({"pull", "send"}),
        is_new=True,
        streams=(Stream("orders", "Orders"), Stream("items", "Items"), Stream("customers", "Customers")),
        writes=(SHIPMENT,),
        stale_after_s=0,
        max_in_flight=8,
        requests_per_minute=600,
        simulator="adapters.nhlmis.simulator:simulate",
        reporter="adapters.nhlmis.report:REPORTER",
    )

    def __init__(self, settings: NhlmisSettings, kit: Kit) -> None:
        # A card needs the manifest alone: HTTP and the profile are loaded with the first adapter that is made.
        from adapters.nhlmis.client import NhlmisClient
        from adapters.nhlmis.pull import Pull

        super().__init__(settings, kit)
        self._client = NhlmisClient(settings, kit)
        self._pull = Pull(self._client)

    async def check(self, step: Callable[[CheckStep], None]) -> Identity:
        """Walk the layers as far as a reading call can prove them; what it cannot prove is said."""
        from adapters.connect import walk
        from adapters.nhlmis.requests import orders_request, since_text

        client, address = self._client, self._client.wire.address
        await walk(address, self.kit.tls, step, peer=client.peer, fingerprint=self.settings.fingerprint)
        since = since_text(client.profile, client.now_ms())
        data = await client.read(orders_request(client.wire, since, 0, size=1), "paths.orders")
        client.list_of(data, client.profile.orders.list_path, "orders.list_path")
        step(CheckStep(Layer.SIGN_IN, ok=True, detail="The API key was taken for reading orders."))
        step(CheckStep(Layer.PERMISSION, ok=True, detail=self._permission()))
        step(CheckStep(Layer.VERSION, ok=True, detail=self._version()))
        step(CheckStep(Layer.CLOCK, ok=True, detail=self._clock()))
        organisation = self.settings.organisation
        return Identity(
            unique_id=f"nhlmis:{address.host}:{address.port}{address.path}#{organisation.casefold()}",
            title=f"NHLMIS at {address.authority}" + (f" ({organisation})" if organisation else ""),
        )

    async def fetch(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        """One run of polling; see :mod:`adapters.nhlmis.pull` for the cursors."""
        async for batch in self._pull.run(cursors):
            yield batch

    async def send(self, outgoing: Outgoing) -> Receipt:
        """Tell of one shipment; see :mod:`adapters.nhlmis.shipments`."""
        from adapters.nhlmis.shipments import send_shipment

        return await send_shipment(self._client, outgoing)

    def _permission(self) -> str:
        from adapters.nhlmis.client import is_approved

        sending = (
            "" if is_approved(self.settings, self._client.wire) else " Nothing is sent before a dry run is approved."
        )
        return (
            "Whether the key may send stock and shipments, and for which stores, shows with the first sending: no call "
            f"is known that tells without sending.{sending}"
        )

    def _version(self) -> str:
        profile = self._client.profile
        version = self._client.wire.address.path.rpartition("/")[2]
        served = f"The address asks for “{version}”." if version else "The address names no version."
        return f"{served} NHLMIS publishes no description of it; the profile “{profile.name}” says how it is used."

    def _clock(self) -> str:
        skew_ms = self._client.skew_ms
        if abs(skew_ms) >= SKEW_REFUSED_MS:
            raise NotReady(
                f"The clocks of this computer and of the NHLMIS server differ by {_duration(skew_ms)}. Set the wrong "
                "one right; stock counts would be reported for another day."
            )
        if abs(skew_ms) < SKEW_SHOWN_MS:
            return "The server's clock agrees with this computer's, or it tells none."
        side = "ahead of" if skew_ms > 0 else "behind"
        return f"The server's clock is {_duration(skew_ms)} {side} this computer's. Set the wrong one right."


def _duration(skew_ms: int) -> str:
    seconds = abs(skew_ms) // 1000
    for size, word in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = round(seconds / size)
            return f"{count} {word}{'' if count == 1 else 's'}"
    return f"{seconds} seconds"
