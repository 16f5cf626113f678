"""The part of the identity map that an act touches, held in memory, changed there, and written back as a difference.

What was before and after is known of every row, which is what makes an act one that can be taken back. Rules kept
here, whatever is done: a record has at most one identity, and an identity that lives has at least two records.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select

from app.identity.kinds import in_chunks
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import IdentityDecline, IdentityLink, IdentityRow
from app.store.upsert import insert_or

Values = dict[str, Any]
Payload = dict[str, dict[str, list[Values | None]]]
PARTS = ("links", "identities", "declines")


@dataclass(slots=True)
class Book:
    """``links`` by record id, ``identities`` by id, ``declines`` by ``"low high"``; each the row's values.

    An identity is in it with all of its records, or not at all.
    """

    kind: str
    links: dict[str, Values] = field(default_factory=dict)
    identities: dict[str, Values] = field(default_factory=dict)
    declines: dict[str, Values] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)  # identity → its records
    _was: dict[str, dict[str, Values | None]] = field(default_factory=lambda: {part: {} for part in PARTS})

    # Reading

    @classmethod
    def load(cls, connection: Connection, kind: str, record_ids: Iterable[str], *, declines: bool = True) -> Book:
        """What stands about these records, the records they share an identity with, and who said no."""
        book = cls(kind)
        record_ids = list(dict.fromkeys(record_ids))
        wanted: set[str] = set()
        for some in in_chunks(record_ids):
            query = select(IdentityLink.identity_id).where(IdentityLink.record_id.in_(some), IdentityLink.kind == kind)
            wanted.update(connection.execute(query).scalars())
        book._load_identities(connection, wanted)
        if declines:
            book._load_declines(connection, {*record_ids, *book.links})
        return book

    def also(self, connection: Connection, identity_ids: Iterable[str]) -> None:
        """Read further identities, with their records, also of those that live no more."""
        self._load_identities(connection, set(identity_ids) - self.identities.keys())

    def _load_identities(self, connection: Connection, wanted: Iterable[str]) -> None:
        table, link = IdentityRow.__table__, IdentityLink.__table__
        for some in in_chunks(sorted(wanted)):
            for row in connection.execute(select(table).where(IdentityRow.id.in_(some))):
                self.identities[row.id] = {
                    "name": row.name,
                    "created_at": row.created_at,
                    "merged_into": row.merged_into,
                    "removed_at": row.removed_at,
                }
                self.members.setdefault(row.id, set())
            for row in connection.execute(select(link).where(IdentityLink.identity_id.in_(some))):
                self.links[row.record_id] = {
                    "identity_id": row.identity_id,
                    "how": row.how,
                    "reason": row.reason,
                    "linked_by": row.linked_by,
                    "linked_at": row.linked_at,
                }
                self.members.setdefault(row.identity_id, set()).add(row.record_id)

    def _load_declines(self, connection: Connection, record_ids: set[str]) -> None:
        for some in in_chunks(sorted(record_ids)):
            query = select(IdentityDecline.__table__).where(
                or_(IdentityDecline.low_id.in_(some), IdentityDecline.high_id.in_(some))
            )
            for row in connection.execute(query):
                values = {"declined_by": row.declined_by, "declined_at": row.declined_at}
                self.declines[f"{row.low_id} {row.high_id}"] = values

    def identity_of(self, record_id: str) -> str | None:
        link = self.links.get(record_id)
        return None if link is None else str(link["identity_id"])

    def records_with(self, record_id: str) -> set[str]:
        """All records of its identity, itself among them."""
        identity = self.identity_of(record_id)
        return {record_id} if identity is None else set(self.members[identity])

    # Changing

    def join(self, record_ids: Iterable[str], name: str, values: Mapping[str, Any], now: datetime) -> str:
        """Put these records, and all that share an identity with them, into one; the oldest identity takes them.

        ``values`` are ``how``, ``reason``, ``linked_by`` and ``linked_at`` of the links that are made. A new identity
        gets ``name``. What somebody declined among them before is declined no more.
        """
        records: set[str] = set()
        for record_id in record_ids:
            records |= self.records_with(record_id)
        found = {identity for record in records if (identity := self.identity_of(record)) is not None}
        if found:
            kept = min(found)  # ids sort by their time of birth
        else:
            kept = new_id()
            born: Values = {"name": name, "created_at": now, "merged_into": None, "removed_at": None}
            self._set("identities", kept, born)
        for record in sorted(records):
            if self.identity_of(record) != kept:
                self._link(record, {"identity_id": kept, **values})
        for identity in found - {kept}:
            gone = {**self.identities[identity], "merged_into": kept, "removed_at": now}
            self._set("identities", identity, gone)
        for pair in [pair for pair in self.declines if records.issuperset(pair.split(" "))]:
            self._set("declines", pair, None)
        return kept

    def part(self, record_ids: Iterable[str], name: str, values: Mapping[str, Any], now: datetime) -> str | None:
        """Take records of one identity out of it; two and more share a new one, which is returned."""
        records = sorted(set(record_ids))
        left = {identity for record in records if (identity := self.identity_of(record)) is not None}
        for record in records:
            self._link(record, None)
        made = None
        if len(records) > 1:
            made = new_id()
            self._set("identities", made, {"name": name, "created_at": now, "merged_into": None, "removed_at": None})
            for record in records:
                self._link(record, {"identity_id": made, **values})
        for identity in left:
            self._let_go(identity, now)
        return made

    def decline(self, pairs: Iterable[tuple[str, str]], who: str, now: datetime) -> None:
        """Somebody said that these are not the same."""
        for one, other in pairs:
            pair = " ".join(sorted((one, other)))
            if pair not in self.declines:
                self._set("declines", pair, {"declined_by": who, "declined_at": now})

    def put_back(self, payload: Payload) -> None:
        """Everything as it was before an act."""
        for record, (before, _after) in payload["links"].items():
            self._link(record, before)
        for part in ("identities", "declines"):
            for key, (before, _after) in payload[part].items():
                self._set(part, key, before)

    def _let_go(self, identity: str, now: datetime) -> None:
        """An identity of one record says nothing: it ends."""
        rest = self.members[identity]
        if len(rest) > 1:
            return
        for record in sorted(rest):
            self._link(record, None)
        self._set("identities", identity, {**self.identities[identity], "merged_into": None, "removed_at": now})

    def _link(self, record: str, values: Values | None) -> None:
        before = self.identity_of(record)
        if before is not None:
            self.members[before].discard(record)
        if values is not None:
            self.members.setdefault(values["identity_id"], set()).add(record)
        self._set("links", record, values)

    def _set(self, part: str, key: str, values: Values | None) -> None:
        rows: dict[str, Values] = getattr(self, part)
        self._was[part].setdefault(key, rows.get(key))
        if values is None:
            rows.pop(key, None)
        else:
            rows[key] = values
        if part == "identities" and values is not None:
            self.members.setdefault(key, set())

    # Writing

    def changes(self) -> Payload:
        """What has become different since it was read, both sides of each row."""
        found: Payload = {}
        for part in PARTS:
            rows: dict[str, Values] = getattr(self, part)
            found[part] = {key: [was, rows.get(key)] for key, was in self._was[part].items() if was != rows.get(key)}
        return found

    def settle(self) -> Payload:
        """As :meth:`changes`, and begin anew: what follows belongs to the next act."""
        found = self.changes()
        self._was = {part: {} for part in PARTS}
        return found


def write_changes(connection: Connection, kind: str, changes: Payload) -> int:
    """Write a difference of a book; returns the version of the topic."""
    version = raise_topic(connection, "identities")
    mark = {"kind": kind, "changed_version": version}
    links, declines = changes["links"], changes["declines"]
    _delete(connection, IdentityLink.record_id, [key for key, (_was, now) in links.items() if now is None])
    came = [{"record_id": key, **now, **mark} for key, (_was, now) in links.items() if now is not None]
    _upsert(connection, IdentityLink, ("record_id",), came)
    identities = [{"id": key, **now, **mark} for key, (_was, now) in changes["identities"].items() if now is not None]
    _upsert(connection, IdentityRow, ("id",), identities)
    _delete(connection, IdentityRow.id, [key for key, (_was, now) in changes["identities"].items() if now is None])
    for pair, (_was, now) in declines.items():
        low, high = pair.split(" ")
        if now is None:
            gone = delete(IdentityDecline).where(IdentityDecline.low_id == low, IdentityDecline.high_id == high)
            connection.execute(gone)
        else:
            connection.execute(insert(IdentityDecline).values(low_id=low, high_id=high, kind=kind, **now))
    return version


def as_json(payload: Payload) -> dict[str, Any]:
    """A payload for a JSON column: times as texts."""

    def plain(values: Values | None) -> Values | None:
        if values is None:
            return None
        return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in values.items()}

    return {part: {key: [plain(side) for side in sides] for key, sides in payload[part].items()} for part in PARTS}


def from_json(stored: Mapping[str, Any]) -> Payload:
    """A payload out of a JSON column."""

    def full(values: Values | None) -> Values | None:
        if values is None:
            return None
        return {
            key: datetime.fromisoformat(value) if key.endswith("_at") and value is not None else value
            for key, value in values.items()
        }

    return {part: {key: [full(side) for side in sides] for key, sides in stored[part].items()} for part in PARTS}


def _upsert(connection: Connection, table: Any, key: tuple[str, ...], rows: list[Values]) -> None:
    if not rows:
        return
    statement = insert_or(connection, table)
    over = {name: getattr(statement.excluded, name) for name in rows[0] if name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=over), rows)


def _delete(connection: Connection, column: Any, keys: list[str]) -> None:
    for some in in_chunks(keys):
        connection.execute(delete(column.table).where(column.in_(some)))
