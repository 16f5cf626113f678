"""The Traccar integration: check, polling and the live socket over one signed-in client."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable, Mapping

from adapters.base import Adapter, CheckStep, Identity, Inlet, Kit, Layer, Manifest, Stream
from adapters.errors import AdapterError, AuthFailed, NotReady, Unsupported
from adapters.records import Batch
from adapters.traccar.fields import iso_time
from adapters.traccar.settings import TraccarSettings

OLDEST = (5, 12)  # the oldest release that the reference was read from
SOCKET_TOKEN_SINCE = (6, 2)
SKEW_SHOWN_MS = 60_000
SKEW_REFUSED_MS = 24 * 3_600_000
TOKEN_WARNING_MS = 7 * 24 * 3_600_000


class TraccarAdapter(Adapter[TraccarSettings]):
    """One account on one Traccar server."""

    manifest = Manifest(
        key="traccar",
        name="Traccar GPS Server",
        description="Vehicles of a Traccar server, live and with their history, whatever tracker they carry.",
        category="telemetry",
        icon="radar",
        capabilities=("Real-time GPS tracking", "Geofencing", "Speed monitoring", "Multi-device support"),
        settings=TraccarSettings,
        modes=frozenset({"pull", "listen"}),
        is_new=True,
        streams=(
            Stream("devices", "Devices"),
            Stream("geofences", "Geofences"),
            Stream("positions", "Positions"),
            Stream("events", "Events"),
        ),
        max_in_flight=1,
        requests_per_minute=600,
        simulator="adapters.traccar.simulator:simulate",
    )

    def __init__(self, settings: TraccarSettings, kit: Kit) -> None:
        # A card needs the manifest alone: HTTP and WebSocket are loaded with the first adapter that is made.
        from adapters.traccar.client import TraccarClient
        from adapters.traccar.fleet import Fleet
        from adapters.traccar.live import Live
        from adapters.traccar.pull import Pull

        super().__init__(settings, kit)
        self._client = TraccarClient(settings, kit)
        self._fleet = Fleet()
        self._pull = Pull(self._client, self._fleet, settings)
        self._live = Live(self._client, self._fleet, settings, kit)

    async def check(self, step: Callable[[CheckStep], None]) -> Identity:
        """Walk all layers. The identity is the server's address and the account's number on it."""
        from adapters.connect import walk

        address, peer = self._client.address, self._client.peer
        await walk(address, self.kit.tls, step, peer=peer, fingerprint=self.settings.fingerprint)
        server = await self._client.item("/server", signed=False)
        try:
            account = await self._client.sign_in()
            step(CheckStep(Layer.SIGN_IN, ok=True, detail=f"Signed in as {account}.{self._token_end()}"))
            devices = await self._visible_devices()
            step(CheckStep(Layer.PERMISSION, ok=True, detail=_visible(devices)))
        finally:
            with contextlib.suppress(AdapterError):
                await self._client.sign_out()
        version = str(server.get("version") or "")[:40]
        step(CheckStep(Layer.VERSION, ok=True, detail=self._version(version)))
        step(CheckStep(Layer.CLOCK, ok=True, detail=self._clock()))
        return Identity(
            unique_id=f"traccar:{address.host}:{address.port}{address.path}#{account}",
            title=f"Traccar at {address.authority} ({devices} vehicles)",
            version=version or None,
        )

    async def fetch(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        """One run of polling; see :mod:`adapters.traccar.pull` for the cursors."""
        completed = False
        try:
            async for batch in self._pull.run(cursors, self.kit.clock.now_ms(), self._live.since_ms):
                yield batch
            completed = True
        finally:
            if not completed:  # what was noted as delivered may not be stored
                self._fleet.forget_delivered()

    async def listen(self, inlet: Inlet) -> None:
        """Receive live updates; where there can be none, wait: polling carries everything."""
        if self.settings.live and await self._socket_takes_sign_in():
            await self._live.run(inlet)
        why = "this server takes no token for live updates" if self.settings.live else "live updates are switched off"
        inlet.connected(f"Positions come by polling: {why}.")
        await asyncio.Event().wait()

    async def _socket_takes_sign_in(self) -> bool:
        if self.settings.auth != "token":
            return True
        server = await self._client.item("/server", signed=False)
        version = parse_version(str(server.get("version") or ""))
        return version is None or version >= SOCKET_TOKEN_SINCE

    async def _visible_devices(self) -> int:
        from adapters.traccar.client import Refused

        try:
            return len(await self._client.all_items("/devices"))
        except Refused as err:
            raise AuthFailed(
                "This account may not read the list of devices. Ask the Traccar administrator to link the devices or "
                "their group to the user."
            ) from err

    def _token_end(self) -> str:
        from adapters.traccar.client import token_facts

        token = self.settings.token
        facts = token_facts(token.get_secret_value()) if token and self.settings.auth == "token" else None
        if facts is None or facts.ends_at_ms is None:
            return ""
        soon = facts.ends_at_ms - self._client.now_ms() < TOKEN_WARNING_MS
        warning = " That is soon: make one that lasts longer." if soon else ""
        return f" The token ends on {iso_time(facts.ends_at_ms)[:10]}.{warning}"

    def _version(self, text: str) -> str:
        version = parse_version(text)
        if version is None:
            return "The server does not name its version."
        if version < OLDEST:
            raise Unsupported(f"Traccar {text} is too old. Upgrade the server to {OLDEST[0]}.{OLDEST[1]} or newer.")
        if self.settings.auth == "token" and version < SOCKET_TOKEN_SINCE:
            return f"Traccar {text}. Live updates with a token need 6.2; positions come by polling."
        return f"Traccar {text}."

    def _clock(self) -> str:
        skew_ms = self._client.skew_ms
        if abs(skew_ms) >= SKEW_REFUSED_MS:
            raise NotReady(
                f"The clocks of this computer and of the Traccar server differ by {_duration(skew_ms)}. Set the wrong "
                "one right; positions would be taken for old or for future ones."
            )
        if abs(skew_ms) < SKEW_SHOWN_MS:
            return "The server's clock agrees with this computer's."
        side = "ahead of" if skew_ms > 0 else "behind"
        return f"The server's clock is {_duration(skew_ms)} {side} this computer's. Set the wrong one right."


def parse_version(text: str) -> tuple[int, int] | None:
    """Major and minor of “6.14.5” or “6.14-SNAPSHOT”."""
    match = re.match(r"(\d{1,4})\.(\d{1,4})", text)
    return (int(match[1]), int(match[2])) if match else None


def _visible(devices: int) -> str:
    if devices:
        return f"{devices} device{'' if devices == 1 else 's'} visible."
    return "No device is visible: link devices or a group to this user in Traccar, or nothing will arrive."


def _duration(skew_ms: int) -> str:
    seconds = abs(skew_ms) // 1000
    for size, word in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = round(seconds / size)
            return f"{count} {word}{'' if count == 1 else 's'}"
    return f"{seconds} seconds"
