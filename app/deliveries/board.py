"""The board of batches: what a dispatcher sees of each at a glance, read in a few queries for a page of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from app.deliveries.batches import BatchFilter, BatchListing, page_of_batches
from app.deliveries.eta import BatchEta, StopEta, batch_eta
from app.deliveries.gaps import custody_gaps
from app.deliveries.waiting import Waiting, waiting_of
from app.identity.kinds import in_chunks
from app.store.tables import DepartureCheck, ProofVerdict
from app.supply.paging import After

LATE_MS = 15 * 60_000
"""After the plan by less is not late: the estimates are no finer."""
MOST_UNDER_WAY = 60
"""Arrivals are reckoned for so many batches of one page; each takes a reading of its vehicle's last hour."""


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One batch on the board. ``eta`` is None for one that is not under way, or where it was not reckoned.

    ``check``: "ready", "overridden", "not_ready", "" for none, of the newest departure check. ``doubtful`` counts
    proofs, ``gaps`` custody gaps.
    """

    batch: BatchListing
    eta: BatchEta | None
    waiting: Waiting | None
    check: str
    doubtful: int
    gaps: int

    @property
    def id(self) -> str:
        return self.batch.id

    @property
    def next_stop(self) -> StopEta | None:
        return None if self.eta is None else self.eta.next_stop

    @property
    def late_ms(self) -> int | None:
        """How long after its plan the next stop will be reached, None where that is unknown."""
        return None if self.next_stop is None else self.next_stop.late_ms

    @property
    def is_late(self) -> bool:
        return self.late_ms is not None and self.late_ms > LATE_MS

    @property
    def lacks_check(self) -> bool:
        """Whether it is ready to leave and nobody has looked at it, or what was found stands in the way."""
        return self.batch.stage == "assigned" and self.check in ("", "not_ready")


def page_of_board(
    connection: Connection,
    wanted: BatchFilter,
    now_ms: int,
    *,
    sort: str = "scheduled_on",
    descending: bool = True,
    after: After | None = None,
    limit: int = 200,
    gaps: Mapping[str, int] | None = None,
) -> tuple[list[BoardRow], After | None]:
    """One page of the board, and where the next begins. ``gaps`` is what :func:`gaps_by_batch` has found lately."""
    batches, further = page_of_batches(connection, wanted, sort=sort, descending=descending, after=after, limit=limit)
    return board_rows(connection, batches, now_ms, gaps or {}), further


def board_rows(
    connection: Connection, batches: Sequence[BatchListing], now_ms: int, gaps: Mapping[str, int]
) -> list[BoardRow]:
    """In the order given."""
    ids = [batch.id for batch in batches]
    waiting, checks, doubtful = waiting_of(connection, ids), _checks(connection, ids), _doubtful(connection, ids)
    under_way = [batch for batch in batches if batch.stage == "in_progress"][:MOST_UNDER_WAY]
    etas = {batch.id: batch_eta(connection, batch, now_ms) for batch in under_way}
    return [
        BoardRow(
            batch,
            etas.get(batch.id),
            waiting.get(batch.id),
            checks.get(batch.id, ""),
            doubtful.get(batch.id, 0),
            gaps.get(batch.id, 0),
        )
        for batch in batches
    ]


def gaps_by_batch(connection: Connection, now_ms: int) -> dict[str, int]:
    """How many custody gaps each batch has. It looks at every open delivery, so ask it now and then only."""
    found: dict[str, int] = {}
    for gap in custody_gaps(connection, now_ms):
        if gap.batch_id:
            found[gap.batch_id] = found.get(gap.batch_id, 0) + 1
    return found


def _checks(connection: Connection, batch_ids: Sequence[str]) -> dict[str, str]:
    check = DepartureCheck
    found: dict[str, str] = {}
    for some in in_chunks(batch_ids):
        query = select(check.batch_id, check.is_ready, check.override_reason).where(check.batch_id.in_(some))
        for row in connection.execute(query.order_by(check.checked_at, check.id)):  # the newest comes last
            found[row.batch_id] = "ready" if row.is_ready else "overridden" if row.override_reason else "not_ready"
    return found


def _doubtful(connection: Connection, batch_ids: Sequence[str]) -> dict[str, int]:
    verdict = ProofVerdict
    found: dict[str, int] = {}
    for some in in_chunks(batch_ids):
        query = select(verdict.batch_id, func.count().label("proofs")).where(
            verdict.batch_id.in_(some), verdict.verdict == "doubtful"
        )
        for row in connection.execute(query.group_by(verdict.batch_id)):
            found[row.batch_id] = int(row.proofs)
    return found
