"""GT02 and GT06 trackers that report to a port of this computer.

Trackers connect to the listener, which recognises the protocol of every frame, hands over what it says, and answers
once it is stored (docs/integrations/gt02_tracker.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from adapters.base import Adapter, CheckStep, Identity, Inlet, Layer, Manifest, Settings, setting

DEFAULT_PORT = 5022


class Gt02Settings(Settings):
    """Where to listen. Port 0 takes a free one."""

    host: str = setting(
        "Listen on address",
        "host",
        default="0.0.0.0",  # noqa: S104 - trackers come from the mobile network, so all addresses are the right default
        help="0.0.0.0 listens on all addresses of this computer; give one of them to listen there alone.",
        example="192.168.1.20",
        min_length=1,
        max_length=253,
    )
    port: int = setting(
        "Port",
        "port",
        default=DEFAULT_PORT,
        help="Trackers must be able to reach this port from the mobile network; open it in the router and firewall.",
        example="5022",
        ge=0,
        le=65535,
    )
    udp: bool = setting(
        "Also accept UDP",
        "switch",
        default=False,
        help="For trackers that are set to UDP. It uses the same port number. TCP loses less.",
    )
    idle_minutes: int = setting(
        "Close a silent connection after",
        "number",
        default=20,
        help="Mobile links often die without a word. Keep this above three heartbeat periods of your trackers.",
        unit="min",
        ge=15,
        le=30,
    )


class Gt02Adapter(Adapter[Gt02Settings]):
    """Listens; there is no peer to ask, so a check proves that the address can be bound."""

    manifest: ClassVar[Manifest] = Manifest(
        key="gt02_tracker",
        name="GT02 GPS Tracker",
        description="Low-cost cellular trackers of the GT02 and GT06 families report to this computer over TCP or UDP.",
        category="telemetry",
        icon="map-pin",
        capabilities=("GPS coordinates", "Speed & heading", "Heartbeat monitoring", "Connection backup"),
        settings=Gt02Settings,
        modes=frozenset({"listen"}),
        stale_after_s=15 * 60,
        decoders="adapters.gt02_tracker.decoders:DECODERS",
        simulator="adapters.gt02_tracker.simulator:simulate",
        explainer="adapters.gt02_tracker.explain:explain",
    )

    async def check(self, step: Callable[[CheckStep], None]) -> Identity:
        """Prove that the address is ours and the port free. A port held by our own engine counts as taken."""
        from adapters.binding import resolve, try_binding

        host, port, udp = self.settings.host, self.settings.port, self.settings.udp
        family, address = await resolve(host)
        step(CheckStep(Layer.NAME, ok=True, detail=f"Trackers are listened for on {address}."))
        try_binding(family, address, port, udp=udp)
        kinds = "TCP and UDP" if udp else "TCP"
        step(CheckStep(Layer.ROUTE, ok=True, detail=f"Port {port} is free for {kinds}."))
        return Identity(unique_id=f"gt02_tracker:{address}:{port}", title=f"Trackers on port {port}")

    async def listen(self, inlet: Inlet) -> None:
        """Serve trackers until cancelled. Raises NotReady or SettingsInvalid where the address cannot be bound."""
        # A card needs the manifest alone: the protocols are loaded by who listens.
        from adapters.gt02_tracker.limits import Limits
        from adapters.gt02_tracker.listener import Listener

        limits = Limits(idle_s=self.settings.idle_minutes * 60.0)
        self.listener = Listener(inlet, self.kit.clock, self.kit.log, limits)
        await self.listener.run(self.settings.host, self.settings.port, udp=self.settings.udp)
