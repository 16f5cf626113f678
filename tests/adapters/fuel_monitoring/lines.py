"""Ports for tests: recorded entries of the port list, a serial server, a line whose far end the test holds."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

WAIT_S = 15.0

needs_pty = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo terminals")


@dataclass(frozen=True)
class Entry:
    """One entry as pyserial lists it."""

    device: str
    description: str = "n/a"
    vid: int | None = None
    pid: int | None = None
    serial_number: str | None = None
    location: str | None = None
    manufacturer: str | None = None


def usb(device: Path | str, serial_number: str | None = "A50285BI", location: str = "1-1.2") -> Entry:
    """An FTDI adapter as Linux lists it."""
    return Entry(str(device), "FT232R USB UART", 0x0403, 0x6001, serial_number, location, "FTDI")


class PortList:
    """A port list that a test changes while it is asked."""

    def __init__(self, *entries: Any) -> None:
        self.entries = list(entries)

    def __call__(self) -> list[Any]:
        return list(self.entries)


async def until(condition: Callable[[], Any], seconds: float = WAIT_S) -> Any:
    """Wait until ``condition`` is true; its value."""
    async with asyncio.timeout(seconds):
        while not (value := condition()):  # noqa: ASYNC110 - any condition, also of other threads
            await asyncio.sleep(0.005)
    return value


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0


@contextmanager
def socat_pair(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Two serial ports joined by a wire, made by socat; skipped where it is not installed."""
    from shutil import which

    program = which("socat")
    if program is None:
        pytest.skip("socat is not installed")
    near, far = folder / "near", folder / "far"
    wire = subprocess.Popen([program, f"pty,raw,echo=0,link={near}", f"pty,raw,echo=0,link={far}"])
    try:
        deadline = time.monotonic() + WAIT_S
        while not (near.exists() and far.exists()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield near, far
    finally:
        wire.terminate()
        wire.wait(10)


class Rfc2217Server:
    """A serial server as pyserial's own example makes one: a local port offered over telnet (RFC 2217)."""

    def __init__(self, device: Path) -> None:
        import serial

        class Pty(serial.Serial):  # type: ignore[misc]
            """A pseudo terminal has no modem lines, and says so by errors."""

            cts = dsr = ri = cd = False

            def _update_dtr_state(self) -> None: ...

            def _update_rts_state(self) -> None: ...

            def _update_break_state(self) -> None: ...

        self._serial = Pty(str(device), timeout=0.05)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self._server.getsockname()[1]}"
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._serve, name="rfc2217 server", daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._stopping.set()
        self._server.close()
        for thread in self._threads:
            thread.join(5)
        self._serial.close()

    def _serve(self) -> None:
        import serial.rfc2217

        self._server.settimeout(0.1)
        while not self._stopping.is_set():
            try:
                client, _address = self._server.accept()
            except (TimeoutError, OSError):
                continue
            with client:
                client.settimeout(0.05)
                manager = serial.rfc2217.PortManager(self._serial, _Connection(client))
                self._pump(client, manager)

    def _pump(self, client: socket.socket, manager: Any) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError, BlockingIOError):
                try:
                    data = client.recv(1024)
                except (ConnectionError, OSError) as err:
                    if isinstance(err, TimeoutError):
                        data = None
                    else:
                        return
                if data == b"":
                    return
                if data:
                    self._serial.write(b"".join(manager.filter(data)))
            waiting = self._serial.in_waiting
            if waiting:
                with contextlib.suppress(OSError):
                    client.sendall(b"".join(manager.escape(self._serial.read(waiting))))


class _Connection:
    def __init__(self, client: socket.socket) -> None:
        self._client = client

    def write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._client.sendall(data)
