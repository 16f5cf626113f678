"""The demo: built-in peers in a process of their own, connected like real ones over loopback.

It has its own data folder and its own vault file, takes free ports (never 5022), and sends nothing anywhere else.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, func, select

from adapters.base import Identity, secret_names
from adapters.errors import Unsupported
from app import demo_fuel, demo_journey, demo_reports, platform
from app.catalogue import Catalogue
from app.clock import from_ms
from app.commands.session import Session
from app.demo_folder import DemoFolder, DemoRefused
from app.errors import OperatorError
from app.fleet.devices import adopt
from app.integrations import Desk, add, change, check_settings, configured, list_integrations
from app.reports.sending import supply_kinds
from app.services import Services
from app.store.store import Store
from app.store.tables import Device, FuelEventRow, PositionRow

_log = logging.getLogger(__name__)

REAL_PORT = 5022
TRACKED = {"gt02_tracker": "Depot trackers", "traccar": "Traccar (demo server)"}
"""The peers that bring positions, by the key of the integration that they are for."""
FUELLED = {f"{demo_fuel.KEY}:{protocol}": name for protocol, name in demo_fuel.NAMES.items()}
SUPPLIED = {
    "msupply": "mSupply (demo server)",
    "openlmis": "OpenLMIS (demo server)",
    "nhlmis": "NHLMIS (demo server)",
}
NAMES = {**TRACKED, **FUELLED, **SUPPLIED, demo_journey.KEY: demo_journey.NAME}
"""All peers, those at ports by the protocol that is spoken there too."""
PLATES = (
    "ABJ-214-KT", "KAN-880-XB", "LAG-402-GF", "KAD-117-MD", "ENU-553-RC", "JOS-309-ST", "IBD-641-AX", "MKD-278-BQ",
    "YOL-190-HV", "SOK-735-DE", "CAL-426-PN", "OWE-858-JL", "AKR-361-ZW", "BAU-094-UC", "LKJ-672-YE", "MIN-585-TG",
)  # fmt: skip
SUPPLY_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "msupply": {"seed": 21, "arrival_every_s": 180.0, "receive_after_s": 300.0},
    "openlmis": {"seed": 22, "interval_s": 60.0},
    "nhlmis": {"seed": 23, "order_every_s": 240.0},
}
"""Supply systems in which something happens every few minutes."""
LEFT_WAITING = 3
"""So many demo trackers stay in the inbox, as new ones do."""
VEHICLES = 24

T = TypeVar("T")


class DemoFailed(OperatorError):
    """The peers ended by themselves."""


class Demo:
    """One demo run: :meth:`prepare` before the store is opened, :meth:`run` once it stands, :meth:`close` at the end.

    ``connected`` is set when every peer is connected.
    """

    def __init__(self, session: Session, *, keep: bool) -> None:
        self._session = session
        self._keep = keep
        self._folder = DemoFolder(session.paths)
        self.connected = asyncio.Event()

    def prepare(self) -> None:
        """Take the folder, and empty it unless it is kept. Blocks. Raises DemoRefused, OSError."""
        if self._session.database != self._session.paths.store_url:
            raise DemoRefused("A demo keeps its data in a folder of its own. Leave out --database.")
        self._folder.take(keep=self._keep)

    def close(self) -> None:
        """Let the next demo have the folder; call it when the engine has ended."""
        self._folder.release()

    async def run(self, services: Services) -> None:
        """Start the peers, connect them, adopt most of the trackers; ends the peers when it is cancelled.

        Raises DemoFailed when they end by themselves.
        """
        port = await asyncio.to_thread(free_port)
        keep = ("--keep",) if self._folder.is_kept else ()
        errors = self._session.paths.logs / "demo-peers.log"
        with errors.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *self._session.command("demo", "--peers", str(port), *keep),
                stdin=asyncio.subprocess.PIPE,  # its end is how the peers learn that this process is gone
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                **platform.own_group(),
            )
        try:
            async with asyncio.TaskGroup() as group:
                await self._connect_all(process, services, group)
                status = await process.wait()
                raise DemoFailed(f"The demo's peers ended by themselves (exit status {status}); {errors} says more.")
        except* DemoFailed as failures:
            raise failures.exceptions[0] from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def _connect_all(self, process: Process, services: Services, group: asyncio.TaskGroup) -> None:
        """Until the peers have said their last line, or all are connected."""
        assert process.stdout is not None  # noqa: S101 - asked for above
        waiting, ports, until_ms, has_platform = set(NAMES), dict[str, Mapping[str, Any]](), 0, True
        while waiting and (line := await process.stdout.readline()):
            ready = json.loads(line)
            if "missing" in ready:  # told, and the demo goes on without it
                waiting.discard(ready["key"])
                has_platform = has_platform and ready["key"] != demo_journey.KEY
                _log.warning("The demo goes on without %s: %s", NAMES[ready["key"]], ready["missing"])
                continue
            added = await connect(services, ready["key"], ready["settings"])
            waiting.discard(ready["key"])
            if ready["plates"]:
                group.create_task(self._adopt(services.store, ready["plates"]))
            if ready["key"] in FUELLED:
                ports[added], until_ms = ready["settings"], int(ready["until_ms"])
        if not waiting:
            self.connected.set()
            if not self._folder.is_kept:  # a kept demo has lived through other days than these
                past = self._write_past(services, ports, until_ms, has_platform=has_platform)
                group.create_task(past)

    async def _write_past(
        self, services: Services, ports: Mapping[str, Mapping[str, Any]], until_ms: int, *, has_platform: bool
    ) -> None:
        """What lies behind a new demo; beside the watch over the peers, because it waits for what they tell."""
        await demo_fuel.write_history(services.catalogue, services.store, ports, until_ms)
        now = from_ms(self._session.clock.now_ms())
        await demo_reports.set_up(services.store, supply_kinds(services.catalogue), now)
        if has_platform:
            await demo_journey.set_up(services.store, now)
        await asyncio.to_thread(self._folder.note_whole)

    async def wait_moving(self, store: Store, *, within_s: float = 180.0) -> None:
        """Return once both peers are healthy and have brought most vehicles, for pictures worth looking at."""
        ends = time.monotonic() + within_s
        while time.monotonic() < ends:
            if await asyncio.to_thread(_read, store, _is_lively):
                return
            await asyncio.sleep(0.25)

    async def _adopt(self, store: Store, plates: Mapping[str, str]) -> None:
        """Put the trackers on their vehicles as they report; those of a kept demo are there already."""
        wanted = dict(plates)
        while wanted:
            for imei, state in await asyncio.to_thread(_read, store, partial(_states, imeis=wanted)):
                plate = wanted.pop(imei)
                if state == "waiting":
                    now_ms = self._session.clock.now_ms()
                    job = partial(adopt, device=imei, vehicle=plate, now_ms=now_ms, who="demo")
                    await asyncio.wrap_future(store.write(job))
            await asyncio.sleep(0.5)


async def connect(services: Services, peer: str, entered: Mapping[str, Any]) -> str:
    """Add the integration of a peer, or lead the one of a kept demo to where its peer is now; returns its id."""
    key = peer.partition(":")[0]
    desk = await asyncio.to_thread(lambda: services.desk)
    hidden = secret_names(desk.catalogue.manifest(key).settings)
    values = {name: value for name, value in entered.items() if name not in hidden}
    secrets = {name: value for name, value in entered.items() if name in hidden}
    report = await check_settings(desk.catalogue, key, values, secrets, services.clock)
    return await asyncio.to_thread(_save, desk, peer, values, secrets, report.identity)


def _save(
    desk: Desk, peer: str, values: Mapping[str, Any], secrets: Mapping[str, str], identity: Identity | None
) -> str:
    old = _read(desk.store, partial(_integration_of, peer=peer))
    if old is None:
        return add(desk, peer.partition(":")[0], NAMES[peer], values, secrets, identity=identity, who="demo")
    # On other ports than last time: the same peer as far as an operator is concerned.
    change(desk, old, values=values, secrets=secrets, identity=identity, accept_other_peer=True, who="demo")
    return old


def _integration_of(connection: Connection, peer: str) -> str | None:
    """The integration of a kept demo that is for this peer."""
    key, _, protocol = peer.partition(":")
    for row in list_integrations(connection):
        if row.type == key and protocol in ("", configured(connection, row.id).config.get("protocol")):
            return row.id
    return None


async def run_peers(
    catalogue: Catalogue, tracker_port: int, say: Callable[[str], None], folder: Path, *, with_past: bool
) -> None:
    """The peers themselves, until cancelled; one line of JSON for each that stands. Their ports are in ``folder``."""

    def ready(peer: str, settings: Mapping[str, Any], plates: Mapping[str, str], **more: Any) -> None:
        say(json.dumps({"key": peer, "settings": dict(settings), "plates": dict(plates), **more}))

    def fleet_stands(found: Mapping[str, Any]) -> None:
        ready("gt02_tracker", listen, dict(zip(found["devices"][:-LEFT_WAITING], PLATES, strict=True)))

    async def platform_lives(options: Mapping[str, Any]) -> None:
        """Its database server is for development: a demo that was installed without it goes on without a platform."""
        try:
            await catalogue.simulator(demo_journey.KEY)(options, partial(ready, demo_journey.KEY, plates={}))
        except Unsupported as err:
            say(json.dumps({"key": demo_journey.KEY, "missing": err.why}))

    def journeys_begin(found: Mapping[str, Any]) -> None:
        lorry, until_ms = found["drives"][0], found["until_ms"]
        past = demo_journey.past_journey(lorry.past, demo_fuel.theft_ms(until_ms), until_ms)
        supply = {**SUPPLY_OPTIONS["msupply"], **demo_journey.supply_options(past)}
        group.create_task(catalogue.simulator("msupply")(supply, partial(ready, "msupply", plates={})))
        group.create_task(platform_lives(demo_journey.platform_options(past, lambda: lorry.place)))

    def sensors_stand(found: Mapping[str, Any]) -> None:
        journeys_begin(found)
        tracked = demo_fuel.tracker_options(found["drives"], with_past=with_past)
        group.create_task(fleet({**listen, **tracked}, lambda _found: None))
        plates = dict(zip(demo_fuel.TRACKERS, demo_fuel.PLATES, strict=True))
        for port in found["ports"]:
            ready(f"{demo_fuel.KEY}:{port['protocol']}", port, plates, until_ms=found["until_ms"])
            plates = {}

    listen = {"host": "127.0.0.1", "port": tracker_port}
    pace = {"speed_factor": 8.0}
    fleet_options = {**listen, **pace, "vehicles": len(PLATES) + LEFT_WAITING, "interval_s": 2.0, "seed": 7}
    server_options = {**pace, "vehicles": VEHICLES, "interval_s": 4.0, "history_h": 1.5, "seed": 11}
    sensor_options = demo_fuel.peer_options(folder, with_past=with_past)
    fleet, server = catalogue.simulator("gt02_tracker"), catalogue.simulator("traccar")
    sensors = catalogue.simulator(demo_fuel.KEY)
    async with asyncio.TaskGroup() as group:
        group.create_task(server(server_options, partial(ready, "traccar", plates={})))
        group.create_task(fleet(fleet_options, fleet_stands))
        for key in ("openlmis", "nhlmis"):
            options = SUPPLY_OPTIONS[key]
            group.create_task(catalogue.simulator(key)(options, partial(ready, key, plates={})))
        group.create_task(sensors(sensor_options, sensors_stand))


def free_port() -> int:
    """A port of loopback that is free now and is not the real listener's."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port != REAL_PORT:
            return port


def _is_lively(connection: Connection) -> bool:
    rows = list_integrations(connection)
    if any(row.phase != "healthy" for row in rows) or len(rows) < len(NAMES) - 1:  # the platform may be missing
        return False
    counted = select(func.count(func.distinct(PositionRow.device_key)))
    per_source = counted.join(Device, PositionRow.device_key == Device.key).group_by(Device.integration_id)
    counts = connection.execute(per_source).scalars().all()
    analysed = connection.execute(select(func.count(func.distinct(FuelEventRow.vehicle_id)))).scalar_one()
    if analysed < len(demo_fuel.PLATES):
        return False
    return len(counts) == len(TRACKED) and min(counts) >= len(PLATES) // 2


def _states(connection: Connection, imeis: Collection[str]) -> list[tuple[str, str]]:
    """Which of these trackers have reported, and whether they wait in the inbox."""
    reported = select(Device.unique_id, Device.state).where(Device.unique_id.in_(imeis))
    return [(row.unique_id, row.state) for row in connection.execute(reported)]


def _read(store: Store, query: Callable[[Connection], T]) -> T:
    with store.read() as connection:
        return query(connection)
