"""What all ``sensors`` commands stand on: the options that name a sensor, and an open session on a borrowed port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import click

from app import platform
from app.commands.output import Refused, print_rows
from app.commands.session import Session
from app.commands.words import read_pair

if TYPE_CHECKING:
    from adapters.bench import Bench, BenchSession, Dialect, SensorFacts, Written
    from app.store.store import Store

BENCH = "fuel_monitoring"
WRITTEN_COLUMNS = ("name", "before", "wanted", "read_back", "ok")


@dataclass(frozen=True, slots=True)
class Line:
    """A port and how it is spoken to; ``speeds`` is empty where none was named."""

    port: str
    dialect: str
    speeds: tuple[int, ...]
    options: tuple[str, ...]

    @property
    def speed(self) -> int:
        """The first that was named, 0 for the dialect's own."""
        return self.speeds[0] if self.speeds else 0


_dialect_option = click.option(
    "--dialect", default="lls", show_default=True, help="How the sensor is spoken to; “sensors dialects” lists them."
)
_speed_option = click.option(
    "--speed", "speeds", type=click.IntRange(min=1), multiple=True, help="Baud; for CAN the bit rate of the bus."
)
_option_option = click.option(
    "--option", "options", multiple=True, metavar="NAME=VALUE", help="An option of the dialect, e.g. map=cap_10."
)


def line_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """PORT, ``--dialect``, ``--speed`` and ``--option`` of a command; they arrive as one ``line``."""

    @wraps(command)
    def with_line(*, port: str, dialect: str, speeds: tuple[int, ...], options: tuple[str, ...], **others: Any) -> Any:
        return command(line=Line(port, dialect, speeds, options), **others)

    decorated: Callable[..., Any] = with_line
    for decorate in (_option_option, _speed_option, _dialect_option, click.argument("port")):
        decorated = decorate(decorated)
    return decorated


@asynccontextmanager
async def at_bench(session: Session, line: Line) -> AsyncIterator[tuple[BenchSession, Store | None]]:
    """A session on the port, borrowed from the engine where one runs; everything is given back at the end."""
    from app.fuel.lending import PortLoan
    from app.tasks import Tasks

    bench, tasks = find_bench(session), Tasks()
    store = _store_of(session)
    try:
        async with PortLoan(store, line.port, clock=session.clock, tasks=tasks) as loan:
            for name in loan.lent_by:
                click.echo(f"“{name}” waits until {line.port} is given back.", err=True)
            opened = await bench.open(line.port, line.dialect, line.speed, dict(map(read_pair, line.options)))
            try:
                yield opened, store
            finally:
                await opened.close()
    finally:
        await tasks.close()
        if store is not None:
            await asyncio.to_thread(store.close)


def find_bench(session: Session) -> Bench:
    return session.catalogue.bench(BENCH)


def find_dialect(session: Session, key: str) -> Dialect:
    """Raises Refused for a dialect that is none."""
    found = next((one for one in find_bench(session).dialects() if one.key == key), None)
    if found is None:
        raise Refused(f"There is no dialect “{key}”. “sensors dialects” lists them.")
    return found


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def until_stopped(
    seconds: float | None,
    work: Callable[[], Coroutine[Any, Any, None]],
    *,
    stopped: asyncio.Event | None = None,
    ends_with_work: bool = False,
) -> None:
    """Let ``work`` go on for so long, or until Ctrl+C, the ordinary end of a watch, or until ``stopped`` is set."""
    stopped = stopped or asyncio.Event()
    platform.on_stop_signal(asyncio.get_running_loop(), stopped.set)

    async def serve() -> None:
        await work()
        if ends_with_work:
            stopped.set()

    try:
        async with asyncio.TaskGroup() as group:
            working = group.create_task(serve())
            try:
                async with asyncio.timeout(seconds):
                    await stopped.wait()
            except TimeoutError:
                pass
            finally:
                working.cancel()
    except ExceptionGroup as failed:  # of one task: its own error says to the operator what happened
        raise failed.exceptions[0] from failed


async def note_writes(store: Store | None, port: str, facts: SensorFacts, written: Sequence[Written]) -> None:
    """Into the record of acts, where there is a store to keep one."""
    from app.fuel.profiles import record_writes

    if store is None or not written:
        return
    who = {"address": facts.address, "model": facts.model, "serial": facts.serial}
    await asyncio.wrap_future(store.write(partial(record_writes, port=port, facts=who, written=written)))


def addresses_of(text: str, known: range) -> list[int]:
    """``1-8,12`` as numbers. Raises UsageError."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise click.UsageError(f"“{text}” are no addresses: write them as 1-8,12.")
        wanted = range(int(first), int(last or first) + 1)
        if not wanted or wanted[0] not in known or wanted[-1] not in known:
            raise click.UsageError(f"Addresses of this dialect are {known[0]} to {known[-1]}.")
        found += wanted
    return list(dict.fromkeys(found))


def _store_of(session: Session) -> Store | None:
    """None where there is no store yet, or none that this program may use: then nobody holds a port for it either."""
    from app.errors import OperatorError

    try:
        return session.open_store()
    except (OperatorError, OSError):
        return None


def print_written(written: Sequence[Written], wanted: int, *, as_json: bool) -> None:
    """What became of so many ``wanted`` writes. Raises Refused when one did not hold or could not be read back."""
    rows = [{**asdict(one), "ok": one.ok} for one in written]
    print_rows(rows, WRITTEN_COLUMNS, as_json=as_json)
    one = next((one for one in written if not one.ok), None)
    if one is None:
        return
    if one.read_back is None:
        fate = f"{one.name} was written as {one.wanted} and could not be read back: whether it holds is not known."
    else:
        fate = f"{one.name} did not hold: {one.wanted} was written and {one.read_back} came back."
    left = wanted - len(written)
    untried = f" {left} more {'was' if left == 1 else 'were'} not tried." if left else ""
    raise Refused(f"{fate}{untried} Look at the settings before going on.")
