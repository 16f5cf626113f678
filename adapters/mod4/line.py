"""The line to the database: TCP and TLS are opened here, and the database library reaches them through loopback.

The library's own TLS knows no pinned certificates, and a thread that waits in it cannot be interrupted. So the host's
TLS (:attr:`adapters.base.Kit.tls`) encrypts here, and closing the line ends whatever waits on it at once. The loopback
port takes one connection and closes; what passes there is the sign-in of PostgreSQL, which never shows the password
itself where the server uses SCRAM, and is on this machine alone.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from adapters.base import CheckStep, Layer
from adapters.connect import (
    CONNECT_TIMEOUT_S,
    capital,
    format_fingerprint,
    os_error,
    silent,
    tls_error,
)
from adapters.errors import AdapterError, NotReady
from adapters.mod4.settings import Mod4Settings
from adapters.mod4.words import not_postgresql

_SSL_REQUEST = struct.pack("!II", 8, 80877103)  # PostgreSQL documentation, 54.7: SSLRequest
_SQLSTATE = re.compile(rb"\x00C([0-9A-Z]{5})\x00")
_CHUNK = 65_536
_LONGEST_STARTUP = 8_192
_END_S = 2.0


class Line:
    """One open connection to the server. ``port`` is where it is reached on this computer's loopback."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._local: asyncio.StreamWriter | None = None
        self._startup = b""
        self._is_taken = False
        self._ended = asyncio.Event()
        self.server: asyncio.Server | None = None
        self.port = 0

    @property
    def refusal(self) -> str:
        """The SQLSTATE of the refusal of a sign-in, "" for none: its text may be in any language."""
        found = _SQLSTATE.search(self._startup) if self._startup[:1] == b"E" or b"E\x00\x00" in self._startup else None
        return found[1].decode("ascii") if found is not None else ""

    def cut(self) -> None:
        """End everything at once; whoever waits for the server is told that it is gone."""
        if self.server is not None:
            self.server.close()
        for writer in (self._local, self._writer):
            if writer is not None:
                writer.transport.abort()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve the one connection of the database library."""
        if self._is_taken:
            writer.transport.abort()
            return
        self._is_taken, self._local = True, writer
        if self.server is not None:
            self.server.close()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pump(reader, self._writer, None))
                group.create_task(_pump(self._reader, writer, self._note))
        except* OSError:
            pass  # either end hung up; the library reports it
        finally:
            self.cut()
            self._ended.set()

    async def until_ended(self) -> None:
        """After :meth:`cut`: nothing of the line runs any more."""
        if self._is_taken:
            with suppress(TimeoutError):
                async with asyncio.timeout(_END_S):
                    await self._ended.wait()

    def _note(self, data: bytes) -> None:
        if len(self._startup) < _LONGEST_STARTUP:
            self._startup += data[:_LONGEST_STARTUP]


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, note: Callable[[bytes], None] | None
) -> None:
    while data := await reader.read(_CHUNK):
        if note is not None:
            note(data)
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def open_line(
    settings: Mod4Settings, tls: ssl.SSLContext, step: Callable[[CheckStep], None] | None = None
) -> AsyncIterator[Line]:
    """An open line, encrypted as the settings say. Reports its layers to ``step``; raises the first that fails."""
    report = step or (lambda _step: None)
    reader, writer = await _connect(settings, report)
    line: Line | None = None
    try:
        if settings.tls == "off":
            report(CheckStep(Layer.TLS, ok=True, detail="Not encrypted: the database is on this computer."))
        else:
            await _encrypt(settings, tls, reader, writer, report)
        line = Line(reader, writer)
        line.server = await asyncio.start_server(line.carry, "127.0.0.1", 0, limit=4 * _CHUNK, backlog=1)
        line.port = line.server.sockets[0].getsockname()[1]
        yield line
    finally:
        if line is not None:
            line.cut()
        writer.transport.abort()
        if line is not None:
            await line.until_ended()


async def _connect(
    settings: Mod4Settings, report: Callable[[CheckStep], None]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    peer = settings.peer
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
            addresses = ", ".join(dict.fromkeys(str(entry[4][0]) for entry in found))
            report(CheckStep(Layer.NAME, ok=True, detail=f"{settings.host} is {addresses}."))
            opened = await asyncio.open_connection(settings.host, settings.port, limit=4 * _CHUNK)
    except TimeoutError as err:
        raise NotReady(silent(peer, f"{settings.host} port {settings.port}")) from err
    except (OSError, UnicodeError) as err:
        raise os_error(err if isinstance(err, OSError) else socket.gaierror(str(err)), peer) from err
    report(CheckStep(Layer.ROUTE, ok=True, detail=f"Port {settings.port} of {settings.host} answers."))
    return opened


async def _encrypt(
    settings: Mod4Settings,
    tls: ssl.SSLContext,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    report: Callable[[CheckStep], None],
) -> None:
    peer = settings.peer
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await _ask_for_tls(settings, reader, writer)
            await writer.start_tls(tls, server_hostname=settings.host)
    except TimeoutError as err:
        raise NotReady(
            f"{capital(peer)} accepts the connection but does not answer on it. Check that the port is the database's."
        ) from err
    except ssl.SSLError as err:
        seen = await shown_fingerprint(settings)
        found = tls_error(err, peer, pinned=settings.fingerprint, seen=seen)
        found.field = "host" if found.field == "url" else found.field
        raise found from err
    except OSError as err:
        raise os_error(err, peer) from err
    version = writer.get_extra_info("ssl_object").version()
    trust = "the pinned certificate" if settings.fingerprint else "a trusted authority"
    report(CheckStep(Layer.TLS, ok=True, detail=f"Encrypted with {version}, verified by {trust}."))


async def _ask_for_tls(settings: Mod4Settings, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_SSL_REQUEST)
    await writer.drain()
    answer = await reader.read(1)
    if answer == b"S":
        return
    raise _no_tls(settings.peer, answer, await reader.read(200) if answer not in (b"", b"N") else b"")


def _no_tls(peer: str, answer: bytes, more: bytes) -> AdapterError:
    if answer == b"N":
        return NotReady(
            f"{capital(peer)} offers no encryption, and nothing is sent to it without. Ask its administrator to switch "
            "TLS on (ssl = on).",
            field="tls",
        )
    if answer == b"":
        return NotReady(f"{capital(peer)} hung up when it was asked for encryption. It is tried again by itself.")
    return not_postgresql(peer, repr(answer + more))


async def shown_fingerprint(settings: Mod4Settings) -> str:
    """SHA-256 fingerprint of the certificate that the server shows, verified or not; "" for none. Nothing is sent."""
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(settings.host, settings.port)
            await _ask_for_tls(settings, reader, writer)
            await writer.start_tls(unverified)
            certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    except (OSError, TimeoutError, AdapterError):
        return ""
    finally:
        if writer is not None:
            writer.transport.abort()
    return format_fingerprint(_digest(certificate)) if certificate else ""


def _digest(certificate: bytes) -> str:
    from hashlib import sha256

    return sha256(certificate).hexdigest()
