"""The far end of a simulated line: a pseudo terminal, or a TCP socket as serial servers offer it."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from pathlib import Path
from typing import Protocol

from adapters.errors import Unsupported
from adapters.fuel_monitoring import system


class End(Protocol):
    """What a simulated bus or bridge reads and writes."""

    @property
    def port(self) -> str: ...

    def open(self, link: Path | None = None) -> None: ...

    def close(self) -> None: ...

    def read(self, patience_s: float) -> bytes: ...

    def write(self, data: bytes) -> None: ...

    def speed(self) -> int:
        """What the program at the near end has set, 0 where that cannot be told."""
        ...


class PtyEnd:
    """A pseudo terminal whose near end stands at a link. Closing it is the pulling of the cable."""

    def __init__(self, link: Path) -> None:
        self._link = link
        self._far: int | None = None
        self._lock = threading.RLock()  # a number given back may be another file's in the next moment

    @property
    def port(self) -> str:
        return str(self._link)

    def open(self, link: Path | None = None) -> None:
        """Raises Unsupported on Windows."""
        with self._lock:
            if self._far is not None:
                return
            try:
                self._far, path = system.open_pty()
            except NotImplementedError:
                raise Unsupported("Windows has no pseudo terminals. Let the simulated bus listen on TCP.") from None
            self._link = link or self._link
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(path)

    def close(self) -> None:
        with self._lock:
            if self._far is None:
                return
            far, self._far = self._far, None
            self._link.unlink(missing_ok=True)
            os.close(far)

    def read(self, patience_s: float) -> bytes:
        """What the program sent; waits at most so long, and a little where no program has the port open."""
        with self._lock:
            far = self._far
            data = self._read_now() if far is not None else None
        if data:
            return data
        if far is None or data is None:
            time.sleep(min(patience_s, 0.005) or 0.001)
            return b""
        with contextlib.suppress(OSError, ValueError):
            select.select([far], [], [], patience_s)
        with self._lock:
            return (self._read_now() or b"") if self._far == far else b""

    def _read_now(self) -> bytes | None:
        """What waits; None where no program has the port open and everything that one said was read."""
        if self._far is None:
            return None
        try:
            return os.read(self._far, 4096) or None
        except BlockingIOError:
            return b""
        except OSError:
            return None

    def write(self, data: bytes) -> None:
        """Bytes that nobody listens for are lost, as on a real line."""
        with self._lock, contextlib.suppress(OSError):
            if self._far is not None and system.is_open_elsewhere(self._far):
                os.write(self._far, data)

    def speed(self) -> int:
        with self._lock:
            return system.pty_speed(self._far) if self._far is not None else 0


class TcpEnd:
    """A serial server on loopback that serves one client at a time."""

    def __init__(self, port: int = 0) -> None:
        self._number = port
        self._server: socket.socket | None = None
        self._client: socket.socket | None = None
        self._lock = threading.RLock()

    @property
    def port(self) -> str:
        return f"socket://127.0.0.1:{self._number}"

    def open(self, link: Path | None = None) -> None:
        del link
        with self._lock:
            if self._server is None:
                self._server = socket.create_server(("127.0.0.1", self._number))
                self._number = self._server.getsockname()[1]

    def close(self) -> None:
        with self._lock:
            for end in (self._client, self._server):
                if end is not None:
                    end.close()
            self._client = self._server = None

    def read(self, patience_s: float) -> bytes:
        with self._lock:
            ends = [end for end in (self._client, self._server) if end is not None]
        if not ends:
            time.sleep(min(patience_s, 0.005) or 0.001)
            return b""
        with contextlib.suppress(OSError, ValueError):
            ready = select.select(ends, [], [], patience_s)[0]
            with self._lock:
                if self._server in ready and self._server is not None:
                    self._leave()
                    self._client, _address = self._server.accept()
                    self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._client in ready and self._client is not None:
                    data = self._client.recv(4096)
                    if not data:
                        self._leave()
                    return data
        return b""

    def write(self, data: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._client is not None:
                self._client.sendall(data)

    def speed(self) -> int:
        return 0

    def _leave(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
