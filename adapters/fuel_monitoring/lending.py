"""Ports that the workbench borrowed from a running integration, and who waits until they are back.

A source that reads a port does this, again and again::

    await lent.wait_until_free(port)
    with lent.on_lent(port, line.close) as holding:
        await line.open()
        …  # read; a NotReady here is no failure when ``holding.was_lent``: wait again

The adapter's own ``lend`` hands its arguments to :meth:`LentPorts.lend`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from adapters.base import Clock
from adapters.fuel_monitoring import ports

CloseLine = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class _Loan:
    until_s: float
    since_ms: int


@dataclass(slots=True)
class Holding:
    """A source that reads a port. ``was_lent``: the port was taken from it, though it may be back by now."""

    name: str
    close: CloseLine
    was_lent: bool = False


class LentPorts:
    """Which ports are lent, until when. Names of one port (path, link, hardware id) count as the same."""

    def __init__(self, clock: Clock, find: ports.Find = ports.system_ports) -> None:
        self._clock = clock
        self._find = find
        self._names: dict[str, str] = {}  # as sources call their ports, to one name per port
        self._loans: dict[str, _Loan] = {}
        self._holders: list[Holding] = []
        self._moved = asyncio.Event()

    async def lend(self, port: str, seconds: float) -> bool:
        """Give a port away for so long, or longer where it is lent already; 0 takes it back.

        Returns whether a source of ours reads this port; then it is closed when this returns.
        """
        name = await self._name_of(port)
        if seconds <= 0:
            return self._take_back(name)
        now_s = self._clock.monotonic()
        loan = self._loans.get(name)
        since_ms = loan.since_ms if loan is not None and loan.until_s > now_s else self._clock.now_ms()
        self._loans[name] = _Loan(now_s + seconds, since_ms)
        self._moved.set()
        holders = [one for one in self._holders if one.name == name]
        for one in holders:
            one.was_lent = True
        await asyncio.gather(*(one.close() for one in holders))
        return bool(holders) or name in self._names.values()

    def is_lent(self, port: str) -> bool:
        """Whether the workbench has it now. Knows the names that were given to :meth:`wait_until_free`."""
        return self._left_s(port) > 0

    def since_ms(self, port: str) -> int | None:
        """Since when it is lent, None where it is not."""
        name = self._names.get(port, port)
        loan = self._loans.get(name)
        return loan.since_ms if loan is not None and self.is_lent(port) else None

    async def wait_until_free(self, port: str) -> None:
        """Return when the port may be opened: it was returned, or its loan was not renewed."""
        self._names[port] = await self._name_of(port)
        while (left_s := self._left_s(port)) > 0:
            self._moved.clear()
            async with asyncio.TaskGroup() as group:
                asleep = group.create_task(self._clock.sleep(left_s))
                moved = group.create_task(self._moved.wait())
                await asyncio.wait({asleep, moved}, return_when=asyncio.FIRST_COMPLETED)
                asleep.cancel()
                moved.cancel()

    @contextmanager
    def on_lent(self, port: str, close: CloseLine) -> Iterator[Holding]:
        """While this is entered, ``close`` is called when the port is lent; it returns when the port is free."""
        holding = Holding(self._names.get(port, port), close)
        self._holders.append(holding)
        try:
            yield holding
        finally:
            self._holders.remove(holding)

    def _take_back(self, name: str) -> bool:
        self._loans.pop(name, None)
        self._moved.set()
        return name in self._names.values()

    def _left_s(self, port: str) -> float:
        loan = self._loans.get(self._names.get(port, port))
        return loan.until_s - self._clock.monotonic() if loan is not None else 0.0

    async def _name_of(self, port: str) -> str:
        listed = await asyncio.to_thread(ports.listed_for, port, self._find)
        return ports.canonical(port, listed)
