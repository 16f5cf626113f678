from __future__ import annotations

import asyncio
import threading

import pytest

from app.off_loop import run_off_loop


async def test_the_work_runs_on_a_loop_of_another_thread() -> None:
    async def work() -> tuple[int, asyncio.AbstractEventLoop]:
        await asyncio.sleep(0)
        return threading.get_ident(), asyncio.get_running_loop()

    thread, loop = await run_off_loop(work)
    assert thread != threading.get_ident()
    assert loop is not asyncio.get_running_loop()
    assert loop.is_closed()


async def test_what_it_raises_reaches_the_waiting_task() -> None:
    async def work() -> None:
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match="no such thing"):
        await run_off_loop(work)


async def test_cancelling_the_waiting_task_ends_the_work_first() -> None:
    begun, ended = threading.Event(), threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.set()

    task = asyncio.get_running_loop().create_task(run_off_loop(work))
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_a_failure_after_the_cancellation_is_nobody_elses_trouble() -> None:
    begun = threading.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise ValueError("while ending") from None

    task = asyncio.get_running_loop().create_task(run_off_loop(work))
    assert await asyncio.to_thread(begun.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
