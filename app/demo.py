"""The demo: built-in peers in a process of their own, connected like real ones over loopback.

It has its own data folder and its own vault file, takes free ports (never 5022), and sends nothing anywhere else.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
import socket
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from app import platform
from app.catalogue import Catalogue
from app.commands.session import Session
from app.engine.facts import EngineHeld, read_facts
from app.fleet.devices import adopt
from app.integrations import Desk, add, change, check_settings, list_integrations
from app.paths import Paths
from app.services import Services
from app.store.store import Store
from app.store.tables import Device, PositionRow

REAL_PORT = 5022
TRACKER_NAMES = ("Depot trackers", "Traccar (demo server)")
PLATES = (
    "ABJ-214-KT", "KAN-880-XB", "LAG-402-GF", "KAD-117-MD", "ENU-553-RC", "JOS-309-ST", "IBD-641-AX", "MKD-278-BQ",
    "YOL-190-HV", "SOK-735-DE", "CAL-426-PN", "OWE-858-JL", "AKR-361-ZW", "BAU-094-UC", "LKJ-672-YE", "MIN-585-TG",
)  # fmt: skip
LEFT_WAITING = 3
"""So many demo trackers stay in the inbox, as new ones do."""
VEHICLES = 24
GIVE_WAY_S = 8.0
_KEPT = frozenset({"console.lock", "engine.lock"})

_log = logging.getLogger(__name__)


class Demo:
    """One demo run; :meth:`prepare` before the store is opened, :meth:`run` once it stands."""

    def __init__(self, session: Session, *, keep: bool) -> None:
        self._session = session
        self._keep = keep
        self.connected = asyncio.Event()

    def prepare(self) -> None:
        """End what an earlier demo left running, and empty its folder unless it is kept. Blocks. Raises OSError."""
        paths = self._session.paths
        paths.create()
        end_left_over(paths)
        if not self._keep:
            empty_folder(paths.data_dir)
            paths.create()

    async def run(self, services: Services) -> None:
        """Start the peers, connect them, adopt most of the trackers; ends the peers when it is cancelled."""
        port = await asyncio.to_thread(free_port)
        process = await asyncio.create_subprocess_exec(
            *self._session.command("demo", "--peers", str(port)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            **platform.own_group(),
        )
        assert process.stdout is not None  # noqa: S101 - asked for above
        try:
            while line := await process.stdout.readline():
                ready = json.loads(line)
                await connect(services, ready["key"], ready["settings"])
                if ready["key"] == "gt02_tracker":
                    self.connected.set()
                    await self._adopt(services.store, ready["devices"])
            _log.error("the demo's peers ended with status %s", await process.wait())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def wait_moving(self, store: Store, *, within_s: float = 60.0) -> None:
        """Return once both sources have brought positions of most vehicles, for pictures worth looking at."""
        ends = time.monotonic() + within_s
        while time.monotonic() < ends:
            if await asyncio.to_thread(_read, store, _is_lively):
                return
            await asyncio.sleep(0.25)

    async def _adopt(self, store: Store, devices: list[str]) -> None:
        """Give plates to the trackers as they report, all but the last few."""
        wanted = dict(zip(devices[: len(devices) - LEFT_WAITING], PLATES, strict=False))
        while wanted:
            for imei in await asyncio.to_thread(_read, store, partial(_waiting, imeis=wanted)):
                now_ms = self._session.clock.now_ms()
                job = partial(adopt, device=imei, vehicle=wanted.pop(imei), now_ms=now_ms, who="demo")
                await asyncio.wrap_future(store.write(job))
            await asyncio.sleep(0.5)


async def connect(services: Services, key: str, entered: Mapping[str, Any]) -> None:
    """Add the integration of a peer, or lead the one of a kept demo to where its peer is now."""
    desk = await asyncio.to_thread(lambda: services.desk)
    secret_fields = {"token", "password"}
    values = {name: value for name, value in entered.items() if name not in secret_fields}
    secrets = {name: value for name, value in entered.items() if name in secret_fields}
    report = await check_settings(desk.catalogue, key, values, secrets, services.clock)
    await asyncio.to_thread(_save, desk, key, values, secrets, report)


def _save(desk: Desk, key: str, values: Mapping[str, Any], secrets: Mapping[str, str], report: Any) -> None:
    rows = _read(desk.store, list_integrations)
    old = next((row for row in rows if row.type == key), None)
    if old is None:
        name = TRACKER_NAMES[0] if key == "gt02_tracker" else TRACKER_NAMES[1]
        add(desk, key, name, values, secrets, identity=report.identity, who="demo")
        return
    change(desk, old.id, values=values, secrets=secrets, identity=report.identity, accept_other_peer=True, who="demo")


async def run_peers(catalogue: Catalogue, tracker_port: int, say: Callable[[str], None]) -> None:
    """The peers themselves, until cancelled; one line of JSON for each that stands."""

    def ready(key: str, extra: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        settings = {name: value for name, value in found.items() if name != "devices"}
        say(json.dumps({"key": key, "settings": {**settings, **extra}, "devices": list(found.get("devices", ()))}))

    listen = {"host": "127.0.0.1", "port": tracker_port}
    pace = {"speed_factor": 8.0}
    fleet_options = {**listen, **pace, "vehicles": len(PLATES) + LEFT_WAITING, "interval_s": 2.0, "seed": 7}
    server_options = {**pace, "vehicles": VEHICLES, "interval_s": 4.0, "history_h": 1.5, "seed": 11}
    fleet, server = catalogue.simulator("gt02_tracker"), catalogue.simulator("traccar")
    async with asyncio.TaskGroup() as group:
        group.create_task(server(server_options, partial(ready, "traccar", {})))
        group.create_task(fleet(fleet_options, partial(ready, "gt02_tracker", listen)))


def free_port() -> int:
    """A port of loopback that is free now and is not the real listener's."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port != REAL_PORT:
            return port


def end_left_over(paths: Paths) -> None:
    """Ask the engine of a demo that was killed to end. Raises EngineHeld when it does not."""
    facts = read_facts(paths.engine_json)
    if facts is None or not platform.is_process_alive(facts.pid):
        return
    platform.end_process(facts.pid)
    ends = time.monotonic() + GIVE_WAY_S
    while platform.is_process_alive(facts.pid):
        if time.monotonic() > ends:
            raise EngineHeld(facts)
        time.sleep(0.05)


def empty_folder(folder: Path) -> None:
    """Delete the last demo's data; the locks that this run may hold stay."""
    for path in folder.iterdir():
        if path.name in _KEPT:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _is_lively(connection: Connection) -> bool:
    counted = select(Device.integration_id, func.count(func.distinct(PositionRow.device_key)))
    per_source = connection.execute(
        counted.join(PositionRow, PositionRow.device_key == Device.key).group_by(Device.integration_id)
    ).all()
    return len(per_source) >= len(TRACKER_NAMES) and all(count >= len(PLATES) // 2 for _id, count in per_source)


def _waiting(connection: Connection, imeis: Collection[str]) -> list[str]:
    """Which of these trackers reported and wait in the inbox."""
    waiting = select(Device.unique_id).where(Device.unique_id.in_(imeis), Device.state == "waiting")
    return list(connection.execute(waiting).scalars())


def _read(store: Store, query: Callable[[Connection], Any]) -> Any:
    with store.read() as connection:
        return query(connection)
