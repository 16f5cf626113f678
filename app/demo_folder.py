"""The demo's own data folder: one demo at a time, what a killed one left running is ended, its data emptied."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from filelock import FileLock, Timeout

from app import platform
from app.engine.facts import read_facts
from app.errors import OperatorError
from app.paths import Paths
from app.store.locks import EngineLock

GIVE_WAY_S = 8.0
MARK = "demo.lock"
WHOLE = "demo.whole"
"""Stands in the folder once the days behind the demo are written; a demo that was ended before is begun anew."""
_LOCKS = frozenset({MARK, "console.lock", "engine.lock"})


def is_demo(folder: Path) -> bool:
    """Whether a data folder is a demo's: nothing that was made up may reach somebody outside."""
    return (folder / MARK).exists()


class DemoRefused(OperatorError):
    """The demo cannot run there."""


class DemoFolder:
    """Held from :meth:`take` to :meth:`release`, or to the end of the process.

    ``is_kept``: it holds the last demo's data, with the days behind it.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._lock = FileLock(paths.data_dir / MARK, thread_local=False)
        self.is_kept = False

    def take(self, *, keep: bool) -> None:
        """Make the folder ready; with ``keep`` the last demo's data stays, where that demo was whole. Blocks.

        Raises DemoRefused, OSError.
        """
        self._paths.create()
        folder = self._paths.data_dir
        if not (folder / MARK).exists() and _holds_something(folder):
            raise DemoRefused(
                f"{folder} holds something that is no demo's, and a demo empties its folder. "
                "Name an empty folder with --data-dir, or leave the option out."
            )
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise DemoRefused(
                f"A demo is running in {folder} already. Close it, or give this one an empty folder with --data-dir."
            ) from None
        end_left_over(self._paths)
        self.is_kept = keep and (folder / WHOLE).exists()
        if not self.is_kept:
            _empty(folder)
            self._paths.create()

    def note_whole(self) -> None:
        """The days behind the demo are written."""
        (self._paths.data_dir / WHOLE).touch()

    def release(self) -> None:
        self._lock.release()


def end_left_over(paths: Paths) -> None:
    """End the engine that a killed demo left running: asked first, then at once. Raises DemoRefused if it stays."""
    lock = EngineLock(paths.store_url, paths.engine_lock)
    asked = killed = False
    ends = time.monotonic() + 2 * GIVE_WAY_S
    while not lock.acquire():
        # Only while the lock is held do the facts name a living engine, and no stranger with a number used again.
        facts = read_facts(paths.engine_json)
        if time.monotonic() > ends:
            raise DemoRefused("The last demo's engine does not end. End it, then start the demo again.")
        if facts is not None and not asked:
            platform.end_process(facts.pid)
            asked = True
        elif facts is not None and not killed and time.monotonic() > ends - GIVE_WAY_S:
            platform.kill_process(facts.pid)
            killed = True
        time.sleep(0.05)
    lock.release()


def _holds_something(folder: Path) -> bool:
    """Anything but what a start of this program makes before it looks: locks and empty folders."""
    return any(path.name not in _LOCKS and not (path.is_dir() and not any(path.iterdir())) for path in folder.iterdir())


def _empty(folder: Path) -> None:
    """Delete the last demo's data; the locks, which this run may hold, stay."""
    for path in folder.iterdir():
        if path.name in _LOCKS:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
