"""The record of operators' acts: a chain in which each entry holds the hash of the one before.

Whoever changes, removes or inserts an entry breaks the chain; whoever cuts its end, or rewrites it whole, is found
by the seal: how many entries there were and the hash of the last, with a keyed hash, kept in the vault and so
outside the store (:mod:`app.security.seal`).
"""

from __future__ import annotations

import hashlib
import json
import math
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from app.security.operator import present_operator
from app.security.redaction import redact
from app.store.changes import raise_topic
from app.store.tables import Act

FIRST_LINK = "0" * 64
"""``previous_hash`` of the first entry."""

_PAGE = 2_000


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: how many entries, and the hash of the last."""

    entries: int
    hash: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What verifying found. ``first_fault`` names the first thing wrong in a sentence, None when the chain holds."""

    entries: int
    first_fault: str | None
    head: Head

    @property
    def ok(self) -> bool:
        return self.first_fault is None


def record_act(
    connection: Connection,
    *,
    what: str,
    subject: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    who: str | None = None,
) -> int:
    """Add an act to the chain, in the transaction of the change that it tells of; returns its id.

    ``what`` is ``<thing>.<verb>``, e.g. ``integration.add``. Secrets in ``before`` and ``after`` are blanked. The
    chain's topic is raised first: that row's lock makes writers of several processes wait for each other.
    """
    raise_topic(connection, "acts")
    last = connection.execute(select(Act.id, Act.hash).order_by(Act.id.desc()).limit(1)).first()
    number: int = 1 if last is None else last.id + 1
    act = {
        "id": number,  # without holes, so that a removed entry shows
        "at": datetime.now(UTC),
        "who": _plain(who or present_operator(), 200),
        "host": _plain(socket.gethostname(), 200),
        "what": _plain(what, 80),
        "subject": _plain(subject, 300),
        "before": _as_json(before),
        "after": _as_json(after),
        "previous_hash": FIRST_LINK if last is None else last.hash,
    }
    connection.execute(insert(Act).values(**act, hash=_hash_of(act)))
    return number


def head_of(connection: Connection) -> Head:
    """The end of the chain as it stands in the store."""
    last = connection.execute(select(Act.id, Act.hash).order_by(Act.id.desc()).limit(1)).first()
    count = connection.execute(select(func.count()).select_from(Act)).scalar_one()
    return Head(count, FIRST_LINK if last is None else last.hash)


def verify_acts(connection: Connection, sealed: Head | None = None, *, only_new: bool = False) -> AuditReport:
    """Walk the whole chain. With ``sealed``, also see that it still holds the entry that was sealed.

    Names the first of: an edited entry, missing entries, a cut end, a chain rewritten since it was sealed.
    ``only_new`` walks from the sealed entry on.
    """
    start = sealed.entries - 1 if only_new and sealed is not None and sealed.entries else 0
    previous_id, previous_hash, at_seal = start, _link_at(connection, start), FIRST_LINK
    fault: str | None = None
    while fault is None:
        page = connection.execute(select(Act.__table__).where(Act.id > previous_id).order_by(Act.id).limit(_PAGE)).all()
        if not page:
            break
        for row in page:
            fault = _fault_of(row._mapping, previous_id, previous_hash)
            if fault is not None:
                break
            previous_id, previous_hash = row.id, row.hash
            if sealed is not None and row.id == sealed.entries:
                at_seal = row.hash
    head = head_of(connection)
    if fault is None and sealed is not None and sealed.entries:
        fault = _fault_at_seal(sealed, head, at_seal)
    return AuditReport(head.entries, fault, head)


def _link_at(connection: Connection, entry: int) -> str:
    """The hash that the entry after this one holds."""
    found = connection.execute(select(Act.hash).where(Act.id == entry)).scalar_one_or_none()
    return FIRST_LINK if found is None else str(found)


def _fault_of(act: Mapping[Any, Any], previous_id: int, previous_hash: str) -> str | None:
    number = act["id"]
    if number != previous_id + 1:
        missing = (
            f"Entry {previous_id + 1} is"
            if number == previous_id + 2
            else f"Entries {previous_id + 1} to {number - 1} are"
        )
        return f"{missing} missing: somebody removed it from the store."
    if act["previous_hash"] != previous_hash:
        return f"Entry {number} does not follow entry {previous_id}: one of the two was replaced."
    if act["hash"] != _hash_of(act):
        return f"Entry {number} ({act['what']}, {act['at']:%Y-%m-%d %H:%M} UTC) was edited after it was written."
    return None


def _fault_at_seal(sealed: Head, head: Head, at_seal: str) -> str | None:
    if head.entries < sealed.entries:
        cut = sealed.entries - head.entries
        return (
            f"The last {cut} of {sealed.entries} sealed entries were cut off the end, or an older store was restored."
        )
    if at_seal != sealed.hash:
        return f"The chain was rewritten: entry {sealed.entries} is not the one that was sealed."
    return None


def _hash_of(act: Mapping[Any, Any]) -> str:
    content = {
        "id": act["id"],
        "at": act["at"].astimezone(UTC).isoformat(timespec="microseconds"),
        **{name: act[name] for name in ("who", "host", "what", "subject", "before", "after", "previous_hash")},
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _as_json(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Blanked, and in the form in which it will be read again, so that its hash can be computed again."""
    if value is None:
        return None
    plain: dict[str, Any] = _storable(redact(value))
    return plain


def _storable(value: Any) -> Any:
    """PostgreSQL keeps no NUL and no half surrogate pair in texts, and JSON knows no NaN."""
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", errors="replace").decode()
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _plain(text: str, longest: int) -> str:
    return str(_storable(redact(text)))[:longest]
