"""A line that breaks at the commit: what became of the change is not guessed, the next try reads it back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapters.errors import NotReady
from tests.adapters.mod4.support import LINK, Site, send

SUSPEND, SEEN = {"stage": "suspended"}, {"stage": "active"}
_QUERY_COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"  # PostgreSQL documentation, 54.7: Query


@asynccontextmanager
async def breaking_at_commit(site: Site, *, arrives: bool) -> AsyncIterator[int]:
    """A way to the server that breaks at the first commit of a change: behind it, or before it has arrived."""
    changes = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal changes
        inner_reader, inner_writer = await asyncio.open_connection(site.of.host, site.of.port)

        async def back() -> None:
            while data := await inner_reader.read(65_536):
                writer.write(data)
                await writer.drain()

        answers = asyncio.ensure_future(back())
        try:
            while data := await reader.read(65_536):
                changes += b"UPDATE" in data
                if changes and _QUERY_COMMIT in data:
                    answers.cancel()
                    if arrives:
                        inner_writer.write(data)
                        await inner_reader.read(65_536)  # the server has committed; nobody is told
                    return
                inner_writer.write(data)
                await inner_writer.drain()
        finally:
            answers.cancel()
            await asyncio.gather(answers, return_exceptions=True)
            inner_writer.transport.abort()
            writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as peer:
        yield peer.sockets[0].getsockname()[1]


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_change_that_breaks_off_at_its_commit_is_read_back_by_the_next_try(site: Site, arrives: bool) -> None:
    async with breaking_at_commit(site, arrives=arrives) as port:
        with pytest.raises(NotReady) as found:
            await send(site.settings(port=port), "suspend_link", LINK, SUSPEND, SEEN)
    assert found.value.is_doubtful
    status = "suspended" if arrives else "active"
    assert site.one("SELECT status::text FROM mod4_driver_links WHERE id = %s::uuid", LINK) == status
    again = await send(site.settings(), "suspend_link", LINK, SUSPEND, SEEN, doubtful=True)
    assert again.was_applied_before is arrives
    assert ("earlier try" in again.answer) is arrives
    assert site.one("SELECT status::text FROM mod4_driver_links WHERE id = %s::uuid", LINK) == "suspended"
