from __future__ import annotations

import asyncio
import gc

import pytest

from app.tasks import Tasks


async def forever() -> None:
    await asyncio.Event().wait()


async def test_a_task_is_held_until_it_ends() -> None:
    tasks = Tasks()
    go = asyncio.Event()

    async def wait() -> str:
        await go.wait()
        return "done"

    task = tasks.start(wait(), name="waiting", owner="page")
    gc.collect()
    assert tasks.of("page") == (task,)
    go.set()
    assert await task == "done"
    assert len(tasks) == 0


async def test_cancelling_an_owner_ends_its_tasks_alone() -> None:
    tasks = Tasks()
    mine, theirs = object(), object()
    cancelled = [tasks.start(forever(), name=f"mine {n}", owner=mine) for n in range(3)]
    other = tasks.start(forever(), name="theirs", owner=theirs)
    await tasks.cancel_owner(mine)
    assert all(task.cancelled() for task in cancelled)
    assert not other.done()
    await tasks.close()


async def test_cancelling_waits_for_the_clean_up() -> None:
    tasks, cleaned = Tasks(), []

    async def clean_up_slowly() -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(0)
            cleaned.append(True)

    tasks.start(clean_up_slowly(), name="slow", owner="page")
    await asyncio.sleep(0)
    await tasks.cancel_owner("page")
    assert cleaned == [True]


async def test_an_owner_can_be_cancelled_by_its_own_task_and_without_waiting() -> None:
    tasks = Tasks()
    other = tasks.start(forever(), name="other", owner="page")

    async def close_my_page() -> None:
        await tasks.cancel_owner("page")

    closing = tasks.start(close_my_page(), name="closing", owner="page")
    await asyncio.wait([closing, other])
    assert other.cancelled()
    assert closing.cancelled()


async def test_failures_are_reported_by_name_and_cancellations_are_not() -> None:
    reported: list[tuple[str, str]] = []
    tasks = Tasks(lambda name, failure: reported.append((name, str(failure))))

    async def fail() -> None:
        raise LookupError("no such page")

    tasks.start(forever(), name="patient", owner="page")
    await asyncio.wait([tasks.start(fail(), name="refresh", owner="page")])
    await tasks.close()
    assert reported == [("refresh", "no such page")]


async def test_without_a_reporter_failures_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise LookupError("no such page")

    tasks = Tasks()
    await asyncio.wait([tasks.start(fail(), name="refresh", owner="page")])
    assert "refresh failed" in caplog.text
    assert "no such page" in caplog.text


async def test_nothing_starts_after_closing() -> None:
    tasks = Tasks()
    await tasks.close()
    with pytest.raises(RuntimeError, match="late was started while the program is closing"):
        tasks.start(forever(), name="late", owner="page")


async def test_a_task_that_ends_while_it_is_being_cancelled_does_not_hang_the_closing() -> None:
    tasks = Tasks()

    async def swallow() -> None:
        try:
            await forever()
        except asyncio.CancelledError:
            return

    tasks.start(swallow(), name="stubborn", owner="page")
    await asyncio.sleep(0)
    await tasks.close()
    assert len(tasks) == 0


def test_a_task_that_is_started_while_the_loop_stands_still_begins_when_it_goes_on() -> None:
    began: list[str] = []

    async def work() -> None:
        began.append("work")

    tasks = Tasks()
    with pytest.raises(RuntimeError, match="early was started while the program is starting"):
        tasks.start(work(), name="early", owner="page")
    with asyncio.Runner() as runner:
        runner.run(_use(tasks))
        task = tasks.start(work(), name="between", owner="page")
        assert not began

        async def join() -> None:
            await task

        runner.run(join())
        assert began == ["work"]
    with pytest.raises(RuntimeError, match="late was started"):
        tasks.start(work(), name="late", owner="page")


async def _use(tasks: Tasks) -> None:
    await tasks.start(asyncio.sleep(0), name="first", owner="page")
