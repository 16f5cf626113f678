"""Profiles of sensors kept in the store, so that every workplace has them; as files see :mod:`app.fuel.profiles`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from app.clock import utc_now
from app.fleet.errors import NotFound
from app.fleet.text import storable, storable_json
from app.fuel.errors import FuelError
from app.fuel.profiles import Profile
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import SensorProfile


@dataclass(frozen=True, slots=True)
class SavedProfile:
    """A profile under the name by which people know it."""

    id: str
    name: str
    profile: Profile
    note: str
    created_at: datetime


def keep_profile(connection: Connection, name: str, profile: Profile, *, note: str = "", who: str | None = None) -> str:
    """Keep a profile; the one that had its name and dialect before is followed by it. Returns its id.

    Raises FuelError for a profile without a name or without settings.
    """
    title = storable(" ".join(name.split()), 200)
    if not title or not profile.settings:
        raise FuelError("A profile needs a name, and at least one setting.")
    version = raise_topic(connection, "sensor_profiles")
    row = SensorProfile
    same = (row.name == title, row.dialect == profile.dialect, row.removed_at.is_(None))
    connection.execute(update(row).where(*same).values(removed_at=utc_now(), changed_version=version))
    values = {
        "name": title,
        "dialect": storable(profile.dialect, 24),
        "values": storable_json(asdict(profile)),
        "note": storable(note.strip(), 5_000),
    }
    profile_id = new_id()
    connection.execute(insert(row).values(id=profile_id, created_at=utc_now(), changed_version=version, **values))
    record_act(connection, what="sensor_profile.keep", subject=title, after=values, who=who)
    return profile_id


def list_profiles(connection: Connection, dialect: str | None = None) -> list[SavedProfile]:
    """Kept profiles by name, of one dialect or of all."""
    row = SensorProfile
    query = select(row.__table__).where(row.removed_at.is_(None)).order_by(row.name, row.id)
    if dialect is not None:
        query = query.where(row.dialect == dialect)
    return [
        SavedProfile(found.id, found.name, Profile(**found.values), found.note, found.created_at)
        for found in connection.execute(query)
    ]


def find_profile(connection: Connection, wanted: str) -> SavedProfile:
    """The profile of an id, or of the end of one, or of a name, that no other has. Raises NotFound."""
    known = list_profiles(connection)
    found = [one for one in known if wanted and wanted.casefold() == one.name.casefold()]
    found = found or [one for one in known if wanted and one.id.endswith(wanted)]
    if len(found) != 1:
        raise NotFound(f"There is no single profile “{wanted}”. List them to see their ids.")
    return found[0]


def remove_profile(connection: Connection, profile_id: str, *, who: str | None = None) -> None:
    """Take a profile out of the list; the record of acts keeps it. Raises NotFound."""
    row = SensorProfile
    query = select(row.__table__).where(row.id == profile_id, row.removed_at.is_(None))
    found: Any = connection.execute(query).first()
    if found is None:
        raise NotFound("This profile does not exist any more. Load the list again.")
    version = raise_topic(connection, "sensor_profiles")
    removed = {"removed_at": utc_now(), "changed_version": version}
    connection.execute(update(row).where(row.id == profile_id).values(**removed))
    record_act(connection, what="sensor_profile.remove", subject=found.name, before={"values": found.values}, who=who)
