"""The record of operators' acts: a chain in which each entry holds the hash of the one before.

Whoever changes, removes or inserts an entry breaks the chain; whoever cuts its end, or rewrites it whole, is found
by the checkpoints: how many entries there were and the hash of the last, with a keyed hash, kept outside the store
(:mod:`app.security.seal`).
"""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from app.security.chain_walk import walk
from app.security.entries import FIRST_LINK, canonical, content_hash, iso
from app.security.findings import AuditReport, Finding, Head, Kind
from app.security.operator import present_operator
from app.security.redaction import redact
from app.store.changes import raise_topic, topic_versions
from app.store.facts import get_fact
from app.store.tables import Act

__all__ = ["FIRST_LINK", "AuditReport", "Head", "compare", "head_of", "record_act", "verify_acts"]


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
    at, link = datetime.now(UTC), FIRST_LINK if last is None else last.hash
    texts = (
        _plain(who or present_operator(), 200),
        _plain(socket.gethostname(), 200),
        _plain(what, 80),
        _plain(subject, 300),
    )
    old, new = _as_json(before), _as_json(after)
    act = {
        "id": number,  # without holes, so that a removed entry shows
        "at": at,
        **dict(zip(("who", "host", "what", "subject"), texts, strict=True)),
        "before": old,
        "after": new,
        "previous_hash": link,
        "hash": content_hash(number, iso(at), texts, canonical(old), canonical(new), link),
    }
    connection.execute(insert(Act).values(**act))
    return number


def head_of(connection: Connection) -> Head:
    """The end of the chain as it stands in the store."""
    last = connection.execute(select(Act.id, Act.hash).order_by(Act.id.desc()).limit(1)).first()
    count = connection.execute(select(func.count()).select_from(Act)).scalar_one()
    return Head(count, FIRST_LINK if last is None else last.hash)


def verify_acts(connection: Connection, sealed: Head | None = None, *, only_new: bool = False) -> AuditReport:
    """Walk the whole chain. With ``sealed``, also see that it still holds the entry that was sealed.

    Names the first thing that is wrong. ``only_new`` walks from the sealed entry on.
    """
    marks = {sealed.entries: sealed.hash} if sealed is not None and sealed.entries else {}
    start = sealed.entries - 1 if only_new and sealed is not None and sealed.entries else 0
    return compare(connection, marks, start=start)


def compare(
    connection: Connection, marks: Mapping[int, str], *, start: int = 0, version: int | None = None
) -> AuditReport:
    """Walk the chain from the entry after ``start``, and see that it holds each of ``marks``, entries and their hashes.

    ``version`` is how often acts had been written to the store when the last mark was made: a store that knows less
    is an older one.
    """
    walked = walk(connection, start, marks)
    head = head_of(connection)
    fault = walked.fault
    furthest, known = max(marks, default=0), min(walked.entries, head.entries)
    if fault is None and furthest > known:
        fault = _cut(known, furthest)
    is_of_marks = fault is not None and fault.kind in {Kind.CUT_TAIL, Kind.REWRITE}
    if is_of_marks and version is not None and topic_versions(connection).get("acts", 0) < version:
        fault = _older(known if furthest > known else walked.agreed, furthest)
    if fault is not None:
        fault = replace(fault, sentence=f"{fault.sentence}{_known_cause(connection)}")
    else:
        head = Head(walked.entries, walked.hash)  # what was walked: more may have come since
    return AuditReport(head.entries, head, () if fault is None else (fault,), walked.agreed)


def _known_cause(connection: Connection) -> str:
    """What the store itself tells of losses that nobody meant: a repair after damage, a restore not finished."""
    from app.store import recovery, restore  # a chain that holds pays for neither

    repaired = get_fact(connection, recovery.FACT)
    restored = get_fact(connection, restore.FACT)
    if repaired is not None and Act.__tablename__ in repaired.get("incomplete", ()):
        return f" The store was damaged and repaired on {_day(repaired)}, and acts are among what was lost then."
    if restored is not None:
        return f" The store was restored on {_day(restored)} from a backup of {_day(restored, 'created_at')}."
    return ""


def _day(fact: Mapping[str, Any], name: str = "at") -> str:
    return str(fact.get(name, ""))[:16].replace("T", " ")


def _cut(entries: int, sealed: int) -> Finding:
    cut = sealed - entries
    text = f"The last {cut} of {sealed} sealed entries were cut off the end, or an older store was restored."
    text += f" Entry {entries + 1} is the first that is missing."
    return Finding(Kind.CUT_TAIL, text, entries + 1)


def _older(known: int, sealed: int) -> Finding:
    text = (
        f"An older store was put in the place of the one that was sealed: of {sealed} sealed entries it does "
        f"not know entry {known + 1} and what follows. Nobody restored it with this program's own “backup restore”."
    )
    return Finding(Kind.OLDER_STORE, text, known + 1)


def _as_json(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Blanked, and in the form in which it will be read again, so that its hash can be computed again."""
    if value is None:
        return None
    plain: dict[str, Any] = json.loads(json.dumps(_storable(redact(value))))  # names that are numbers become texts
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
