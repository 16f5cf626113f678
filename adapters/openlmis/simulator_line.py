"""A line before the simulated server that breaks at a chosen byte, of a request or of its reply."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

_REQUESTS = (b"GET ", b"POST ", b"PUT ", b"DELETE ")


@dataclass(slots=True)
class Line:
    """Relays one port to another. :meth:`cut` arms it for the next request that begins with ``begins``.

    ``request_bytes`` and ``reply_bytes`` count what passed of the last such request and of its reply.
    """

    to_port: int
    port: int = 0
    begins: bytes = b""
    request_at: int | None = None
    reply_at: int | None = None
    request_bytes: int = 0
    reply_bytes: int = 0
    cuts: int = 0
    armed: int = 0
    """How often it was armed; a connection counts bytes only for the arming that its request answered."""
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self, begins: bytes, *, request_at: int | None = None, reply_at: int | None = None) -> None:
        """Pass so many bytes of the next matching request, or all of it and so many of its reply, then hang up."""
        self.begins, self.request_at, self.reply_at = begins, request_at, reply_at
        self.armed += 1
        self.request_bytes = self.reply_bytes = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.to_port)
        self._writers |= {writer, back}
        watched = [0]
        try:
            async with asyncio.TaskGroup() as group:
                up = group.create_task(self._up(reader, back, watched))
                down = group.create_task(self._down(there, writer, watched))
                await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
                up.cancel()
                down.cancel()
        finally:
            for one in (writer, back):
                self._writers.discard(one)
                one.close()

    async def _up(self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, watched: list[int]) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                if watched[0] == self.armed and self.request_bytes and chunk.startswith(_REQUESTS):
                    watched[0] = 0  # the next request of the same connection
                if self.begins and chunk.startswith(self.begins):
                    watched[0] = self.armed
                    self.begins = b""
                if watched[0] == self.armed:
                    if self.request_at is not None and self.request_bytes + len(chunk) >= self.request_at:
                        back.write(chunk[: self.request_at - self.request_bytes])
                        await back.drain()
                        self._hung_up()
                        return
                    self.request_bytes += len(chunk)
                back.write(chunk)
                await back.drain()

    async def _down(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter, watched: list[int]) -> None:
        with contextlib.suppress(OSError):
            while chunk := await there.read(65536):
                if watched[0] == self.armed:
                    if self.reply_at is not None and self.reply_bytes + len(chunk) >= self.reply_at:
                        writer.write(chunk[: self.reply_at - self.reply_bytes])
                        await writer.drain()
                        self._hung_up()
                        return
                    self.reply_bytes += len(chunk)
                writer.write(chunk)
                await writer.drain()

    def _hung_up(self) -> None:
        self.cuts += 1
        self.request_at = self.reply_at = None


@contextlib.asynccontextmanager
async def line_to(port: int) -> AsyncIterator[Line]:
    """A line to ``port`` of this machine, for the length of a block."""
    line = Line(port)
    server = await asyncio.start_server(line._serve, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        server.close()
        for writer in list(line._writers):
            writer.close()
        await asyncio.sleep(0)
