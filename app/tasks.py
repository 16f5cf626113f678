"""The one way to start a task: named, held, tied to an owner, its failure reported."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")
Reporter = Callable[[str, BaseException], None]

_log = logging.getLogger(__name__)


class Tasks:
    """Holds every task of one loop; asyncio itself keeps only weak references, so an unheld one can vanish.

    ``report`` is called with a task's name and exception when it fails; a cancelled task has not failed.
    """

    def __init__(self, report: Reporter | None = None) -> None:
        self._report = report or _log_failure
        self._held: dict[asyncio.Task[Any], object] = {}
        self._loop: asyncio.AbstractEventLoop | None = None  # the one that ran last
        self._closed = False

    def start(self, coroutine: Coroutine[Any, Any, T], *, name: str, owner: object) -> asyncio.Task[T]:
        """Run a coroutine until it ends or its owner is cancelled. Raises RuntimeError after :meth:`close`.

        A window's event may be handled while the loop stands still: the task begins when it goes on.
        """
        with suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()
        if self._closed or self._loop is None or self._loop.is_closed():
            coroutine.close()
            raise RuntimeError(f"{name} was started while the program is {'closing' if self._closed else 'starting'}")
        task = self._loop.create_task(coroutine, name=name)
        self._held[task] = owner
        task.add_done_callback(self._on_done)
        return task

    def of(self, owner: object) -> tuple[asyncio.Task[Any], ...]:
        """The running tasks of an owner."""
        return tuple(task for task, holder in self._held.items() if holder == owner)

    def cancel_owner(self, owner: object) -> asyncio.Future[None]:
        """Cancel an owner's tasks at once; await the result to know that they have ended.

        A task that cancels its own owner is not awaited by itself.
        """
        return self._cancel(self.of(owner))

    def close(self) -> asyncio.Future[None]:
        """Cancel everything and refuse new tasks; await the result to know that all have ended."""
        self._closed = True
        return self._cancel(tuple(self._held))

    def __len__(self) -> int:
        return len(self._held)

    def _cancel(self, tasks: tuple[asyncio.Task[Any], ...]) -> asyncio.Future[None]:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        awaited = {task for task in tasks if task is not asyncio.current_task()}

        def on_one_ended(task: asyncio.Task[Any]) -> None:
            awaited.discard(task)
            if not awaited and not ended.done():
                ended.set_result(None)

        if not awaited:
            ended.set_result(None)
        for task in tuple(awaited):
            task.add_done_callback(on_one_ended)
        for task in tasks:
            task.cancel()
        return ended

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._held.pop(task, None)
        if task.cancelled():
            return
        failure = task.exception()
        if failure is not None:
            self._report(task.get_name(), failure)


def _log_failure(name: str, failure: BaseException) -> None:
    _log.error("%s failed", name, exc_info=failure)
