"""A data folder with real gateway processes and real trackers' sockets, for stories that run the whole program."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

from sqlalchemy import select

from adapters.gt02_tracker.simulator_frames import Fix, gt02_heartbeat, gt02_location
from app.catalogue import Catalogue
from app.engine.commands import give_command, outcome_of
from app.engine.facts import ENGINE_FACT
from app.engine.journal import State, load_states
from app.integrations.changes import Desk, add
from app.paths import Paths
from app.security.vault import MemoryVault
from app.store.facts import get_fact
from app.store.store import Store
from app.store.tables import PositionRow
from tests.helpers.stores import make_store_url

ROOT = Path(__file__).parents[2]
HEARTBEAT_ACK = bytes.fromhex("54681a0d0a")
START_S = 60.0


def wait_for(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait until ``condition`` is true; its value."""
    until_s = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < until_s, f"not so within {seconds} s"
        time.sleep(0.02)
    return value


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Depot:
    """One data folder, with a store of its own for the test process: a second program, as the window is."""

    def __init__(self, folder: Path) -> None:
        self.paths = Paths(folder)
        self.paths.create()
        shutil.move(make_store_url(folder / "template").removeprefix("sqlite:///"), self.paths.store_file)
        self.store = Store.open(self.paths.store_url)
        self.catalogue = Catalogue.load()
        self.desk = Desk(self.store, self.catalogue, MemoryVault())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.store.close()

    def add_trackers(self, name: str = "Trackers", port: int | None = None) -> tuple[str, int]:
        """A GT02 listener on loopback; its id and port."""
        port = port or free_port()
        return add(self.desk, "gt02_tracker", name, {"host": "127.0.0.1", "port": port}), port

    def state(self, integration_id: str) -> State | None:
        with self.store.read() as connection:
            return load_states(connection).get(integration_id)

    def heartbeat(self) -> dict[str, Any]:
        with self.store.read() as connection:
            return get_fact(connection, ENGINE_FACT) or {}

    def serials(self) -> list[int]:
        """The serial of every stored position, in the order of their storing."""
        with self.store.read() as connection:
            return [row.serial for row in connection.execute(select(PositionRow.serial).order_by(PositionRow.id))]

    def command(self, name: str, integration_id: str | None = None, seconds: float = 20.0) -> Any:
        """Leave a command row and wait for its outcome."""
        give = partial(give_command, name=name, now_ms=time.time_ns() // 1_000_000, integration_id=integration_id)
        command_id = self.store.write(give).result(5)

        def look() -> Any:
            with self.store.read() as connection:
                return outcome_of(connection, command_id)

        return wait_for(look, seconds)

    def gateway_command(self, *options: str, before: Sequence[str] = ()) -> list[str]:
        program = [str(ROOT / "main.py")] if not before else list(before)
        return [sys.executable, *program, "--data-dir", str(self.paths.data_dir), "gateway", *options]


class Gateway:
    """A running ``main.py gateway``."""

    def __init__(self, depot: Depot, *options: str, before: Sequence[str] = ()) -> None:
        self.process = subprocess.Popen(
            depot.gateway_command(*options, before=before),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self.errors: list[str] = []
        self.said: list[str] = []
        streams = ((self.process.stdout, self.said), (self.process.stderr, self.errors))
        self._readers = [threading.Thread(target=_read, args=pair, daemon=True) for pair in streams]
        for reader in self._readers:
            reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.ended(10)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def wait_ready(self) -> Self:
        wait_for(lambda: "ready" in self.said or self.process.poll() is not None, START_S)
        assert "ready" in self.said, "\n".join(self.errors)
        return self

    def say(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        self.process.stdin.flush()

    def ended(self, seconds: float) -> int:
        """Wait for the end; the exit status."""
        status = self.process.wait(seconds)
        for reader in self._readers:
            reader.join(5)
        return status


def _read(stream: Any, lines: list[str]) -> None:
    for line in stream:
        lines.append(line.decode().rstrip("\n"))  # noqa: PERF401 - read by another thread line by line


class Tracker:
    """One GT02 device on a blocking socket: every fix is followed by a heartbeat, whose answer says it is stored."""

    def __init__(self, port: int, imei: str = "123456789012345") -> None:
        self.imei = imei
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.socket.close()

    def send(self, serial: int) -> None:
        self.socket.sendall(fix_frame(self.imei, serial) + gt02_heartbeat(self.imei, serial, 6, 4, b"\x28"))

    def wait_for_answer(self, seconds: float = 10.0) -> bool:
        """Whether the next heartbeat was answered in time."""
        self.socket.settimeout(seconds)
        answer = b""
        try:
            while len(answer) < len(HEARTBEAT_ACK):
                piece = self.socket.recv(len(HEARTBEAT_ACK) - len(answer))
                if not piece:
                    return False
                answer += piece
        except (TimeoutError, ConnectionError):
            return False
        assert answer == HEARTBEAT_ACK
        return True


_FIRST_FIX_MS = (time.time_ns() // 1_000_000_000 - 10 * 86_400) * 1000  # one moment for all frames of this process


def fix_frame(imei: str, serial: int) -> bytes:
    """The ``serial``-th fix of a device, one a second from ten days ago on."""
    at_ms = _FIRST_FIX_MS + serial * 1000
    return gt02_location(imei, serial % 65_536, Fix(at_ms, 9.0 + serial / 1_000_000, 7.4, 40.0, 90.0, True))


@contextlib.contextmanager
def connected(port: int, imei: str = "123456789012345") -> Iterator[Tracker]:
    """A tracker as soon as the port answers."""
    until_s = time.monotonic() + 20
    while True:
        try:
            tracker = Tracker(port, imei)
            break
        except OSError:
            assert time.monotonic() < until_s
            time.sleep(0.02)
    with tracker:
        yield tracker
