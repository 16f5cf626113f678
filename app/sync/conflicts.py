"""Both sides changed the same field: noticing it, deciding it, and undoing what was decided.

A conflict comes from the adapter, which looks once more before it writes, or from a download, which brings another
value than the one over which a change was made. docs/decisions/0100. All are functions of a connection.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, update

from adapters.base import Both
from adapters.vocabulary import JsonScalar
from app.catalogue import Catalogue
from app.clock import from_ms
from app.fleet.text import storable, storable_json
from app.security.audit import record_act
from app.security.operator import present_operator
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import ConflictRow, OutboxItem
from app.sync.errors import ActRefused, ChangeRefused, NotFound
from app.sync.outbox import peer_of, queue_change, rebase
from app.sync.problems import judge_decisions
from app.sync.records import load_target, refresh_pending
from app.sync.rules import rule_for
from app.sync.words import IN_THE_WAY, STATE_WORDS, State
from app.sync.writes import FREE_TEXTS, clean_value, field_word

Keep = Literal["ours", "theirs", "both", "merge"]
KEPT_WORDS: dict[str, str] = {"ours": "kept ours", "theirs": "kept theirs", "both": "kept both", "merge": "merged"}

BY_RULE = "the rule chosen for it"
"""Who decided, where nobody was asked."""


def judge_download(
    connection: Connection,
    catalogue: Catalogue,
    kind: str,
    record_id: str,
    changes: Mapping[str, tuple[Any, Any]],
    *,
    now: datetime,
) -> list[str]:
    """Called by a merge for a row that changed: ``changes`` is {field: (old, new)} of the peer's values.

    For each field with a waiting change, a new value that is neither what the operator saw nor what is wanted makes a
    conflict, or is settled by the rule. Of what is with the peer now the adapter finds out by itself. ``kind`` is
    ``requisition``, ``requisition_line``, ``shipment`` or ``shipment_line``. Returns the ids of new conflicts.
    """
    query = (
        select(OutboxItem.__table__)
        .where(OutboxItem.record_id == record_id, OutboxItem.state.in_(IN_THE_WAY))
        .order_by(OutboxItem.seq)
    )
    rest = dict(changes)
    found: list[str] = []
    for item in connection.execute(query).all():
        values = values_of(item)
        # Only the first change of a field lies over the peer's value; later ones lie over the first.
        mine = {field: rest.pop(field)[1] for field in list(rest) if field in values}
        if item.state != State.WAITING:
            continue
        theirs = {field: new for field, new in mine.items() if new not in (item.seen.get(field), values[field])}
        if theirs:
            rule = rule_for(connection, catalogue, item.integration_id, item.write, kind)
            made = note_conflict(connection, item, theirs, rule, now=now)
            found += [made] if made else []
    return found


def note_conflict(
    connection: Connection,
    item: Any,
    theirs: Mapping[str, Any],
    rule: Both,
    *,
    now: datetime,
    next_try: datetime | None = None,
) -> str | None:
    """Keep both values, and who and when; the rule decides at once unless it asks. Returns the id of one to decide."""
    version = raise_topic(connection, "outbox")
    raised = raise_topic(connection, "conflicts")
    values = values_of(item)
    plain = storable_json({field: theirs[field] for field in theirs if field in values})
    fields = {
        field: {"base": item.seen.get(field), "ours": values[field], "theirs": value} for field, value in plain.items()
    }
    conflict_id = new_id()
    row = {
        "id": conflict_id,
        "integration_id": item.integration_id,
        "outbox_id": item.id,
        "record": item.record,
        "record_id": item.record_id,
        "subject": item.subject,
        "fields": fields,
        "ours_by": item.created_by,
        "ours_at": item.created_at,
        "theirs_at": _changed_at_peer(connection, item),
        "detected_at": now,
        "state": "open",
        "changed_version": raised,
    }
    connection.execute(insert(ConflictRow).values(**row))
    words = ", ".join(field_word(field) for field in fields)
    held = {"state": State.CONFLICT, "is_doubtful": False, "next_try": None, "changed_version": version}
    held["last_answer"] = f"Changed at the other side meanwhile, too: {words}."
    connection.execute(update(OutboxItem).where(OutboxItem.id == item.id).values(**held))
    if rule == "ask":
        judge_decisions(connection, item.integration_id, now)
        return conflict_id
    _decide(connection, conflict_id, rule, {}, now=now, who=BY_RULE, next_try=next_try)
    return None


def resolve(
    connection: Connection,
    catalogue: Catalogue,
    conflict_id: str,
    keep: Keep,
    chosen: Mapping[str, JsonScalar] | None = None,
    *,
    now: datetime,
    who: str | None = None,
) -> None:
    """Decide an open conflict. ``both`` joins two texts; ``merge`` takes a value of its own for every field.

    Raises NotFound, ActRefused, ChangeRefused.
    """
    raise_topic(connection, "outbox")
    row = load_conflict(connection, conflict_id)
    if row.state != "open":
        raise ActRefused(
            f"{row.subject}: this was decided already ({KEPT_WORDS.get(row.kept, row.kept)} by "
            f"{row.resolved_by}). Undo that first."
        )
    values: dict[str, JsonScalar] = {}
    if keep == "both":
        values = {field: _both_texts(field, sides) for field, sides in row.fields.items()}
    elif keep == "merge":
        values = dict(chosen or {})
        missing = [field for field in row.fields if field not in values]
        if missing:
            raise ChangeRefused(
                f"Give a value for every field on which the sides differ; missing: {', '.join(missing)}.", missing[0]
            )
        extra = [field for field in values if field not in row.fields]
        if extra:
            raise ChangeRefused(f"The sides do not differ about “{extra[0]}”. Change it by itself.", extra[0])
    if values:
        values = _cleaned(connection, catalogue, row, values)
    _decide(connection, conflict_id, keep, values, now=now, who=storable(who or present_operator(), 200))


def undo(
    connection: Connection, catalogue: Catalogue, conflict_id: str, *, now: datetime, who: str | None = None
) -> str:
    """Take a decision back: it is open again, or, where the peer has accepted it, the value before it is sent.

    Returns ``reopened`` or ``sent_back``. Raises NotFound, ActRefused, ChangeRefused.
    """
    version = raise_topic(connection, "outbox")
    raised = raise_topic(connection, "conflicts")
    row = load_conflict(connection, conflict_id)
    if row.state == "open":
        raise ActRefused(f"{row.subject}: nothing is decided here yet.")
    item = connection.execute(select(OutboxItem.__table__).where(OutboxItem.id == row.outbox_id)).one_or_none()
    who = storable(who or present_operator(), 200)
    before = {"kept": row.kept, "chosen": row.chosen}
    accepted = item is None or item.state == State.ACCEPTED
    if accepted:
        side = "ours" if row.kept == "theirs" else "theirs"
        back = {field: sides[side] for field, sides in row.fields.items()}
        new_item = queue_change(connection, catalogue, row.record, row.record_id, back, now=now, who=who)
        change: dict[str, Any] = {
            "kept": side,
            "chosen": back,
            "outbox_id": new_item,
            "resolved_by": who,
            "resolved_at": now,
        }
        outcome = "sent_back"
    else:
        _refuse_unready(row, item)
        _reopen(connection, row, item, version)
        change = {"state": "open", "kept": "", "chosen": None, "resolved_by": "", "resolved_at": None}
        outcome = "reopened"
    statement = update(ConflictRow).where(ConflictRow.id == row.id)
    connection.execute(statement.values(**change, changed_version=raised))
    refresh_pending(connection, row.record, row.record_id)
    judge_decisions(connection, row.integration_id, now)
    record_act(
        connection, what="conflict.undo", subject=row.subject, before=before, after={"outcome": outcome}, who=who
    )
    return outcome


def load_conflict(connection: Connection, conflict_id: str) -> Any:
    """One row of ``conflicts``. Raises NotFound."""
    row = connection.execute(select(ConflictRow.__table__).where(ConflictRow.id == conflict_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no conflict {conflict_id}. See “conflicts list”.")
    return row


def values_of(item: Any) -> dict[str, JsonScalar]:
    """The column ``values`` of a row, whose name a row's own method hides."""
    values: dict[str, JsonScalar] = item._mapping[OutboxItem.__table__.c["values"]]
    return values


def _decide(
    connection: Connection,
    conflict_id: str,
    keep: Keep,
    chosen: Mapping[str, JsonScalar],
    *,
    now: datetime,
    who: str,
    next_try: datetime | None = None,
) -> None:
    version = raise_topic(connection, "outbox")
    raised = raise_topic(connection, "conflicts")
    row = load_conflict(connection, conflict_id)
    item = connection.execute(select(OutboxItem.__table__).where(OutboxItem.id == row.outbox_id)).one()
    if item.state != State.CONFLICT:
        raise ActRefused(f"{row.subject}: the change is not in conflict any more ({STATE_WORDS[item.state].lower()}).")
    theirs = {field: sides["theirs"] for field, sides in row.fields.items()}
    wanted = (
        {field: chosen.get(field, sides["ours"]) for field, sides in row.fields.items()} if keep != "theirs" else theirs
    )
    _apply(connection, item, theirs, wanted, now, version, next_try)
    decided = {"state": "resolved", "kept": keep, "chosen": wanted, "resolved_by": who, "resolved_at": now}
    statement = update(ConflictRow).where(ConflictRow.id == conflict_id)
    connection.execute(statement.values(**decided, changed_version=raised))
    refresh_pending(connection, row.record, row.record_id)
    judge_decisions(connection, row.integration_id, now)
    before = {"fields": row.fields}
    record_act(
        connection,
        what="conflict.resolve",
        subject=row.subject,
        before=before,
        after={"kept": keep, "chosen": wanted},
        who=who,
    )


def _apply(
    connection: Connection,
    item: Any,
    theirs: Mapping[str, JsonScalar],
    wanted: Mapping[str, JsonScalar],
    now: datetime,
    version: int,
    next_try: datetime | None,
) -> None:
    """The item after a decision: made over the peer's present values, without the fields in which those stand."""
    before = values_of(item)
    values = {**before, **wanted}
    seen = {**item.seen, **theirs}
    left = {field: value for field, value in values.items() if value != theirs.get(field, object())}
    change: dict[str, Any] = {"changed_version": version, "next_try": next_try}
    if left:
        change |= {"state": State.WAITING, "values": left, "seen": {field: seen.get(field) for field in left}}
        if left != before:
            change["key"] = str(uuid.uuid4())  # another change than the one that the peer was asked for
    else:
        answer = "The other side's values were kept, so there is nothing to send."
        change |= {"state": State.CANCELLED, "ended_at": now, "last_answer": answer}
    connection.execute(update(OutboxItem).where(OutboxItem.id == item.id).values(**change))
    rebase(connection, item, wanted, version)


def _reopen(connection: Connection, row: Any, item: Any, version: int) -> None:
    ours = {field: sides["ours"] for field, sides in row.fields.items()}
    base = {field: sides["base"] for field, sides in row.fields.items()}
    change: dict[str, Any] = {
        "state": State.CONFLICT,
        "values": {**values_of(item), **ours},
        "seen": {**item.seen, **base},
    }
    change |= {"ended_at": None, "next_try": None, "key": str(uuid.uuid4()), "changed_version": version}
    change["last_answer"] = "The decision about it was undone."
    connection.execute(update(OutboxItem).where(OutboxItem.id == item.id).values(**change))
    rebase(connection, item, ours, version)


def _refuse_unready(row: Any, item: Any) -> None:
    if item.state == State.SENDING or item.is_doubtful:
        raise ActRefused(
            f"{row.subject}: what was decided is with the other side now, and its answer is not known. Undo it then."
        )
    if item.created_at > row.detected_at:
        told = "was cancelled" if item.state == State.CANCELLED else "waits in the outbox"
        raise ActRefused(f"{row.subject}: the change back {told}. Decide about it there.")


def _both_texts(field: str, sides: Mapping[str, Any]) -> str:
    ours, theirs = str(sides["ours"] or ""), str(sides["theirs"] or "")
    if field not in FREE_TEXTS:
        raise ActRefused(
            f"Two values of “{field_word(field)}” cannot stand together. Keep one of them, or merge them into a third."
        )
    if ours in theirs:
        return theirs
    return ours if theirs in ours else f"{theirs} / {ours}"


def _cleaned(
    connection: Connection, catalogue: Catalogue, row: Any, values: Mapping[str, JsonScalar]
) -> dict[str, JsonScalar]:
    """Decided values in their columns' form, and such as the peer takes."""
    target = load_target(connection, row.record, row.record_id)
    clean = {field: clean_value(target.kind, field, value) for field, value in values.items()}
    write_name = connection.execute(select(OutboxItem.write).where(OutboxItem.id == row.outbox_id)).scalar_one()
    manifest, integration = peer_of(connection, catalogue, row.integration_id)
    write = next((one for one in manifest.writes if one.name == write_name), None)
    for field, allowed in write.values.items() if write is not None else ():
        if field in clean and str(clean[field]) not in allowed:
            raise ChangeRefused(
                f"{integration.name} does not take “{clean[field]}” as {field_word(field)}. It takes: "
                f"{', '.join(allowed)}.",
                field,
            )
    return clean


def _changed_at_peer(connection: Connection, item: Any) -> datetime | None:
    """When the peer changed the paper last, where it tells."""
    try:
        target = load_target(connection, item.record, item.record_id)
    except NotFound:
        return None
    paper = target.parent if target.kind.parent else target.row
    changed_ms = (paper or {}).get("changed_ms")
    return from_ms(int(changed_ms)) if changed_ms else None
