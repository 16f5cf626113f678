"""Drivers, batches and proofs as tables of an export."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app.clock import SystemClock, from_ms
from app.deliveries.batches import ROW_COLUMNS as BATCH_COLUMNS
from app.deliveries.batches import BatchFilter, page_of_batches
from app.deliveries.drivers import ROW_COLUMNS as DRIVER_COLUMNS
from app.deliveries.drivers import list_drivers
from app.deliveries.proofs import ROW_COLUMNS as PROOF_COLUMNS
from app.deliveries.proofs import page_of_proofs
from app.fleet.export_pages import PAGE_ROWS, ExportTable, Wanted
from app.fleet.times import iso_ms
from app.store.store import Store
from app.supply.paging import After

Row = Mapping[str, Any]

_PROOF_BATCHES = 200
"""Batches whose proofs are merged at once."""


def _drivers(store: Store, wanted: Wanted) -> Iterator[Row]:
    with store.read() as connection:
        rows = list_drivers(connection, SystemClock().now_ms(), wanted.where.get("integration_id") or None)
    return (row.as_row() for row in rows)


def _batches(store: Store, wanted: Wanted) -> Iterator[Row]:
    """By the day for which they are scheduled; the days of both times are inclusive."""
    after: After | None = None
    while True:
        with store.read() as connection:
            page, after = page_of_batches(connection, _filter(wanted), after=after, limit=PAGE_ROWS)
        yield from (row.as_row() for row in page)
        if after is None:
            return


def _proofs(store: Store, wanted: Wanted) -> Iterator[Row]:
    """What was told of stops, by the time of the delivery."""
    after: After | None = None
    everything = BatchFilter(integration_id=wanted.where.get("integration_id") or None)
    while True:
        with store.read() as connection:
            page, after = page_of_proofs(
                connection, everything, SystemClock().now_ms(), after=after, limit=_PROOF_BATCHES
            )
        for one in page:
            at_ms = one.proof.at_ms
            if wanted.since_ms is not None and (at_ms is None or at_ms < wanted.since_ms):
                continue
            if wanted.until_ms is not None and (at_ms is None or at_ms >= wanted.until_ms):
                continue
            yield {**one.as_row(), "at": iso_ms(at_ms)}
        if after is None:
            return


def _filter(wanted: Wanted) -> BatchFilter:
    stage = wanted.where.get("stage")
    return BatchFilter(
        integration_id=wanted.where.get("integration_id") or None,
        stages=() if not stage else (stage,),
        from_day=None if wanted.since_ms is None else from_ms(wanted.since_ms).date().isoformat(),
        until_day=None if wanted.until_ms is None else from_ms(max(wanted.until_ms - 1, 0)).date().isoformat(),
    )


DELIVERY_TABLES: Mapping[str, ExportTable] = {
    "drivers": ExportTable(DRIVER_COLUMNS, _drivers),
    "batches": ExportTable(BATCH_COLUMNS, _batches, "scheduled_on"),
    "proofs": ExportTable(("at", *PROOF_COLUMNS), _proofs, "at"),
}
