"""A thermometer on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

TOKEN = "plugin-token-1"


async def simulate(options: Mapping[str, Any], ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Answer until cancelled. Option: ``port`` (0: a free one)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                words = line.decode(errors="replace").split()
                good = words in (["HELLO", TOKEN], ["READ"])
                answer = ("T 4.5" if words == ["READ"] else "OK TH-0042 3.1") if good else "NO"
                writer.write(answer.encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", int(options.get("port", 0)))
    async with server:
        host, port = server.sockets[0].getsockname()[:2]
        ready({"host": host, "port": port, "token": TOKEN})
        await asyncio.Event().wait()
