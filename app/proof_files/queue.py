"""The queue of files: what is due, what became of each try, and an operator's wish to have one now.

All that write are functions of a connection inside a ``Store.write`` job.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select, update

from app.engine.journal import write_log
from app.fleet.text import storable
from app.proof_files.errors import ProofFileError, ProofFileNotFound
from app.proof_files.folder import Kept
from app.proof_files.words import ASKABLE, STATE_WORDS, FileState
from app.security.audit import record_act
from app.security.redaction import redact_text
from app.store.changes import raise_topic
from app.store.tables import ProofFile

_LONGEST_WHY = 1_000


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether files of an integration can be fetched; ``why`` not, a sentence. ``is_on``: without being asked for."""

    can: bool
    is_on: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class DueFile:
    """A file to fetch, with what the tries before have brought."""

    id: str
    integration_id: str
    url: str
    place: str
    received: int
    total: int | None
    validator: str
    failures: int
    is_wanted: bool


def close_left_over(connection: Connection) -> int:
    """At the start of an engine: what was under way is to be gone on with. Returns how many."""
    left = ProofFile.state == FileState.FETCHING
    if connection.execute(select(ProofFile.seq).where(left).limit(1)).first() is None:
        return 0
    version = raise_topic(connection, "proof_files")
    change = {"state": FileState.WAITING, "next_try_ms": None, "changed_version": version}
    return connection.execute(update(ProofFile).where(left).values(change)).rowcount


def integrations_of(connection: Connection) -> set[str]:
    """Those of which files are known."""
    return set(connection.execute(select(ProofFile.integration_id).distinct()).scalars())


def apply_standing(connection: Connection, standings: Mapping[str, Standing], now_ms: int, *, is_news: bool) -> None:
    """Bring the rows in step with settings; with ``is_news`` what was not allowed is looked at again."""
    row = ProofFile
    changes: list[tuple[Any, dict[str, Any]]] = []
    for integration_id, standing in standings.items():
        mine = row.integration_id == integration_id
        waits, is_off = row.state == FileState.WAITING, row.state == FileState.OFF
        to_off = {"state": FileState.OFF, "reason": standing.why, "since_ms": now_ms}
        to_wait = {"state": FileState.WAITING, "reason": "", "since_ms": now_ms, "next_try_ms": None}
        if is_news and standing.can:
            changes.append((mine & (row.state == FileState.BLOCKED), to_wait))
        if not standing.can:
            changes.append((mine & waits, to_off))
        elif not standing.is_on:
            changes.append((mine & waits & ~row.is_wanted, to_off))
            changes.append((mine & is_off & row.is_wanted, to_wait))
        else:
            changes.append((mine & is_off, to_wait))
        if standing.why:
            changes.append((mine & is_off & (row.reason != standing.why), {"reason": standing.why}))
    for where, change in changes:
        if connection.execute(select(row.seq).where(where).limit(1)).first() is not None:
            version = raise_topic(connection, "proof_files")
            connection.execute(update(row).where(where).values(**change, changed_version=version))


def next_due(
    connection: Connection, integrations: Collection[str], busy: Collection[str], places: Collection[str], now_ms: int
) -> DueFile | None:
    """What was asked for first, then the newest delivery; not ``busy`` ids, not the ``places`` that do not answer."""
    row = ProofFile
    query = (
        select(row.id, row.integration_id, row.url, row.place, row.received, row.total, row.validator, row.failures,
               row.is_wanted)
        .where(
            row.state == FileState.WAITING,
            row.integration_id.in_(integrations),
            row.next_try_ms.is_(None) | (row.next_try_ms <= now_ms),
            row.id.not_in(busy),
            row.place.not_in(places),
        )
        .order_by(row.is_wanted.desc(), row.captured_ms.desc(), row.seq.desc())
        .limit(1)
    )  # fmt: skip
    found = connection.execute(query).one_or_none()
    return None if found is None else DueFile(*found)


def next_try(connection: Connection, after_ms: int) -> int | None:
    """When the next file is due that waits for a time after that one, in ms of Unix time."""
    row = ProofFile
    query = select(func.min(row.next_try_ms)).where(row.state == FileState.WAITING, row.next_try_ms > after_ms)
    return connection.execute(query).scalar()


def mark_fetching(connection: Connection, file_id: str, now_ms: int) -> bool:
    """Whether it is still to be fetched; somebody may have been quicker."""
    row = ProofFile
    version = raise_topic(connection, "proof_files")
    change = {
        "state": FileState.FETCHING, "last_try_ms": now_ms, "since_ms": now_ms, "tries": row.tries + 1,
        "changed_version": version,
    }  # fmt: skip
    mine = (row.id == file_id) & (row.state == FileState.WAITING)
    return connection.execute(update(row).where(mine).values(change)).rowcount == 1


def note_part(connection: Connection, file_id: str, received: int, total: int | None, validator: str) -> None:
    """So many bytes of that content are safe on the disk."""
    _change(connection, file_id, received=received, total=total, validator=validator[:400])


def write_later(
    connection: Connection, file_id: str, why: str, next_try_ms: int | None, failures: int, now_ms: int
) -> None:
    """To be tried again, for the reason given."""
    _change(
        connection, file_id, state=FileState.WAITING, reason=_clean(why), next_try_ms=next_try_ms, failures=failures,
        since_ms=now_ms,
    )  # fmt: skip


def write_aside(connection: Connection, file: DueFile, state: FileState, why: str, now_ms: int) -> None:
    """Not to be tried again by itself: refused, or not allowed."""
    _change(
        connection, file.id, state=state, reason=_clean(why), next_try_ms=None, is_wanted=False, failures=0,
        received=0, total=None, validator="", since_ms=now_ms,
    )  # fmt: skip
    text = f"A photo is {STATE_WORDS[state]}: {why}"
    write_log(connection, file.integration_id, "photo_set_aside", text, payload={"file": file.id}, now_ms=now_ms)


def write_kept(connection: Connection, file_id: str, kept: Kept, remark: str, now_ms: int) -> None:
    """All of it is on the disk, under its hash."""
    _change(
        connection, file_id, state=FileState.KEPT, reason=_clean(remark), next_try_ms=None, failures=0,
        received=kept.size, total=kept.size, sha256=kept.sha256, format=kept.format, since_ms=now_ms,
    )  # fmt: skip


def write_removed(connection: Connection, file_ids: Collection[str], why: str, now_ms: int) -> None:
    """It was kept here and is no more."""
    version = raise_topic(connection, "proof_files")
    change = {
        "state": FileState.REMOVED, "reason": why, "since_ms": now_ms, "is_wanted": False, "received": 0,
        "total": None, "validator": "", "changed_version": version,
    }  # fmt: skip
    connection.execute(update(ProofFile).where(ProofFile.id.in_(file_ids)).values(change))


def write_lost(connection: Connection, file_ids: Collection[str], why: str, now_ms: int) -> None:
    """It is not where it was kept: it is fetched again."""
    version = raise_topic(connection, "proof_files")
    change = {
        "state": FileState.WAITING, "reason": why, "since_ms": now_ms, "next_try_ms": None, "received": 0,
        "total": None, "validator": "", "changed_version": version,
    }  # fmt: skip
    connection.execute(update(ProofFile).where(ProofFile.id.in_(file_ids)).values(change))


def fetch_now(connection: Connection, file_id: str, *, now_ms: int, who: str | None = None) -> None:
    """Have a file fetched as soon as the line allows, whatever the switch says. Raises ProofFileError."""
    row = connection.execute(select(ProofFile.__table__).where(ProofFile.id == file_id)).one_or_none()
    if row is None:
        raise ProofFileNotFound(f"There is no file {file_id}. Read the list again.")
    if row.state not in ASKABLE:
        raise ProofFileError(f"The file {STATE_WORDS[FileState(row.state)]}. There is nothing to fetch.")
    raise_topic(connection, "proof_files")
    _change(
        connection, file_id, state=FileState.WAITING, is_wanted=True, next_try_ms=None, failures=0, reason="",
        since_ms=now_ms,
    )  # fmt: skip
    record_act(
        connection, what="proof_file.fetch", subject=f"Photo of {row.batch}", before={"state": row.state},
        after={"state": str(FileState.WAITING)}, who=who,
    )  # fmt: skip


def _change(connection: Connection, file_id: str, **values: Any) -> None:
    version = raise_topic(connection, "proof_files")
    connection.execute(update(ProofFile).where(ProofFile.id == file_id).values(**values, changed_version=version))


def _clean(why: str) -> str:
    return storable(redact_text(why), _LONGEST_WHY)
