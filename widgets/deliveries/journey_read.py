"""What the journey shows beside its steps, read off the UI thread: the way, the stops, the fuel of one batch."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from app.deliveries.join_acts import LastDecision, last_decision
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
    """One batch on the road. ``track`` and ``chart`` are None where it was not started or has no vehicle of ours, and
    where ``is_read`` is False: those of a batch that is not drawn are not read.
    """

    batch: BatchThread
    track: Track | None = None
    chart: ChartData | None = None
    is_read: bool = False


@dataclass(frozen=True, slots=True)
class Journey:
    """A thread with what is drawn of it; ``record_id`` is the shipment or the batch that was asked for.

    ``last`` is the newest decision on the joins of the shipment, which can be taken back.
    """

    record_id: str
    thread: Thread
    roads: tuple[Road, ...]
    read_ms: int
    last: LastDecision | None = None


def read_journey(connection: Connection, record_id: str, now_ms: int, drawn: str = "") -> Journey:
    """``drawn`` is the id of the batch whose way and fuel are read, the first one where it is not in the journey.

    Raises NotFound.
    """
    thread = thread_of(connection, record_id, now_ms)
    ids = [one.details.batch.id for one in thread.batches]
    drawn = drawn if drawn in ids else "".join(ids[:1])
    roads = tuple(
        _road(connection, one, now_ms) if one.details.batch.id == drawn else Road(one) for one in thread.batches
    )
    last = None if thread.shipment is None else last_decision(connection, record_id)
    return Journey(record_id, thread, roads, now_ms, last)


def _road(connection: Connection, one: BatchThread, now_ms: int) -> Road:
    batch = one.details.batch
    span = batch_span(batch, now_ms)
    if span is None or not batch.vehicle_id:
        return Road(one, is_read=True)
    track = Track.of(vehicle_track(connection, batch.vehicle_id, span[0], span[1] + 1).fixes)
    chart = read_chart(connection, batch.vehicle_id, span[0] - AROUND_MS, span[1] + AROUND_MS)
    return Road(one, track, chart if chart.readings else None, is_read=True)
