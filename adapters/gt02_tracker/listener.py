"""The tracker listener: many connections, one store behind them, replies only for what is stored.

Source: protocol reference, sections 2.6, 5 and 6. One sweeper looks after all deadlines; no timer or task belongs to a
single connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from adapters.base import Clock, Inlet
from adapters.binding import explained, resolve, while_running
from adapters.errors import SettingsInvalid
from adapters.gt02_tracker.connection import Connection
from adapters.gt02_tracker.datagrams import Datagrams
from adapters.gt02_tracker.limits import Limits
from adapters.gt02_tracker.session import Intake
from adapters.records import Batch

_TOLD_LIMIT = 1000  # foreign devices that are told of by name
_BACKLOG = 512  # connections that may wait to be accepted, as after a restart with the whole fleet calling


class Listener:
    """Serves trackers on one address until cancelled. ``port`` is the bound one, 0 until then."""

    def __init__(self, inlet: Inlet, clock: Clock, log: logging.Logger, limits: Limits) -> None:
        self.port = 0
        self.limits = limits
        self.received_bytes = 0
        self._inlet = inlet
        self._clock = clock
        self._log = log
        self._connections: set[Connection] = set()
        self._per_address: Counter[str] = Counter()
        self._newest: dict[str, Connection] = {}  # by device
        self._datagrams: Datagrams | None = None
        self._told: set[str] = set()
        self._no_room = asyncio.Event()
        self._last_commit: asyncio.Future[None] | None = None

    @property
    def connections(self) -> int:
        return len(self._connections)

    async def run(self, host: str, port: int, *, udp: bool) -> None:
        """Listen until cancelled. Raises NotReady or SettingsInvalid where the address cannot be bound."""
        loop = asyncio.get_running_loop()
        try:
            family, address = await resolve(host)
        except SettingsInvalid as err:
            raise while_running(err) from err
        try:
            server = await loop.create_server(lambda: Connection(self), address, port, family=family, backlog=_BACKLOG)
        except OSError as err:
            raise while_running(explained(err, address, port)) from err
        datagram_transport: asyncio.DatagramTransport | None = None
        try:
            self.port = server.sockets[0].getsockname()[1]
            if udp:
                datagram_transport = await self._open_udp(address)
            kinds = "TCP and UDP" if udp else "TCP"
            self._inlet.connected(f"Listening on {address}:{self.port} ({kinds}).")
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._sweep(), name="gt02 sweeper")
                tasks.create_task(self._wait_for_room(), name="gt02 room")
        finally:
            server.close()
            if datagram_transport is not None:
                datagram_transport.close()
            await self._finish()

    async def _open_udp(self, address: str) -> asyncio.DatagramTransport:
        self._datagrams = Datagrams(self)
        datagrams = self._datagrams
        try:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: datagrams, local_addr=(address, self.port)
            )
        except OSError as err:
            raise while_running(explained(err, address, self.port, udp=True)) from err
        return transport

    async def _finish(self) -> None:
        """Let the last commit answer, say goodbye, take in what was under way, then hang up.

        Most trackers never send a fix twice, so what has reached this computer is not thrown away.
        """
        if self._datagrams is not None:
            self._datagrams.resume()
        await self._wait_for_commit()
        for connection in tuple(self._connections):
            connection.say_goodbye()
        await self._wait_until_quiet()
        for connection in tuple(self._connections):
            connection.pause("ending")
            connection.drain()
        await self._wait_for_commit()
        for connection in tuple(self._connections):
            connection.finish()
        await asyncio.sleep(0)  # the loop closes transports in its next turn

    async def _wait_for_commit(self) -> None:
        commit = self._last_commit
        if commit is not None and not commit.done():
            await asyncio.wait([commit], timeout=self.limits.last_commit_s)

    async def _wait_until_quiet(self) -> None:
        """Until every peer has gone or a moment passes in which nothing arrives; not for ever."""
        loop = asyncio.get_running_loop()
        until_s, before, quiet = loop.time() + self.limits.goodbye_s, -1, 0
        while loop.time() < until_s and self._connections and quiet < 2:  # one may be the moment between two reads
            busy = self.received_bytes != before or any(peer.has_waiting for peer in self._connections)
            quiet = 0 if busy else quiet + 1
            before = self.received_bytes
            await asyncio.sleep(self.limits.quiet_s)

    # What connections ask for -------------------------------------------------------------------------------------

    def now(self) -> tuple[int, float]:
        return self._clock.now_ms(), self._clock.monotonic()

    def count(self, counter: str, amount: int = 1) -> None:
        self._inlet.count(counter, amount)

    def admit(self, connection: Connection) -> bool:
        crowd = self._per_address[connection.address] >= self.limits.connections_per_address
        if crowd or (len(self._connections) >= self.limits.connections and not self._make_room()):
            self.count("refused_connections")
            return False
        self._connections.add(connection)
        self._per_address[connection.address] += 1
        if self._no_room.is_set():
            connection.pause("store")
        return True

    def _make_room(self) -> bool:
        """Trackers speak at once: who has not yet, gives way to who may, the oldest first."""
        silent = [connection for connection in self._connections if not connection.session.frames]
        if not silent:
            return False
        oldest = min(silent, key=lambda connection: connection.connected_s)
        oldest.end("silent_connections_replaced")
        self.leave(oldest)
        return True

    def leave(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        self._per_address[connection.address] -= 1
        if not self._per_address[connection.address]:
            del self._per_address[connection.address]
        device = connection.session.device
        if device is not None and self._newest.get(device) is connection:
            del self._newest[device]

    def store(self, intake: Intake, send: Callable[[bytes], None]) -> None:
        stored = self._inlet.deliver(Batch(intake.records))
        self._last_commit = stored
        if intake.reply:
            stored.add_done_callback(lambda done: self._answer(done, intake.reply, send))
        if self._inlet.is_full and not self._no_room.is_set():
            self._pause_all()

    def _answer(self, done: asyncio.Future[None], reply: bytes, send: Callable[[bytes], None]) -> None:
        """Only what is stored is acknowledged: without a reply the tracker keeps its copy and sends it again."""
        if done.cancelled() or done.exception() is not None:
            self.count("withheld_replies")
            send(b"")
        else:
            send(reply)

    def failed(self, peer: str, error: Exception) -> None:
        self.count("internal_errors")
        self._log.error("Bytes of %s met a defect of this program; they were dropped.", peer, exc_info=error)

    def is_news(self, key: str, why: str) -> bool:
        if key in self._told or len(self._told) >= _TOLD_LIMIT:
            return False
        self._told.add(key)
        self._log.warning("%s", why)
        return True

    # Standing work ------------------------------------------------------------------------------------------------

    def _pause_all(self) -> None:
        self._no_room.set()
        for connection in self._connections:
            connection.pause("store")
        if self._datagrams is not None:
            self._datagrams.pause()

    async def _wait_for_room(self) -> None:
        while True:
            await self._no_room.wait()
            self.count("store_pauses")
            await self._inlet.wait_for_room()
            self._no_room.clear()
            for connection in tuple(self._connections):
                connection.continue_after_store()
            if self._datagrams is not None:
                self._datagrams.resume()

    async def _sweep(self) -> None:
        while True:
            await self._clock.sleep(self.limits.sweep_s)
            _, now_s = self.now()
            for connection in tuple(self._connections):
                self._look_after(connection, now_s)
            if self._datagrams is not None:
                self._datagrams.sweep()

    def _look_after(self, connection: Connection, now_s: float) -> None:
        session = connection.session
        if not session.frames:
            if now_s - connection.connected_s >= self.limits.first_frame_s:
                connection.end("connections_without_a_frame")
        elif now_s - connection.last_frame_s >= self.limits.idle_s:
            connection.end("idle_connections")
        if session.device is not None:
            self._note_newest(session.device, connection)
        if connection.swept_bytes > self.limits.bytes_per_sweep:
            self.count("flood_pauses")
            connection.pause("flood")
        else:
            connection.resume("flood")
        connection.swept_bytes = 0
        connection.tick()

    def _note_newest(self, device: str, connection: Connection) -> None:
        """The newest connection of a device is its own; the older one stays until its idle limit."""
        newest = self._newest.get(device)
        if newest is connection:
            return
        if newest is not None:
            if newest.connected_s >= connection.connected_s:
                return
            self.count("second_connections")
        self._newest[device] = connection
