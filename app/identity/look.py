"""Looking again: the suggestions in the store are made those of the records and joins as they are now.

It reads in one snapshot, thinks without any transaction, and writes the difference in small ones. What was decided
meanwhile is not suggested again: a pair is written only if it is still to be decided then.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, delete, select

from app.clock import from_ms
from app.fleet.text import storable
from app.identity.acts import ACCEPT_AT_ONCE, BY_RULE, Pair, accept
from app.identity.kinds import KINDS, TOPICS, Kind, Known, in_chunks, load_current
from app.identity.rules import Rules, load_rules
from app.identity.suggest import Suggestion, find_suggestions
from app.store.changes import raise_topic, topic_versions
from app.store.facts import get_fact, set_fact
from app.store.ids import new_id
from app.store.store import Store
from app.store.tables import IdentityDecline, IdentityLink, IdentitySuggestion
from app.store.upsert import insert_or

FACT = "identity_looked"
_MATCHER = 1
"""To be raised with every change of what is suggested: stores that were looked at by an older program look again."""
_NOTHING = [0, 0, 0]
_ROWS = 1_000
_PAUSE_S = 5.0
_SHARE = 0.1  # of the time may go into looking while records keep coming


@dataclass(frozen=True, slots=True)
class Looked:
    """``suggested`` are there now, ``joined`` were joined by the rule; ``seconds`` is what looking took."""

    kind: str
    records: int
    suggested: int
    joined: int
    seconds: float


def look(store: Store, kind: Kind, now: datetime) -> Looked:
    """Look for one kind. Raises StoreError."""
    began = time.perf_counter()
    with store.read() as connection:
        state = _state(connection, kind)
        records, rules, identities, declined = _read(connection, kind)
    found = find_suggestions(kind, records, within_m=rules.within_m, identities=identities, declined=declined)
    joined, batch = 0, new_id()
    if kind in rules.joined:
        certain = [suggestion for suggestion in found if suggestion.is_certain]
        for some in in_chunks(certain, ACCEPT_AT_ONCE):
            pairs = [Pair(one.low.id, one.high.id, one.evidence.how, " ".join(one.evidence.reasons)) for one in some]
            job = partial(accept, kind=kind, pairs=pairs, now=now, who=BY_RULE, batch_id=batch)
            joined += store.write(job, rows=len(pairs)).result()[1]
        found = [suggestion for suggestion in found if not suggestion.is_certain]
    _write(store, kind, found)
    seconds = time.perf_counter() - began
    fact = {"at": now.isoformat(), "records": len(records), "seconds": round(seconds, 3), "state": state}
    store.write(partial(_note, kind=kind, fact=fact)).result()
    return Looked(kind, len(records), len(found), joined, seconds)


def last_looked(connection: Connection) -> dict[str, datetime]:
    """When each kind was looked at last."""
    fact = get_fact(connection, FACT) or {}
    return {kind: datetime.fromisoformat(told["at"]) for kind, told in fact.items()}


class IdentityFollower:
    """Looks again when records or joins moved, and rests the longer the longer it took."""

    name = "identity map"
    topics = frozenset({*TOPICS.values(), "identities"})

    def __init__(self) -> None:
        self._rest_until: dict[str, float] = {}

    def step(self, store: Store, now_ms: int) -> float | None:
        """One kind that moved, at most; the others, and one that must rest, at the next call."""
        with store.read() as connection:
            looked = get_fact(connection, FACT) or {}
            moved = [kind for kind in KINDS if looked.get(kind, {}).get("state", _NOTHING) != _state(connection, kind)]
        rests = {kind: max(0.0, self._rest_until.get(kind, 0.0) - time.monotonic()) for kind in moved}
        for kind in moved:
            if not rests[kind]:
                done = look(store, kind, from_ms(now_ms))
                self._rest_until[kind] = time.monotonic() + max(_PAUSE_S, done.seconds / _SHARE)
                return 0.0
        return min(rests.values(), default=None)


def _state(connection: Connection, kind: str) -> list[int]:
    """What a look depends on: how to look, and the versions of the records and of the joins."""
    versions = topic_versions(connection)
    records, joins = versions.get(TOPICS[kind], 0), versions.get("identities", 0)
    return [_MATCHER if records else 0, records, joins if records else 0]


def _read(connection: Connection, kind: str) -> tuple[list[Known], Rules, Mapping[str, str], list[tuple[str, str]]]:
    links = select(IdentityLink.record_id, IdentityLink.identity_id).where(IdentityLink.kind == kind)
    declines = select(IdentityDecline.low_id, IdentityDecline.high_id).where(IdentityDecline.kind == kind)
    return (
        load_current(connection, kind),
        load_rules(connection),
        dict(connection.execute(links).all()),
        list(connection.execute(declines).all()),
    )


def _write(store: Store, kind: str, found: list[Suggestion]) -> None:
    """Make the stored suggestions those that were found."""
    table = IdentitySuggestion
    with store.read() as connection:
        rows = connection.execute(select(table.__table__).where(table.kind == kind)).all()
    was = {(row.low_id, row.high_id): _values(row._mapping) for row in rows}
    wanted = {(one.low.id, one.high.id): _row(one) for one in found}
    gone = [pair for pair in was if pair not in wanted]
    came = [{"low_id": pair[0], "high_id": pair[1], **row} for pair, row in wanted.items() if was.get(pair) != row]
    for some in in_chunks(gone, _ROWS):
        store.write(partial(_take_away, pairs=list(some)), rows=len(some)).result()
    for rows_now in in_chunks(came, _ROWS):
        store.write(partial(_put, kind=kind, rows=list(rows_now)), rows=len(rows_now)).result()


def _row(one: Suggestion) -> dict[str, Any]:
    reasons = list(one.evidence.reasons)
    if one.rival is not None:
        reasons.append(f"Against it: {one.rival.label} ({one.rival.code or one.rival.peer_id}) fits about as well.")
    return {
        "score": one.score,
        "how": one.evidence.how,
        "reasons": [storable(reason) for reason in reasons],
        "rival_id": one.rival.id if one.rival is not None else None,
        "is_certain": one.is_certain,
    }


def _values(row: RowMapping) -> dict[str, Any]:
    return {name: row[name] for name in ("score", "how", "reasons", "rival_id", "is_certain")}


def _take_away(connection: Connection, pairs: list[tuple[str, str]]) -> None:
    raise_topic(connection, "suggestions")
    table = IdentitySuggestion
    one = delete(table).where(table.low_id == bindparam("low"), table.high_id == bindparam("high"))
    connection.execute(one, [{"low": low, "high": high} for low, high in pairs])


def _put(connection: Connection, kind: str, rows: list[dict[str, Any]]) -> None:
    version = raise_topic(connection, "suggestions")
    rows = [{**row, "kind": kind, "changed_version": version} for row in _undecided(connection, rows)]
    if rows:
        statement = insert_or(connection, IdentitySuggestion)
        columns = ("score", "how", "reasons", "rival_id", "is_certain", "changed_version")
        over = {name: getattr(statement.excluded, name) for name in columns}
        connection.execute(statement.on_conflict_do_update(index_elements=["low_id", "high_id"], set_=over), rows)


def _undecided(connection: Connection, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without pairs that were joined or declined while the look went on."""
    link, no = IdentityLink, IdentityDecline
    owner: dict[str, str] = {}
    declined: set[tuple[str, str]] = set()
    for some in in_chunks(rows):
        records = {row[side] for row in some for side in ("low_id", "high_id")}
        owner.update(
            connection.execute(select(link.record_id, link.identity_id).where(link.record_id.in_(records))).all()
        )
        lows = {row["low_id"] for row in some}
        declined.update(connection.execute(select(no.low_id, no.high_id).where(no.low_id.in_(lows))).all())
    return [
        row
        for row in rows
        if (row["low_id"], row["high_id"]) not in declined
        and (row["low_id"] not in owner or owner[row["low_id"]] != owner.get(row["high_id"]))
    ]


def _note(connection: Connection, kind: str, fact: dict[str, Any]) -> None:
    looked = get_fact(connection, FACT) or {}
    set_fact(connection, FACT, {**looked, kind: fact})
    raise_topic(connection, "suggestions")
