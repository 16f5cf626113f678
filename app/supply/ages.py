"""How old what we know of a peer is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from app.clock import to_ms
from app.store.tables import StreamState

_WORDS: Mapping[str, Sequence[str]] = {
    "facilities": ("facilit", "name", "store"),
    "items": ("item", "orderable", "product", "commodit"),
    "stock": ("stock", "batch"),
    "requisitions": ("requisition",),
    "shipments": ("shipment", "orders", "proof"),
}
"""Streams are named by adapters; one that holds such a word brings records of that topic."""


@dataclass(frozen=True, slots=True)
class Age:
    """When the oldest part of what is shown was read, None for never, and what stands in the way of reading it."""

    last_read_ms: int | None
    trouble: str = ""


UNREAD = Age(None)


def data_ages(connection: Connection, topic: str) -> dict[str, Age]:
    """By integration: the streams that bring ``topic``, or all of them where none is named so."""
    state = StreamState
    columns = (state.integration_id, state.stream, state.last_read, state.trouble)
    by_integration: dict[str, list[Any]] = {}
    for row in connection.execute(select(*columns).order_by(state.integration_id, state.stream)):
        by_integration.setdefault(row.integration_id, []).append(row)
    return {integration_id: _age(streams, _WORDS[topic]) for integration_id, streams in by_integration.items()}


def _age(streams: Sequence[Any], words: Sequence[str]) -> Age:
    own = [row for row in streams if any(word in _subject(row.stream) for word in words)] or streams
    read = [row.last_read for row in own]
    oldest = None if None in read else to_ms(min(read))
    return Age(oldest, next((row.trouble for row in own if row.trouble), ""))


def _subject(stream: str) -> str:
    """What a stream brings; behind a colon or a slash stands of whom."""
    return stream.casefold().partition(":")[0].partition("/")[0]
