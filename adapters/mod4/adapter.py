"""The Mod4 integration: check, reading, changes and acts, over the platform's database or its web service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING

from adapters.base import Adapter, CheckStep, Identity, Kit, Manifest, Outgoing, Receipt, Stream
from adapters.mod4.settings import Mod4Settings
from adapters.mod4.writes import WRITES
from adapters.records import Batch

if TYPE_CHECKING:
    from adapters.mod4.desk import Desk
    from adapters.mod4.site import Platform


class Mod4Adapter(Adapter[Mod4Settings]):
    """One database role, or one account, in one workspace of the platform."""

    manifest = Manifest(
        key="mod4",
        name="Mod4 Driver System",
        description="Drivers linked by e-mail or one-time code carry out batches and bring back proof of delivery.",
        category="execution",
        icon="truck",
        capabilities=("Driver onboarding", "Batch assignment", "Proof of delivery", "Offline-first operation"),
        settings=Mod4Settings,
        modes=frozenset({"pull", "send"}),
        is_new=True,
        streams=(
            Stream("workspaces", "Workspaces"),
            Stream("drivers", "Drivers"),
            Stream("links", "Linked users"),
            Stream("codes", "One-time codes"),
            Stream("requests", "Onboarding requests"),
            Stream("invitations", "Invitations"),
            Stream("devices", "Drivers' phones"),
            Stream("sessions", "Sessions"),
            Stream("vehicles", "Vehicles"),
            Stream("facilities", "Facilities and warehouses"),
            Stream("batches", "Batches and stops"),
            Stream("papers", "Papers in batches"),
            Stream("runs", "Dispatch runs"),
            Stream("events", "Events of deliveries"),
            Stream("positions", "Positions of phones"),
        ),
        writes=WRITES,
        stale_after_s=0,
        max_in_flight=2,
        requests_per_minute=600,
        simulator="adapters.mod4.simulator:simulate",
        comparison="adapters.mod4.compare:compare",
        actions="adapters.mod4.actions:ACTIONS",
    )

    def __init__(self, settings: Mod4Settings, kit: Kit) -> None:
        # A card needs the manifest alone: the libraries of the ways in are loaded with the first adapter that is made.
        super().__init__(settings, kit)
        from adapters.mod4.desk import Desk
        from adapters.mod4.site import Platform

        self._platform = Platform(settings, kit)
        self._desk = Desk(self._platform)

    @property
    def platform(self) -> Platform:
        """The link with what is known of the database behind it."""
        return self._platform

    @property
    def desk(self) -> Desk:
        """What is done at once and never stored."""
        return self._desk

    async def check(self, step: Callable[[CheckStep], None]) -> Identity:
        """Walk all layers. The identity is the other side's address and the workspace."""
        return await self._platform.check(step)

    async def fetch(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        """One run of reading; see :mod:`adapters.mod4.pull` for the cursors."""
        from adapters.mod4.pull import Pull

        async with aclosing(Pull(self._platform).run(cursors)) as run:  # one that is left ends its connection at once
            async for batch in run:
                yield batch

    async def send(self, outgoing: Outgoing) -> Receipt:
        """One change by the platform's rules; see :mod:`adapters.mod4.send`."""
        from adapters.mod4.send import Writer

        return await Writer(self._platform).send(outgoing)
