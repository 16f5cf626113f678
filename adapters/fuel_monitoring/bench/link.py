"""Requests and answers over a line: retries, counters, rest for the silent (fuel-sensors.md 9)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

from adapters.bench import Counters
from adapters.errors import NotReady
from adapters.fuel_monitoring.bench.turns import ACT, Turns
from adapters.fuel_monitoring.port import SerialLine
from adapters.fuel_monitoring.ports import is_url

TRIES: Final = 3
RETRY_PAUSE_S: Final = 0.02
ANSWER_S: Final = 0.25
NETWORK_S: Final = 0.5
"""More patience behind a serial server on the network."""
REST_S: Final = 10.0
_QUIET_S: Final = 0.004
_BITS: Final = 10

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Ear(Protocol[T_co]):
    """Finds the answer to one request in what comes; ``is_garbled`` and ``is_foreign`` say what came instead."""

    @property
    def is_garbled(self) -> bool: ...

    @property
    def is_foreign(self) -> bool: ...

    def hear(self, data: bytes) -> T_co | None: ...

    def end(self) -> T_co | None:
        """Nothing more will come: what is complete by that."""
        ...


class NoAnswer(NotReady):
    """A sensor did not answer. ``is_garbled``: something came, but not whole."""

    def __init__(self, why: str, *, is_garbled: bool) -> None:
        super().__init__(why)
        self.is_garbled = is_garbled


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to ``address`` and how long its answer may take beyond the bytes themselves."""

    address: int
    request: bytes
    answer_bytes: int
    tries: int = TRIES
    rank: int = ACT
    speed: int | None = None
    patience_s: float = ANSWER_S

    @property
    def is_probe(self) -> bool:
        """One try, as a search makes it: its failure says nothing of a sensor."""
        return self.tries == 1


class Link:
    """One line, one request in flight. ``on_stale`` gets what came while nobody had asked."""

    def __init__(self, line: SerialLine, on_stale: Callable[[bytes], None]) -> None:
        self.line = line
        self.speed = line.speed
        self._on_stale = on_stale
        self._turns = Turns()
        self._counters: dict[int, Counters] = {}
        self._resting: dict[int, tuple[float, str]] = {}
        self._heard_s = 0.0

    def counters(self) -> Mapping[int, Counters]:
        return dict(self._counters)

    def rests(self, address: int) -> str:
        """Why a silent sensor is not polled now, "" when it may be."""
        until_s, why = self._resting.get(address, (0.0, ""))
        left_s = until_s - time.monotonic()
        return f"{why} It is asked again in {left_s:.0f} s." if left_s > 0 else ""

    @asynccontextmanager
    async def turn(self, rank: int, speed: int | None = None) -> AsyncIterator[None]:
        """The bus for oneself, at one's own speed."""
        async with self._turns.take(rank):
            await self.line.set_speed(speed or self.speed)
            yield

    async def ask(self, ask: Ask, ear: Callable[[], Ear[T]]) -> T:
        """The answer. Raises NoAnswer after all tries, NotReady when the port is gone."""
        is_garbled = False
        async with self.turn(ask.rank, ask.speed):
            for number in range(ask.tries):
                if number:
                    await asyncio.sleep(RETRY_PAUSE_S)
                one = ear()
                answer = await self._exchange(ask, one)
                if answer is not None:
                    self._count(ask.address, sent=1, good=1)
                    self._resting.pop(ask.address, None)
                    return answer
                is_garbled |= one.is_garbled
                if not ask.is_probe:
                    self._count_failure(ask.address, one)
        raise self._silence(ask, is_garbled=is_garbled)

    async def listen(self, seconds: float, rank: int = ACT, speed: int | None = None) -> bytes:
        """What comes by itself."""
        async with self.turn(rank, speed):
            return await self._collect(seconds)

    async def collect(self, request: bytes, seconds: float) -> bytes:
        """Everything that comes in so much time after a request, for answers of unknown length."""
        async with self.turn(ACT):
            await self._send(request)
            return await self._collect(seconds)

    def answer_s(self, ask: Ask) -> float:
        """How long an answer is waited for: thinking, and the bytes of both ways at this speed."""
        network_s = NETWORK_S if is_url(self.line.port) else 0.0
        bytes_s = (len(ask.request) + ask.answer_bytes) * _BITS / (ask.speed or self.speed)
        return ask.patience_s + network_s + bytes_s

    async def _exchange(self, ask: Ask, ear: Ear[T]) -> T | None:
        await self._send(ask.request)
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + self.answer_s(ask)
        while (left_s := ends_s - loop.time()) > 0:
            data = await self.line.read(left_s)
            self._heard_s = time.monotonic()
            answer = ear.hear(data) if data else None
            if answer is not None:
                return answer
        return ear.end()

    async def _send(self, request: bytes) -> None:
        """After a short silence, so that nobody takes it for the tail of something else."""
        quiet_s = self._heard_s + max(_QUIET_S, 3.5 * _BITS / self.line.speed) - time.monotonic()
        if quiet_s > 0:
            await asyncio.sleep(quiet_s)
        stale = self.line.take()
        if stale:
            self._on_stale(stale)
        await self.line.write(request)

    async def _collect(self, seconds: float) -> bytes:
        loop = asyncio.get_running_loop()
        ends_s, heard = loop.time() + seconds, bytearray()
        while (left_s := ends_s - loop.time()) > 0:
            heard += await self.line.read(left_s)
        self._heard_s = time.monotonic()
        return bytes(heard)

    def _silence(self, ask: Ask, *, is_garbled: bool) -> NoAnswer:
        if is_garbled:
            why = (
                f"What sensor {ask.address} answers is garbled: two sensors may have this address, or the line is "
                "disturbed. Leave one sensor on the line and try again."
            )
        else:
            why = (
                f"Sensor {ask.address} does not answer. Check its power, the speed and the wires A and B, and search "
                "for its address."
            )
        if not ask.is_probe:
            self._resting[ask.address] = (time.monotonic() + REST_S, why)
        return NoAnswer(why, is_garbled=is_garbled)

    def _count_failure(self, address: int, ear: Ear[T]) -> None:
        if ear.is_garbled:
            self._count(address, sent=1, checksum_errors=1)
        elif ear.is_foreign:
            self._count(address, sent=1, wrong_address=1)
        else:
            self._count(address, sent=1, timeouts=1)

    def _count(self, address: int, **more: int) -> None:
        now = self._counters.get(address, Counters())
        self._counters[address] = replace(now, **{name: getattr(now, name) + n for name, n in more.items()})
