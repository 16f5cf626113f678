"""Which files there are to fetch: every address that events and stops tell of, each once.

What was looked at is noted with what it led to, in one transaction: an engine that was killed looks again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, tuple_, update

from adapters.errors import RecordRejected
from adapters.file_access import place_of
from app.identity.kinds import in_chunks
from app.proof_files.words import FileState
from app.store.changes import raise_topic
from app.store.facts import get_fact, set_fact
from app.store.ids import new_id
from app.store.tables import BatchStopRow, DeliveryEventRow, ProofFile

FACT = "proof_files_seen"
ROWS_AT_ONCE = 200
DEFAULT_PURPOSE, SIGNATURE = "proof_of_delivery", "signature"


@dataclass(frozen=True, slots=True)
class Told:
    """An address as it was told of a stop."""

    integration_id: str
    url: str
    batch: str
    facility: str
    purpose: str
    captured_ms: int

    @property
    def address_hash(self) -> str:
        return hash_of(self.url)


@dataclass(frozen=True, slots=True)
class News:
    """What was not looked at before. ``seen`` is (version, key) of the last row of each table."""

    told: Sequence[Told]
    seen: Mapping[str, Sequence[int]]


def hash_of(url: str) -> str:
    return hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()


def find_news(connection: Connection) -> News | None:
    """The next rows that name an address; None where there are none."""
    fact = get_fact(connection, FACT) or {}
    event, stop = DeliveryEventRow, BatchStopRow
    told: list[Told] = []
    seen = {name: list(fact.get(name, (0, 0))) for name in ("events", "stops")}
    event_query = select(event.__table__).where(event.photo_url != "", event.is_uploaded, event.batch != "")
    for row in _next(connection, event, event_query, seen["events"]):
        seen["events"] = [row.changed_version, row.key]
        purpose = row.photo_kind or (SIGNATURE if row.kind == SIGNATURE else DEFAULT_PURPOSE)
        told.append(Told(row.integration_id, row.photo_url, row.batch, row.facility, purpose, row.captured_ms))
    stop_query = select(stop.__table__).where(stop.proof_url != "")
    for row in _next(connection, stop, stop_query, seen["stops"]):
        seen["stops"] = [row.changed_version, row.key]
        at_ms = row.left_ms or row.arrived_ms or row.planned_arrival_ms or 0
        told.append(Told(row.integration_id, row.proof_url, row.batch, row.facility, DEFAULT_PURPOSE, at_ms))
    return News(told, seen) if told else None


def _next(connection: Connection, table: Any, query: Any, seen: Sequence[int]) -> Sequence[Any]:
    """Versions become visible in their order (see :mod:`app.store.changes`), so that none is left behind."""
    place = tuple_(table.changed_version, table.key)
    query = query.where(place > tuple_(*seen)).order_by(table.changed_version, table.key)
    return connection.execute(query.limit(ROWS_AT_ONCE)).all()


def take_up(connection: Connection, news: News, now_ms: int) -> None:
    """Make a row for each address that has none; the newest telling counts for the others."""
    version = raise_topic(connection, "proof_files")
    newest: dict[tuple[str, str], Told] = {}
    for one in news.told:
        before = newest.get((one.integration_id, one.address_hash))
        if before is None or before.captured_ms <= one.captured_ms:
            newest[one.integration_id, one.address_hash] = one
    known = _known(connection, list(newest))
    for key, one in newest.items():
        facts = {"batch": one.batch, "facility": one.facility, "purpose": one.purpose, "captured_ms": one.captured_ms}
        if key not in known:
            connection.execute(insert(ProofFile).values(_row(one, now_ms) | facts | {"changed_version": version}))
        elif known[key] < one.captured_ms:
            mine = (ProofFile.integration_id == key[0]) & (ProofFile.address_hash == key[1])
            connection.execute(update(ProofFile).where(mine).values(**facts, changed_version=version))
    set_fact(connection, FACT, {name: list(at) for name, at in news.seen.items()})


def _row(one: Told, now_ms: int) -> dict[str, Any]:
    state, reason, place = FileState.WAITING, "", ""
    try:
        place = place_of(one.url)
    except RecordRejected as err:
        state, reason = FileState.REFUSED, err.why
    return {
        "id": new_id(),
        "integration_id": one.integration_id,
        "address_hash": one.address_hash,
        "url": one.url,
        "place": place,
        "state": state,
        "reason": reason,
        "since_ms": now_ms,
    }


def _known(connection: Connection, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """When the files of these keys were told, as far as they have rows."""
    row = ProofFile
    found: dict[tuple[str, str], int] = {}
    for some in in_chunks(dict.fromkeys(address_hash for _integration_id, address_hash in keys)):
        query = select(row.integration_id, row.address_hash, row.captured_ms).where(row.address_hash.in_(some))
        for one in connection.execute(query):
            found[one.integration_id, one.address_hash] = one.captured_ms
    return found
