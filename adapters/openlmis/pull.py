"""One run of polling: each stream that is due, one after the other; trouble of one never stops the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

from adapters.base import Kit
from adapters.errors import NotReady
from adapters.openlmis import papers, reference
from adapters.openlmis.client import OpenLmisClient, Refused, ServiceDown
from adapters.openlmis.lookups import Lookups
from adapters.openlmis.paging import Pace
from adapters.openlmis.reading import Run
from adapters.openlmis.settings import OpenLmisSettings
from adapters.openlmis.stock import stock
from adapters.records import Batch
from adapters.supply import StreamRead

HOUR_MS = 3_600_000
ReadStream = Callable[[Run], AsyncIterator[Batch]]


class Pull:
    """Polls one server; keeps between runs the page size and what records are joined with."""

    def __init__(self, client: OpenLmisClient, settings: OpenLmisSettings, kit: Kit) -> None:
        self._client = client
        self._settings = settings
        self._kit = kit
        self._pace = Pace(settings.page_size)
        self.lookups = Lookups(client, settings, self._pace, kit.clock)

    async def context(self, cursors: Mapping[str, str]) -> Run:
        """What a run, or a change that is sent, works with."""
        scope = await self.lookups.scope()
        now_ms = self._kit.clock.now_ms()
        return Run(self._client, self._settings, self._kit, self._pace, self.lookups, scope, cursors, now_ms)

    async def run(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        try:
            run = await self.context(cursors)
        except Refused as err:
            raise NotReady(f"What this account may see cannot be read. {err.why}") from err
        if run.scope.trouble:
            yield Batch((StreamRead("facilities", run.scope.trouble),))
        down: ServiceDown | None = None
        served = 0
        for stream, every_ms, read in self._streams():
            if every_ms and not run.is_due(stream, every_ms):
                continue
            try:
                async for batch in read(run):
                    yield batch
                served += 1
            except Refused as err:
                served += 1
                yield Batch((StreamRead(stream, err.why),))
            except ServiceDown as err:
                down = down or err
                yield Batch((StreamRead(stream, err.why),))
        if down is not None and not served:
            raise down

    def _streams(self) -> tuple[tuple[str, int, ReadStream], ...]:
        """Name, interval and reader, in the order in which records point at each other; 0 for at every run."""
        lists_ms = self._settings.reference_every_h * HOUR_MS
        return (
            ("programs", lists_ms, reference.programs),
            ("facilities", lists_ms, reference.facilities),
            ("periods", lists_ms, reference.periods),
            ("items", lists_ms, reference.items),
            ("requisitions", self._settings.requisitions_every_min * 60_000, papers.requisitions),
            ("shipments", 0, papers.shipments),
            ("stock", 0, stock),
        )
