"""Facilities, programmes, periods and items: lists that change slowly (openlmis.md, sections 3 and 7).

The first three are read as a whole each day and handed over where anything in them changed. Items are asked for with
``If-Modified-Since`` of the last answer: 304 costs one request. Each page of items is stored before the next is asked
for, and a reading that was interrupted goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from adapters.openlmis import fields, mapping
from adapters.openlmis.client import Refused
from adapters.openlmis.paging import parts, whole
from adapters.openlmis.reading import Run, batches, digest, dump, read_all
from adapters.records import Batch, Record
from adapters.supply import FullRead, Kind, StreamRead

HOUR_MS = 3_600_000
UNCONDITIONAL_EVERY_MS = 7 * 24 * HOUR_MS
"""The header counts whole seconds, so that a second change within one can be missed; once a week it is left out."""


async def programs(run: Run) -> AsyncIterator[Batch]:
    raw = await run.client.items("/programs")
    for batch in _snapshot(run, "programs", "program", raw, mapping.program):
        yield batch


async def periods(run: Run) -> AsyncIterator[Batch]:
    raw = await whole(run.client, run.pace, run.kit.clock, "/processingPeriods")
    for batch in _snapshot(run, "periods", "period", raw, mapping.period):
        yield batch


async def facilities(run: Run) -> AsyncIterator[Batch]:
    raw = await whole(run.client, run.pace, run.kit.clock, "/facilities")
    if run.settings.facility_places:
        raw = [await _with_place(run, facility) for facility in raw]
    ours = run.scope.ours
    for batch in _snapshot(run, "facilities", "facility", raw, lambda item: mapping.facility(item, ours)):
        yield batch


async def _with_place(run: Run, facility: object) -> object:
    """The full form, which alone has the position; the basic one where it is refused."""
    if not isinstance(facility, dict) or "location" in facility or not isinstance(facility.get("id"), str):
        return facility
    try:
        return {**facility, "location": (await run.client.item(f"/facilities/{facility['id']}")).get("location")}
    except Refused:
        return facility


def _snapshot(run: Run, stream: str, kind: Kind, raw: list[object], make: Callable[[object], Any]) -> list[Batch]:
    """The whole list, or only that it was read where it is the same as last time."""
    seen = digest(raw)
    # Which facilities are ours is the scope's matter; the other lists are the same whatever we follow.
    noted = run.note(read=run.now_ms, hash=seen) if kind == "facility" else dump({"read": run.now_ms, "hash": seen})
    records: list[Record] = []
    if seen != run.state(stream).get("hash"):
        made, bad = read_all(raw, kind, make)
        records = [FullRead(kind, "", "begins"), *made, *bad]
        if not bad:  # what could not be read would be taken for gone
            records.append(FullRead(kind, "", "ends"))
    return batches([*records, StreamRead(stream)], {stream: noted})


async def items(run: Run) -> AsyncIterator[Batch]:
    """The catalogue. The cursor notes ``since`` (Last-Modified), and in the middle of a reading ``at`` and ``of``."""
    state = run.state("items")
    whole_ms = fields.stamp(state, "whole") or 0
    at = fields.stamp(state, "at") or 0
    since = "" if at or not 0 <= run.now_ms - whole_ms < UNCONDITIONAL_EVERY_MS else fields.text(state, "since")
    modified, changed, bad_ones, began_at = fields.text(state, "of"), False, False, at
    if at and await _changed_meanwhile(run, modified):
        at = began_at = 0  # the pages may have moved: begin again
    async for part in parts(run.client, run.pace, run.kit.clock, "/orderables", start=at, since=since):
        made, bad = read_all(part.items, "item", mapping.item)
        bad_ones = bad_ones or bool(bad)
        records: list[Record] = [*made, *bad]
        if not changed and not began_at:
            records.insert(0, FullRead("item", "", "begins"))
        changed = True
        modified = modified or part.modified
        if part.after is not None:
            progress = {**state, "read": 0, "at": part.after, "of": modified}
            for batch in batches(records, {"items": dump(progress)}):
                yield batch
        else:
            # A reading in two pieces cannot say what is gone: the next one, without the header, does.
            complete = not began_at
            if complete and not bad_ones:
                records.append(FullRead("item", "", "ends"))
            done = {"read": run.now_ms, "since": modified, "whole": run.now_ms if complete else 0}
            for batch in batches([*records, StreamRead("items")], {"items": dump(done)}):
                yield batch
        await asyncio.sleep(0)
    if not changed:
        yield Batch((StreamRead("items"),), {"items": dump({**state, "read": run.now_ms})})


async def _changed_meanwhile(run: Run, modified: str) -> bool:
    """Whether the catalogue changed since an interrupted reading began."""
    if not modified:
        return False  # this server does not tell; what moved is found by the next whole reading
    page = await run.client.page("/orderables", (), 0, run.pace.ladder[-1], since=modified)
    return page is not None
