"""What lists of supply records share: who and what there is to narrow them to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, and_, cast, func, select

from app.store.tables import FacilityRow, Integration, ProgramRow
from app.supply.filters import Place

MOST_CHOICES = 2_000


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to narrow a list to. ``source`` is its integration's name."""

    place: Place
    name: str
    code: str
    source: str


@dataclass(frozen=True, slots=True)
class Choices:
    """``integrations`` are (id, name) of those that have told supply records or are meant to: see ``sources``."""

    integrations: Sequence[tuple[str, str]]
    facilities: Sequence[Choice]
    programs: Sequence[Choice]
    sources: int


def list_choices(connection: Connection, kinds: Sequence[str]) -> Choices:
    """What the filters offer: facilities that this account works in, all programs, integrations of ``kinds``.

    ``kinds`` are the catalogue's keys of supply systems; ``sources`` counts those that are set up and not removed.
    """
    integration = Integration
    known = select(integration.id, integration.name).where(
        integration.type.in_(kinds), integration.removed_at.is_(None)
    )
    integrations = [(row.id, row.name) for row in connection.execute(known.order_by(integration.name))]
    ours = FacilityRow.is_ours
    return Choices(
        integrations,
        _choices(connection, FacilityRow, ours),
        _choices(connection, ProgramRow, ProgramRow.is_active),
        len(integrations),
    )


def joined(table: Any, integration_id: Any, peer_id: Any) -> ColumnElement[bool]:
    """The condition that joins a row of ``table`` by the id it has at its peer."""
    return and_(table.integration_id == integration_id, table.peer_id == peer_id)


def is_waiting(pending: Any) -> ColumnElement[bool]:
    """Whether a change waits on a row. Nothing may be NULL, JSON's null, or an empty object."""
    return func.coalesce(cast(pending, Text), "null").not_in(("null", "{}"))


def _choices(connection: Connection, table: Any, condition: Any) -> list[Choice]:
    columns = (table.integration_id, table.peer_id, table.name, table.code, Integration.name.label("source"))
    query = (
        select(*columns)
        .join(Integration, Integration.id == table.integration_id)
        .where(condition, table.gone_at.is_(None), Integration.removed_at.is_(None))
        .order_by(table.name, table.key)
        .limit(MOST_CHOICES)
    )
    return [
        Choice(Place(row.integration_id, row.peer_id), row.name or row.peer_id, row.code, row.source)
        for row in connection.execute(query)
    ]
