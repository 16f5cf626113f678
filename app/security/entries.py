"""Entries of the record of acts as they are hashed, and read from the store as fast as a million of them asks for.

The hash is that of canonical JSON: names in order, no blanks, ASCII. It is put together by hand, because only what
changed is JSON of unknown shape; the rest are eight plain texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, NamedTuple

from sqlalchemy import Connection, Text, cast, select, type_coerce

from app.store.tables import Act

FIRST_LINK = "0" * 64
"""``previous_hash`` of the first entry."""

PAGE = 2_000


def _make_encode() -> Callable[[Any], str]:
    """Canonical JSON, by one encoder for all: json's own way makes one per value, a third of a verification."""
    plain = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    try:
        chunks = make(None, plain.default, _quoted, None, ":", ",", True, False, False)
        if "".join(chunks({"b": [1.5, None], "a": "é"}, 0)) == plain.encode({"a": "é", "b": [1.5, None]}):
            return lambda value: "".join(chunks(value, 0))
    except TypeError:  # another Python's encoder: the plain one does the same, slower
        pass
    return plain.encode


_encode = _make_encode()
_decode = json.JSONDecoder().raw_decode


class Entry(NamedTuple):
    """A row as the driver gives it: nothing in it is believed before its hash was computed."""

    id: int
    at: Any
    who: str
    host: str
    what: str
    subject: str
    before: str | None
    after: str | None
    previous_hash: str
    hash: str


def content_hash(
    number: int, at: str, texts: tuple[str, str, str, str], before: str, after: str, previous_hash: str
) -> str:
    """SHA-256 of an entry, hexadecimal. ``at`` is UTC with microseconds, ``texts`` are who, host, what and subject;
    ``before`` and ``after`` are canonical JSON. Raises TypeError for a text that is none."""
    who, host, what, subject = texts
    content = (
        f'{{"after":{after},"at":{_quoted(at)},"before":{before},"host":{_quoted(host)},"id":{number:d},'
        f'"previous_hash":{_quoted(previous_hash)},"subject":{_quoted(subject)},"what":{_quoted(what)},'
        f'"who":{_quoted(who)}}}'
    )
    return sha256(content.encode()).hexdigest()


def canonical(value: Any) -> str:
    """``value`` as canonical JSON. Raises ValueError and TypeError for what JSON does not know."""
    return _encode(value)


def iso(at: datetime) -> str:
    """The time as it is hashed."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def hash_of(entry: Entry, number: int | None = None, previous_hash: str | None = None) -> str:
    """What the hash of an entry must be, at its own place or at another; "" where its content cannot have one."""
    try:
        return content_hash(
            entry.id if number is None else number,
            _time(entry.at),
            (entry.who, entry.host, entry.what, entry.subject),
            _canonical_text(entry.before),
            _canonical_text(entry.after),
            entry.previous_hash if previous_hash is None else previous_hash,
        )
    except (ValueError, TypeError, RecursionError):  # no entry that this program wrote
        return ""


def pages(connection: Connection, after: int | None = None) -> Iterator[Sequence[Entry]]:
    """Entries in order from the one after ``after``, a page at a time; None: from whatever is first.

    Each page is a transaction of its own: what is appended meanwhile comes at the end.
    """
    columns = (
        Act.id,
        type_coerce(Act.at, Text) if connection.dialect.name == "sqlite" else Act.at,
        Act.who,
        Act.host,
        Act.what,
        Act.subject,
        _raw(connection, Act.before),
        _raw(connection, Act.after),
        Act.previous_hash,
        Act.hash,
    )
    query = select(*columns).order_by(Act.id).limit(PAGE)
    while True:
        result = connection.execute(query if after is None else query.where(Act.id > after))
        entries = list(map(Entry._make, result.cursor.fetchall()))  # as the driver has them: rows of our own cost more
        result.close()
        connection.rollback()
        if not entries:
            return
        yield entries
        after = entries[-1].id


def _raw(connection: Connection, column: Any) -> Any:
    """JSON as the text that is stored; SQLite stores it as such, and a cast would make a text of anything."""
    return type_coerce(column, Text) if connection.dialect.name == "sqlite" else cast(column, Text)


def _time(at: Any) -> str:
    if isinstance(at, datetime):
        return iso(at)
    if isinstance(at, str) and len(at) == 26 and at[10] == " ":  # SQLite: 2026-03-14 08:30:00.000000
        return f"{at[:10]}T{at[11:]}+00:00"
    raise ValueError("no time of an entry")


def _canonical_text(text: str | None) -> str:
    if text is None or text == "null":
        return "null"
    value, end = _decode(text)  # json.loads would look for blanks around it
    if end != len(text):
        raise ValueError("more than one value")
    return _encode(value)
