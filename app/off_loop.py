"""Running a coroutine on an event loop of its own, in a thread, so that a window's loop is not held up by it.

Testing settings makes TLS contexts, resolves names and talks to peers that may stall: the window stays smooth, and
the work does not depend on how the window's loop treats sockets and timers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

T = TypeVar("T")


async def run_off_loop(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of ``work()``, run in a thread; raises what it raises.

    When the waiting task is cancelled, the work is cancelled too, and its end is awaited.
    """
    ours = asyncio.get_running_loop()
    begun: asyncio.Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = ours.create_future()

    async def main() -> T:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio.run made one
        ours.call_soon_threadsafe(begun.set_result, (asyncio.get_running_loop(), task))
        return await work()

    def in_thread() -> T:
        try:
            return asyncio.run(main())
        except asyncio.CancelledError:  # only we cancel it, and then nobody looks at the result
            return cast("T", None)

    running = ours.run_in_executor(None, in_thread)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        loop, task = await begun
        with contextlib.suppress(RuntimeError):  # its loop is closed: it has just ended by itself
            loop.call_soon_threadsafe(task.cancel)
        await asyncio.wait([running])
        with contextlib.suppress(Exception):
            running.exception()
        raise
