"""Where the merge meets the outbox: it tells what a peer changed under a change that waits to be sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class PeerChange:
    """A peer changed a record on which changes of ours wait.

    ``record`` is ``requisition``, ``requisition_line``, ``shipment`` or ``shipment_line``, ``row_id`` the row's id.
    ``fields`` holds {field: (the peer's value before, its value now)} for every field that moved, those without a
    waiting change as well. ``is_gone``: the peer has the record no more; where neither is set, it is there again.
    """

    record: str
    row_id: str
    fields: Mapping[str, tuple[Any, Any]]
    is_gone: bool = False


class Noticed(Protocol):
    """Called in the transaction of the merge, after its rows were written, with at least one change."""

    def __call__(
        self, connection: Connection, integration_id: str, changes: Sequence[PeerChange], now_ms: int
    ) -> None: ...


def notice_nothing(connection: Connection, integration_id: str, changes: Sequence[PeerChange], now_ms: int) -> None:
    """For stores in which nothing waits to be sent."""
    del connection, integration_id, changes, now_ms
