"""The next page is read while the host still stores the last: seen at the server, and ended with the run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, literal, select

from adapters.errors import NotReady
from adapters.mod4.pull import Pull
from adapters.mod4.readings import Tables
from adapters.mod4.words import Refused
from tests.adapters.mod4.support import Site, console, on

_BUSY = """SELECT count(*) FROM pg_stat_activity
    WHERE query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()"""


def _pages(*values: Any) -> Callable[[int | None], Callable[[Tables], Any] | None]:
    """Pages that are numbers from 1; each is the value of its expression, and the page behind the last is none."""
    waiting = list(values)

    def job_after(_page: int | None) -> Callable[[Tables], Any] | None:
        if not waiting:
            return None
        query = select(waiting.pop(0))
        return lambda tables: on(tables).execute(query).scalar()

    return job_after


async def _until_busy(site: Site) -> None:
    while not site.one(_BUSY):  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.01)


async def test_the_next_page_is_under_way_while_the_first_is_stored_and_ends_with_the_run(site: Site) -> None:
    async with console(site.settings()) as made, made.platform.open() as opened:
        pull = Pull(made.platform)
        pages = pull._pages(opened, _pages(literal(1), func.pg_sleep(60)))
        assert await anext(pages) == 1
        await _until_busy(site)
        await pull._leave()
        assert pull._ahead is not None
        with pytest.raises(NotReady):  # its connection is gone; at the server it ends with its own limit
            await pull._ahead.result()


async def test_a_page_that_fails_costs_none_before_it(site: Site) -> None:
    async with console(site.settings()) as made, made.platform.open() as opened:
        pages = Pull(made.platform)._pages(opened, _pages(literal(1), literal(2), literal(1) / literal(0), literal(4)))
        assert [await anext(pages), await anext(pages)] == [1, 2]
        with pytest.raises(Refused, match="division by zero"):
            await anext(pages)
        assert await opened.session.read(lambda tables: on(tables).execute(select(literal(5))).scalar()) == 5


async def test_pages_end_behind_the_last(site: Site) -> None:
    async with console(site.settings()) as made, made.platform.open() as opened:
        assert [page async for page in Pull(made.platform)._pages(opened, _pages(*map(literal, (1, 2, 3))))] == [
            1,
            2,
            3,
        ]
