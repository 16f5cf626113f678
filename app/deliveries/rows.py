"""What reads of dispatch records share: which integrations count, and names behind the peers' ids in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, select

from app.identity.kinds import in_chunks
from app.store.tables import Integration
from app.supply.filters import Place


def of_integrations(table: Any, integration_id: str | None) -> ColumnElement[bool]:
    """Rows of one integration, or of all that were not removed; what the peer has no more is left out."""
    if integration_id is not None:
        return and_(table.integration_id == integration_id, table.gone_at.is_(None))
    there = select(Integration.id).where(Integration.removed_at.is_(None))
    return and_(table.integration_id.in_(there), table.gone_at.is_(None))


def by_place(
    connection: Connection, table: Any, places: Iterable[Place], columns: Sequence[Any], *, key: Any = None
) -> dict[Place, Any]:
    """Rows of ``table`` with ``columns``, by integration and ``key`` (its peer id); what is unknown is left out.

    An empty id asks for nothing. Rows that are gone are found too: papers still point at them.
    """
    key = table.peer_id if key is None else key
    wanted: dict[str, set[str]] = {}
    for place in places:
        if place.peer_id:
            wanted.setdefault(place.integration_id, set()).add(place.peer_id)
    found: dict[Place, Any] = {}
    for integration_id, ids in wanted.items():
        for some in in_chunks(sorted(ids)):
            query = select(key.label("of_peer"), *columns).where(table.integration_id == integration_id, key.in_(some))
            for row in connection.execute(query).all():
                found[Place(integration_id, row.of_peer)] = row
    return found


def names_by_place(connection: Connection, table: Any, places: Iterable[Place]) -> dict[Place, str]:
    """Names by integration and peer id; one without a name is left out."""
    found = by_place(connection, table, places, (table.name,))
    return {place: row.name for place, row in found.items() if row.name}


def integration_names(connection: Connection) -> dict[str, str]:
    """``{id: name}`` of all, removed ones too."""
    return {row.id: row.name for row in connection.execute(select(Integration.id, Integration.name))}


def shown_in(row: Any, field: str) -> Any:
    """What a screen shows in a field of a row: what waits to be sent, else the peer's value."""
    pending: Mapping[str, Any] = row.pending or {}
    return pending.get(field, getattr(row, field))
