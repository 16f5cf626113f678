"""The identity map as pages and commands list it: suggestions, what is unmatched, what is joined, and the acts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, not_, or_, select

from app.fleet.times import iso
from app.identity.evidence import strength_word
from app.identity.kinds import (
    KINDS,
    TABLES,
    Known,
    code_column,
    current_condition,
    in_chunks,
    known,
    load_records,
    select_records,
)
from app.identity.lookup import records_of
from app.store.tables import IdentityAct, IdentityLink, IdentityRow, IdentitySuggestion, Integration

ACT_WORDS: Mapping[str, str] = {"merge": "joined", "split": "split", "decline": "not the same", "undo": "undone"}


@dataclass(frozen=True, slots=True)
class SuggestionListing:
    """One suggestion with both of its records. ``key`` is ``low id high id``."""

    low: Known
    high: Known
    kind: str
    score: int
    how: str
    reasons: Sequence[str]
    is_certain: bool

    @property
    def key(self) -> str:
        return f"{self.low.id} {self.high.id}"

    @property
    def word(self) -> str:
        return strength_word(self.score)

    def as_row(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "score": self.score,
            "strength": self.word,
            "how": self.how,
            "one": self.low.label,
            "one_of": self.low.source,
            "one_code": self.low.code,
            "one_id": self.low.id,
            "other": self.high.label,
            "other_of": self.high.source,
            "other_code": self.high.code,
            "other_id": self.high.id,
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True, slots=True)
class Member:
    """A record in an identity, and how it came there."""

    known: Known
    how: str
    reason: str
    linked_by: str
    linked_at: datetime


@dataclass(frozen=True, slots=True)
class IdentityListing:
    id: str
    kind: str
    name: str
    members: Sequence[Member] = field(default_factory=tuple)

    @property
    def sources(self) -> str:
        return ", ".join(dict.fromkeys(member.known.source for member in self.members if member.known.source))

    def as_row(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "name": self.name,
            "records": [
                {
                    "id": member.known.id,
                    "integration_id": member.known.source_id,
                    "integration": member.known.source,
                    "peer_id": member.known.peer_id,
                    "code": member.known.code,
                    "name": member.known.name,
                    "how": member.how,
                    "reason": member.reason,
                    "by": member.linked_by,
                    "at": iso(member.linked_at),
                    "is_current": member.known.is_current,
                }
                for member in self.members
            ],
            "joined": "; ".join(f"{member.known.label} ({member.known.source})" for member in self.members),
        }


@dataclass(frozen=True, slots=True)
class ActListing:
    id: str
    batch_id: str
    kind: str
    act: str
    subject: str
    who: str
    at: datetime
    is_undone: bool

    def as_row(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "batch": self.batch_id,
            "kind": self.kind,
            "act": self.act,
            "subject": self.subject,
            "who": self.who,
            "at": iso(self.at),
            "undone": self.is_undone,
        }


@dataclass(frozen=True, slots=True)
class SourceCount:
    """How the records of one system stand: ``joined`` with another, ``suggested``, or ``unmatched``.

    Where no other system has any, there is nothing that they could match.
    """

    source_id: str
    source: str
    total: int
    joined: int
    suggested: int
    has_others: bool

    @property
    def unmatched(self) -> int:
        return self.total - self.joined - self.suggested if self.has_others else 0


def list_suggestions(
    connection: Connection,
    kind: str,
    *,
    text: str = "",
    at_least: int = 0,
    source_id: str = "",
    limit: int | None = None,
) -> list[SuggestionListing]:
    """The surest first. ``text``: every word stands in a name or code of either record."""
    query = _suggestions(kind, text, at_least, source_id)
    table = IdentitySuggestion
    order = query.order_by(table.score.desc(), table.low_id, table.high_id)
    rows = connection.execute(order if limit is None else order.limit(limit)).all()
    records = load_records(connection, kind, {record for row in rows for record in (row.low_id, row.high_id)})
    return [
        SuggestionListing(
            records[row.low_id], records[row.high_id], kind, row.score, row.how, row.reasons, row.is_certain
        )
        for row in rows
        if row.low_id in records and row.high_id in records
    ]


def count_suggestions(
    connection: Connection, kind: str, *, text: str = "", at_least: int = 0, source_id: str = ""
) -> int:
    """As many as :func:`list_suggestions` finds: the same query counted."""
    query = _suggestions(kind, text, at_least, source_id).with_only_columns(IdentitySuggestion.low_id)
    return connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()


def list_unmatched(
    connection: Connection, kind: str, *, text: str = "", source_id: str = "", limit: int | None = None
) -> list[Known]:
    """Records that are joined with nothing and for which nothing is suggested, by name.

    None where only one system has any.
    """
    table = TABLES[kind].table
    if not any(source.has_others for source in count_sources(connection, kind)):
        return []
    query = select_records(kind).where(current_condition(kind), _is_unmatched(table.id))
    if source_id:
        query = query.where(table.integration_id == source_id)
    query = _holding(query, kind, text).order_by(table.name, table.id)
    return [known(kind, row) for row in connection.execute(query if limit is None else query.limit(limit))]


def count_sources(connection: Connection, kind: str) -> list[SourceCount]:
    """The records of each system of a kind, by how they stand."""
    if kind == "vehicle":
        return _count_vehicles(connection)
    table = TABLES[kind].table

    def counted(*conditions: ColumnElement[bool]) -> dict[str, int]:
        query = (
            select(table.integration_id, func.count())
            .join(Integration, Integration.id == table.integration_id)
            .where(current_condition(kind), *conditions)
            .group_by(table.integration_id)
        )
        return dict(connection.execute(query).all())

    names = dict(connection.execute(select(Integration.id, Integration.name)).all())
    total = counted()
    joined = counted(_is_joined(table.id))
    suggested = counted(not_(_is_joined(table.id)), _is_suggested(table.id))
    return [
        SourceCount(
            source, names[source], total[source], joined.get(source, 0), suggested.get(source, 0), len(total) > 1
        )
        for source in sorted(total, key=lambda source: names[source])
    ]


def list_identities(
    connection: Connection, kind: str, *, text: str = "", limit: int | None = None
) -> list[IdentityListing]:
    """What is joined, by name. ``text``: every word stands in its name, or in the name or code of one record."""
    query = _identities(kind, text).order_by(IdentityRow.name, IdentityRow.id)
    rows = connection.execute(query if limit is None else query.limit(limit)).all()
    members = _members(connection, kind, [row.id for row in rows])
    return [IdentityListing(row.id, kind, row.name, members.get(row.id, ())) for row in rows]


def count_identities(connection: Connection, kind: str, *, text: str = "") -> int:
    return connection.execute(select(func.count()).select_from(_identities(kind, text).subquery())).scalar_one()


def find_identity(connection: Connection, identity_id: str) -> IdentityListing | None:
    """One identity as it is now; an older id leads to the one that took it over. None where it fell apart."""
    some = records_of(connection, identity_id)[:1]
    owner = connection.execute(
        select(IdentityRow.id, IdentityRow.kind, IdentityRow.name)
        .join(IdentityLink, IdentityLink.identity_id == IdentityRow.id)
        .where(IdentityLink.record_id.in_(some))
    ).one_or_none()
    if owner is None:
        return None
    return IdentityListing(owner.id, owner.kind, owner.name, _members(connection, owner.kind, [owner.id])[owner.id])


def list_acts(connection: Connection, *, kind: str = "", limit: int = 200) -> list[ActListing]:
    """The newest first."""
    query = select(IdentityAct.__table__).order_by(IdentityAct.seq.desc()).limit(limit)
    if kind:
        query = query.where(IdentityAct.kind == kind)
    return [
        ActListing(row.id, row.batch_id, row.kind, row.act, row.subject, row.who, row.at, row.undone_by is not None)
        for row in connection.execute(query)
    ]


def count_kinds(connection: Connection) -> dict[str, tuple[int, int]]:
    """Suggestions and identities of each kind."""
    suggested = select(IdentitySuggestion.kind, func.count()).group_by(IdentitySuggestion.kind)
    live = IdentityRow.removed_at.is_(None)
    joined = select(IdentityRow.kind, func.count()).where(live).group_by(IdentityRow.kind)
    waiting = dict(connection.execute(suggested).all())
    done = dict(connection.execute(joined).all())
    return {kind: (waiting.get(kind, 0), done.get(kind, 0)) for kind in KINDS}


def _suggestions(kind: str, text: str, at_least: int, source_id: str) -> Select[Any]:
    table = IdentitySuggestion
    query: Select[Any] = select(table.__table__).where(table.kind == kind, table.score >= at_least)
    records = TABLES[kind].table.__table__
    low, high = records.alias("low"), records.alias("high")
    if text.strip() or source_id:
        query = query.join(low, low.c.id == table.low_id).join(high, high.c.id == table.high_id)
    for word in text.split():
        query = query.where(or_(*(_holds(side, kind, word) for side in (low, high))))
    if source_id:
        query = query.where(or_(low.c.integration_id == source_id, high.c.integration_id == source_id))
    return query


def _identities(kind: str, text: str) -> Select[Any]:
    identity, link = IdentityRow, IdentityLink
    columns: tuple[Any, ...] = (identity.id, identity.name)
    query = select(*columns)
    query = query.where(identity.kind == kind, identity.removed_at.is_(None))
    records = TABLES[kind].table.__table__
    for word in text.split():
        inside = (
            select(link.record_id)
            .join(records, records.c.id == link.record_id)
            .where(link.identity_id == identity.id, _holds(records, kind, word))
        )
        query = query.where(or_(identity.name.icontains(word, autoescape=True), inside.exists()))
    return query


def _members(connection: Connection, kind: str, identity_ids: Sequence[str]) -> dict[str, list[Member]]:
    links: list[Any] = []
    for some in in_chunks(identity_ids):
        query = select(IdentityLink.__table__).where(IdentityLink.identity_id.in_(some))
        links += connection.execute(query.order_by(IdentityLink.record_id)).all()
    records = load_records(connection, kind, [row.record_id for row in links])
    found: dict[str, list[Member]] = {}
    for row in links:
        if row.record_id in records:
            member = Member(records[row.record_id], row.how, row.reason, row.linked_by, row.linked_at)
            found.setdefault(row.identity_id, []).append(member)
    return found


def _count_vehicles(connection: Connection) -> list[SourceCount]:
    table = TABLES["vehicle"].table

    def counted(*conditions: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(table.__table__).where(current_condition("vehicle"), *conditions)
        return connection.execute(query).scalar_one()

    joined, suggested = _is_joined(table.id), _is_suggested(table.id)
    total = counted()
    return (
        [SourceCount("", "", total, counted(joined), counted(not_(joined), suggested), has_others=False)]
        if total
        else []
    )


def _holds(table: Any, kind: str, word: str) -> ColumnElement[bool]:
    code = code_column(kind, table.c)
    return or_(code.icontains(word, autoescape=True), table.c.name.icontains(word, autoescape=True))


def _holding(query: Select[Any], kind: str, text: str) -> Select[Any]:
    for word in text.split():
        query = query.where(_holds(TABLES[kind].table.__table__, kind, word))
    return query


def _is_joined(record_id: Any) -> ColumnElement[bool]:
    return exists().where(IdentityLink.record_id == record_id)


def _is_suggested(record_id: Any) -> ColumnElement[bool]:
    low, high = IdentitySuggestion.low_id, IdentitySuggestion.high_id
    return or_(exists().where(low == record_id), exists().where(high == record_id))


def _is_unmatched(record_id: Any) -> ColumnElement[bool]:
    return and_(not_(_is_joined(record_id)), not_(_is_suggested(record_id)))
