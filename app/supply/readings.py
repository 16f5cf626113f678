"""Complete readings: what came between their beginning and their end, and what therefore is gone.

Only integer keys are remembered, eight bytes for each record, because a catalogue may hold a million. The memory is
this process's alone: a reading that a restart interrupts is not known any more when it ends, and marks nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, func, select

from app.supply.kinds import KindOf

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Keys = NDArray[np.int64]

_PER_STEP = 10_000


@dataclass(slots=True)
class Reading:
    """An open reading of one kind within ``scope``, "" for the whole integration. ``seen`` may repeat a key."""

    kind: KindOf
    scope: str
    seen: array[int] = field(default_factory=lambda: array("q"))
    has_lost: bool = False
    """Whether a record went while this was open: then counting alone proves nothing."""

    def covers(self, facility: str) -> bool:
        return not self.scope or facility == self.scope

    def came(self) -> Keys:
        """The keys that came, each once."""
        import numpy as np  # a gateway without supply systems does without it

        return np.unique(np.frombuffer(self.seen, np.int64)) if self.seen else np.empty(0, np.int64)

    def have_come(self, keys: Sequence[int], came: Keys) -> Sequence[bool]:
        """For each of ``keys`` whether it came; ``came`` is :meth:`came`."""
        import numpy as np

        return [bool(one) for one in np.isin(np.array(keys, np.int64), came)]

    def missing(
        self, connection: Connection, integration_id: str, came: Keys, unwritten: Collection[int]
    ) -> Iterator[int]:
        """Keys of this kind and scope that are stored, not gone, and did not come.

        ``unwritten`` are keys that this transaction has not stored yet, or stored as gone until now.
        """
        import numpy as np

        rows = self._stored(integration_id)
        if rows is None:
            return
        key = self.kind.part.table.c.key
        if not self.scope and not self.has_lost:
            # All that came is stored by now, or unwritten: where nothing more is stored, nothing is missing. That
            # spares reading a million keys at the end of nearly every reading of a catalogue.
            stored_of_these = len(came) - int(np.isin(np.fromiter(unwritten, np.int64), came).sum())
            if connection.execute(select(func.count(key)).where(*rows)).scalar_one() == stored_of_these:
                return
        query = select(key).where(*rows).execution_options(yield_per=_PER_STEP)
        for some in connection.execute(query).scalars().partitions():
            keys = np.array(some, np.int64)
            yield from keys[~np.isin(keys, came)].tolist()

    def _stored(self, integration_id: str) -> list[ColumnElement[bool]] | None:
        """The conditions for rows within the scope; None where records of this kind belong to no facility."""
        columns = self.kind.part.table.c
        rows: list[ColumnElement[bool]] = [columns.integration_id == integration_id, columns.gone_at.is_(None)]
        if self.scope:
            of_facility = self.kind.is_of(self.scope)
            if of_facility is None:
                return None
            rows.append(of_facility)
        return rows


class Readings:
    """Every open reading, by integration, kind and scope."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], dict[str, Reading]] = {}

    def begin(self, integration_id: str, kind: KindOf, scope: str) -> None:
        """A reading that begins anew forgets what came before."""
        self._open.setdefault((integration_id, kind.kind), {})[scope] = Reading(kind, scope)

    def end(self, integration_id: str, kind: KindOf, scope: str) -> Reading | None:
        """The reading that ends now; None for one whose beginning nobody remembers."""
        return self._open.get((integration_id, kind.kind), {}).pop(scope, None)

    def of(self, integration_id: str, kind: KindOf) -> Collection[Reading]:
        return self._open.get((integration_id, kind.kind), {}).values()

    def forget(self) -> None:
        self._open.clear()
