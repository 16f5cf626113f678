"""Making a change: one transaction with what the row shows as waiting and with the operator's act.

docs/decisions/0100. Everything here is a function of a connection inside a ``Store.write`` job.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from adapters.base import Manifest, Write
from adapters.errors import Unsupported
from adapters.vocabulary import JsonScalar
from app.catalogue import Catalogue
from app.fleet.text import storable
from app.security.audit import record_act
from app.security.operator import present_operator
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import Integration, OutboxItem
from app.sync.errors import ChangeRefused
from app.sync.records import KINDS, LONGEST_SUBJECT, Target, load_target, refresh_pending, shown
from app.sync.words import IN_THE_WAY, State
from app.sync.writes import clean_value, field_word, find_write

STEP = "stage"
"""A step of a paper: several wait one behind the other, where a second value of any other field replaces the first."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A change that the peer takes as far as can be told here: what would be queued, and what it does there."""

    target: Target
    write: Write
    values: Mapping[str, JsonScalar]
    seen: Mapping[str, JsonScalar]
    integration: str


def prepare_change(
    connection: Connection,
    catalogue: Catalogue,
    record: str,
    record_id: str,
    values: Mapping[str, JsonScalar],
) -> Prepared:
    """Look at a change without making it: dialogs confirm its effect. Raises ChangeRefused, NotFound."""
    target = load_target(connection, record, record_id)
    manifest, integration = peer_of(connection, catalogue, target.row["integration_id"])
    if target.row["gone_at"] is not None or (target.parent is not None and target.parent["gone_at"] is not None):
        raise ChangeRefused(
            f"{target.subject} does not exist at {integration.name} any more, so nothing can be changed in it."
        )
    if not values:
        raise ChangeRefused("Nothing was given to change.")
    clean = {field: clean_value(target.kind, field, value) for field, value in values.items()}
    write = find_write(manifest, target, list(clean), clean, integration)
    seen = {field: shown(target.row, field) for field in clean}
    changed = {field: value for field, value in clean.items() if value != seen[field]}
    if not changed:
        waits = any(field in (target.row["pending"] or {}) for field in clean)
        told = ", ".join(f"{field_word(field)} {_told(value)}" for field, value in clean.items())
        raise ChangeRefused(
            f"{target.subject} has this already: {told}. "
            + ("It waits in the outbox." if waits else "Nothing was changed.")
        )
    return Prepared(target, write, changed, {field: seen[field] for field in changed}, integration.name)


def queue_change(
    connection: Connection,
    catalogue: Catalogue,
    record: str,
    record_id: str,
    values: Mapping[str, JsonScalar],
    *,
    now: datetime,
    who: str | None = None,
) -> str:
    """Make a change: it is saved here and waits for the peer. Returns the id of its outbox item.

    A value that still waits, or was refused, is replaced in its own item; one that is with the peer now is followed
    by a new item. Raises ChangeRefused with a plain sentence, NotFound.
    """
    version = raise_topic(connection, "outbox")
    prepared = prepare_change(connection, catalogue, record, record_id, values)
    who = storable(who or present_operator(), 200)
    open_item = _replaceable(connection, prepared)
    item_id = _replace(connection, open_item, prepared, version, now) if open_item is not None else None
    if item_id is None:
        item_id = _insert(connection, prepared, version, now, who)
    refresh_pending(connection, record, record_id)
    subject = prepared.target.subject
    what = "supply.change" if prepared.target.kind.told is None else f"{record}.change"
    record_act(connection, what=what, subject=subject, before=prepared.seen, after=prepared.values, who=who)
    return item_id


def queue_new(
    connection: Connection,
    catalogue: Catalogue,
    integration_id: str,
    write_name: str,
    values: Mapping[str, JsonScalar],
    *,
    subject: str,
    now: datetime,
    who: str | None = None,
) -> str:
    """Have the peer make a record that is not there yet, by a write that ``makes_new``. Returns the outbox item's id.

    It is saved here and waits like every change; what was made comes with the receipt. Each is a family of its own:
    one that is refused holds up no other. Raises ChangeRefused with a plain sentence.
    """
    version = raise_topic(connection, "outbox")
    manifest, integration = peer_of(connection, catalogue, integration_id)
    write = next((one for one in manifest.writes if one.name == write_name and one.makes_new), None)
    if write is None or "send" not in manifest.modes:
        raise ChangeRefused(f"{integration.name} makes nothing of this kind on request.")
    if write.switch and not integration.config.get(write.switch):
        raise ChangeRefused(f"“{write.label}” is switched off for {integration.name}. Switch it on in its settings.")
    kind = KINDS[write.record]
    for field in values:
        if field not in write.fields:
            raise ChangeRefused(f"“{write.label}” has no field “{field_word(field)}”.", field)
    clean = {field: clean_value(kind, field, value) for field, value in values.items()}
    item_id, who = new_id(), storable(who or present_operator(), 200)
    subject = storable(" ".join(subject.split()), LONGEST_SUBJECT)
    row = {
        "id": item_id,
        "integration_id": integration_id,
        "write": write.name,
        "record": kind.name,
        "record_id": item_id,
        "peer_id": "",
        "parent_peer_id": "",
        "family": item_id,
        "subject": subject,
        "values": clean,
        "seen": {},
        "key": str(uuid.uuid4()),
        "state": State.WAITING,
        "created_at": now,
        "created_by": who,
        "changed_version": version,
    }
    connection.execute(insert(OutboxItem).values(**row))
    record_act(connection, what=f"{kind.name}.new", subject=subject, before=None, after=clean, who=who)
    return item_id


def peer_of(connection: Connection, catalogue: Catalogue, integration_id: str) -> tuple[Manifest, Any]:
    """Manifest and row (name, type, config, enabled) of an integration. Raises ChangeRefused."""
    columns = (Integration.name, Integration.type, Integration.config, Integration.enabled, Integration.removed_at)
    row = connection.execute(select(*columns).where(Integration.id == integration_id)).one_or_none()
    if row is None or row.removed_at is not None:
        raise ChangeRefused("The integration that this came from was removed, so there is nobody to send a change to.")
    try:
        return catalogue.manifest(row.type), row
    except Unsupported as err:
        raise ChangeRefused(f"{row.name} cannot take changes now: {err.why}") from err


def rebase(connection: Connection, item: Any, base: Mapping[str, JsonScalar], version: int) -> None:
    """What lay under an item has changed: the next change of each field was made over ``base`` now.

    Only items that were not handed over are touched; of one that was, the adapter finds what became of it.
    """
    missing = dict(base)
    query = (
        select(OutboxItem.id, OutboxItem.values, OutboxItem.seen, OutboxItem.state)
        .where(OutboxItem.record_id == item.record_id, OutboxItem.seq > item.seq, OutboxItem.state.in_(IN_THE_WAY))
        .order_by(OutboxItem.seq)
    )
    for later in connection.execute(query).all():
        mine = {field: missing.pop(field) for field in list(missing) if field in later.values}
        if mine and later.state in (State.WAITING, State.REFUSED):
            seen = {**later.seen, **mine}
            statement = update(OutboxItem).where(OutboxItem.id == later.id)
            connection.execute(statement.values(seen=seen, changed_version=version))


def _replaceable(connection: Connection, prepared: Prepared) -> Any | None:
    """The item that holds a field of this change and was not handed over; None where a new one is needed."""
    if STEP in prepared.values:
        return None
    query = (
        select(OutboxItem.__table__)
        .where(OutboxItem.record_id == prepared.target.row["id"], OutboxItem.state.in_(IN_THE_WAY))
        .order_by(OutboxItem.seq.desc())
    )
    for item in connection.execute(query):
        if not item.values.keys() & prepared.values.keys():
            continue
        if item.state == State.CONFLICT:
            raise ChangeRefused(
                f"{prepared.target.subject} was changed at {prepared.integration} meanwhile, too. Decide about "
                "that conflict first, on the page Sync."
            )
        fits = item.write == prepared.write.name and STEP not in item.values
        is_here = item.state in (State.WAITING, State.REFUSED) and not item.is_doubtful
        return item if fits and is_here else None
    return None


def _replace(connection: Connection, item: Any, prepared: Prepared, version: int, now: datetime) -> str:
    """New values in an item that was not handed over. What is as the operator first saw it needs no change any more."""
    seen = {**prepared.seen, **item.seen}
    values = {**item.values, **prepared.values}
    changed = {field: value for field, value in values.items() if value != seen[field]}
    change: dict[str, Any] = {"changed_version": version}
    if changed:
        change |= {"values": changed, "seen": {field: seen[field] for field in changed}}
        change |= {"state": State.WAITING, "next_try": None}
        if item.tries:  # the peer may remember the old key with the old values
            change["key"] = str(uuid.uuid4())
    else:
        change |= {"state": State.CANCELLED, "ended_at": now, "last_answer": "Changed back before it was sent."}
    connection.execute(update(OutboxItem).where(OutboxItem.id == item.id).values(**change))
    base = {field: changed.get(field, seen[field]) for field in values}
    rebase(connection, item, base, version)
    return str(item.id)


def _insert(connection: Connection, prepared: Prepared, version: int, now: datetime, who: str) -> str:
    target, item_id = prepared.target, new_id()
    row = {
        "id": item_id,
        "integration_id": target.row["integration_id"],
        "write": prepared.write.name,
        "record": target.kind.name,
        "record_id": target.row["id"],
        "peer_id": target.row["peer_id"],
        "parent_peer_id": target.parent_peer_id,
        "family": target.family,
        "subject": target.subject,
        "values": dict(prepared.values),
        "seen": dict(prepared.seen),
        "key": str(uuid.uuid4()),
        "state": State.WAITING,
        "created_at": now,
        "created_by": who,
        "changed_version": version,
    }
    connection.execute(insert(OutboxItem).values(**row))
    return item_id


def _told(value: JsonScalar) -> str:
    return "empty" if value in (None, "") else f"“{value}”"
