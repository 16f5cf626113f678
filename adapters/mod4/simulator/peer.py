"""The simulated platform as a peer: one database on its server, with its people and, if wanted, their phones."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from adapters.mod4.simulator import schema, work
from adapters.mod4.simulator.autopilot import Autopilot
from adapters.mod4.simulator.faults import Faults
from adapters.mod4.simulator.journeys import Journey, add_journeys, pilots
from adapters.mod4.simulator.server import Server
from adapters.mod4.simulator.volume import enlarge
from adapters.mod4.simulator.world import World

T = TypeVar("T")
ROLES: Mapping[str, str] = {"console": schema.CONSOLE_ROLE, "session": schema.SESSION_ROLE, "owner": "postgres"}


class Platform:
    """One platform: its database, what was written on its first day, and what may go wrong with it."""

    def __init__(self, server: Server, database: str, world: World) -> None:
        self.server = server
        self.database = database
        self.world = world
        self.faults = Faults(server, database)

    def settings(self, role: str = "console") -> dict[str, Any]:
        """What an integration needs to reach it, as one of :data:`ROLES`. ``password`` is a secret."""
        user = ROLES[role]
        return {
            "host": self.server.host,
            "port": self.server.port,
            "database": self.database,
            "username": user,
            "password": self.server.password if user == "postgres" else self.server.role_passwords[user],
            "tls": "off",
            "workspace": self.world.workspace_id,
            "acting_user": self.world.owner.email,
            "app_url": "https://drivers.example.org",
        }

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a statement of the owner brings, row security or not; empty where it brings nothing. Blocks."""
        with self.server.connect(self.database) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []

    def sign_in(self, user_id: str, email: str) -> None:
        """The row-secured role is this user from its next connection on. Blocks."""
        with self.server.connect(self.database) as connection:
            schema.sign_in_as(connection, user_id, email)

    def repair(self) -> None:
        """What a site does with ``repair.sql``. Blocks."""
        with self.server.connect(self.database) as connection:
            schema.repair(connection)


def make_platform(
    server: Server,
    variant: schema.Variant = "repaired",
    *,
    name: str = "",
    volume: Mapping[str, int] | None = None,
    **options: Any,
) -> Platform:
    """A platform with its first day on a running server; blocks for about a second.

    ``volume`` are the counts of :func:`enlarge`, ``options`` those of :func:`adapters.mod4.simulator.world.build`.
    """
    database = server.create_database(variant, name)
    with server.connect(database) as connection:
        world = work.populate(connection, **options)
        if volume:
            enlarge(connection, world, **volume)
        schema.sign_in_as(connection, world.owner.id, world.owner.email)
    return Platform(server, database, world)


@contextlib.contextmanager
def running(variant: schema.Variant = "repaired", **options: Any) -> Iterator[Platform]:
    """A server with one platform for the length of a block."""
    with Server() as server:
        yield make_platform(server, variant, **options)


async def simulate(options: Mapping[str, Any], ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Run a platform until cancelled (:class:`adapters.base.Simulator`).

    Options: ``variant`` (``repaired`` or ``as_committed``), ``role`` (``console``, ``session``: under row security,
    ``owner``), ``seed`` (1), ``drivers`` (12), ``plates`` (the demo's), ``links``, ``batches``, ``events`` (more of
    them, for measurements; 0), ``port`` (0: a free one), ``apps`` (so many drivers work by themselves, 0), ``pace``
    (how much faster than life they drive, 1), ``journeys`` (see :meth:`Journey.of`; their drivers work as well).
    ``ready`` gets the settings of an integration for it.

    Raises Unsupported where the embedded server is not installed, NotReady where it does not start.
    """
    server = Server(port=int(options.get("port", 0)))
    try:
        await in_thread(server.start)
        platform = await in_thread(partial(_make, server, options))
        drivers = await in_thread(partial(_drivers, platform, options))
        ready(platform.settings(str(options.get("role", "console"))))
        async with asyncio.TaskGroup() as group:
            for driver in drivers:
                group.create_task(driver.run())
            await asyncio.Event().wait()
    finally:
        await in_thread(server.stop)


def _make(server: Server, options: Mapping[str, Any]) -> Platform:
    given = {name: options[name] for name in ("drivers", "plates") if name in options}
    return make_platform(
        server,
        "as_committed" if options.get("variant") == "as_committed" else "repaired",
        name="mod4",
        volume={name: int(options.get(name, 0)) for name in ("links", "batches", "events")},
        seed=int(options.get("seed", 1)),
        **given,
    )


def _drivers(platform: Platform, options: Mapping[str, Any]) -> list[Autopilot]:
    journeys = [Journey.of(given) for given in options.get("journeys", ())]
    with platform.server.connect(platform.database) as connection:
        asked = add_journeys(platform.world, connection, journeys)
    return pilots(
        platform.server,
        platform.database,
        platform.world,
        asked,
        apps=int(options.get("apps", 0)),
        pace=float(options.get("pace", 1.0)),
        tick_s=float(options.get("tick_s", 1.0)),
    )


async def in_thread(work: Callable[[], T]) -> T:
    """Work that blocks, to its end: a cancelled caller waits for it, so that nothing runs on behind its back."""
    running = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
