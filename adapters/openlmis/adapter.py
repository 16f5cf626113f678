"""The OpenLMIS integration: check, polling and changes over one signed-in client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from adapters.base import Adapter, CheckStep, Identity, Kit, Layer, Manifest, Outgoing, Receipt, Stream
from adapters.errors import AuthFailed, NotReady, RecordRejected, SettingsInvalid
from adapters.openlmis.outgoing import WRITES, only
from adapters.openlmis.settings import OpenLmisSettings
from adapters.records import Batch

if TYPE_CHECKING:
    from adapters.openlmis.lookups import Scope
    from adapters.openlmis.reading import Run

SKEW_SHOWN_MS = 60_000
SKEW_REFUSED_MS = 24 * 3_600_000


class OpenLmisAdapter(Adapter[OpenLmisSettings]):
    """One account on one OpenLMIS server."""

    manifest = Manifest(
        key="openlmis",
        name="OpenLMIS",
        description="Stock, requisitions, orders and proofs of delivery of an OpenLMIS server, in both directions.",
        category="supply_chain",
        icon="chart-column",
        capabilities=("Consumption tracking", "Stock on hand", "Approval workflows", "Proof of delivery"),
        settings=OpenLmisSettings,
        modes=frozenset({"pull", "send"}),
        is_new=True,
        streams=(
            Stream("programs", "Programmes"),
            Stream("facilities", "Facilities"),
            Stream("periods", "Periods"),
            Stream("items", "Items"),
            Stream("requisitions", "Requisitions"),
            Stream("shipments", "Orders and shipments"),
            Stream("stock", "Stock"),
        ),
        writes=WRITES,
        stale_after_s=3600,
        max_in_flight=2,  # a change need not wait for a long list
        requests_per_minute=1200,
        simulator="adapters.openlmis.simulator:simulate",
    )

    def __init__(self, settings: OpenLmisSettings, kit: Kit) -> None:
        # A card needs the manifest alone: HTTP is loaded with the first adapter that is made.
        from adapters.openlmis.client import OpenLmisClient
        from adapters.openlmis.pull import Pull

        super().__init__(settings, kit)
        self._client = OpenLmisClient(settings, kit)
        self._pull = Pull(self._client, settings, kit)
        self._writes = {write.name: write for write in WRITES}

    # -- check

    async def check(self, step: Callable[[CheckStep], None]) -> Identity:
        """Walk all layers. The identity is the server's address and the account's id on it."""
        from adapters.connect import walk

        address, peer = self._client.address, self._client.peer
        await walk(address, self.kit.tls, step, peer=peer, fingerprint=self.settings.fingerprint)
        version = await self._version()
        account = await self._client.sign_in()
        shown = self.settings.username if self.settings.auth == "user" else "an API key"
        step(CheckStep(Layer.SIGN_IN, ok=True, detail=f"Signed in as {shown}."))
        scope = await self._scope()
        step(CheckStep(Layer.PERMISSION, ok=True, detail=self._what_works(scope)))
        told = f"Reference data service {version}." if version else "The server does not name its version."
        step(CheckStep(Layer.VERSION, ok=True, detail=told))
        step(CheckStep(Layer.CLOCK, ok=True, detail=self._clock()))
        return Identity(
            unique_id=f"openlmis:{address.host}:{address.port}{address.path}#{account}",
            title=f"OpenLMIS at {address.authority} ({_count(len(scope.ours), 'facility', 'facilities')})",
            version=version or None,
        )

    async def _version(self) -> str:
        """The version of the reference data service; "" where it tells none. Raises what a wrong address raises."""
        from adapters.openlmis import fields
        from adapters.openlmis.client import Refused, ServiceDown

        try:
            return fields.text(await self._client.item("/referencedata", signed=False), "version", 40)
        except (Refused, AuthFailed, ServiceDown):
            return ""

    async def _scope(self) -> Scope:
        from adapters.openlmis.client import Refused

        try:
            scope = await self._pull.lookups.scope()
        except Refused as err:
            raise AuthFailed(
                "This account may not read its own rights or the list of programmes. Ask the OpenLMIS administrator "
                "for a user with a role in our facilities."
            ) from err
        if scope.trouble:
            field = "programs" if "programme" in scope.trouble else "facilities"
            raise SettingsInvalid(field, scope.trouble)
        if scope.rights is not None and not scope.rights.names:
            raise AuthFailed(
                "This user has no rights in OpenLMIS. Ask its administrator for a role in our facilities and "
                "programmes."
            )
        return scope

    def _what_works(self, scope: Scope) -> str:
        from adapters.openlmis.rights import what_will_not_work

        followed = (
            f"Follows {_count(len(scope.ours), 'facility', 'facilities')} and "
            f"{_count(len(scope.programs), 'programme', 'programmes')}."
        )
        if scope.rights is None:
            return f"{followed} An API key has no rights of its own: requisitions can be read, not changed."
        lacking = what_will_not_work(scope.rights, ships=self.settings.ship_orders)
        if not lacking:
            return f"{followed} All rights that are needed are there."
        return f"{followed} What will not work: {'; '.join(lacking)}. Ask the OpenLMIS administrator for these rights."

    def _clock(self) -> str:
        skew_ms = self._client.skew_ms
        if abs(skew_ms) >= SKEW_REFUSED_MS:
            raise NotReady(
                f"The clocks of this computer and of the OpenLMIS server differ by {_duration(skew_ms)}. Set the wrong "
                "one right; papers would be taken for old or for future ones."
            )
        if abs(skew_ms) < SKEW_SHOWN_MS:
            return "The server's clock agrees with this computer's."
        side = "ahead of" if skew_ms > 0 else "behind"
        return f"The server's clock is {_duration(skew_ms)} {side} this computer's. Set the wrong one right."

    # -- fetch and send

    async def fetch(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        """One run of polling; see the modules named after the streams for their cursors."""
        async for batch in self._pull.run(cursors):
            yield batch

    async def send(self, outgoing: Outgoing) -> Receipt:
        """One change, as :data:`adapters.openlmis.outgoing.WRITES` describe them."""
        from adapters.openlmis import outgoing_requisitions as requisitions
        from adapters.openlmis import outgoing_shipments as shipments
        from adapters.openlmis.client import Refused

        senders: dict[str, Callable[[Run, Outgoing], Awaitable[Receipt]]] = {
            "requested": requisitions.send_line,
            "approved": requisitions.send_line,
            **dict.fromkeys(requisitions.STEPS, requisitions.send_step),
            "proof": shipments.send_proof,
            "proof_line": shipments.send_proof_line,
            "confirm": shipments.confirm,
            "ship": shipments.ship,
        }
        write = self._writes.get(outgoing.write)
        if write is None:
            raise RecordRejected(outgoing.peer_id, f"OpenLMIS takes no change named “{outgoing.write}”. Cancel it.")
        only(outgoing, write)
        try:
            run = await self._pull.context({})
        except Refused as err:
            raise NotReady(f"What this account may do cannot be read. {err.why}") from err
        return await senders[write.name](run, outgoing)


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _duration(skew_ms: int) -> str:
    seconds = abs(skew_ms) // 1000
    for size, word in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = round(seconds / size)
            return _count(count, word, f"{word}s")
    return f"{seconds} seconds"
