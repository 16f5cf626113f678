"""Walking the chain of acts, and naming what is wrong where it does not hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from app.security.entries import FIRST_LINK, Entry, hash_of, pages
from app.security.findings import Finding, Kind
from app.store.tables import Act

_LOOK_AHEAD = 2_000
"""Entries that are looked at to tell what happened to one that does not fit."""


@dataclass(frozen=True, slots=True)
class Walk:
    """How far the chain holds: the last good entry, its hash, the last entry that a mark confirms, what is wrong."""

    entries: int
    hash: str
    agreed: int
    fault: Finding | None


def walk(connection: Connection, start: int = 0, marks: Mapping[int, str] | None = None) -> Walk:
    """From the entry after ``start`` to the end or the first fault. ``marks`` are hashes that entries must have."""
    marks = marks or {}
    number, link, agreed = start, _link_at(connection, start), 0
    for page in pages(connection, start or None):
        for entry in page:
            if entry.id != number + 1 or entry.previous_hash != link or entry.hash != hash_of(entry):
                return Walk(number, link, agreed, _name(connection, entry, number, link))
            number, link = entry.id, entry.hash
            if number in marks:
                if marks[number] != link:
                    return Walk(number, link, agreed, _rewritten(agreed, number))
                agreed = number
    return Walk(number, link, agreed, None)


def _link_at(connection: Connection, entry: int) -> str:
    """The hash that the entry after this one holds."""
    found = connection.execute(select(Act.hash).where(Act.id == entry)).scalar_one_or_none() if entry else None
    return FIRST_LINK if found is None else str(found)


def _rewritten(agreed: int, number: int) -> Finding:
    first = agreed + 1
    which = f"Entry {first} is" if first == number else f"Entries {first} to {number} are"
    held = f"the chain holds as sealed up to entry {agreed}" if agreed else "nothing before it is confirmed either"
    return Finding(
        Kind.REWRITE,
        f"The chain was rewritten: entry {number} is not the one that was sealed. {which} not what was sealed; {held}.",
        first,
    )


def _name(connection: Connection, entry: Entry, last: int, link: str) -> Finding:
    """What happened to the first entry that does not follow ``last``, whose hash is ``link``."""
    if entry.id < 1:
        text = f"Entry {entry.id} was inserted: the numbers of true entries begin with 1."
        return Finding(Kind.INSERTION, text, entry.id)
    if entry.id != last + 1:
        return _gap(last + 1, entry.id - 1)
    if entry.previous_hash == link:
        return _swapped(connection, entry) or _edited(entry)
    after = _number_of(connection, entry.previous_hash)
    if after is not None and after > last:
        text = f"Entry {entry.id} stands in another place: it was written right after what is now entry {after}."
        return Finding(Kind.REORDER, f"{text} Somebody reordered the record.", entry.id)
    if after is not None or (entry.previous_hash == FIRST_LINK and last):
        return _inserted((after or 0) + 1, last)
    return _renumbered(entry) or _edited(entry, replaced=hash_of(entry) == entry.hash)


def _gap(first: int, final: int) -> Finding:
    missing = f"Entry {first} is" if first == final else f"Entries {first} to {final} are"
    whom = "it" if first == final else "them"
    return Finding(Kind.GAP, f"{missing} missing: somebody removed {whom} from the store.", first)


def _inserted(first: int, final: int) -> Finding:
    which = f"Entry {first} was" if first == final else f"Entries {first} to {final} were"
    return Finding(Kind.INSERTION, f"{which} inserted: what follows does not know of it.", first)


def _edited(entry: Entry, *, replaced: bool = False) -> Finding:
    if replaced:
        text = f"Entry {entry.id} does not follow entry {entry.id - 1}: one of the two was replaced."
    else:
        when = f"{entry.at:%Y-%m-%d %H:%M}" if hasattr(entry.at, "year") else str(entry.at)[:16]
        text = f"Entry {entry.id} ({entry.what}, {when} UTC) was edited after it was written."
    return Finding(Kind.EDIT, text, entry.id)


def _swapped(connection: Connection, entry: Entry) -> Finding | None:
    """Its content may be that of a later entry, whose number, link and hash stayed where they were."""
    seen = 0
    for page in pages(connection, entry.id):
        for later in page:
            if hash_of(entry, later.id, later.previous_hash) == later.hash:
                text = f"Entry {entry.id} holds what was written as entry {later.id}: somebody reordered the record."
                return Finding(Kind.REORDER, text, entry.id)
        seen += len(page)
        if seen >= _LOOK_AHEAD:
            return None
    return None


def _renumbered(entry: Entry) -> Finding | None:
    """It may have had a later number, and those before it are gone."""
    for number in range(entry.id + 1, entry.id + _LOOK_AHEAD):
        if hash_of(entry, number) == entry.hash:
            gone = f"entry {entry.id} is" if number == entry.id + 1 else f"entries {entry.id} to {number - 1} are"
            text = f"The former {gone} missing, and later ones were renumbered: somebody removed acts from the store."
            return Finding(Kind.GAP, text, entry.id)
    return None


def _number_of(connection: Connection, link: str) -> int | None:
    """Where the entry stands that has this hash; reads every entry where none has."""
    found = connection.execute(select(Act.id).where(Act.hash == link).limit(1)).scalar_one_or_none()
    return None if found is None else int(found)
