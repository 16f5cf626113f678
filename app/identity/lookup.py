"""What the rest of the program asks of the identity map. All are functions of a connection.

A record that is joined with nothing is its own identity, by its own id: whoever groups by identity needs no
exception for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from app.identity.kinds import TABLES, check_kind, in_chunks
from app.store.tables import IdentityLink, IdentityRow
from app.supply.filters import Place

_LONGEST_CHAIN = 1_000


def identity_of(connection: Connection, kind: str, record_ids: Iterable[str]) -> dict[str, str]:
    """``{record id: identity id}`` for every id given."""
    check_kind(kind)
    found = {record: record for record in record_ids}
    for some in in_chunks(list(found)):
        query = select(IdentityLink.record_id, IdentityLink.identity_id).where(
            IdentityLink.record_id.in_(some), IdentityLink.kind == kind
        )
        found.update(connection.execute(query).all())
    return found


def records_of(connection: Connection, identity_id: str) -> list[str]:
    """The records of an identity. An id that was noted earlier leads to the identity that took it over since.

    What is no identity is taken for a record that is joined with nothing, and is its own answer. An identity that
    fell apart has none.
    """
    current = identity_id
    for _step in range(_LONGEST_CHAIN):
        row = connection.execute(
            select(IdentityRow.merged_into, IdentityRow.removed_at).where(IdentityRow.id == current)
        ).one_or_none()
        if row is None:
            return [current] if current == identity_id else []
        if row.merged_into is None:
            break
        current = row.merged_into
    query = select(IdentityLink.record_id).where(IdentityLink.identity_id == current)
    return list(connection.execute(query.order_by(IdentityLink.record_id)).scalars())


def same_as(connection: Connection, kind: str, record_id: str) -> list[str]:
    """All records of the same thing, the record itself among them."""
    identity = identity_of(connection, kind, [record_id])[record_id]
    return records_of(connection, identity) if identity != record_id else [record_id]


def same_places(connection: Connection, kind: str, place: Place) -> list[Place]:
    """As :func:`same_as`, by the ids that records have at their peers, as stock and papers point at them."""
    table = TABLES[check_kind(kind)].table
    mine = select(table.id).where(table.integration_id == place.integration_id, table.peer_id == place.peer_id)
    record = connection.execute(mine).scalar_one_or_none()
    if record is None:
        return [place]
    found = [place]
    for some in in_chunks(same_as(connection, kind, record)):
        query = select(table.integration_id, table.peer_id).where(table.id.in_(some)).order_by(table.id)
        found += [Place(*row) for row in connection.execute(query).all() if Place(*row) != place]
    return found


def with_identity(query: Select[Any], kind: str, record_id: Any) -> tuple[Select[Any], ColumnElement[str]]:
    """A statement joined with the map, and the column by which to group: the identity of ``record_id``, or itself."""
    link = IdentityLink.__table__.alias()
    on = and_(link.c.record_id == record_id, link.c.kind == check_kind(kind))
    return query.outerjoin(link, on), func.coalesce(link.c.identity_id, record_id)
