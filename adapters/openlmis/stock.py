"""Stock on hand: per facility a snapshot of all followed programmes, replaced as a whole (openlmis.md, section 4)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial

from adapters.openlmis import mapping
from adapters.openlmis.client import Refused
from adapters.openlmis.fields import Json
from adapters.openlmis.paging import parts
from adapters.openlmis.reading import Run, batches, read_all
from adapters.records import Batch, Record
from adapters.supply import FullRead, StockLine, StreamRead


async def stock(run: Run) -> AsyncIterator[Batch]:
    """Each facility has a cursor of its own, so that an interrupted run goes on with the next one."""
    every_ms = run.settings.stock_every_min * 60_000
    refused: list[str] = []
    read = 0
    due = [one for one in sorted(run.scope.ours) if run.is_due(f"stock:{one}", every_ms)]
    for facility in due:
        try:
            async for batch in _facility(run, facility):
                yield batch
            read += 1
        except Refused as err:
            refused.append(err.why)
    if refused:
        more = f" ({len(refused)} facilities)" if len(refused) > 1 else ""
        yield Batch((StreamRead("stock", f"{refused[0]}{more}"),))
    elif due:
        yield Batch((StreamRead("stock"),))
    elif not run.scope.ours:
        yield Batch((StreamRead("stock", _NOWHERE),))


_NOWHERE = (
    "No facility is followed, so no stock is read. Name our facilities in the settings, or ask the OpenLMIS "
    "administrator for the right STOCK_CARDS_VIEW."
)


async def _facility(run: Run, facility: str) -> AsyncIterator[Batch]:
    rights = run.scope.rights
    pairs = rights.pairs if rights is not None else frozenset()
    programs = [
        program for program in run.scope.programs if not pairs or (facility, program) in pairs or run.scope.named
    ]
    seen: set[str] = set()
    bad_ones = False
    yield Batch((FullRead("stock_line", facility, "begins"),))
    for program in programs:
        params = (("facilityId", facility), ("programId", program))
        async for part in parts(run.client, run.pace, run.kit.clock, "/v2/stockCardSummaries", params):
            lots = await run.lookups.lots(_lots_of(part.items))
            made, bad = read_all(part.items, "stock card summary", partial(_lines, facility, program, lots))
            bad_ones = bad_ones or bool(bad)
            lines = _each_card_once([line for found in made for line in found], seen)
            for batch in batches([*lines, *bad], {}):
                yield batch
    ends: list[Record] = [] if bad_ones else [FullRead("stock_line", facility, "ends")]
    yield Batch(ends, {f"stock:{facility}": run.note(read=run.now_ms)})


def _lines(facility: str, program: str, lots: Mapping[str, Json], summary: object) -> list[StockLine]:
    return mapping.stock_lines(summary, facility, program, lots)


def _each_card_once(lines: list[StockLine], seen: set[str]) -> list[StockLine]:
    """A card that can fulfil two items stands in the summaries of both."""
    found = [line for line in lines if line.peer_id not in seen]
    kept = {line.peer_id: line for line in found}
    seen |= kept.keys()
    return list(kept.values())


def _lots_of(summaries: list[object]) -> list[str]:
    cards = [
        card
        for summary in summaries
        if isinstance(summary, dict) and isinstance(summary.get("canFulfillForMe"), list)
        for card in summary["canFulfillForMe"]
    ]
    return mapping.lot_ids({"lineItems": cards})
