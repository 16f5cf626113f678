"""What a batch will change, worked out in memory before anything is written.

The rows that a batch speaks of are loaded at once; its records are then played over them in their order, so that the
outcome is the same wherever a peer's records are cut into batches. :class:`PartPlan` holds one table's part of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, func, select

from app.supply.kinds import Part, Values

IDS_PER_QUESTION = 500

Identity = str | tuple[str, str]
"""A peer id; of a line its paper's peer id and its own."""


@dataclass(slots=True)
class Planned:
    """One row: as it is stored, and as it shall be.

    ``stored_hash`` is None for a new row, ``values`` None where the batch told nothing of it.
    """

    key: int
    stored_hash: bytes | None
    was_gone: bool
    has_pending: bool
    is_gone: bool
    values: Values | None = None
    content_hash: bytes = b""

    @property
    def is_new(self) -> bool:
        return self.stored_hash is None

    @property
    def has_other_values(self) -> bool:
        return self.values is not None and self.content_hash != self.stored_hash

    @property
    def is_to_update(self) -> bool:
        """A stored row with other values, or one that was gone and is there again."""
        return not self.is_new and (self.has_other_values or (self.was_gone and not self.is_gone))

    @property
    def is_to_go(self) -> bool:
        return self.is_gone and (not self.was_gone or self.has_other_values)

    @property
    def is_changed(self) -> bool:
        return self.has_other_values or self.is_gone != self.was_gone


class Keys:
    """Gives out the integer keys of new rows. The engine is the only writer of supply rows in a store."""

    def __init__(self) -> None:
        self._next: dict[str, int] = {}

    def take(self, connection: Connection, part: Part) -> int:
        name = part.table.name
        key = self._next.get(name)
        if key is None:
            greatest = connection.execute(select(func.coalesce(func.max(part.table.c.key), 0))).scalar_one()
            key = int(greatest) + 1
        self._next[name] = key + 1
        return key


class PartPlan:
    """Rows of one table. ``unnamed_gone`` are keys of rows that no record spoke of and that are gone."""

    def __init__(self, connection: Connection, part: Part, integration_id: str, keys: Keys) -> None:
        self._connection = connection
        self._integration_id = integration_id
        self._keys = keys
        self.part = part
        self.rows: dict[Identity, Planned] = {}
        self.by_key: dict[int, Planned] = {}
        self.lines_of: dict[str, list[str]] = {}
        self.unnamed_gone: dict[int, None] = {}

    def load(self, ids: Iterable[str]) -> None:
        """Look up the rows of these peer ids; of lines, those of these papers."""
        part, columns = self.part, self.part.table.c
        named = columns[part.parent] if part.parent else columns.peer_id
        query = select(
            columns.key,
            columns.content_hash,
            columns.gone_at,
            columns.pending if part.has_pending else columns.gone_at,
            columns.peer_id,
            named,
        ).where(columns.integration_id == self._integration_id, named.in_(bindparam("ids", expanding=True)))
        wanted = list(ids)
        for start in range(0, len(wanted), IDS_PER_QUESTION):
            some = wanted[start : start + IDS_PER_QUESTION]
            for key, content, gone_at, pending, peer_id, parent in self._connection.execute(query, {"ids": some}):
                has_pending = part.has_pending and bool(pending)
                planned = Planned(key, content, gone_at is not None, has_pending, gone_at is not None)
                if part.parent:
                    self.rows[parent, peer_id] = planned
                    self.lines_of.setdefault(parent, []).append(peer_id)
                else:
                    self.rows[peer_id] = planned
                self.by_key[key] = planned

    def tell(self, identity: Identity, values: Values, content_hash: bytes) -> Planned:
        """A peer told this row."""
        planned = self.rows.get(identity)
        if planned is None:
            key = self._keys.take(self._connection, self.part)
            planned = self.rows[identity] = Planned(key, None, False, False, False)
            self.by_key[key] = planned
            if isinstance(identity, tuple):
                self.lines_of.setdefault(identity[0], []).append(identity[1])
        planned.values, planned.content_hash, planned.is_gone = values, content_hash, False
        return planned

    def lose(self, identity: Identity) -> Planned | None:
        """A peer says that this row is gone; None where we never had it."""
        planned = self.rows.get(identity)
        if planned is not None:
            planned.is_gone = True
        return planned

    def keep_lines(self, parent: str, told: Collection[str]) -> None:
        """The lines of a paper are these, and no others."""
        for peer_id in self.lines_of.get(parent, ()):
            if peer_id not in told:
                self.rows[parent, peer_id].is_gone = True

    def unwritten(self) -> list[int]:
        """Keys of rows that came with this batch and that the table does not hold, or holds as gone."""
        return [row.key for row in self.rows.values() if row.values is not None and (row.is_new or row.was_gone)]

    def changed(self) -> int:
        """How many rows will be other than they are."""
        return len(self.unnamed_gone) + sum(row.is_changed for row in self.rows.values())
