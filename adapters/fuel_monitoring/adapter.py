"""The integration: one port, read for as long as the engine runs, and lent to the workbench when it asks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from adapters.base import Adapter, CheckStep, Identity, Inlet, Layer, Manifest
from adapters.errors import AdapterError, NotReady
from adapters.fuel_monitoring.manifest import MANIFEST
from adapters.fuel_monitoring.settings import FuelSettings

if TYPE_CHECKING:
    from adapters.fuel_monitoring.lending import LentPorts
    from adapters.fuel_monitoring.sources import Source


class FuelMonitoringAdapter(Adapter[FuelSettings]):
    """A card needs the manifest alone: ports and protocols are loaded by who reads."""

    manifest: ClassVar[Manifest] = MANIFEST

    @cached_property
    def _source(self) -> Source:
        """Kept over reconnections, because its line knows the adapter by its serial number."""
        from adapters.fuel_monitoring.sources import make_source

        return make_source(self.settings, self.kit.clock)

    @cached_property
    def _lent(self) -> LentPorts:
        from adapters.fuel_monitoring.lending import LentPorts

        return LentPorts(self.kit.clock)

    async def check(self, step: Callable[[CheckStep], None]) -> Identity:
        """Prove that the port is there, that it opens at its speed, and that somebody speaks as was chosen."""
        import asyncio

        from adapters.fuel_monitoring import ports

        port, source = self.settings.port, self._source
        listed = await asyncio.to_thread(ports.listed_for, port)
        path = ports.locate(port, listed)
        step(CheckStep(Layer.NAME, ok=True, detail=f"The port is {path}."))
        try:
            await source.line.open()
            speed = "reached" if ports.is_url(port) else f"open at {source.line.speed} baud"
            step(CheckStep(Layer.ROUTE, ok=True, detail=f"{path} is {speed}."))
            try:
                detail = await source.prove()
            except AdapterError as err:
                step(CheckStep(Layer.VERSION, ok=False, detail=err.why))
                raise
            step(CheckStep(Layer.VERSION, ok=True, detail=detail))
        finally:
            await self._close(source)
        known_by = ports.id_of(path, listed) or port
        return Identity(unique_id=f"fuel_monitoring:{known_by}", title=f"Fuel sensors at {port}")

    async def listen(self, inlet: Inlet) -> None:
        """Read until cancelled. Raises NotReady, BadReply, SettingsInvalid."""
        from adapters.fuel_monitoring.sources.source import Outlet

        port, source = self.settings.port, self._source
        while True:
            await self._lent.wait_until_free(port)
            with self._lent.on_lent(port, source.line.close) as holding:
                try:
                    await source.line.open()
                    await source.serve(Outlet(inlet, source.line))
                except NotReady:
                    if not holding.was_lent:  # a short loan may be over before the source notices it
                        raise
                finally:
                    await self._close(source)

    async def lend(self, resource: str, seconds: float) -> bool:
        return await self._lent.lend(resource, seconds)

    @staticmethod
    async def _close(source: Source) -> None:
        with contextlib.suppress(AdapterError):
            await source.leave()
        await source.line.close()
