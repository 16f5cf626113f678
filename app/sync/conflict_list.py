"""Conflicts as pages, commands and exports list them: both values, who and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select, true

from app.fleet.times import iso
from app.store.tables import ConflictRow, Integration, OutboxItem
from app.sync.errors import NotFound
from app.sync.listing import value_word
from app.sync.words import State
from app.sync.writes import FREE_TEXTS, field_word

ROW_COLUMNS = (
    "id", "integration_id", "for", "what", "fields", "state", "kept", "chosen",
    "ours_by", "ours_at", "theirs_by", "theirs_at", "detected_at", "resolved_by", "resolved_at", "outbox_id",
    "record", "record_id",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ConflictListing:
    """One conflict. ``fields`` is {field: {base, ours, theirs}}; ``item_state`` what became of the change."""

    id: str
    integration_id: str
    integration: str
    outbox_id: str
    record: str
    record_id: str
    subject: str
    fields: Mapping[str, Mapping[str, Any]]
    ours_by: str
    ours_at: datetime
    theirs_by: str
    theirs_at: datetime | None
    detected_at: datetime
    state: str
    kept: str
    chosen: Mapping[str, Any] | None
    resolved_by: str
    resolved_at: datetime | None
    item_state: str

    @property
    def is_open(self) -> bool:
        return self.state == "open"

    @property
    def what(self) -> str:
        """Both values in words."""
        return "; ".join(
            f"{field_word(field)}: ours {value_word(sides['ours'])}, theirs {value_word(sides['theirs'])}"
            for field, sides in self.fields.items()
        )

    @property
    def can_keep_both(self) -> bool:
        """Whether the values of both sides can stand together."""
        return all(field in FREE_TEXTS for field in self.fields)

    def as_row(self) -> dict[str, Any]:
        """As commands and exports show it."""
        return {
            "id": self.id,
            "integration_id": self.integration_id,
            "for": self.subject,
            "what": self.what,
            "fields": {field: dict(sides) for field, sides in self.fields.items()},
            "state": self.state,
            "kept": self.kept,
            "chosen": dict(self.chosen) if self.chosen is not None else None,
            "ours_by": self.ours_by,
            "ours_at": iso(self.ours_at),
            "theirs_by": self.theirs_by,
            "theirs_at": iso(self.theirs_at) if self.theirs_at is not None else None,
            "detected_at": iso(self.detected_at),
            "resolved_by": self.resolved_by,
            "resolved_at": iso(self.resolved_at) if self.resolved_at is not None else None,
            "outbox_id": self.outbox_id,
            "record": self.record,
            "record_id": self.record_id,
        }


def where_of(state: str = "", integration_id: str = "") -> ColumnElement[bool]:
    """The one condition behind lists and counters."""
    conditions: list[ColumnElement[bool]] = [true()]
    if state:
        conditions.append(ConflictRow.state == state)
    if integration_id:
        conditions.append(ConflictRow.integration_id == integration_id)
    return and_(*conditions)


def list_conflicts(
    connection: Connection, *, state: str = "", integration_id: str = "", limit: int | None = None
) -> list[ConflictListing]:
    """Those of a state, "" for all; open ones first, then the newest."""
    order = (ConflictRow.state != "open", ConflictRow.detected_at.desc(), ConflictRow.id.desc())
    query = _query().where(where_of(state, integration_id)).order_by(*order)
    return [_row(row) for row in connection.execute(query if limit is None else query.limit(limit))]


def count_conflicts(connection: Connection, *, integration_id: str = "") -> dict[str, int]:
    """How many of each state."""
    query = select(ConflictRow.state, func.count()).where(where_of("", integration_id)).group_by(ConflictRow.state)
    return dict(connection.execute(query).all())


def conflict_row(connection: Connection, conflict_id: str) -> ConflictListing:
    """One conflict. Raises NotFound."""
    row = connection.execute(_query().where(ConflictRow.id == conflict_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no conflict {conflict_id}. See “conflicts list”.")
    return _row(row)


def pages_of_conflicts(connection: Connection, after: str, limit: int) -> Iterator[ConflictListing]:
    """A page in the order of ids, which is that of their making."""
    query = _query().where(ConflictRow.id > after).order_by(ConflictRow.id).limit(limit)
    yield from map(_row, connection.execute(query))


def _query() -> Any:
    return (
        select(ConflictRow.__table__, Integration.name.label("integration"), OutboxItem.state.label("item_state"))
        .outerjoin(Integration, Integration.id == ConflictRow.integration_id)
        .outerjoin(OutboxItem, OutboxItem.id == ConflictRow.outbox_id)
    )


def _row(row: Any) -> ConflictListing:
    return ConflictListing(
        id=row.id,
        integration_id=row.integration_id,
        integration=row.integration or "",
        outbox_id=row.outbox_id,
        record=row.record,
        record_id=row.record_id,
        subject=row.subject,
        fields=row.fields,
        ours_by=row.ours_by,
        ours_at=row.ours_at,
        theirs_by=row.theirs_by,
        theirs_at=row.theirs_at,
        detected_at=row.detected_at,
        state=row.state,
        kept=row.kept,
        chosen=row.chosen,
        resolved_by=row.resolved_by,
        resolved_at=row.resolved_at,
        item_state=row.item_state or State.ACCEPTED,
    )
