"""``demo``: the built-in peers and a gateway, without a window."""

from __future__ import annotations

import asyncio
import sys
import time

import click

from app.commands.session import Session

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
        ctx.exit(asyncio.run(_peers(session, peers)))
    if session.paths == Paths.of_user():
        session.paths = Paths.of_demo()
        session.database = session.paths.store_url
    session.file_vault_only = True
    ctx.exit(asyncio.run(_demo(session, keep=keep)))


async def _peers(session: Session, port: int) -> int:
    """Until the process that started us closes our standard input, by its own end at the latest."""
    from app.demo import run_peers

    def say(line: str) -> None:
        click.echo(line)
        sys.stdout.flush()

    async with asyncio.TaskGroup() as group:
        peers = group.create_task(run_peers(session.catalogue, port, say))
        await asyncio.to_thread(sys.stdin.read)
        peers.cancel()
    return 0


async def _demo(session: Session, *, keep: bool) -> int:
    from app import platform
    from app.demo import Demo
    from app.engine.supervisor import EngineStatus, Supervisor
    from app.logs import Logs
    from app.opening import open_for_window
    from app.services import Services
    from app.tasks import Tasks

    the_demo = Demo(session, keep=keep)
    await asyncio.to_thread(the_demo.prepare)
    logs = Logs.open(session.paths, "demo", debug=session.debug)
    store = await asyncio.to_thread(open_for_window, session.paths, session.database, session.clock)
    services = Services(session.paths, store, session.clock, lambda: session.vault)
    tasks, stop = Tasks(), asyncio.Event()
    status: list[EngineStatus] = []
    supervisor = Supervisor(
        session.gateway_command(), session.paths, clock=session.clock, tasks=tasks, on_change=status.append
    )
    platform.on_stop_signal(asyncio.get_running_loop(), stop.set)
    try:
        supervisor.start()
        tasks.start(the_demo.run(services), name="demo", owner=the_demo)
        await _first_of(the_demo.connected, stop)
        click.echo("ready")
        while not stop.is_set():
            click.echo(await asyncio.to_thread(_status_line, services))
            await _sleep_or(stop, STATUS_EVERY_S)
    finally:
        await tasks.cancel_owner(the_demo)
        await supervisor.stop()
        await tasks.close()
        await asyncio.to_thread(store.close)
        logs.close()
    return 0


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


def _status_line(services: object) -> str:
    from sqlalchemy import func, select

    from app.integrations import list_integrations
    from app.services import Services
    from app.store.tables import PositionRow

    assert isinstance(services, Services)  # noqa: S101
    with services.store.read() as connection:
        rows = list_integrations(connection)
        positions = connection.execute(select(func.count()).select_from(PositionRow)).scalar_one()
    states = ", ".join(f"{row.name}: {row.phase}" for row in rows) or "nothing connected yet"
    return f"{time.strftime('%H:%M:%S')}  {states}; {positions} positions stored"
