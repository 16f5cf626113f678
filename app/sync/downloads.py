"""What a download brings under a change that waits: told by the merge, judged here, in the merge's own transaction."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from app.catalogue import Catalogue
from app.clock import from_ms
from app.supply.seams import Noticed, PeerChange
from app.sync.conflicts import judge_download


def judged_by(catalogue: Catalogue) -> Noticed:
    """For :class:`app.engine.sink.StoreSink`: every row that moved under waiting changes is judged.

    A record that is gone at the peer is no conflict: the peer refuses the change with its own words when it is sent.
    """

    def noticed(connection: Connection, integration_id: str, changes: Sequence[PeerChange], now_ms: int) -> None:
        del integration_id  # the rows' ids are the store's own
        now = from_ms(now_ms)
        for change in changes:
            if change.fields:
                judge_download(connection, catalogue, change.record, change.row_id, change.fields, now=now)

    return noticed
