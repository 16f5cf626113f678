"""One tracker's TCP connection: bytes to the session, replies after the commit."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import cast

from adapters.gt02_tracker.hall import Hall
from adapters.gt02_tracker.session import Intake, Session


class Connection(asyncio.Protocol):
    """Times are the listener's monotonic seconds. What a peer sends at once beyond one turn waits in ``_rest``."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._pauses: set[str] = set()
        self.address = ""
        self.session = Session("", hall)
        self.connected_s = 0.0
        self.last_frame_s = 0.0
        self.swept_bytes = 0  # received since the last sweep
        self._owed = 0  # replies that wait for their commit
        self._ended = False  # the peer has sent its last byte
        self._said_goodbye = False  # we have

    # Called by the event loop -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        name = transport.get_extra_info("peername") or ("unknown", 0)
        self.address = str(name[0])
        self.session.peer = peer_text(name)
        _, self.connected_s = self._hall.now()
        self.last_frame_s = self.connected_s
        if not self._hall.admit(self):
            self._transport.abort()
            return
        most = self._hall.limits.unread_reply_bytes
        self._transport.set_write_buffer_limits(high=most)
        # The system would let megabytes of replies pile up for a peer that reads none.
        with contextlib.suppress(OSError):  # the peer may be gone already
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, most)

    def data_received(self, data: bytes) -> None:
        self.swept_bytes += len(data)
        self._hall.received_bytes += len(data)
        if self._rest:
            self._rest += data
            return
        turn = self._hall.limits.bytes_per_turn
        self._take(data[:turn])
        if len(data) > turn:
            self._rest = data[turn:]
            self.pause("turn")
            asyncio.get_running_loop().call_soon(self._continue)

    def eof_received(self) -> bool:
        """The peer sends no more; it may still wait for replies, and gets them."""
        self._ended = True
        self.drain()
        self._guarded(lambda now_ms, _: self.session.close(now_ms))
        return self._owed > 0

    def pause_writing(self) -> None:
        """The peer does not read its replies: end it before they fill the memory."""
        self.end("slow_peers")

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # half-open links are the rule on mobile networks
        self._transport = None
        self.drain()
        self._guarded(lambda now_ms, _: self.session.close(now_ms))
        self._hall.leave(self)

    @property
    def has_waiting(self) -> bool:
        """True while bytes that have arrived wait for their turn."""
        return bool(self._rest)

    # Called by the listener ---------------------------------------------------------------------------------------

    def pause(self, why: str) -> None:
        """Stop reading; each reason must be taken back by :meth:`resume`."""
        if not self._pauses and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
        self._pauses.add(why)

    def resume(self, why: str) -> None:
        if why not in self._pauses:
            return
        self._pauses.discard(why)
        if not self._pauses and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def send(self, reply: bytes) -> None:
        """Write a reply that was owed, if the peer is still there; empty where it is withheld."""
        self._owed -= 1
        if self._transport is None or self._transport.is_closing():
            return
        if reply and not self._said_goodbye:
            self._transport.write(reply)
        if self._ended and not self._owed:
            self._transport.close()

    def end(self, counter: str) -> None:
        """Close at once, counting why."""
        if self._transport is not None and not self._transport.is_closing():
            self._hall.count(counter)
            self._transport.abort()

    def tick(self) -> None:
        """Give up on a frame that stayed incomplete."""
        if self.session.has_pending:
            self._guarded(self.session.tick)

    def say_goodbye(self) -> None:
        """Send nothing more, and let the peer know; what it has sent is still read."""
        if self._transport is not None and not self._transport.is_closing() and not self._said_goodbye:
            self._said_goodbye = True
            with contextlib.suppress(OSError):  # the peer may be gone already
                self._transport.write_eof()

    def finish(self) -> None:
        """Close after what is still to be written."""
        if self._transport is not None:
            self._transport.close()

    def drain(self) -> None:
        """Take what has arrived and still waits for its turn."""
        rest, self._rest = self._rest, b""
        if rest:
            self._take(rest)

    def _continue(self) -> None:
        """The next turn of a peer that sent more than one turn may take."""
        turn = self._hall.limits.bytes_per_turn
        part, self._rest = self._rest[:turn], self._rest[turn:]
        self._take(part)
        if self._rest and "store" not in self._pauses:
            asyncio.get_running_loop().call_soon(self._continue)
        elif not self._rest:
            self.resume("turn")

    def continue_after_store(self) -> None:
        """The store has room again."""
        if self._rest:
            asyncio.get_running_loop().call_soon(self._continue)
        self.resume("store")

    def _take(self, data: bytes) -> None:
        self._guarded(lambda now_ms, now_s: self.session.receive(data, now_ms, now_s))
        if self.session.overflowed:
            self.end("overflowed_connections")
        elif self.session.skipped_since_frame > self._hall.limits.skipped_bytes:
            self.end("garbage_connections")

    def _guarded(self, work: Callable[[int, float], Intake]) -> None:
        """Whatever a peer sends, the listener and its other connections go on."""
        now_ms, now_s = self._hall.now()
        before = self.session.frames
        try:
            intake = work(now_ms, now_s)
        except Exception as err:  # noqa: BLE001 - one connection's bytes met a defect of ours; only it is ended
            self._hall.failed(self.session.peer, err)
            self.end("failed_connections")
            return
        if self.session.frames != before:
            self.last_frame_s = now_s
        if intake.records:
            self._owed += bool(intake.reply)
            self._hall.store(intake, self.send)


def peer_text(name: tuple[object, ...]) -> str:
    """``address:port``, with IPv6 addresses in brackets."""
    host = str(name[0])
    return f"[{host}]:{name[1]}" if ":" in host else f"{host}:{name[1]}"
