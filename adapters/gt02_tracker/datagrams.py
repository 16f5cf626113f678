"""Trackers over UDP: each datagram is a whole; the sender's address stands for the connection."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import cast

from adapters.gt02_tracker.connection import peer_text
from adapters.gt02_tracker.hall import Hall
from adapters.gt02_tracker.session import Session

Address = tuple[str, int]


class Datagrams(asyncio.DatagramProtocol):
    """Sessions keyed by sender; they expire, and mobile networks change them at will.

    While the store has no room, datagrams wait in a bounded queue; what does not fit is dropped and counted, as UDP
    has no way to make a sender wait.
    """

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._sessions: OrderedDict[Address, tuple[Session, float]] = OrderedDict()  # oldest use first
        self._waiting: deque[tuple[bytes, Address]] = deque()
        self._paused = False
        self._transport: asyncio.DatagramTransport | None = None

    @property
    def sessions(self) -> int:
        return len(self._sessions)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        address = (str(addr[0]), int(addr[1]))
        if not self._paused:
            self._take(data, address)
        elif len(self._waiting) < self._hall.limits.udp_waiting:
            self._waiting.append((data, address))
        else:
            self._hall.count("dropped_datagrams")

    def error_received(self, exc: Exception) -> None:
        """A reply could not be delivered (ICMP): the tracker has moved on."""
        del exc
        self._hall.count("undelivered_replies")

    def pause(self) -> None:
        self._paused = True

    def resume(self) -> None:
        """Work through what waited, unless that fills the store again."""
        self._paused = False
        while self._waiting and not self._paused:
            self._take(*self._waiting.popleft())

    def sweep(self) -> None:
        """Forget senders that were silent for long."""
        _, now_s = self._hall.now()
        while self._sessions:
            address, (_, used_s) = next(iter(self._sessions.items()))
            if now_s - used_s < self._hall.limits.udp_idle_s:
                return
            del self._sessions[address]

    def _take(self, data: bytes, address: Address) -> None:
        now_ms, now_s = self._hall.now()
        known = self._sessions.get(address)
        session = known[0] if known is not None else Session(peer_text(address), self._hall)
        try:
            intake = session.receive_datagram(data, now_ms)
        except Exception as err:  # noqa: BLE001 - one datagram met a defect of ours; only its sender is forgotten
            self._sessions.pop(address, None)
            self._hall.failed(session.peer, err)
            return
        if session.frames:  # addresses that never sent a good frame take no room
            self._sessions[address] = (session, now_s)
            self._sessions.move_to_end(address)
            if len(self._sessions) > self._hall.limits.udp_sessions:
                self._sessions.popitem(last=False)
        if intake.records:
            self._hall.store(intake, lambda reply: self._send(reply, address))

    def _send(self, reply: bytes, address: Address) -> None:
        if reply and self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(reply, address)
