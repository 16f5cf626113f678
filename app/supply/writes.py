"""Writing what :mod:`app.supply.plan` worked out: new rows, changed rows, rows that are gone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import JSON, Connection, Dialect, RowMapping, bindparam, null, select, update

from app.clock import from_ms
from app.fleet.bulk import BulkInsert, compile_for
from app.store.ids import new_id
from app.supply.kinds import KINDS, Part
from app.supply.plan import PartPlan, Planned
from app.supply.seams import PeerChange

_KEYS_PER_STEP = 500


class PartWriter:
    """Writes rows of one table, knowing the statements of one dialect. ``pending`` is none of its columns."""

    def __init__(self, dialect: Dialect, part: Part) -> None:
        self._part = part
        parent = (part.parent,) if part.parent else ()
        self._insert = BulkInsert(
            dialect,
            part.table,
            _in_order(part, ("key", "id", "integration_id", *parent, *part.fields, "content_hash", "changed_version")),
        )
        told = _in_order(part, (*part.fields, "content_hash", "changed_version"))
        changed = update(part.table).where(part.table.c.key == bindparam("row_key"))
        changed = changed.values({**dict.fromkeys(told), "gone_at": null()})
        self._update = compile_for(dialect, changed, (*told, "row_key"))

    def write(self, connection: Connection, integration_id: str, plan: PartPlan, version: int, now_ms: int) -> None:
        """``version`` is that of the topic, raised already."""
        new, changed = [], []
        is_line = self._part.parent is not None
        for identity, row in plan.rows.items():
            values = row.values
            if values is None:
                continue
            if row.is_new:
                head = (row.key, new_id(), integration_id)
                if is_line:  # the columns' order: …, peer_id, its paper, the other values
                    new.append((*head, values[0], identity[0], *values[1:], row.content_hash, version))
                else:
                    new.append((*head, *values, row.content_hash, version))
            elif row.is_to_update:
                changed.append((*values, row.content_hash, version, row.key))
        self._insert(connection, new)
        if changed:
            connection.exec_driver_sql(self._update, changed)
        self._mark_gone(connection, plan, version, now_ms)

    def _mark_gone(self, connection: Connection, plan: PartPlan, version: int, now_ms: int) -> None:
        table = self._part.table
        gone = [*plan.unnamed_gone, *(row.key for row in plan.rows.values() if row.is_to_go)]
        marked = update(table).where(table.c.key.in_(bindparam("keys", expanding=True)))
        marked = marked.values(gone_at=from_ms(now_ms), changed_version=version)
        for start in range(0, len(gone), _KEYS_PER_STEP):
            connection.execute(marked, {"keys": gone[start : start + _KEYS_PER_STEP]})


def peer_changes(connection: Connection, plan: PartPlan) -> list[PeerChange]:
    """What the plan will change under waiting changes; to be asked before it is written."""
    part = plan.part
    if not part.has_pending:
        return []
    touched = [row for row in plan.rows.values() if row.has_pending and row.is_changed]
    stored = _stored_rows(connection, part, [row.key for row in touched])
    changes = [_change_of(part, stored[row.key], row) for row in touched]
    unnamed = _stored_rows(connection, part, list(plan.unnamed_gone)).values()
    return changes + [PeerChange(part.name, row["id"], {}, is_gone=True) for row in unnamed if row["pending"]]


def _stored_rows(connection: Connection, part: Part, keys: Sequence[int]) -> dict[int, RowMapping]:
    found: dict[int, RowMapping] = {}
    for start in range(0, len(keys), _KEYS_PER_STEP):
        query = select(part.table).where(part.table.c.key.in_(keys[start : start + _KEYS_PER_STEP]))
        for row in connection.execute(query).mappings():
            found[row["key"]] = row
    return found


def _change_of(part: Part, stored: RowMapping, row: Planned) -> PeerChange:
    moved: dict[str, tuple[Any, Any]] = {}
    for name, value in zip(part.fields, row.values or (), strict=False):
        now = json.loads(value) if isinstance(part.table.c[name].type, JSON) and value is not None else value
        if now != stored[name]:
            moved[name] = (stored[name], now)
    return PeerChange(part.name, stored["id"], moved, row.is_gone)


def writers(dialect: Dialect) -> Mapping[str, PartWriter]:
    """One writer for each table, by the part's name."""
    parts = [part for kind in KINDS for part in (kind.part, kind.lines) if part is not None]
    return {part.name: PartWriter(dialect, part) for part in parts}


def _in_order(part: Part, names: Sequence[str]) -> tuple[str, ...]:
    """The names in the order of the table's columns; a name that has no column is an error."""
    ordered = tuple(column.name for column in part.table.columns if column.name in names)
    if len(ordered) != len(names):
        raise ValueError(f"{part.table.name} lacks some of {', '.join(names)}")
    return ordered
