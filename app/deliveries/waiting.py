"""What of a record is not accepted yet, and what the platform would not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol, TypeVar

from sqlalchemy import Connection, select

from app.identity.kinds import in_chunks
from app.store.tables import OutboxItem
from app.sync.words import STUCK, UNSENT

NOT_SAID = "The platform will not have it."


class _Listing(Protocol):
    """A row of a list that shows what waits over the platform's value, and has a field ``refusal``."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def id(self) -> str: ...
    @property
    def pending(self) -> Mapping[str, Any] | None: ...


Shown = TypeVar("Shown", bound=_Listing)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What of a record is not accepted yet. ``is_stuck``: somebody must decide; ``answer`` is the platform's newest."""

    changes: int
    is_stuck: bool
    answer: str


def waiting_of(connection: Connection, record_ids: Sequence[str]) -> dict[str, Waiting]:
    """By the ids of rows; those on which nothing waits are left out."""
    item = OutboxItem
    rows: dict[str, list[Any]] = {}
    for some in in_chunks(dict.fromkeys(record_ids)):
        query = select(item.family, item.state, item.last_answer).where(item.family.in_(some), item.state.in_(UNSENT))
        for row in connection.execute(query.order_by(item.seq)):
            rows.setdefault(row.family, []).append(row)
    return {
        family: Waiting(
            len(own),
            any(row.state in STUCK for row in own),
            next((row.last_answer for row in reversed(own) if row.last_answer), ""),
        )
        for family, own in rows.items()
    }


def with_refusals(connection: Connection, listings: Sequence[Shown]) -> list[Shown]:
    """The same, each with why the change that is shown over the platform's value goes no further, where it does not."""
    found = waiting_of(connection, [one.id for one in listings if one.pending])
    stuck = {record_id: one.answer or NOT_SAID for record_id, one in found.items() if one.is_stuck}
    return [replace(one, refusal=stuck[one.id]) if one.id in stuck else one for one in listings]
