"""Files as pages, commands and packs read them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from app.deliveries.rows import names_by_place
from app.fleet.times import iso_ms
from app.identity.kinds import in_chunks
from app.proof_files.discover import hash_of
from app.proof_files.words import NO_PICTURE_WORD, STATE_WORDS, FileState, progress_words, size_words
from app.store.tables import DeliveryBatchRow, FacilityRow, ProofFile
from app.supply.filters import Place

COLUMNS = ("id", "batch", "facility", "purpose", "state", "size", "since", "next_try", "reason", "sha256", "url")


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file. Times in ms of Unix time; ``since_ms`` belongs to the state. ``format`` is "" for what is no photo.

    ``received`` and ``total`` are bytes; of a kept file both are its size. ``total`` is None where nobody says.
    """

    id: str
    integration_id: str
    url: str
    batch: str
    facility: str
    purpose: str
    captured_ms: int
    state: FileState
    reason: str
    since_ms: int
    received: int
    total: int | None
    tries: int
    next_try_ms: int | None
    sha256: str
    format: str

    @property
    def is_kept(self) -> bool:
        return self.state is FileState.KEPT

    @property
    def is_picture(self) -> bool:
        return self.is_kept and bool(self.format)

    @property
    def word(self) -> str:
        """One of the words of states, with how far it is while its bytes come."""
        if self.is_kept and not self.format:
            return NO_PICTURE_WORD
        if self.state is FileState.FETCHING:
            return f"is being fetched, {progress_words(self.received, self.total)}"
        if self.state is FileState.WAITING and self.received:
            return f"waits to go on, {progress_words(self.received, self.total)}"
        return STATE_WORDS[self.state]

    def as_row(self) -> dict[str, Any]:
        """As commands show it."""
        return {
            "id": self.id, "batch": self.batch, "facility": self.facility, "purpose": self.purpose,
            "state": self.word, "size": size_words(self.received) if self.is_kept else "",
            "since": iso_ms(self.since_ms), "next_try": iso_ms(self.next_try_ms), "reason": self.reason,
            "sha256": self.sha256 if self.is_kept else "", "url": self.url,
        }  # fmt: skip


_FIELDS = tuple(getattr(ProofFile, name) for name in FileRow.__dataclass_fields__)


def _row(found: Any) -> FileRow:
    values = dict(found._mapping)
    return FileRow(**values | {"state": FileState(values["state"])})


def files_of(connection: Connection, urls: Collection[tuple[str, str]]) -> dict[tuple[str, str], FileRow]:
    """By (integration, address); those that nothing is known of yet are left out."""
    wanted = set(urls)
    found: dict[tuple[str, str], FileRow] = {}
    for some in in_chunks({hash_of(url) for _integration_id, url in wanted}):
        for one in connection.execute(select(*_FIELDS).where(ProofFile.address_hash.in_(some))):
            if (one.integration_id, one.url) in wanted:
                found[one.integration_id, one.url] = _row(one)
    return found


def list_files(connection: Connection, *, states: Collection[str] = (), limit: int = 1_000) -> list[FileRow]:
    """The newest delivery first, with the names of batch and place where they are known."""
    query = select(*_FIELDS).order_by(ProofFile.captured_ms.desc(), ProofFile.seq.desc()).limit(limit)
    if states:
        query = query.where(ProofFile.state.in_(list(states)))
    return [_row(one) for one in connection.execute(query)]


def named_rows(connection: Connection, files: Sequence[FileRow]) -> list[Mapping[str, Any]]:
    """As :meth:`FileRow.as_row`, with names instead of the peer's ids."""
    batches = names_by_place(connection, DeliveryBatchRow, {Place(one.integration_id, one.batch) for one in files})
    places = names_by_place(connection, FacilityRow, {Place(one.integration_id, one.facility) for one in files})
    return [
        one.as_row()
        | {
            "batch": batches.get(Place(one.integration_id, one.batch), "") or one.batch,
            "facility": places.get(Place(one.integration_id, one.facility), "") or one.facility,
        }
        for one in files
    ]
