"""``demo``: the built-in peers and a gateway, without a window."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import TYPE_CHECKING

import click

from app.commands.session import Session

if TYPE_CHECKING:
    from app.demo import Demo
    from app.engine.supervisor import Supervisor
    from app.store.store import Store

STATUS_EVERY_S = 5.0


@click.command()
@click.option("--keep", is_flag=True, help="Keep the last demo's data.")
@click.option("--peers", type=int, hidden=True, help="Run only the peers; the port that the trackers report to.")
@click.pass_context
def demo(ctx: click.Context, keep: bool, peers: int | None) -> None:
    """Run the built-in peers and a gateway; prints “ready” and a status line every few seconds."""
    from app.paths import Paths

    session = ctx.ensure_object(Session)
    if peers is not None:
        asyncio.run(_peers(session, peers, keep=keep))
        return
    if session.paths == Paths.of_user():
        was_default = session.database == session.paths.store_url
        session.paths = Paths.of_demo()
        session.database = session.paths.store_url if was_default else session.database
    session.file_vault_only = True
    asyncio.run(_demo(session, keep=keep))


async def _peers(session: Session, port: int, *, keep: bool) -> None:
    """Until the process that started us closes our standard input, by its own end at the latest."""
    from app.demo import run_peers

    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def watch_input() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(ended.set)

    # A daemon: nobody can leave a read, and the peers' own failure must end this process all the same.
    threading.Thread(target=watch_input, name="parent", daemon=True).start()
    async with asyncio.TaskGroup() as group:
        folder = session.paths.data_dir / "ports"
        peers = group.create_task(run_peers(session.catalogue, port, click.echo, folder, with_past=not keep))
        await ended.wait()
        peers.cancel()


async def _demo(session: Session, *, keep: bool) -> None:
    from app.demo import Demo
    from app.logs import Logs
    from app.opening import open_for_window

    the_demo = Demo(session, keep=keep)
    await asyncio.to_thread(the_demo.prepare)
    logs = Logs.open(session.paths, "demo", debug=session.debug)
    try:
        store = (await asyncio.to_thread(open_for_window, session.paths, session.database, session.clock)).store
        try:
            await _serve(session, the_demo, store)
        finally:
            await asyncio.to_thread(store.close)
    finally:
        logs.close()
        the_demo.close()


async def _serve(session: Session, the_demo: Demo, store: Store) -> None:
    """Until a signal. Raises what ended the demo before."""
    from app import platform
    from app.engine.supervisor import Supervisor
    from app.services import Services
    from app.tasks import Tasks

    stop = asyncio.Event()
    failures: list[BaseException] = []

    def on_failure(_name: str, failure: BaseException) -> None:
        failures.append(failure)
        stop.set()

    tasks = Tasks(on_failure)
    supervisor = Supervisor(
        session.gateway_command(), session.paths, clock=session.clock, tasks=tasks, on_change=lambda _status: None
    )
    platform.on_stop_signal(asyncio.get_running_loop(), stop.set)
    try:
        supervisor.start()
        services = Services(session.paths, store, session.clock, lambda: session.vault)
        tasks.start(the_demo.run(services), name="demo", owner=the_demo)
        await _first_of(the_demo.connected, stop)
        if not stop.is_set():
            click.echo("ready")
        while not stop.is_set():
            click.echo(await asyncio.to_thread(_status_line, store, supervisor))
            await _sleep_or(stop, STATUS_EVERY_S)
    finally:
        await tasks.cancel_owner(the_demo)
        await supervisor.stop()
        await tasks.close()
    if failures:
        raise failures[0]


async def _first_of(*events: asyncio.Event) -> None:
    """Return as soon as one of the events is set."""
    async with asyncio.TaskGroup() as group:
        waits = [group.create_task(event.wait()) for event in events]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()


async def _sleep_or(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


def _status_line(store: Store, supervisor: Supervisor) -> str:
    from sqlalchemy import func, select

    from app.integrations import list_integrations
    from app.store.tables import PositionRow

    with store.read() as connection:
        rows = list_integrations(connection)
        positions = connection.execute(select(func.count()).select_from(PositionRow)).scalar_one()
    states = ", ".join(f"{row.name}: {row.phase}" for row in rows)
    engine = supervisor.status.word.value.replace("_", " ")
    return f"{time.strftime('%H:%M:%S')}  engine {engine}; {states}; {positions} positions stored"
