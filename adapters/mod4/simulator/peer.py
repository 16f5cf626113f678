"""The simulated platform as a peer: one database on its server, with its people and, if wanted, their phones."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from adapters.mod4.simulator import schema, work
from adapters.mod4.simulator.faults import Faults
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


async def in_thread(work: Callable[[], T]) -> T:
    """Work that blocks, to its end: a cancelled caller waits for it, so that nothing runs on behind its back."""
    running = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise
