"""Merging, splitting, declining, and taking each of them back. All are functions of a connection.

Every act is one row of ``identity_acts`` with both sides of what it changed, and an entry of the audit. It can be
undone as long as nothing that came later stands on it; undoing is an act as well, and can be undone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, or_, select, update

from app.fleet.text import storable
from app.identity.book import PARTS, Book, Payload, as_json, from_json, write_changes
from app.identity.errors import IdentityError, NotFound
from app.identity.kinds import TABLES, Known, check_kind, in_chunks, load_records
from app.security.audit import record_act
from app.security.operator import present_operator
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import IdentityAct, IdentityLink, IdentityRow, IdentitySuggestion

BY_RULE = "the rule for equal codes and names"
"""Who joined records where nobody was asked."""
MOST_AT_ONCE = 200
"""Records in one act by hand; a thing that is known two hundred times over is a mistake."""
ACCEPT_AT_ONCE = 200
"""Pairs joined in one transaction."""
_NAMED = 20
_LATER = 2_000


@dataclass(frozen=True, slots=True)
class Pair:
    """Two records to join, and why: ``how`` is code, gtin, name, place or operator."""

    low_id: str
    high_id: str
    how: str = "operator"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What an act came to: its id, its batch's, the identity that took the records, None where none is left."""

    act_id: str
    batch_id: str
    identity_id: str | None


def merge(
    connection: Connection,
    kind: str,
    ids: Sequence[str],
    *,
    now: datetime,
    name: str = "",
    reason: str = "",
    who: str | None = None,
) -> Done:
    """Say that these are the same: ids of records, or of identities, which bring all of their records.

    The oldest identity among them takes the others; where there is none, one is made and called ``name``, or as the
    first record. Raises IdentityError, NotFound.
    """
    check_kind(kind)
    raise_topic(connection, "identities")
    who = _who(who)
    records = resolve(connection, kind, ids)
    if len(records) < 2:
        raise IdentityError("Name at least two different records: one alone is the same as nothing else.")
    found = _known(connection, kind, records)
    book = Book.load(connection, kind, records)
    if len({book.identity_of(record) or record for record in records}) < 2:
        raise IdentityError(f"{_names(found.values())}: these are one already. Nothing was changed.")
    called = storable(name.strip() or found[records[0]].label, 300)
    values = {"how": "operator", "reason": storable(reason), "linked_by": who, "linked_at": now}
    identity = book.join(records, called, values, now)
    return _write(connection, book, "merge", _names(found.values()), who, now, identity)


def split(
    connection: Connection, kind: str, record_ids: Sequence[str], *, now: datetime, who: str | None = None
) -> Done:
    """Take records out of their identity: they stand alone, or together where they are several.

    That they are not the same as the rest is remembered. Raises IdentityError, NotFound.
    """
    check_kind(kind)
    raise_topic(connection, "identities")
    who = _who(who)
    records = list(dict.fromkeys(record_ids))
    found = _known(connection, kind, records)
    book = Book.load(connection, kind, records)
    owners = {book.identity_of(record) for record in records}
    if None in owners or not owners:
        lone = next((record for record in records if book.identity_of(record) is None), "")
        raise IdentityError(f"{_name(found, lone)} is joined with nothing, so there is nothing to split.")
    if len(owners) > 1:
        raise IdentityError("These records belong to different things. Split them one after the other.")
    rest = book.records_with(records[0]) - set(records)
    if not rest:
        raise IdentityError("These are all the records there are of this thing: leave at least one behind.")
    values = {"how": "operator", "reason": "", "linked_by": who, "linked_at": now}
    identity = book.part(records, storable(found[records[0]].label, 300), values, now)
    book.decline(((one, other) for one in records for other in rest), who, now)
    return _write(connection, book, "split", _names(found.values()), who, now, identity)


def decline(
    connection: Connection, kind: str, pairs: Sequence[tuple[str, str]], *, now: datetime, who: str | None = None
) -> Done:
    """Say that these pairs of records are not the same: they are suggested no more. Raises IdentityError, NotFound."""
    check_kind(kind)
    raise_topic(connection, "identities")
    who = _who(who)
    records = list(dict.fromkeys(record for pair in pairs for record in pair))
    found = _known(connection, kind, records)
    book = Book.load(connection, kind, records)
    for one, other in pairs:
        if one == other:
            raise IdentityError(f"{_name(found, one)} is the same as itself.")
        if other in book.records_with(one):
            raise IdentityError(f"{_name(found, one)} and {_name(found, other)} are joined. Split them instead.")
    book.decline(pairs, who, now)
    if not any(book.changes().values()):
        raise IdentityError(f"{_names(found.values())}: it was said before that these are not the same.")
    return _write(connection, book, "decline", _names(found.values()), who, now, None)


def accept(
    connection: Connection,
    kind: str,
    pairs: Sequence[Pair],
    *,
    now: datetime,
    who: str | None = None,
    batch_id: str = "",
) -> tuple[str, int]:
    """Join many suggested pairs in one go; returns the batch's id and how many were joined.

    Each is an act of its own that can be undone by itself, and the batch as a whole. Pairs that are one already, or
    of which a record is known no more, are passed over. The audit has one entry for all of a call. More than
    :data:`ACCEPT_AT_ONCE` are given in several calls, so that others get to write between them, with the
    ``batch_id`` of the first.
    """
    check_kind(kind)
    raise_topic(connection, "identities")
    who = _who(who)
    records = [record for pair in pairs for record in (pair.low_id, pair.high_id)]
    book = Book.load(connection, kind, records)
    found = load_records(connection, kind, {*records, *book.links})
    batch = _Batch(kind, who, now, batch_id)
    for pair in pairs:
        both = (pair.low_id, pair.high_id)
        if any(record not in found for record in both) or pair.high_id in book.records_with(pair.low_id):
            continue
        if TABLES[kind].one_each and _meets_twice(book, found, *both):
            continue
        values = {"how": pair.how, "reason": storable(pair.reason), "linked_by": who, "linked_at": now}
        book.join(both, storable(found[pair.low_id].label, 300), values, now)
        batch.add("merge", _names([found[record] for record in both]), book.settle())
    if batch.acts:
        batch.write(connection)
        after = {"kind": kind, "batch": batch.id, "joined": len(batch.acts), "first": batch.subjects[:_NAMED]}
        record_act(connection, what="identity.accept", subject=f"{len(batch.acts)} × {kind}", after=after, who=who)
    return batch.id, len(batch.acts)


def undo(connection: Connection, act_or_batch: str, *, now: datetime, who: str | None = None) -> int:
    """Take back an act, or all acts of a batch that are not taken back yet, the newest first; returns how many.

    Raises NotFound, and IdentityError where a later act stands on it; then nothing is changed.
    """
    raise_topic(connection, "identities")
    who = _who(who)
    query = select(IdentityAct.__table__).order_by(IdentityAct.seq.desc())
    rows = connection.execute(query.where(IdentityAct.id == act_or_batch)).all()
    if not rows:
        rows = connection.execute(query.where(IdentityAct.batch_id == act_or_batch)).all()
    if not rows:
        raise NotFound(f"There is no act {act_or_batch}. See “identity list --acts”.")
    open_rows = [row for row in rows if row.undone_by is None]
    if not open_rows:
        raise IdentityError(f"{rows[0].subject}: this was undone already. To do it again, undo its undoing.")
    _undo_all(connection, open_rows, now, who)
    after = {"kind": rows[0].kind, "undone": len(open_rows), "of": act_or_batch}
    record_act(connection, what="identity.undo", subject=rows[0].subject, after=after, who=who)
    return len(open_rows)


def resolve(connection: Connection, kind: str, ids: Iterable[str]) -> list[str]:
    """The records that ids stand for: a record's for itself, an identity's for all of its records.

    Raises NotFound, and IdentityError for an identity of another kind.
    """
    found: list[str] = []
    for one in dict.fromkeys(ids):
        row = connection.execute(select(IdentityRow.kind).where(IdentityRow.id == one)).one_or_none()
        if row is None:
            found.append(one)
            continue
        if row.kind != kind:
            raise IdentityError(f"{one} is an identity of the kind {row.kind}, not {kind}.")
        members = connection.execute(
            select(IdentityLink.record_id).where(IdentityLink.identity_id == one).order_by(IdentityLink.record_id)
        ).scalars()
        inside = list(members)
        if not inside:
            raise NotFound(f"The identity {one} has no records any more. See “identity list --kind {kind}”.")
        found += inside
    found = list(dict.fromkeys(found))
    if len(found) > MOST_AT_ONCE:
        raise IdentityError(f"These are {len(found)} records. At most {MOST_AT_ONCE} can be joined in one act.")
    return found


def _undo_all(connection: Connection, rows: Sequence[Any], now: datetime, who: str) -> None:
    """Take acts back, the newest first, in one book. Raises IdentityError where one cannot be."""
    kind = rows[0].kind
    payloads = [from_json(row.payload) for row in rows]
    book = Book.load(connection, kind, {record for payload in payloads for record in _records(payload)})
    book.also(connection, {identity for payload in payloads for identity in _identities(payload)})
    batch = _Batch(kind, who, now)
    for row, payload in zip(rows, payloads, strict=True):
        if _stands(book, payload):
            book.put_back(payload)
        if not all(_holds(book, identity) for identity in _identities(payload)):
            raise IdentityError(_in_the_way(connection, row))
        changes = book.settle()
        if not any(changes.values()):
            raise IdentityError(_in_the_way(connection, row))
        batch.add("undo", row.subject, changes, undoes=row.id)
    batch.write(connection)
    for row, made in zip(rows, batch.acts, strict=True):
        _mark(connection, row.id, made["id"])


def _mark(connection: Connection, act_id: str, undone_by: str | None) -> None:
    """Note that an act is taken back, or holds again; what it took back itself then holds again, or does not."""
    act = IdentityAct
    connection.execute(update(act).where(act.id == act_id).values(undone_by=undone_by))
    undoes = connection.execute(select(act.undoes).where(act.id == act_id)).scalar_one()
    if undoes is not None:
        _mark(connection, undoes, act_id if undone_by is None else None)


class _Batch:
    """Acts done in one go over one book: a row for each, the store written once."""

    def __init__(self, kind: str, who: str, now: datetime, batch_id: str = "") -> None:
        self.id = batch_id or new_id()
        self.kind, self.who, self.now = kind, who, now
        self.acts: list[dict[str, Any]] = []
        self.subjects: list[str] = []
        self._total: Payload = {part: {} for part in PARTS}

    def add(self, act: str, subject: str, changes: Payload, *, undoes: str | None = None) -> None:
        """One act, after the book was settled."""
        for part, rows in changes.items():
            for key, (was, is_now) in rows.items():
                self._total[part][key] = [self._total[part][key][0] if key in self._total[part] else was, is_now]
        self.subjects.append(subject)
        self.acts.append(
            {
                "id": new_id(),
                "batch_id": self.id,
                "kind": self.kind,
                "act": act,
                "subject": storable(subject, 300),
                "payload": as_json(changes),
                "who": self.who,
                "at": self.now,
                "undoes": undoes,
            }
        )

    def write(self, connection: Connection) -> None:
        net = {
            part: {key: sides for key, sides in rows.items() if sides[0] != sides[1]}
            for part, rows in self._total.items()
        }
        version = write_changes(connection, self.kind, net)
        for some in in_chunks(self.acts):
            connection.execute(insert(IdentityAct), [{**row, "changed_version": version} for row in some])
        _drop_suggestions(connection, net)


def _records(payload: Payload) -> set[str]:
    """Every record that an act speaks of."""
    return {*payload["links"], *(record for pair in payload["declines"] for record in pair.split(" "))}


def _owner(link: Mapping[str, Any] | None) -> str | None:
    return None if link is None else str(link["identity_id"])


def _identities(payload: Payload) -> set[str]:
    """Every identity that an act speaks of."""
    owners = {side["identity_id"] for sides in payload["links"].values() for side in sides if side is not None}
    return owners | payload["identities"].keys()


def _meets_twice(book: Book, found: Mapping[str, Known], low: str, high: str) -> bool:
    """Whether two records of one system would come together."""
    records = book.records_with(low) | book.records_with(high)
    sources = [found[record].source_id for record in records if record in found]
    return len(sources) != len(set(sources))


def _stands(book: Book, payload: Payload) -> bool:
    """Whether everything an act changed is still as it left it."""
    for record, (_before, after) in payload["links"].items():
        if book.identity_of(record) != _owner(after):
            return False
    for identity, (_before, after) in payload["identities"].items():
        now = book.identities.get(identity)
        if after is None or now is None:
            if after is not now:
                return False
        elif (now["removed_at"] is None, now["merged_into"]) != (after["removed_at"] is None, after["merged_into"]):
            return False
    return all((pair in book.declines) == (after is not None) for pair, (_b, after) in payload["declines"].items())


def _holds(book: Book, identity: str) -> bool:
    """An identity that lives has two records and more, one that does not has none."""
    row = book.identities.get(identity)
    lives = row is not None and row["removed_at"] is None
    count = len(book.members.get(identity, ()))
    return count > 1 if lives else count == 0


def _in_the_way(connection: Connection, row: Any) -> str:
    """Which later act stands on this one."""
    mine = set(row.payload["links"]) | set(row.payload["identities"])
    touched = {side["identity_id"] for sides in row.payload["links"].values() for side in sides if side is not None}
    query = (
        select(IdentityAct.__table__)
        .where(IdentityAct.kind == row.kind, IdentityAct.seq > row.seq, IdentityAct.undone_by.is_(None))
        .order_by(IdentityAct.seq.desc())
        .limit(_LATER)
    )
    for later in connection.execute(query):
        links = later.payload["links"]
        owners = {side["identity_id"] for sides in links.values() for side in sides if side is not None}
        if mine & (set(links) | set(later.payload["identities"])) or touched & owners:
            return (
                f"{row.subject}: this cannot be undone because a later act stands on it "
                f"({later.act} of {later.subject}, by {later.who}). Undo {later.id} first."
            )
    return f"{row.subject}: this cannot be undone any more, because the records it joined have changed since."


def _write(
    connection: Connection, book: Book, act: str, subject: str, who: str, now: datetime, identity: str | None
) -> Done:
    """Write one act by hand, and its entry of the audit."""
    changes = book.settle()
    batch = _Batch(book.kind, who, now)
    batch.add(act, subject, changes)
    batch.write(connection)
    before = {record: _owner(was) for record, (was, _now) in changes["links"].items()}
    after = {record: _owner(is_now) for record, (_was, is_now) in changes["links"].items()}
    record_act(
        connection,
        what=f"identity.{act}",
        subject=subject,
        before={"kind": book.kind, "identities": before},
        after={"kind": book.kind, "identities": after, "not_the_same": list(changes["declines"])[:_NAMED]},
        who=who,
    )
    return Done(batch.acts[0]["id"], batch.id, identity)


def _drop_suggestions(connection: Connection, changes: Payload) -> None:
    """What was decided is suggested no more; the next look finds what follows from it."""
    low, high = IdentitySuggestion.low_id, IdentitySuggestion.high_id
    for pair in changes["declines"]:
        one, other = pair.split(" ")
        connection.execute(delete(IdentitySuggestion).where(low == one, high == other))
    linked = select(IdentityLink.record_id)
    for some in in_chunks(sorted(changes["links"])):
        touched = or_(low.in_(some), high.in_(some))
        connection.execute(delete(IdentitySuggestion).where(touched, low.in_(linked), high.in_(linked)))


def _known(connection: Connection, kind: str, records: Sequence[str]) -> dict[str, Known]:
    """The records, in the order in which they were named. Raises NotFound."""
    found = load_records(connection, kind, records)
    for record in records:
        if record not in found:
            raise NotFound(f"There is no {kind} with the id {record}. See “identity list --kind {kind} --unmatched”.")
    return {record: found[record] for record in records}


def _who(who: str | None) -> str:
    return storable(who or present_operator(), 200)


def _name(found: dict[str, Known], record: str) -> str:
    return found[record].label if record in found else record


def _names(records: Iterable[Known]) -> str:
    """``Amoxicillin 250 mg (mSupply) = Amoxicillin tab 250mg (NHLMIS)``."""
    parts = [f"{record.label} ({record.source})" if record.source else record.label for record in records]
    more = f" and {len(parts) - 4} more" if len(parts) > 4 else ""
    return storable(" = ".join(parts[:4]) + more, 300)
