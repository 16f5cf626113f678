"""A depot with a real gateway process and a known fleet, for benchmarks; and what the system says of a process."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, select

from adapters.records import Batch
from app.fleet.devices import adopt
from app.fleet.telemetry import TelemetrySink
from app.integrations.changes import Desk
from app.security.vault import MemoryVault
from app.store.store import Store
from app.store.tables import Device, PositionRow
from tests.bench.sender import imei
from tests.helpers.depot import ROOT, Depot
from tests.helpers.fleet import a_position


class BenchDepot(Depot):
    """A depot whose store may be a database on a server."""

    def __init__(self, folder: Path, database_url: str | None = None) -> None:
        super().__init__(folder)
        self._options = [] if database_url is None else ["--database", database_url]
        if database_url is not None:
            self.store.close()
            self.store = Store.open(database_url)
            self.desk = Desk(self.store, self.catalogue, MemoryVault())

    def gateway_command(self, *options: str, before: Sequence[str] = ()) -> list[str]:
        command = super().gateway_command(*options, before=before)
        at = command.index("gateway")
        return [*command[:at], *self._options, *command[at:]]


def know_fleet(store: Store, integration_id: str, count: int, *, adopted: bool = False) -> None:
    """Trackers that were heard an hour ago, as in any depot after its first day; ``adopted`` gives each a vehicle."""
    sink = TelemetrySink(store)
    hour_ago_ms = (time.time_ns() // 1_000_000_000 - 3_600) * 1000
    batch = Batch(tuple(a_position(imei(number), hour_ago_ms) for number in range(count)))

    def adopt_all(connection: Connection) -> None:
        for number in range(count):
            adopt(connection, imei(number), f"TRK-{number:04d}", now_ms=hour_ago_ms)

    def learn(connection: Connection) -> None:
        sink.ingest(connection, integration_id, [batch], hour_ago_ms)
        sink.flush(connection, hour_ago_ms)

    store.write(learn, on_rollback=sink.forget).result()
    if adopted:
        store.write(adopt_all).result()


def compare(store: Store, fixes: list[int]) -> tuple[int, int]:
    """Lost and doubled positions: tracker ``n`` has sent the serials 1 … ``fixes[n]``, the older
    ones of :func:`know_fleet` none."""
    with store.read() as connection:
        keys = {row.unique_id: row.key for row in connection.execute(select(Device.unique_id, Device.key))}
        query = select(PositionRow.device_key, PositionRow.serial).where(PositionRow.serial.is_not(None))
        stored = Counter((row.device_key, row.serial) for row in connection.execute(query))
    sent = Counter((keys[imei(n)], serial & 0xFFFF) for n, count in enumerate(fixes) for serial in range(1, count + 1))
    lost = sum((sent - stored).values())
    doubled = sum((stored - sent).values())
    return lost, doubled


@contextmanager
def echo_server() -> Iterator[int]:
    """The baseline's port."""
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.echo"], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        if process.stdout is None:
            raise RuntimeError("the echo server has no output")
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()
