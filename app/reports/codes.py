"""By which codes whoever takes the reports knows our stores and items.

The rule of NHLMIS is that codes are equal (nhlmis.md, A1). Where the integration that takes the reports has told its
own lists, a code that is not in them is known to be unknown before anything is sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from app.store.tables import Integration, ItemRow, StreamState


@dataclass(frozen=True, slots=True)
class Codes:
    """Codes that the peer knows; None where it told no list, so that nothing can be said."""

    peer: str
    items: frozenset[str] | None

    def trouble_of_item(self, code: str) -> str:
        """Why this item cannot be told, "" where it can or nothing is known."""
        return self._trouble("item", code, self.items)

    def trouble_of_facility(self, code: str) -> str:
        return self._trouble("store", code, None)

    def _trouble(self, what: str, code: str, known: frozenset[str] | None) -> str:
        if not code.strip():
            return f"The {what} has no code. Give it the code of {self.peer} in the supply system."
        if known is not None and code not in known:
            return (
                f"{self.peer} does not know the {what} code {code}. Correct it in the supply system, or ask "
                f"{self.peer} to add it."
            )
        return ""


def read_codes(connection: Connection, integration_id: str) -> Codes:
    """What one integration that takes reports has told of its own codes.

    Items that merely stood in orders are no list: only a list of items that was read to its end says what is unknown.
    There is no list of stores that report, so their codes are judged by the answers alone.
    """
    name = connection.execute(select(Integration.name).where(Integration.id == integration_id)).scalar_one_or_none()
    if not integration_id or name is None:
        return Codes("the peer", None)
    state = StreamState
    read = select(state.last_read).where(state.integration_id == integration_id, state.stream == "items")
    if connection.execute(read).scalar_one_or_none() is None:
        return Codes(name, None)
    item = ItemRow
    query = select(item.code).where(item.integration_id == integration_id, item.gone_at.is_(None), item.code != "")
    return Codes(name, frozenset(connection.execute(query).scalars()))
