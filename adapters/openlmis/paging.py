"""Reading long lists in pages whose size follows the line, from any place in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from adapters.base import Clock
from adapters.errors import BadReply, NotReady
from adapters.openlmis.client import OpenLmisClient, Params, Refused

SMALLEST = 10
QUICK_S = 1.5
SLOW_S = 8.0
MOST_PAGES = 200_000


class Pace:
    """The page size of one server: halved where an answer takes long or never comes, doubled where it is quick."""

    def __init__(self, largest: int) -> None:
        self.ladder = _halves(largest)
        self._step = min(1, len(self.ladder) - 1)

    @property
    def size(self) -> int:
        return self.ladder[self._step]

    def took(self, seconds: float, *, full: bool) -> None:
        """One page came after so long; only a full one says that a larger may do."""
        if seconds > SLOW_S:
            self.failed()
        elif seconds < QUICK_S and full:
            self._step = max(self._step - 1, 0)

    def failed(self) -> None:
        self._step = min(self._step + 1, len(self.ladder) - 1)

    def cut_to(self, size: int) -> None:
        """This server gives no more than so many at once, whatever it is asked for."""
        self.ladder, self._step = _halves(size), 0

    def fitting(self, offset: int) -> int:
        """The largest size up to the present one at which a page begins at ``offset``; 0 where none does."""
        return next((size for size in self.ladder[self._step :] if offset % size == 0), 0)


def _halves(largest: int) -> list[int]:
    found = [largest]
    while found[-1] % 2 == 0 and found[-1] // 2 >= SMALLEST:
        found.append(found[-1] // 2)
    return found


@dataclass(frozen=True, slots=True)
class Part:
    """Some entries of a list. ``after`` is the place of the next, None at the end."""

    items: list[object]
    after: int | None
    modified: str = ""


async def parts(
    client: OpenLmisClient, pace: Pace, clock: Clock, path: str, params: Params = (), *, start: int = 0, since: str = ""
) -> AsyncIterator[Part]:
    """A list from ``start`` on, page by page; nothing at all where it did not change since ``since``.

    Entries that come twice within a page are left out. Raises BadReply for a server that repeats its pages for ever.
    """
    offset, before = start, ""
    for _ in range(MOST_PAGES):
        size = pace.fitting(offset)
        if not size:  # the settings changed since the place was noted: go back to the last place that fits
            size = pace.size
            offset -= offset % size
        began = clock.monotonic()
        try:
            page = await client.page(path, params, offset // size, size, since=since)
        except (NotReady, BadReply) as err:
            if not isinstance(err, Refused):
                pace.failed()
            raise
        if page is None:
            return
        pace.took(clock.monotonic() - began, full=len(page.items) >= size)
        found, marker = _each_once(page.items)
        if before and marker == before and not page.last:
            raise BadReply(f"{client.name} sends the same page again and again ({path}). Its list cannot be read.", "")
        before = marker
        if 0 < page.size < size:  # then the server's own number and size tell where we are
            pace.cut_to(page.size)
            offset = (page.number + 1) * page.size
        else:
            offset += size
        yield Part(found, None if page.last else offset, page.headers.get("last-modified", ""))
        if page.last:
            return
    raise BadReply(f"{client.name} sent a list without an end ({path}). It is read again later.", "")


def _each_once(items: object) -> tuple[list[object], str]:
    """The entries without repetitions of an id, and a text by which a page is known again."""
    seen: set[str] = set()
    found: list[object] = []
    for item in items if isinstance(items, list | tuple) else ():
        key = item.get("id") if isinstance(item, dict) else None
        if isinstance(key, str):
            if key in seen:
                continue
            seen.add(key)
        found.append(item)
    return found, "|".join(sorted(seen))


async def whole(
    client: OpenLmisClient, pace: Pace, clock: Clock, path: str, *params: tuple[str, str | int]
) -> list[object]:
    """A list that is needed as a whole."""
    found: list[object] = []
    async for part in parts(client, pace, clock, path, params):
        found += part.items
    return found
