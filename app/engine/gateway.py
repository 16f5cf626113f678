"""The gateway: the engine in a process of its own, without a window and without Qt."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import platform
from app.catalogue import Catalogue
from app.clock import SystemClock
from app.engine.facts import READY_LINE, STOP_LINE
from app.engine.held import HeldStore
from app.engine.host import EngineHost
from app.engine.journal import State
from app.engine.phases import Phase
from app.errors import OperatorError
from app.logs import Logs, one_line
from app.paths import Paths
from app.security.database_password import kept_password
from app.security.vault import Vault, VaultError, open_vault
from app.tasks import Tasks

_LONGEST_LINE = 65_536
_GARBAGE_THRESHOLDS = (50_000, 20, 50)
_TROUBLED = frozenset({Phase.RETRYING, Phase.NEEDS_SIGN_IN, Phase.MISCONFIGURED, Phase.ERROR})

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GatewayOptions:
    """What the gateway was asked for.

    ``passphrase_on_stdin``: the first line of standard input opens the vault file. ``started_by`` stands in
    ``engine.json``: console for a child of the window, service for everything else. A database server's password
    comes from the vault or the environment, never from the address.
    """

    paths: Paths
    database_url: str | None = None
    vault_key_file: Path | None = None
    file_vault_only: bool = False
    passphrase: str | None = None
    passphrase_on_stdin: bool = False
    started_by: str = "service"
    debug: bool = False


def run_gateway(options: GatewayOptions) -> int:
    """Run the engine until SIGINT, SIGTERM, a line ``stop`` on standard input or the command ``engine.stop``.

    Prints ``ready`` once every enabled integration was tried once. Returns the exit status: 0 after a clean end, 1
    when the engine cannot run, with one sentence on standard error.
    """
    clock = SystemClock()
    platform.ignore_terminal_stop()
    lines = _InputLines()
    logs = Logs.open(options.paths, "gateway", debug=options.debug)
    try:
        vault = open_vault(
            options.paths,
            key_file=options.vault_key_file,
            passphrase=lines.first() if options.passphrase_on_stdin else options.passphrase,
            file_only=options.file_vault_only,
        )
        database = options.database_url or options.paths.store_url
        held = HeldStore.take(
            options.paths,
            clock,
            started_by=options.started_by,
            database_url=database,
            password=kept_password(database, lambda: vault),
        )
        try:
            return _run(_serve(held, vault, clock, lines))
        finally:
            held.close()
    except (OperatorError, VaultError) as err:
        _say(str(err), sys.stderr)
        return 1
    except OSError as err:
        where = f" ({err.filename})" if err.filename else ""
        _say(f"The gateway cannot start: {err.strerror or err}{where}.", sys.stderr)
        return 1
    finally:
        logs.close()


async def _serve(held: HeldStore, vault: Vault, clock: SystemClock, lines: _InputLines) -> int:
    loop = asyncio.get_running_loop()
    tasks = Tasks()
    limit = platform.raise_open_files_limit()
    catalogue = await asyncio.to_thread(Catalogue.load)
    host = EngineHost(held, catalogue, vault, clock=clock, tasks=tasks)
    _look_for_garbage_rarely()
    platform.on_stop_signal(loop, host.stop)
    lines.follow(loop, lambda line: host.stop() if line.strip() == STOP_LINE else None)
    _log.info("gateway %s starts: %s, open files up to %s", held.facts.version, held.store.place, limit)
    try:
        await host.run(_announce)
    finally:
        await tasks.close()
    _log.info("gateway ended")
    if host.fault:
        _say(host.fault, sys.stderr)
        return 1
    return 0


def _look_for_garbage_rarely() -> None:
    """Records hold no cycles, but every 700 of them would make the collector walk all that wait for their commit."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GARBAGE_THRESHOLDS)


def _announce(states: Mapping[str, State]) -> None:
    for name, state in states.items():
        if state.phase in _TROUBLED:
            _say(f"{name}: {state.reason}", sys.stderr)
    _say(READY_LINE, sys.stdout)


def _say(line: str, stream: Any) -> None:
    """Print a line; a reader that has gone (a crashed window) must not end the gateway."""
    try:
        print(one_line(line), file=stream, flush=True)
    except (OSError, ValueError):
        _log.debug("nobody reads what the gateway says: %s", line)


def _run(serve: Coroutine[Any, Any, int]) -> int:
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(serve)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # Windows
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


class _InputLines:
    """Lines of standard input, read from its descriptor: a thread inside Python's own buffer could not be left."""

    def __init__(self) -> None:
        self._rest = b""
        self._ended = False

    def first(self) -> str | None:
        """The first line, waited for, blanks and all; None at the end of the input."""
        return self._next()

    def follow(self, loop: asyncio.AbstractEventLoop, on_line: Callable[[str], object]) -> None:
        """Call ``on_line`` on the loop for every further line. The end of the input means nothing."""

        def read() -> None:
            while (line := self._next()) is not None:
                try:
                    loop.call_soon_threadsafe(on_line, line)
                except RuntimeError:  # the loop has ended
                    return

        threading.Thread(target=read, name="gateway-input", daemon=True).start()

    def _next(self) -> str | None:
        while b"\n" not in self._rest and not self._ended:
            try:
                piece = os.read(0, 4096)
            except OSError:  # closed, or the terminal of a process in the background
                piece = b""
            self._ended = not piece
            self._rest = (self._rest + piece)[-_LONGEST_LINE:]
        line, found, self._rest = self._rest.partition(b"\n")
        if not found and not line:
            return None
        return line.decode("utf-8", errors="surrogateescape").rstrip("\r")
