"""A depot whose driver platform has a storage of photos, and an engine's courier that fetches over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import select, update

from adapters.mod4.simulator.photos import HOST, PATH, Photos
from adapters.serving import LoopServer, bound_socket
from app.engine.ports import Ports
from app.engine.scribe import Scribe
from app.fleet.telemetry import TelemetrySink
from app.kit import make_kit
from app.proof_files.courier import ProofFileCourier
from app.proof_files.folder import ProofFolder
from app.proof_files.listing import FileRow, list_files
from app.security.vault import MemoryVault
from app.store.store import Store
from app.store.tables import Integration
from app.sync.seal import OutboxSeal
from app.tasks import Tasks
from tests.helpers.dispatch import Depot, an_event
from tests.helpers.fake_adapter import LentClock
from tests.helpers.fleet import T0_MS

MOD4 = "mod4-1"
LOOKS = 400


@asynccontextmanager
async def storage(photos: Photos) -> AsyncIterator[int]:
    """A server of photos on a free port of loopback, which it gives."""
    listener = bound_socket(socket.AF_INET, "127.0.0.1", 0)
    port: int = listener.getsockname()[1]
    server = LoopServer(photos, timeout_graceful_shutdown=1)
    await server.start(listener)
    try:
        yield port
    finally:
        await server.close()


class PhotoSite:
    """``depot`` may be of another process; ``port`` is the storage's."""

    def __init__(self, store: Store, folder: Path, port: int, *, reserve_bytes: int = 0) -> None:
        self.depot = Depot(store)
        self.store, self.port, self.folder = store, port, folder / "proof-files"
        self.files = ProofFolder(self.folder)
        self.vault, self.clock, self.scribe = MemoryVault(), LentClock(), Scribe(store)
        self.clock.set_wall(T0_MS)
        self.vault.set(MOD4, "password", "secret")
        ports = Ports(
            store, self.depot.catalogue, self.vault, self.clock, TelemetrySink(store), Tasks(), self.scribe, make_kit,
            Random(1), OutboxSeal(store, folder),
        )  # fmt: skip
        self.courier = ProofFileCourier(ports, self.folder, reserve_bytes=reserve_bytes)
        self.set_up()

    def set_up(self, **values: Any) -> None:
        """Settings of the integration, as they are saved."""
        usual = {"host": "127.0.0.1", "username": "console", "tls": "off", "photo_hosts": f"{HOST}:{self.port}"}
        change = update(Integration).where(Integration.id == MOD4).values(config={**usual, **values})

        def job(connection: Any) -> None:
            connection.execute(change)

        self.depot.write(job)
        self.courier.moved(frozenset({"integrations"}))

    def url(self, name: str, host: str = "") -> str:
        return f"http://{host or HOST}:{self.port}{PATH}/{name}"

    def tell(self, *urls: str, kind: Any = "photo", at_ms: int = T0_MS, **other: Any) -> None:
        """A phone tells of its photos, one minute after the other."""
        self.depot.arrive(
            *(
                an_event(f"mod4_events:{url}", kind, at_ms + number * 60_000, photo_url=url, is_uploaded=True, **other)
                for number, url in enumerate(urls)
            )
        )

    async def look(self, times: int = 1, *, pause_s: float = 2.0) -> None:
        """Let the courier look so often, with a pause between."""
        for _ in range(times):
            await self.courier.look()
            self.pass_time(pause_s)

    async def fetched(self, name: str, *, pause_s: float = 2.0) -> FileRow:
        """Look until a file waits no more."""
        for _ in range(LOOKS):
            await self.look(pause_s=pause_s)
            row = self.row(name)
            if row.state not in ("waiting", "fetching"):
                return row
        raise AssertionError(f"{name} is still {self.row(name)}")

    def pass_time(self, seconds: float) -> None:
        self.clock.set_wall(self.clock.now_ms() + int(seconds * 1000))

    def rows(self) -> list[FileRow]:
        return self.depot.ask(list_files)

    def row(self, name: str) -> FileRow:
        (found,) = [one for one in self.rows() if one.url.endswith(f"/{name}")]
        return found

    def content(self, row: FileRow) -> bytes:
        return self.files.path_of(row.sha256).read_bytes()

    def enabled(self, on: bool) -> None:
        change = update(Integration).where(Integration.id == MOD4).values(enabled=on)

        def job(connection: Any) -> None:
            connection.execute(change)

        self.depot.write(job)

    def count(self, table: Any) -> int:
        return len(self.depot.ask(lambda connection: connection.execute(select(table)).all()))

    async def wait(self, condition: Callable[[], object], seconds: float = 30.0) -> None:
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110 - what is waited for happens on a socket or in another process
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        await self.courier.close()
        self.scribe.close()
