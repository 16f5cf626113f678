"""Supply records of several systems seen as one: filters that reach the partners, and who the partners are.

The lists of the supply page ask here before they ask the store. All are functions of a connection.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select

from app.identity.kinds import TABLES, check_kind, code_column, in_chunks
from app.identity.lookup import same_places
from app.store.tables import IdentityLink, Integration, ItemRow, RequisitionRow, ShipmentRow
from app.supply.filters import Place, SupplyFilter
from app.supply.paging import holds_words

MOST_NAMED = 2_000
"""Items that a search finds by what their partners are called."""


@dataclass(frozen=True, slots=True)
class Partner:
    """The same thing as another system knows it. ``id`` is its record's."""

    id: str
    source: str
    code: str
    name: str


def widened(connection: Connection, wanted: SupplyFilter) -> SupplyFilter:
    """A filter that also finds what the partner systems hold of the chosen facility, and of items so named there."""
    places: tuple[Place, ...] = ()
    if wanted.facility is not None:
        places = tuple(
            place for place in same_places(connection, "facility", wanted.facility) if place != wanted.facility
        )
    items: tuple[str, ...] = ()
    if wanted.words:
        mine, other = IdentityLink.__table__.alias("mine"), IdentityLink.__table__.alias("other")
        query = (
            select(mine.c.record_id)
            .join(other, (other.c.identity_id == mine.c.identity_id) & (other.c.record_id != mine.c.record_id))
            .join(ItemRow.__table__, ItemRow.id == other.c.record_id)
            .where(mine.c.kind == "item", *holds_words(wanted.words, (ItemRow.name, ItemRow.code)))
            .distinct()
            .limit(MOST_NAMED)
        )
        items = tuple(connection.execute(query).scalars())
    return replace(wanted, partner_places=places, partner_items=items)


def partners_of(connection: Connection, kind: str, record_ids: Sequence[str]) -> dict[str, list[Partner]]:
    """For each record its partners, by system; records that are joined with nothing are left out."""
    table: Any = TABLES[check_kind(kind)].table
    mine, other = IdentityLink.__table__.alias("mine"), IdentityLink.__table__.alias("other")
    found: dict[str, list[Partner]] = {}
    for some in in_chunks(list(record_ids)):
        query = (
            select(
                mine.c.record_id,
                table.id,
                Integration.name.label("source"),
                code_column(kind).label("code"),
                table.name,
            )
            .join(other, (other.c.identity_id == mine.c.identity_id) & (other.c.record_id != mine.c.record_id))
            .join(table.__table__, table.id == other.c.record_id)
            .join(Integration, Integration.id == table.integration_id)
            .where(mine.c.kind == kind, mine.c.record_id.in_(some))
            .order_by(Integration.key, table.id)
        )
        for row in connection.execute(query):
            found.setdefault(row.record_id, []).append(Partner(row.id, row.source, row.code, row.name))
    return found


def partners_at(connection: Connection, kind: str, places: Sequence[Place]) -> Mapping[Place, list[Partner]]:
    """As :func:`partners_of`, by the ids that stock and papers use."""
    table: Any = TABLES[check_kind(kind)].table
    ids: dict[Place, str] = {}
    for place in dict.fromkeys(places):
        mine = (table.integration_id == place.integration_id) & (table.peer_id == place.peer_id)
        record = connection.execute(select(table.id).where(mine)).scalar_one_or_none()
        if record is not None:
            ids[place] = record
    partners = partners_of(connection, kind, list(ids.values()))
    return {place: partners[record] for place, record in ids.items() if record in partners}


def paper_partners(connection: Connection, kind: str, record_id: str) -> dict[str, list[Partner]]:
    """What other systems call the places of a ``requisition`` or a ``shipment``, by the paper's own word for each."""
    table: Any = RequisitionRow if kind == "requisition" else ShipmentRow
    words = ("facility", "supplier") if kind == "requisition" else ("sender", "receiver")
    columns = [getattr(table, word) for word in words]
    row = connection.execute(select(table.integration_id, *columns).where(table.id == record_id)).one_or_none()
    if row is None:
        return {}
    places = {word: Place(row.integration_id, getattr(row, word)) for word in words if getattr(row, word)}
    partners = partners_at(connection, "facility", list(places.values()))
    return {word: partners[place] for word, place in places.items() if place in partners}
