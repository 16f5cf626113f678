"""An HTTP server inside a program that runs for other reasons: uvicorn, started and ended on the loop at hand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import uvicorn


class LoopServer(uvicorn.Server):
    """One server on a bound socket; signals stay with the program around it.

    ``options`` are those of :class:`uvicorn.Config`. Certificate and key are files in PEM form.
    """

    def __init__(self, app: Any, *, certificate: tuple[str, str] | None = None, **options: Any) -> None:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", server_header=False, **{"log_level": 60, **options}
        )
        if certificate is not None:
            config.ssl_certfile, config.ssl_keyfile = certificate
            config.ssl_version = ssl.PROTOCOL_TLS_SERVER
        super().__init__(config)
        self._answers = asyncio.Event()
        self._leave = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the program around the server."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._answers.set()

    async def main_loop(self) -> None:
        await self._leave.wait()

    async def start(self, listener: socket.socket) -> None:
        """Listen on a bound socket, which is the server's from now on; returns once connections are answered."""
        loop = asyncio.get_running_loop()
        self._serving = loop.create_task(self.serve(sockets=[listener]), name="http server")
        answers = loop.create_task(self._answers.wait())
        await asyncio.wait({self._serving, answers}, return_when=asyncio.FIRST_COMPLETED)
        answers.cancel()
        if self._serving.done():
            await self._serving  # raises why it could not start

    async def close(self) -> None:
        """End all connections and free the port."""
        if self._serving is not None:
            self._leave.set()
            await self._serving
            self._serving = None


def bound_socket(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    """A listening place at the address; port 0 takes a free one. Raises OSError."""
    # asyncio switches Nagle's algorithm off only where the protocol is named: 40 ms for each answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
    except BaseException:
        listener.close()
        raise
    return listener
