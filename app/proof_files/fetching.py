"""One file's bytes on their way from the line to the disk, off the loop; what is noted as received is safe there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import httpx

from adapters.files import FileLines
from app.kit import USER_AGENT, tls_context
from app.proof_files.folder import Part

FLUSH_BYTES = 262_144
NOTE_EVERY_S = 2.0
"""Between two notes of progress: each costs the disk a wait, and whoever kills the engine loses no more than that."""

Note = Callable[[int, int | None, str], Awaitable[None]]
"""Takes down (bytes that are safe, whole length, validator)."""
Look = Callable[[], Awaitable[None]]
"""Raises an AdapterError where it is not to go on."""


class PartSink:
    """A :class:`adapters.files.FileSink` over a part."""

    def __init__(self, part: Part, total: int | None, validator: str, note: Note, look: Look) -> None:
        self._part = part
        self._note, self._look = note, look
        self._buffer = bytearray()
        self._noted_s = time.monotonic()
        self.total = total
        self._validator = validator if part.size else ""
        self.came = 0
        """Bytes that came in this try."""

    @property
    def size(self) -> int:
        return self._part.size + len(self._buffer)

    @property
    def validator(self) -> str:
        return self._validator

    async def begin(self, total: int | None, validator: str) -> None:
        """The part is empty before its new name is noted: an old byte can never be taken for one of the new content."""
        self._buffer.clear()
        await asyncio.to_thread(self._part.restart)
        self.total, self._validator = total, validator
        await self._note(0, total, validator)

    async def write(self, data: bytes) -> None:
        self._buffer += data
        self.came += len(data)
        if len(self._buffer) >= FLUSH_BYTES or time.monotonic() - self._noted_s >= NOTE_EVERY_S:
            await self._flush()
            if time.monotonic() - self._noted_s >= NOTE_EVERY_S:
                await self.settle()
                await self._look()

    async def settle(self) -> None:
        """Everything that came is on the disk, and noted."""
        await self._flush()
        safe = await asyncio.to_thread(self._part.sync)
        self._noted_s = time.monotonic()
        await self._note(safe, self.total, self._validator)

    def settle_at_end(self) -> int:
        """What can still be saved of a try that ends now; returns the bytes that are safe. Blocks."""
        self._part.append(bytes(self._buffer))
        return self._part.sync()

    async def _flush(self) -> None:
        if self._buffer:
            data = bytes(self._buffer)
            self._buffer.clear()
            await asyncio.to_thread(self._part.append, data)


def open_lines() -> FileLines:
    """New clients; whoever opens them closes both. Certificates are verified by the known authorities alone."""

    def client(*, trust_env: bool) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=tls_context(""),
            trust_env=trust_env,
            follow_redirects=False,
            headers={"User-Agent": USER_AGENT},
            # Connections are made to addresses: one that was verified for a name must not serve another name there.
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    return FileLines(client(trust_env=False), client(trust_env=True))


async def close_lines(lines: FileLines) -> None:
    await lines.direct.aclose()
    await lines.proxied.aclose()
