"""What the journey shows beside its steps, read off the UI thread: the way, the stops, the fuel of one batch."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from app.deliveries.losses import batch_span
from app.deliveries.thread import BatchThread, Thread, thread_of
from app.deliveries.times import HOUR_MS
from app.fleet.tracks import vehicle_track
from widgets.fuel.reads import ChartData, read_chart
from widgets.map.track import Track

AROUND_MS = HOUR_MS // 2
"""Shown of the fuel before and after a batch."""


@dataclass(frozen=True, slots=True)
class Road:
    """One batch on the road. ``track`` and ``chart`` are None where it was not started or has no vehicle of ours."""

    batch: BatchThread
    track: Track | None
    chart: ChartData | None


@dataclass(frozen=True, slots=True)
class Journey:
    """A thread with what is drawn of it; ``record_id`` is the shipment or the batch that was asked for."""

    record_id: str
    thread: Thread
    roads: tuple[Road, ...]
    read_ms: int


def read_journey(connection: Connection, record_id: str, now_ms: int) -> Journey:
    """Raises NotFound."""
    thread = thread_of(connection, record_id, now_ms)
    return Journey(record_id, thread, tuple(_road(connection, one, now_ms) for one in thread.batches), now_ms)


def _road(connection: Connection, one: BatchThread, now_ms: int) -> Road:
    batch = one.details.batch
    span = batch_span(batch, now_ms)
    if span is None or not batch.vehicle_id:
        return Road(one, None, None)
    track = Track.of(vehicle_track(connection, batch.vehicle_id, span[0], span[1] + 1).fixes)
    chart = read_chart(connection, batch.vehicle_id, span[0] - AROUND_MS, span[1] + AROUND_MS)
    return Road(one, track, chart if chart.readings else None)
