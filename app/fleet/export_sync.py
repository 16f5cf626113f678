"""Exporting the outbox and the conflicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from app.clock import to_ms
from app.fleet.export_pages import PAGE_ROWS, Wanted
from app.store.store import Store
from app.sync.conflict_list import ROW_COLUMNS as CONFLICT_COLUMNS
from app.sync.conflict_list import pages_of_conflicts
from app.sync.listing import ROW_COLUMNS as OUTBOX_COLUMNS
from app.sync.listing import Wanted as OutboxWanted
from app.sync.listing import pages_of_outbox

__all__ = ["CONFLICT_COLUMNS", "OUTBOX_COLUMNS", "conflicts", "outbox"]

Row = Mapping[str, Any]


def outbox(store: Store, wanted: Wanted) -> Iterator[Row]:
    """In the order of the changes' making."""
    asked = OutboxWanted()
    if wanted.where.get("integration_id"):
        asked = replace(asked, integration_id=wanted.where["integration_id"])
    if wanted.where.get("state"):
        asked = replace(asked, states=(wanted.where["state"],))
    for page in pages_of_outbox(store.read, asked, wanted.since_ms, wanted.until_ms):
        yield from (row.as_row() for row in page)


def conflicts(store: Store, wanted: Wanted) -> Iterator[Row]:
    """In the order of their finding."""
    after = ""
    while True:
        with store.read() as connection:
            page = list(pages_of_conflicts(connection, after, PAGE_ROWS))
        for row in page:
            found_ms = to_ms(row.detected_at)
            if (wanted.since_ms is None or found_ms >= wanted.since_ms) and (
                wanted.until_ms is None or found_ms < wanted.until_ms
            ):
                yield row.as_row()
        if len(page) < PAGE_ROWS:
            return
        after = page[-1].id
