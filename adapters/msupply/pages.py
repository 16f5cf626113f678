"""Lists page by page, in pages whose size fits the line (msupply.md, section 4).

A page that does not come whole is asked for again at half its size; each one that comes quickly lets the next be a
little larger. Sizes are kept per kind of record while the adapter lives.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapters.base import Clock
from adapters.errors import BadReply
from adapters.msupply import fields
from adapters.msupply.client import CutOff, MSupplyClient, Overlong

SMALLEST = 10
SMALLER_TRIES = 3
"""How often in a row a page is asked for at half the size before the line counts as gone."""
QUICK_S = 3.0
GROWTH = 1.25
MOST_RECORDS = 5_000_000
FIRST_PAPERS = 25  # a paper brings its lines along


@dataclass(frozen=True, slots=True)
class Page:
    """Some nodes of a list. ``total`` is what the server counts at this moment; ``ends`` that no page follows."""

    nodes: list[object]
    total: int
    offset: int
    ends: bool


class Sizes:
    """How many records of each kind are asked for at a time."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._now: dict[str, float] = {}

    def of(self, operation: str) -> int:
        first = FIRST_PAPERS if operation.endswith("WithLines") else self._largest
        return max(SMALLEST, min(int(self._now.get(operation, first)), self._largest))

    def halve(self, operation: str) -> bool:
        """Ask for less from now on; False where it is as little as it gets."""
        before = self.of(operation)
        self._now[operation] = before / 2
        return before > SMALLEST

    def came(self, operation: str, seconds: float) -> None:
        if seconds < QUICK_S:
            self._now[operation] = min(self.of(operation) * GROWTH + 1, self._largest)
        elif seconds > 4 * QUICK_S:
            self._now[operation] = max(self.of(operation) / GROWTH, SMALLEST)


class Lists:
    """Reads lists of one server."""

    def __init__(self, client: MSupplyClient, clock: Clock, largest: int) -> None:
        self.sizes = Sizes(largest)
        self._client = client
        self._clock = clock

    async def pages(
        self, operation: str, variables: Mapping[str, Any], root: str, start: int = 0
    ) -> AsyncIterator[Page]:
        """All pages from ``start`` on. ``root`` is the field of the answer that holds the connector.

        Raises what a call raises, BadReply for an answer of another shape.
        """
        offset = start
        while True:
            page = await self._page(operation, variables, root, offset)
            yield page
            if page.ends:
                return
            offset += len(page.nodes)

    async def _page(self, operation: str, variables: Mapping[str, Any], root: str, offset: int) -> Page:
        for smaller in range(SMALLER_TRIES + 1):
            size = self.sizes.of(operation)
            began = self._clock.monotonic()
            try:
                data = await self._client.call(operation, {**variables, "first": size, "offset": offset})
            except (Overlong, CutOff):
                if not self.sizes.halve(operation) or smaller == SMALLER_TRIES:
                    raise
                continue
            self.sizes.came(operation, self._clock.monotonic() - began)
            return self._read(operation, data, root, offset)
        raise AssertionError("the last try returns or raises")

    def _read(self, operation: str, data: Mapping[str, Any], root: str, offset: int) -> Page:
        connector = fields.nested(data, root)
        nodes, total = connector.get("nodes"), fields.integer(connector, "totalCount")
        if not isinstance(nodes, list) or total is None or total < 0:
            raise BadReply(
                f"{self._client.name} answered “{operation}” with something else than a list. Compare its version with "
                "this console's (“integrations compare”).",
                repr(connector)[:2000],
            )
        read = offset + len(nodes)
        return Page(nodes, total, offset, ends=not nodes or read >= total or read >= MOST_RECORDS)
