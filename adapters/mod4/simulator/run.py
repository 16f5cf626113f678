"""The simulated platform as the demo and the command line run it (:class:`adapters.base.Simulator`)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from adapters.mod4.simulator.autopilot import Autopilot
from adapters.mod4.simulator.journeys import Journey, add_journeys, pilots
from adapters.mod4.simulator.peer import Platform, in_thread, make_platform
from adapters.mod4.simulator.photos import upload
from adapters.mod4.simulator.server import Server
from adapters.mod4.simulator.web import serving


async def simulate(options: Mapping[str, Any], ready: Callable[[Mapping[str, Any]], None]) -> None:
    """Run a platform until cancelled (:class:`adapters.base.Simulator`).

    Options: ``variant`` (``repaired`` or ``as_committed``), ``role`` (``console``, ``session``: under row security,
    ``owner``), ``seed`` (1), ``drivers`` (12), ``plates`` (the demo's), ``links``, ``batches``, ``events`` (more of
    them, for measurements; 0), ``port`` (0: a free one), ``apps`` (so many drivers work by themselves, 0), ``pace``
    (how much faster than life they drive, 1), ``journeys`` (see :meth:`Journey.of`; their drivers work as well).
    ``http`` (whether it answers over HTTP too), ``way`` (``web``: over HTTP instead of its database), ``photos``
    (whether files of proofs are uploaded to its storage). ``ready`` gets the settings of an integration for it; with
    ``http`` also ``url``, ``anon_key``, and ``email`` and ``account_password`` of the workspace's owner.

    Raises Unsupported where the embedded server is not installed, NotReady where it does not start.
    """
    server = Server(port=int(options.get("port", 0)))
    try:
        await in_thread(server.start)
        platform = await in_thread(partial(_make, server, options))
        drivers = await in_thread(partial(_drivers, platform, options))
        settings = platform.settings(str(options.get("role", "console")))
        async with AsyncExitStack() as stack:
            is_web = bool(options.get("http")) or options.get("way") == "web"
            if is_web or options.get("photos"):
                web = await stack.enter_async_context(serving(platform))
                if is_web:
                    account = await in_thread(partial(_account, platform))
                    settings |= {"url": web.url, "anon_key": web.anon_key, **account}
                if options.get("photos"):
                    await in_thread(partial(upload, platform, web.photos_url))
                    settings |= {"photo_hosts": web.photos_place}
                    for driver in drivers:
                        driver.habits.storage = web.photos_url
            ready({**settings, "way": options.get("way", "database")})
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


def _account(platform: Platform) -> dict[str, str]:
    """A password for the workspace's owner."""
    password = secrets.token_urlsafe(18)
    change = "UPDATE auth.users SET encrypted_password = extensions.crypt(%s, extensions.gen_salt('bf')) WHERE id = %s"
    platform.rows(change, password, platform.world.owner.id)
    return {"email": platform.world.owner.email, "account_password": password}
