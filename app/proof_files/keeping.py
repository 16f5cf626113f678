"""Keeping the folder in order: files that are too old or too many go, those that are missing are fetched again.

The row says that a file is removed before it is deleted; what a killed engine left undeleted belongs to nobody and goes
at the next round.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, select

from app.deliveries.settings import load_settings
from app.proof_files.folder import ProofFolder
from app.proof_files.queue import write_lost, write_removed
from app.proof_files.words import FileState
from app.store.retention import doubted_days
from app.store.store import Store
from app.store.tables import ProofFile

ROUND_MS = 3_600_000
AT_ONCE = 500
LOST = "It was not in its folder any more, so it is fetched again."
_DAY_MS = 86_400_000


def tidy(store: Store, folder: ProofFolder, now_ms: int, stop: threading.Event) -> None:
    """One round. Blocks. Raises StoreError, OSError."""
    with store.read() as connection:
        keep = load_settings(connection)
        is_doubted = doubted_days(connection, now_ms) > 0
        old = [] if is_doubted else _too_old(connection, now_ms - keep.photo_days * _DAY_MS)
        many, edge_ms = _too_many(connection, keep.photo_total_mb * 1_000_000)
    why_old = f"It was kept for {keep.photo_days} days, as long as files of proofs are kept."
    why_many = f"It made room for newer ones: all files of proofs may have {keep.photo_total_mb:,} MB."
    _remove(store, old, why_old, now_ms)
    _remove(store, many, why_many, now_ms)
    if edge_ms is not None:
        with store.read() as connection:
            late = _waiting_before(connection, edge_ms)
        _remove(store, late, f"There is no room for it: newer ones have {keep.photo_total_mb:,} MB.", now_ms)
    if stop.is_set():
        return
    _fetch_lost(store, folder, now_ms, stop)
    _drop_orphans(store, folder, stop)


def kept_bytes(connection: Connection) -> int:
    """What all kept files have; one that was told under several addresses counts once."""
    row = ProofFile
    each = select(func.max(row.received).label("size")).where(row.state == FileState.KEPT).group_by(row.sha256)
    return int(connection.execute(select(func.sum(each.subquery().c.size))).scalar() or 0)


def _too_old(connection: Connection, before_ms: int) -> list[str]:
    row = ProofFile
    query = select(row.id).where(row.state == FileState.KEPT, row.since_ms < before_ms)
    return list(connection.execute(query).scalars())


def _too_many(connection: Connection, most_bytes: int) -> tuple[list[str], int | None]:
    """The oldest deliveries, until the others have room, and the time of the newest of them."""
    surplus = kept_bytes(connection) - most_bytes
    if surplus <= 0:
        return [], None
    row, found, edge_ms = ProofFile, [], 0
    query = (
        select(row.id, row.received, row.captured_ms)
        .where(row.state == FileState.KEPT)
        .order_by(row.captured_ms, row.seq)
    )
    for one in connection.execute(query):
        if surplus <= 0:
            break
        found.append(one.id)
        surplus -= one.received
        edge_ms = one.captured_ms
    return found, edge_ms


def _waiting_before(connection: Connection, edge_ms: int) -> list[str]:
    """What nobody asked for and is older than what has just made room: fetching it would only be undone."""
    row = ProofFile
    query = select(row.id).where(row.state == FileState.WAITING, ~row.is_wanted, row.captured_ms <= edge_ms)
    return list(connection.execute(query).scalars())


def _remove(store: Store, file_ids: Sequence[str], why: str, now_ms: int) -> None:
    for at in range(0, len(file_ids), AT_ONCE):
        some = file_ids[at : at + AT_ONCE]
        store.write(partial(write_removed, file_ids=some, why=why, now_ms=now_ms), rows=len(some)).result()


def _fetch_lost(store: Store, folder: ProofFolder, now_ms: int, stop: threading.Event) -> None:
    """After a restored backup or a moved store the rows know files that are not here."""
    row, after = ProofFile, 0
    while not stop.is_set():
        query = select(row.seq, row.id, row.sha256).where(row.state == FileState.KEPT, row.seq > after)
        with store.read() as connection:
            page: Sequence[Any] = connection.execute(query.order_by(row.seq).limit(AT_ONCE)).all()
        if not page:
            return
        after = page[-1].seq
        lost = [one.id for one in page if not folder.has(one.sha256)]
        if lost:
            store.write(partial(write_lost, file_ids=lost, why=LOST, now_ms=now_ms), rows=len(lost)).result()


def _drop_orphans(store: Store, folder: ProofFolder, stop: threading.Event) -> None:
    """Files of which no row says that they are kept, parts of which no row says that they are to be gone on with."""
    row = ProofFile
    for path in list(folder.kept_files()):
        if stop.is_set():
            return
        if not _has(store, (row.sha256 == path.name, row.state == FileState.KEPT)):
            path.unlink(missing_ok=True)
    for path in list(folder.part_files()):
        if not _has(
            store, (row.id == path.stem, row.state.in_((FileState.WAITING, FileState.FETCHING, FileState.OFF)))
        ):
            path.unlink(missing_ok=True)


def _has(store: Store, where: Collection[Any]) -> bool:
    with store.read() as connection:
        return connection.execute(select(ProofFile.seq).where(*where).limit(1)).first() is not None
