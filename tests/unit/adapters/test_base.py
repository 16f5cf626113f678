"""The contract's own promises."""

from __future__ import annotations

from sqlalchemy import String

from adapters.base import LONGEST_UNIQUE_ID, Identity
from app.store.tables import Integration


def test_an_identity_of_any_length_fits_the_store_and_stays_itself() -> None:
    path = "traccar:gps.example.org:443/" + "depot/" * 90
    one, same, other = Identity(f"{path}#1", "A"), Identity(f"{path}#1", "B"), Identity(f"{path}#2", "C")
    assert len(one.unique_id) == LONGEST_UNIQUE_ID
    assert one.unique_id == same.unique_id != other.unique_id
    assert Identity(one.unique_id, "as it was stored").unique_id == one.unique_id
    assert one.unique_id.startswith("traccar:gps.example.org:443/depot/")
    column = Integration.__table__.c.peer_unique_id.type
    assert isinstance(column, String)
    assert column.length == LONGEST_UNIQUE_ID  # PostgreSQL refuses longer ones
    exact = "x" * LONGEST_UNIQUE_ID
    assert Identity(exact, "D").unique_id == exact
