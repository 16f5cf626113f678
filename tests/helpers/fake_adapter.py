"""An adapter that does what a test tells it, a clock that a test moves, and the parts that the engine stands on."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import SecretStr

from adapters.base import Adapter, CheckStep, Identity, Inlet, Kit, Manifest, Settings, Stream, setting
from adapters.records import Batch, Position, RawFrame
from app.catalogue import Catalogue, Entry


class FakeSettings(Settings):
    label: str = setting("Label", "text", default="")
    token: SecretStr | None = setting("Token", "secret", default=None)
    poll_interval_s: int = setting("Ask every", "number", default=60, ge=1)


@dataclass(slots=True)
class Script:
    """What the fake does next. A list of answers is used up one by one; the last one stays."""

    checks: list[Identity | Exception] = field(default_factory=lambda: [Identity("fake:1", "Fake one", "1.0")])
    fetches: list[Sequence[Batch | Exception] | Exception] = field(default_factory=lambda: [()])
    listen: Callable[[Inlet], Any] | None = None
    cursors_seen: list[dict[str, str]] = field(default_factory=list)
    checked: int = 0
    fetched: int = 0
    listened: int = 0
    cancelled: int = 0
    gate: asyncio.Event | None = None  # a fetch waits here before each batch


def _next(answers: list[Any]) -> Any:
    return answers.pop(0) if len(answers) > 1 else answers[0]


class FakeAdapter(Adapter[FakeSettings]):
    manifest: ClassVar[Manifest]
    script: ClassVar[Script]

    async def check(self, step: Callable[[CheckStep], None]) -> Identity:
        self.script.checked += 1
        answer = _next(self.script.checks)
        if isinstance(answer, Exception):
            raise answer
        identity: Identity = answer
        return identity

    async def fetch(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        self.script.fetched += 1
        self.script.cursors_seen.append(dict(cursors))
        answer = _next(self.script.fetches)
        if isinstance(answer, Exception):
            raise answer
        for batch in answer:
            if self.script.gate is not None:
                await self.script.gate.wait()
            if isinstance(batch, Exception):
                raise batch
            yield batch

    async def listen(self, inlet: Inlet) -> None:
        self.script.listened += 1
        try:
            if self.script.listen is not None:
                await self.script.listen(inlet)
            else:
                inlet.connected("listening on nothing")
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.script.cancelled += 1
            raise


def fake_kind(
    key: str = "fake", *, modes: frozenset[Any] = frozenset({"pull"}), stale_after_s: int = 600
) -> tuple[type[FakeAdapter], Script]:
    """A new kind of integration with a script of its own."""
    manifest = Manifest(
        key=key,
        name="Fake",
        description="A peer that tests script.",
        category="telemetry",
        icon="radar",
        capabilities=("Testing",),
        settings=FakeSettings,
        modes=modes,
        streams=(Stream("positions", "Positions"),),
        stale_after_s=stale_after_s,
    )
    script = Script()
    return type("ScriptedAdapter", (FakeAdapter,), {"manifest": manifest, "script": script}), script


def fake_catalogue(*kinds: type[FakeAdapter]) -> Catalogue:
    entries = [
        Entry(
            key=kind.manifest.key,
            name=kind.manifest.name,
            description=kind.manifest.description,
            category=kind.manifest.category,
            icon=kind.manifest.icon,
            capabilities=kind.manifest.capabilities,
            manifest=kind.manifest,
        )
        for kind in kinds
    ]
    return Catalogue(entries, {kind.manifest.key: kind for kind in kinds})


class FakeHttp:
    """Stands where a kit has its HTTP client; the fake adapter sends nothing."""

    def __init__(self) -> None:
        self.closed = False

    async def aclose(self) -> None:
        self.closed = True


class Kits:
    """Makes kits and remembers their clients, so that a test sees that each was closed."""

    def __init__(self) -> None:
        self.clients: list[FakeHttp] = []

    def __call__(self, integration_id: str, manifest: Manifest, settings: Settings, clock: Any) -> Kit:
        import logging
        import ssl

        client = FakeHttp()
        self.clients.append(client)
        log = logging.getLogger("tests.fake")
        http: Any = client
        return Kit(integration_id, http, ssl.create_default_context(), log, clock)


class LentClock:
    """Time that stands still until a test moves it with :meth:`advance`."""

    def __init__(self, now_ms: int = 1_750_000_000_000) -> None:
        self._now_ms = now_ms
        self._monotonic = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        self._count += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, self._count, future))
        await future

    def set_wall(self, now_ms: int) -> None:
        """Move the date alone, as a person or a time server does."""
        self._now_ms = now_ms

    async def advance(self, seconds: float) -> None:
        """Let time pass, waking sleepers in their order; between two of them everything else settles."""
        await settle()
        until = self._monotonic + seconds
        while True:
            self._sleepers = [item for item in self._sleepers if not item[2].done()]
            heapq.heapify(self._sleepers)
            if not self._sleepers or self._sleepers[0][0] > until:
                break
            due, _, future = heapq.heappop(self._sleepers)
            self._step_to(max(due, self._monotonic))
            future.set_result(None)
            await settle()
        self._step_to(until)
        await settle()

    def _step_to(self, monotonic: float) -> None:
        self._now_ms += round((monotonic - self._monotonic) * 1000)
        self._monotonic = monotonic


async def settle(turns: int = 20) -> None:
    """Let everything that is ready run, the writer thread's answers included."""
    for _ in range(turns):
        await asyncio.sleep(0)
    await asyncio.sleep(0.002)


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait until ``condition`` is true; its value."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not (value := condition()):
        assert loop.time() < deadline, f"not so within {seconds} s: {condition}"
        await asyncio.sleep(0.005)
    return value


def position(device: str, n: int, *, now_ms: int = 1_750_000_000_000) -> Position:
    """The ``n``-th fix of a device, with its frame."""
    raw = RawFrame("fake", n.to_bytes(8, "big") + device.encode(), now_ms, "127.0.0.1:1", device)
    return Position(
        device=device,
        fixed_at_ms=now_ms - 1000 * 60 + n * 10,
        received_at_ms=now_ms,
        lat=9.0 + n / 100_000,
        lon=7.4,
        speed_km_h=30.0,
        course_deg=90.0,
        located=True,
        source="fake",
        serial=n,
        raw=raw,
    )
