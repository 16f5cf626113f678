"""Whether two facilities of different systems are the same: by the identity map, else by equal name or code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from app.deliveries.rows import by_place
from app.identity.lookup import identity_of
from app.store.tables import FacilityRow
from app.supply.filters import Place


class Agreement:
    """Facilities by their integration and their id there."""

    def __init__(self, rows: Mapping[Place, Any], identities: Mapping[str, str]) -> None:
        self._rows = rows
        self._identities = identities

    @classmethod
    def load(cls, connection: Connection, places: Iterable[Place]) -> Agreement:
        columns = (FacilityRow.id, FacilityRow.name, FacilityRow.code)
        rows = by_place(connection, FacilityRow, places, columns)
        return cls(rows, identity_of(connection, "facility", [row.id for row in rows.values()]))

    def identity(self, place: Place) -> str:
        """What several records of one facility share; a facility that is joined with nothing is its own; "" unknown."""
        row = self._rows.get(place)
        return "" if row is None else self._identities.get(row.id, row.id)

    def between(self, one: Place, other: Place) -> bool | None:
        """True where they are the same, False where they are known to be different, None where nothing tells."""
        if one == other:
            return True
        left, right = self._rows.get(one), self._rows.get(other)
        if left is None or right is None:
            return None
        mine, theirs = self._identities.get(left.id, left.id), self._identities.get(right.id, right.id)
        if mine == theirs:
            return True
        if _folded(left.name) and _folded(left.name) == _folded(right.name):
            return True
        if _folded(left.code) and _folded(left.code) == _folded(right.code):
            return True
        return False if mine != left.id and theirs != right.id else None


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
